"""Requests for the bytes of a source: https on every hop, redirects by hand, secrets to the first origin only."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import certifi
from yarl import URL

from modelshelf.config import ConfigManager
from modelshelf.errors import FileNotInRepository, ModelshelfError, Unreachable
from modelshelf.network.addresses import HTTPS, Resolver, check_https, check_literal, is_loopback, origin_of
from modelshelf.network.answers import Answer, Head, RangeAnswer, Route, explained, refusal
from modelshelf.network.lane import Lane

if TYPE_CHECKING:  # a source uses this module too
    from modelshelf.catalog.types import Location

REDIRECTS = 5
PER_HOST = 12
SKIPPABLE = 64 * 2**20
_REDIRECT = frozenset({301, 302, 303, 307, 308})
_CHUNK = 2**20

Turn = Callable[[str], AbstractAsyncContextManager[None]]
"""Waits until a host may be asked."""


def _any_time(_host: str) -> AbstractAsyncContextManager[None]:
    return nullcontext()


class Network:
    """Fetches bytes under one policy; `aclose` it at the end.

    The origin of a location was named by a person and is allowed as it is, private addresses included. A redirect may
    lead to the location's declared hosts or to global addresses, by https.
    """

    def __init__(self, config: ConfigManager, *, connect_seconds: float = 10.0, silence_seconds: float = 20.0) -> None:
        self._config = config
        self._connect_seconds = connect_seconds
        self._timeout = aiohttp.ClientTimeout(sock_connect=connect_seconds, sock_read=silence_seconds)
        self._context: ssl.SSLContext | None = None
        self._sessions: dict[tuple[ssl.SSLContext, bool], aiohttp.ClientSession] = {}

    async def aclose(self) -> None:
        """Close every connection."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    @asynccontextmanager
    async def open(
        self,
        location: "Location",
        start: int = 0,
        end: int | None = None,
        if_range: str | None = None,
        *,
        route: Route | None = None,
        turn: Turn = _any_time,
    ) -> AsyncIterator[Answer]:
        """Ask for the bytes from `start` to before `end`; the answer says what comes.

        `turn(host)` is entered for each host that is asked, one after another when it redirects, and left with its
        answer.

        A server may ignore the range or, by `if_range`, say that the file is another now: then `answer.partial` is
        False and the bytes begin at 0.

        Raises:
            UnsafeAddress: the address or a redirect breaks the policy.
            NotSignedIn, GatedRepository, AccessError, FileNotInRepository: the server refuses.
            Unreachable: no or no usable answer; `facts["transient"]` says whether to try again.
        """
        async with AsyncExitStack() as stack:
            if location.path is not None:
                yield await asyncio.to_thread(_open_file, location.path, start, end, stack)
                return
            asked = None if start == 0 and end is None else (start, None if end is None else end - 1)
            headers = {"Accept-Encoding": "identity"}
            if asked is not None:
                headers["Range"] = f"bytes={start}-{'' if asked[1] is None else asked[1]}"
                headers |= {"If-Range": if_range} if if_range else {}
            response, reached = await self._follow(location, route, headers, stack, turn)
            answer = Answer.of(response, asked)
            answer.route = reached
            yield answer

    async def fetch_range(self, location: "Location", start: int, length: int) -> RangeAnswer:
        """Some bytes of a file: fewer than `length` only at its end, never more.

        Raises:
            As `open`; Unreachable also when the server cannot send a part of a file.
        """
        if length <= 0:
            return RangeAnswer(b"", None, None)
        async with self.open(location, start, start + length) as answer:
            if not answer.partial and start > SKIPPABLE:
                raise Unreachable(f"{URL(location.url).host} cannot send a part of a file.", transient=False)
            skip, data = start - answer.start, bytearray()
            async with aclosing(answer.chunks()) as chunks:
                async for chunk in chunks:
                    data += chunk[skip:]
                    skip = max(skip - len(chunk), 0)
                    if len(data) >= length:
                        break
            return RangeAnswer(bytes(data[:length]), answer.total, answer.etag)

    async def _follow(
        self,
        location: "Location",
        route: Route | None,
        headers: dict[str, str],
        stack: AsyncExitStack,
        turn: Turn,
    ) -> tuple[aiohttp.ClientResponse, Route]:
        first = URL(location.url, encoded=True)
        trusted = {str(first.origin()) if first.host else "", *map(origin_of, location.hosts)}
        step = route or Route(first, True, location.headers)
        for _ in range(REDIRECTS + 1):
            async with AsyncExitStack() as hop:
                await hop.enter_async_context(turn(step.url.host or ""))
                response = await self._ask(step, location.ssl, headers, hop)
                if response.status in (200, 206):
                    stack.push_async_exit(hop.pop_all())
                    return response, step
                target = response.headers.get("Location")
                if response.status not in _REDIRECT or not target:
                    raise refusal(Head.of(response), redirected=step.url != first)
            url = step.url.join(URL(target, encoded=True))
            check_https(url)
            origin = str(url.origin())
            step = Route(url, origin in trusted, location.headers if url.origin() == first.origin() else {})
        raise Unreachable(f"{first.host} redirects more than {REDIRECTS} times.", transient=False)

    async def lane(self, location: "Location", route: Route) -> Lane | None:
        """A connection of its own to where a route ended, not opened yet; None where there can be none (a proxy).

        Raises:
            UnsafeAddress, Unreachable: as `open`.
        """
        if self._admit(route) is not None:
            return None
        context = location.ssl or await self._own_context()
        host, port = route.url.host or "", route.url.port or HTTPS
        resolver = Resolver(public=not route.trusted, seconds=self._connect_seconds)
        try:
            found = await resolver.resolve(host, port)
        except TimeoutError as error:
            raise Unreachable(f"{host} does not answer in time.", transient=True) from error
        except OSError as error:
            if isinstance(error, ModelshelfError):
                raise
            raise Unreachable(f"The name {host} cannot be found.", transient=True) from error
        addresses = [(address["family"], (address["host"], address["port"])) for address in found]
        return Lane(route, addresses, context, self._connect_seconds, self._timeout.sock_read or None)

    async def _ask(
        self, step: Route, context: ssl.SSLContext | None, headers: dict[str, str], stack: AsyncExitStack
    ) -> aiohttp.ClientResponse:
        proxy = self._admit(step)
        # A proxy looks names up itself; its own address was named by the person.
        session = await self._session(context, trusted=step.trusted or proxy is not None)
        with explained(step.url):
            return await stack.enter_async_context(
                session.get(step.url, headers={**step.headers, **headers}, allow_redirects=False, proxy=proxy)
            )

    def _admit(self, step: Route) -> str | None:
        """Hold an address against the policy; returns the proxy to ask it through, None to ask it directly.

        Raises:
            UnsafeAddress, Unreachable.
        """
        network, host = self._config.config.network, step.url.host or ""
        check_https(step.url)
        if network.offline and not is_loopback(host):
            raise Unreachable(
                f"{host} was not asked: the settings say to stay offline.",
                remedy="Set network.offline to false to use the network.",
                transient=False,
            )
        if not step.trusted:
            check_literal(step.url)
        return network.proxy if network.proxy and not is_loopback(host) else None

    async def _own_context(self) -> ssl.SSLContext:
        if self._context is None:
            network = self._config.config.network
            self._context = await asyncio.to_thread(tls_context, network.ca_file, self._config.environ)
        return self._context

    async def _session(self, context: ssl.SSLContext | None, *, trusted: bool) -> aiohttp.ClientSession:
        context = context or await self._own_context()
        key = context, trusted
        if key not in self._sessions:
            # Connections to named and to public origins never share a pool: one that was opened without the
            # check of its address must not serve a request that needs the check.
            connector = aiohttp.TCPConnector(
                ssl=context,
                limit=0,
                limit_per_host=PER_HOST,
                resolver=Resolver(public=not trusted, seconds=self._connect_seconds),
                keepalive_timeout=30,
            )
            self._sessions[key] = aiohttp.ClientSession(
                connector=connector,
                timeout=self._timeout,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "modelshelf"},
                trust_env=False,
            )
        return self._sessions[key]


def tls_context(ca_file: str, environ: Mapping[str, str]) -> ssl.SSLContext:
    """Trust what the system trusts, or SSL_CERT_FILE instead, and `ca_file` as well.

    Raises:
        Unreachable: a file of certificates cannot be read.
    """
    chosen = environ.get("SSL_CERT_FILE")
    paths = ssl.get_default_verify_paths()
    try:
        context = ssl.create_default_context(cafile=chosen or None)
        if not chosen and not paths.cafile and not paths.capath:
            context.load_verify_locations(certifi.where())
        if ca_file:
            context.load_verify_locations(Path(ca_file).expanduser())
    except (OSError, ssl.SSLError) as error:
        raise Unreachable(
            f"The certificates in {ca_file or chosen} cannot be read: {error}.",
            remedy="Correct network.ca_file or SSL_CERT_FILE.",
            transient=False,
        ) from error
    return context


def _open_file(path: Path, start: int, end: int | None, stack: AsyncExitStack) -> Answer:
    try:
        handle = stack.enter_context(path.open("rb"))
        size = path.stat().st_size
    except FileNotFoundError:
        raise FileNotInRepository(f"{path} does not exist.", transient=False) from None
    except OSError as error:
        raise Unreachable(f"{path} cannot be read: {error.strerror}.", transient=False) from error
    last = size if end is None else min(end, size)
    handle.seek(start)

    async def chunks() -> AsyncIterator[bytes]:
        left = max(last - start, 0)
        while left and (chunk := await asyncio.to_thread(handle.read, min(_CHUNK, left))):
            left -= len(chunk)
            yield chunk

    answer = Answer(chunks(), start=start, length=max(last - start, 0), total=size)
    answer.partial = True
    return answer
