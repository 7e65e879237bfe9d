"""What every adapter speaks through: one origin, bounded answers, bounded waits, and errors as sentences."""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Any

import aiohttp
from yarl import URL

from modelshelf.errors import ModelshelfError, NotFound, NotSignedIn, ProviderError, Unreachable
from modelshelf.providers.addresses import ProviderResolver
from modelshelf.providers.streams import Lines, ServerSentEvents, TooLong, decode_object

ANSWER_LIMIT = 32 << 20
ERROR_LIMIT = 64 << 10
SILENCE_SECONDS = 600.0
SAID = 300


class Endpoint:
    """A provider's API at one origin. Redirects are not followed: a key goes where it was meant to go.

    `who` names the provider in sentences. `seconds` bounds connecting and whole answers that come at once; `silence`
    bounds the pause between two pieces of a stream.
    """

    def __init__(
        self,
        who: str,
        url: str,
        *,
        seconds: float = 5.0,
        silence: float = SILENCE_SECONDS,
        headers: Mapping[str, str] | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.who = who
        self.url = URL(url)
        self._seconds = seconds
        self._silence = silence
        self._headers = dict(headers or {})
        self._ssl = context
        self._session: aiohttp.ClientSession | None = None

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session:
            session, self._session = self._session, None
            await session.close()

    async def json(
        self, method: str, path: str, body: Any = None, *, seconds: float | None = None, limit: int = ANSWER_LIMIT
    ) -> Any:
        """The JSON that a route answers; None for an empty answer.

        Raises:
            Unreachable: nothing usable came, or too late.
            NotSignedIn, NotFound, ProviderError: the provider refuses, or answers something else.
        """
        text = await self.text(method, path, body, seconds=seconds, limit=limit)
        try:
            # Off the loop: a list of thousands of models takes a while to read.
            return (await asyncio.to_thread(json.loads, text)) if text.strip() else None
        except (ValueError, RecursionError):
            raise self._malformed(path, text) from None

    async def text(
        self, method: str, path: str, body: Any = None, *, seconds: float | None = None, limit: int = ANSWER_LIMIT
    ) -> bytes:
        """As `json`, without reading what came."""
        limits = aiohttp.ClientTimeout(total=seconds or self._seconds)
        async with self._ask(method, path, limits, json=body) as response:
            return await self._whole(response, limit)

    async def status(self, method: str, path: str) -> int:
        """The status that a route answers, 404 included.

        Raises:
            Unreachable, NotSignedIn, ProviderError.
        """
        try:
            async with self._ask(method, path, aiohttp.ClientTimeout(total=self._seconds)) as response:
                return response.status
        except NotFound:
            return 404

    async def upload(self, path: str, data: AsyncIterator[bytes], length: int) -> None:
        """Send raw bytes."""
        limits = aiohttp.ClientTimeout(sock_connect=self._seconds, sock_read=self._silence)
        headers = {"Content-Length": str(length), "Content-Type": "application/octet-stream"}
        async with self._ask("POST", path, limits, data=data, headers=headers) as response:
            await self._whole(response, ANSWER_LIMIT)

    async def ndjson(self, path: str, body: Any) -> AsyncGenerator[dict[str, Any], None]:
        """The objects of an answer with one a line; closing the generator closes the connection."""
        async with aclosing(self._lines(path, body)) as lines:
            async for line in lines:
                if line.strip():
                    yield self._object(path, line)

    async def sse(self, path: str, body: Any) -> AsyncGenerator[dict[str, Any], None]:
        """The objects of server-sent events up to `[DONE]`; closing the generator closes the connection."""
        events = ServerSentEvents()
        async with aclosing(self._lines(path, body)) as lines:
            async for line in lines:
                data = events.line(line)
                if data is not None:
                    if data.strip() == "[DONE]":
                        return
                    yield self._object(path, data)

    async def _lines(self, path: str, body: Any) -> AsyncGenerator[bytes, None]:
        limits = aiohttp.ClientTimeout(sock_connect=self._seconds, sock_read=self._silence)
        async with self._ask("POST", path, limits, json=body) as response:
            lines = Lines()
            try:
                async for data in response.content.iter_any():
                    for line in lines.feed(data):
                        yield line
            except TooLong:
                raise self._malformed(path, b"") from None
            if rest := lines.end():
                yield rest

    @asynccontextmanager
    async def _ask(
        self, method: str, path: str, limits: aiohttp.ClientTimeout, **arguments: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        url = self.url.joinpath(*path.strip("/").split("/"), encoded=True) if path.strip("/") else self.url
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=0, resolver=ProviderResolver(), ssl=True if self._ssl is None else self._ssl
            )
            self._session = aiohttp.ClientSession(
                connector=connector, headers={"User-Agent": "modelshelf", **self._headers},
                cookie_jar=aiohttp.DummyCookieJar(), trust_env=False,
            )  # fmt: skip
        with self._explained():
            async with self._session.request(
                method, url, timeout=limits, allow_redirects=False, **arguments
            ) as response:
                if response.status >= 300:
                    raise await self._refusal(response, path)
                yield response

    async def _whole(self, response: aiohttp.ClientResponse, limit: int) -> bytes:
        data = bytearray()
        async for piece in response.content.iter_any():
            data += piece
            if len(data) > limit:
                raise ProviderError(
                    f"{self.who} answers more than {limit >> 20} MiB, which is no sensible list.",
                    remedy="Check that the address is this provider's API.",
                )
        return bytes(data)

    async def _refusal(self, response: aiohttp.ClientResponse, path: str) -> ModelshelfError:
        said = _said(await self._beginning(response))
        detail = f": {said}" if said else "."
        match response.status:
            case 401 | 403:
                return NotSignedIn(f"{self.who} refuses the key{detail}", remedy="Check the provider's key.")
            case 404:
                return NotFound(f"{self.who} has no {path.strip('/')}{detail}", remedy="Check the model's name.")
            case 429:
                wait = response.headers.get("Retry-After", "")[:40]
                return ProviderError(
                    f"{self.who} allows no more requests for now{detail}",
                    remedy=f"Try again in {wait} s." if wait.isdigit() else "Try again later.",
                    status=429,
                )
            case status if status < 400:
                return ProviderError(
                    f"{self.who} redirects to another address; that was not followed.",
                    remedy="Set the provider's address to the one that answers.",
                    status=status,
                )
            case status:
                return ProviderError(
                    f"{self.who} answers with error {status}{detail}",
                    remedy="Look into the provider's own log.",
                    status=status,
                )

    async def _beginning(self, response: aiohttp.ClientResponse) -> bytes:
        try:
            async with asyncio.timeout(self._seconds):
                return await response.content.read(ERROR_LIMIT)
        except (TimeoutError, aiohttp.ClientError):
            return b""

    @contextmanager
    def _explained(self) -> Iterator[None]:
        address = str(self.url)
        try:
            yield
        except aiohttp.ClientSSLError as error:
            raise Unreachable(
                f"{self.who} at {address} has no certificate that can be trusted: {_plain(error)}.",
                remedy="Check the address, or name its certificates in network.ca_file.",
            ) from error
        except TimeoutError as error:
            raise Unreachable(f"{self.who} at {address} did not answer in time.") from error
        except (aiohttp.ClientConnectorError, aiohttp.ClientConnectorDNSError) as error:
            raise Unreachable(
                f"{self.who} does not answer at {address}.", remedy="Start it, or check its address."
            ) from error
        except (aiohttp.ClientError, ConnectionError, ValueError) as error:
            raise Unreachable(f"{self.who} at {address} broke off: {_plain(error)}.") from error

    def _object(self, path: str, text: str | bytes) -> dict[str, Any]:
        try:
            found = decode_object(text)
        except ValueError:
            raise self._malformed(path, text if isinstance(text, bytes) else text.encode()) from None
        if error := found.get("error"):
            raise ProviderError(f"{self.who} answers: {_message(error)}", remedy="Look into the provider's own log.")
        return found

    def _malformed(self, path: str, text: bytes) -> ProviderError:
        page = text[:200].lstrip().lower().startswith((b"<!doctype", b"<html"))
        return ProviderError(
            f"{self.who} answers {path} with {'a web page' if page else 'something that is not JSON'}.",
            remedy="Check that the address is this provider's API and not a page of something else.",
        )


def _said(body: bytes) -> str:
    """The message in an error's body, whatever shape it has; nothing if it is a page."""
    try:
        return _message(decode_object(body))
    except ValueError:
        return ""


def _message(found: Any) -> str:
    for _ in range(4):
        if isinstance(found, dict):
            found = found.get("error") or found.get("message") or found.get("detail") or ""
    text = " ".join(found.split()) if isinstance(found, str) else ""
    text = "".join(character for character in text if character.isprintable())[:SAID]
    return text if text.endswith((".", "!", "?")) or not text else text + "."


def _plain(error: BaseException) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:SAID].rstrip(".")
