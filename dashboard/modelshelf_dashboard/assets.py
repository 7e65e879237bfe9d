"""Static files: read once, compressed once, then served from memory with an ETag and a cache time.

Panel's own routes send neither, which costs five megabytes at every load.
"""

import asyncio
import gzip
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import brotli
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

STATIC = ("/static/", "/components/")
YEAR = "public, max-age=31536000, immutable"
HOUR = "public, max-age=3600"
SMALL = 500  # bytes: not worth compressing
MEMORY_LIMIT = 64 * 2**20
PACKED = ("font/", "image/png", "image/jpeg", "image/webp", "application/zip")


@dataclass(frozen=True, slots=True)
class Asset:
    """An answer as it goes out."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    @property
    def etag(self) -> str:
        """Its tag, or nothing."""
        return Headers(raw=list(self.headers)).get("etag", "")


class Assets:
    """ASGI: keeps static answers, compresses pages as they come, and lets streams and websockets pass untouched.

    `policy(nonce)` is the content security policy of a page whose scripts carry that nonce.
    """

    def __init__(self, app: ASGIApp, *, policy: Callable[[str], str]) -> None:
        self._app = app
        self._policy = policy
        self._kept: OrderedDict[tuple[str, str], Asset] = OrderedDict()
        self._size = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        coding = _coding(headers.get("accept-encoding", ""))
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if not path.startswith(STATIC):
            await self._app(scope, receive, _PageSend(send, coding, self._policy))
            return
        asset = self._kept.get((path, coding)) or await self._fetch(scope, receive, path, coding)
        await _answer(asset, headers, scope, send)

    async def _fetch(self, scope: Scope, receive: Receive, path: str, coding: str) -> Asset:
        parts: list[bytes] = []
        start: Message = {"status": 500, "headers": []}

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                parts.append(message.get("body", b""))

        await self._app({**scope, "method": "GET"}, receive, keep)
        asset = await asyncio.to_thread(_pack, start["status"], start["headers"], b"".join(parts), coding, 9)
        if asset.status == 200 and self._size + len(asset.body) <= MEMORY_LIMIT:
            self._size += len(asset.body)
            self._kept[path, coding] = asset
        return asset


async def prime(app: ASGIApp, host: str, paths: Iterable[str]) -> None:
    """Let the app pack these files now, in the form that browsers ask for."""

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def drop(_message: Message) -> None:
        """Nobody reads it."""

    for path in paths:
        headers = [(b"host", host.encode()), (b"accept-encoding", b"br")]
        scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": headers}
        await app({**scope, "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http"}, receive, drop)


class _PageSend:
    """Gives the scripts of a page a nonce and compresses it; everything else goes on as it comes."""

    def __init__(self, send: Send, coding: str, policy: Callable[[str], str]) -> None:
        self._send = send
        self._coding = coding
        self._policy = policy
        self._start: Message | None = None
        self._parts: list[bytes] = []

    async def __call__(self, message: Message) -> None:
        """ASGI send."""
        if message["type"] == "http.response.start":
            kind = Headers(raw=message["headers"]).get("content-type", "")
            if kind.startswith("text/html"):
                self._start = message
                return
        elif self._start is not None:
            self._parts.append(message.get("body", b""))
            if message.get("more_body"):
                return
            await self._finish(self._start)
            return
        await self._send(message)

    async def _finish(self, start: Message) -> None:
        nonce = secrets.token_urlsafe(16)
        # All of the page is Panel's template; what users and models say comes later, by the websocket.
        body = b"".join(self._parts).replace(b"<script", f'<script nonce="{nonce}"'.encode())
        asset = await asyncio.to_thread(_pack, start["status"], start["headers"], body, self._coding, 4)
        headers = MutableHeaders(raw=list(asset.headers))
        headers["content-security-policy"] = self._policy(nonce)
        await self._send({**start, "headers": headers.raw})
        await self._send({"type": "http.response.body", "body": asset.body})


def _coding(accepted: str) -> str:
    names = {part.partition(";")[0].strip() for part in accepted.split(",") if "q=0" not in part.replace("q=0.", "")}
    return "br" if "br" in names else "gzip" if "gzip" in names else ""


def _pack(status: int, raw: list[tuple[bytes, bytes]], body: bytes, coding: str, level: int) -> Asset:
    headers = MutableHeaders(raw=[(name, value) for name, value in raw if name != b"content-length"])
    kind = headers.get("content-type", "")
    headers.add_vary_header("accept-encoding")
    if coding and len(body) > SMALL and not kind.startswith(PACKED):
        body = brotli.compress(body, quality=level) if coding == "br" else gzip.compress(body, min(level, 6), mtime=0)
        headers["content-encoding"] = coding
    if level == 9 and status == 200:
        headers["etag"] = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    if body:
        headers["content-length"] = str(len(body))
    return Asset(status, tuple(headers.raw), body)


async def _answer(asset: Asset, asked: Headers, scope: Scope, send: Send) -> None:
    headers = MutableHeaders(raw=list(asset.headers))
    if asset.status == 200:
        headers["cache-control"] = YEAR if scope["query_string"] else HOUR
    if asset.etag and asked.get("if-none-match") == asset.etag:
        del headers["content-length"]
        await send({"type": "http.response.start", "status": 304, "headers": headers.raw})
        await send({"type": "http.response.body", "body": b""})
        return
    await send({"type": "http.response.start", "status": asset.status, "headers": headers.raw})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else asset.body})
