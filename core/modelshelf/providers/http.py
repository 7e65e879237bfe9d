"""What every adapter speaks through: one origin, bounded answers, bounded waits, and errors as sentences."""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Any

import aiohttp
from yarl import URL

from modelshelf.config import ConfigManager
from modelshelf.errors import ModelshelfError, NotFound, NotTrusted, ProviderError, TimedOut, Unreachable, WrongAddress
from modelshelf.network.addresses import is_loopback
from modelshelf.network.client import tls_context
from modelshelf.providers.addresses import ProviderResolver
from modelshelf.providers.refusals import message, plain, refusal
from modelshelf.providers.streams import Lines, ServerSentEvents, TooLong, decode_object

ANSWER_LIMIT = 32 << 20
ERROR_LIMIT = 64 << 10
SILENCE_SECONDS = 600.0


Query = Mapping[str, str | int] | None
Sign = Callable[[str], Awaitable[Mapping[str, str]]]


class Endpoint:
    """A provider's API at one origin. Redirects are not followed: a key goes where it was meant to go.

    `who` names the provider in sentences. `seconds` bounds connecting and whole answers that come at once; `silence`
    bounds the pause between two pieces of a stream. `settings` tell of a proxy, of certificates, and whether to stay
    offline; without them nothing but loopback is for it.
    """

    def __init__(
        self,
        who: str,
        url: str,
        *,
        seconds: float = 5.0,
        silence: float = SILENCE_SECONDS,
        headers: Mapping[str, str] | None = None,
        settings: ConfigManager | None = None,
        sign: Sign | None = None,
    ) -> None:
        self.who = who
        self.url = URL(url)
        self._seconds = seconds
        self._silence = silence
        self._headers = dict(headers or {})
        self._settings = settings
        self._sign = sign
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def aclose(self) -> None:
        """Close every connection, for good: what is asked afterwards fails instead of opening a new one."""
        self._closed = True
        if self._session:
            session, self._session = self._session, None
            await session.close()

    async def json(
        self, method: str, path: str, body: Any = None, *, query: Query = None, model: str = "", signed: bool = True,
        seconds: float | None = None, limit: int = ANSWER_LIMIT,
    ) -> Any:  # fmt: skip
        """The JSON that a route answers; None for an empty answer. `signed` False leaves the key out.

        Raises:
            Unreachable: nothing usable came, or too late.
            NotSignedIn, NotFound, ProviderError: the provider refuses, or answers something else.
        """
        text = await self.text(
            method, path, body, query=query, model=model, signed=signed, seconds=seconds, limit=limit
        )
        try:
            # Off the loop: a list of thousands of models takes a while to read.
            return (await asyncio.to_thread(json.loads, text)) if text.strip() else None
        except (ValueError, RecursionError):
            raise self._malformed(path, text) from None

    async def text(
        self, method: str, path: str, body: Any = None, *, query: Query = None, model: str = "", signed: bool = True,
        seconds: float | None = None, limit: int = ANSWER_LIMIT,
    ) -> bytes:  # fmt: skip
        """As `json`, without reading what came."""
        limits = aiohttp.ClientTimeout(total=seconds or self._seconds)
        sent = {"json": body} | ({"params": dict(query)} if query else {})
        async with self._ask(method, path, limits, model=model, signed=signed, **sent) as response:
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
        limits = aiohttp.ClientTimeout(connect=self._seconds, sock_read=self._silence)
        headers = {"Content-Length": str(length), "Content-Type": "application/octet-stream"}
        async with self._ask("POST", path, limits, data=data, headers=headers) as response:
            await self._whole(response, ANSWER_LIMIT)

    async def ndjson(self, path: str, body: Any, *, model: str = "") -> AsyncGenerator[dict[str, Any], None]:
        """The objects of an answer with one a line; closing the generator closes the connection."""
        async with aclosing(self._lines(path, body, model)) as lines:
            async for line in lines:
                if line.strip():
                    yield self._object(path, line)

    async def sse(
        self, path: str, body: Any, *, model: str = "", told_end: bool = False, method: str = "POST"
    ) -> AsyncGenerator[dict[str, Any], None]:
        """The objects of server-sent events up to `[DONE]`; closing the generator closes the connection.

        With `told_end` an empty object stands for `[DONE]`. An answer of one object and no events, as some servers give
        whatever was asked, is heard too.
        """
        async with aclosing(self._data(path, body, model, method)) as found:
            async for data in found:
                if data.strip() == "[DONE]":
                    if told_end:
                        yield {}
                    return
                yield self._object(path, data)

    async def _data(self, path: str, body: Any, model: str, method: str) -> AsyncGenerator[str, None]:
        """The data of each event; the whole of an answer that is no stream of events."""
        events, whole = ServerSentEvents(), bytearray()
        async with aclosing(self._lines(path, body, model, method)) as lines:
            async for line in lines:
                if (data := events.line(line)) is not None:
                    yield data
                elif not events.begun:
                    whole += line + b"\n"
                    if len(whole) > ANSWER_LIMIT:
                        raise self._malformed(path, bytes(whole))
        rest = events.line(b"")  # the empty line after the last event is often left out
        if not events.begun and whole.strip():
            rest = whole.decode("utf-8", "replace")
        if rest is not None:
            yield rest

    async def _lines(self, path: str, body: Any, model: str, method: str = "POST") -> AsyncGenerator[bytes, None]:
        limits = aiohttp.ClientTimeout(connect=self._seconds, sock_read=self._silence)
        async with self._ask(method, path, limits, model=model, json=body) as response:
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
        self,
        method: str,
        path: str,
        limits: aiohttp.ClientTimeout,
        *,
        model: str = "",
        signed: bool = True,
        headers: Mapping[str, str] | None = None,
        **arguments: Any,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        url = self.url.joinpath(*path.strip("/").split("/"), encoded=True) if path.strip("/") else self.url
        proxy = self._proxy()
        session = self._session or await self._open()
        sent = {**(headers or {}), **(await self._sign(model) if self._sign and signed else {})}
        with self._explained():
            async with session.request(
                method, url, timeout=limits, allow_redirects=False, proxy=proxy, headers=sent, **arguments
            ) as response:
                if response.status >= 300:
                    raise await self._refusal(response, path)
                yield response

    def _proxy(self) -> str | None:
        if self._settings is None or is_loopback(self.url.host or ""):
            return None
        network = self._settings.config.network
        if network.offline:
            raise Unreachable(
                f"{self.who} was not asked: the settings say to stay offline.",
                remedy="Set network.offline to false to use the network.",
            )
        return network.proxy or None

    async def _open(self) -> aiohttp.ClientSession:
        context: ssl.SSLContext | bool = True
        if self._settings is not None and self.url.scheme == "https":
            ca_file, environ = self._settings.config.network.ca_file, self._settings.environ
            context = await asyncio.to_thread(tls_context, ca_file, environ)
        if self._closed:
            raise Unreachable(f"{self.who} was let go of while it was asked.", remedy="Ask again.")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, resolver=ProviderResolver(), ssl=context),
                headers={"User-Agent": "modelshelf", **self._headers},
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session

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
        body = await self._beginning(response)
        return refusal(self.who, path.strip("/"), response.status, body, response.headers.get("Retry-After", ""))

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
        except ModelshelfError:
            raise
        except aiohttp.ClientSSLError as error:
            raise NotTrusted(
                f"{self.who} at {address} has no certificate that can be trusted: {plain(error)}."
            ) from error
        except TimeoutError as error:
            raise TimedOut(f"{self.who} at {address} did not answer in time.") from error
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, ModelshelfError):
                raise error.os_error from error
            raise Unreachable(
                f"{self.who} does not answer at {address}.", remedy="Start it, or check its address."
            ) from error
        except (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, ConnectionError) as error:
            raise Unreachable(f"{self.who} at {address} broke the answer off in the middle.") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise Unreachable(f"{self.who} at {address} does not answer as HTTP should: {plain(error)}.") from error

    def _object(self, path: str, text: str | bytes) -> dict[str, Any]:
        try:
            found = decode_object(text)
        except ValueError:
            raise self._malformed(path, text if isinstance(text, bytes) else text.encode()) from None
        if error := found.get("error"):
            raise ProviderError(f"{self.who} answers: {message(error)}", remedy="Look into the provider's own log.")
        return found

    def _malformed(self, path: str, text: bytes) -> WrongAddress:
        page = text[:200].lstrip().lower().startswith((b"<!doctype", b"<html"))
        return WrongAddress(f"{self.who} answers {path} with {'a web page' if page else 'something that is not JSON'}.")
