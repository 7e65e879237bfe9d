"""The policy of every request: https on every hop, checked addresses, secrets to the first origin only."""

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from modelshelf.catalog.types import Location
from modelshelf.config import ConfigManager
from modelshelf.errors import (
    AccessError,
    FileNotInRepository,
    GatedRepository,
    ModelshelfError,
    NotSignedIn,
    Unreachable,
    UnsafeAddress,
)
from modelshelf.network import Network
from modelshelf.network.addresses import Resolver, is_global
from tests.conftest import LoopRunner

DATA = bytes(range(256)) * 40


@dataclass
class Server:
    """Two TLS servers with one authority, and what they were asked."""

    context: ssl.SSLContext
    url: str = ""
    other: str = ""
    seen: list[web.Request] = field(default_factory=list)

    def at(self, path: str, **headers: str) -> Location:
        return Location(self.url + path, headers, self.context)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        if to := request.query.get("to"):
            return web.Response(status=302, headers={"Location": to})
        if status := request.query.get("status"):
            headers = {"X-Error-Code": request.query.get("code", ""), "Retry-After": "7"}
            return web.Response(status=int(status), headers=headers)
        if "loop" in request.query:
            return web.Response(status=302, headers={"Location": "/x?loop"})
        span = request.http_range
        start, stop = span.start or 0, span.stop if span.stop is not None else len(DATA)
        if "Range" not in request.headers or "ignore" in request.query:
            return web.Response(body=DATA)
        told = request.query.get("range", f"bytes {start}-{min(stop, len(DATA)) - 1}/{len(DATA)}")
        body = DATA[start:stop] + b"more" * ("more" in request.query)
        headers = {"Content-Range": told, "ETag": request.query.get("etag", '"abc"')}
        if "zip" in request.query:
            headers["Content-Encoding"] = "gzip"
        return web.Response(status=206, body=body, headers=headers)


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    authority = trustme.CA()
    inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(inside)
    outside = ssl.create_default_context()
    authority.configure_trust(outside)
    server = Server(outside)
    app = web.Application()
    app.router.add_get("/{tail:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    for _ in range(2):
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=inside).start()
    server.url, server.other = (f"https://127.0.0.1:{address[1]}" for address in runner.addresses)
    try:
        yield server
    finally:
        await runner.cleanup()


@asynccontextmanager
async def networking(config: ConfigManager) -> AsyncIterator[Network]:
    network = Network(config, connect_seconds=2, silence_seconds=1)
    try:
        yield network
    finally:
        await network.aclose()


@pytest.fixture
def server(loop: LoopRunner) -> Server:
    return loop.enter(serving())


@pytest.fixture
def network(loop: LoopRunner, config: ConfigManager) -> Network:
    return loop.enter(networking(config))


@pytest.mark.parametrize(("start", "length"), [(0, 10), (100, 1), (len(DATA) - 5, 50), (0, len(DATA)), (7, 0)])
@pytest.mark.parametrize("query", ["", "?ignore=1"])
async def test_a_range_is_exactly_what_was_asked(
    network: Network, server: Server, start: int, length: int, query: str
) -> None:
    answer = await network.fetch_range(server.at("/f" + query), start, length)
    assert answer.data == DATA[start : start + length]
    assert answer.total in (len(DATA), None)


@pytest.mark.parametrize(
    "query",
    [
        "?range=bytes 0-9/99999",
        "?range=bytes 5-14/2",
        "?range=nonsense",
        "?range=bytes 4-13/*&more=1",
        "?more=1",
        "?zip=1",
    ],
)
async def test_headers_that_contradict_the_question_are_refused(network: Network, server: Server, query: str) -> None:
    with pytest.raises(Unreachable):
        await network.fetch_range(server.at("/f" + query), 4, 10)


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:1/f",
        "https://localhost:{port}/f",
        "https://10.0.0.1/f",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/f",
        "https://[::ffff:127.0.0.1]/f",
        "https://2130706433/f",
        "https://127.1/f",
        "https://user:secret@127.0.0.1/f",
        "ftp://127.0.0.1/f",
        "file:///etc/passwd",
    ],
)
async def test_a_redirect_never_leads_into_this_network(network: Network, server: Server, target: str) -> None:
    to = target.format(port=server.other.rpartition(":")[2])
    with pytest.raises(UnsafeAddress) as caught:
        await network.fetch_range(server.at("/f?to=" + to), 0, 5)
    assert len(server.seen) == 1
    assert "secret" not in str(caught.value)


async def test_a_declared_host_may_be_private_but_gets_no_secrets(network: Network, server: Server) -> None:
    location = server.at(f"/f?to={server.other}/g", Authorization="Bearer secret")
    with pytest.raises(UnsafeAddress):
        await network.fetch_range(location, 0, 5)
    declared = Location(location.url, location.headers, location.ssl, frozenset({server.other}))
    assert (await network.fetch_range(declared, 0, 5)).data == DATA[:5]
    first, second = server.seen[-2:]
    assert first.headers["Authorization"] == "Bearer secret"
    assert "Authorization" not in second.headers
    # Where the redirects ended is where the next request may start.
    async with network.open(declared, 5, 9) as answer:
        route = answer.route
    async with network.open(declared, 9, 12, route=route) as answer:
        assert b"".join([chunk async for chunk in answer.chunks()]) == DATA[9:12]
    assert server.seen[-1].path == "/g"
    assert "Authorization" not in server.seen[-1].headers


async def test_a_private_origin_that_is_not_declared_is_named_with_the_setting_for_it(
    network: Network, server: Server
) -> None:
    with pytest.raises(UnsafeAddress) as caught:
        await network.fetch_range(server.at(f"/f?to={server.other}/g"), 0, 5)
    assert f"add {server.other} to the `hosts` of that source" in caught.value.remedy
    resolver = Resolver(public=True, seconds=2)
    for port, origin in ((9000, "https://localhost:9000"), (443, "https://localhost")):
        with pytest.raises(UnsafeAddress) as caught:
            await resolver.resolve("localhost", port)
        assert f"add {origin} to the `hosts`" in caught.value.remedy
    # As the remedy says it, or as people write it.
    for written in (server.other, server.other + "/"):
        declared = server.at(f"/f?to={server.other}/g")
        declared = Location(declared.url, declared.headers, declared.ssl, frozenset({written}))
        assert (await network.fetch_range(declared, 0, 5)).data == DATA[:5]


async def test_redirects_have_an_end(network: Network, server: Server) -> None:
    with pytest.raises(Unreachable, match="more than 5 times"):
        await network.fetch_range(server.at("/f?loop"), 0, 5)
    assert len(server.seen) == 6


@pytest.mark.parametrize(
    ("query", "expected", "transient"),
    [
        ("status=401", NotSignedIn, False),
        ("status=403", AccessError, False),
        ("status=403&code=GatedRepo", GatedRepository, False),
        ("status=404", FileNotInRepository, False),
        ("status=429", Unreachable, True),
        ("status=503", Unreachable, True),
        ("status=418", Unreachable, False),
    ],
)
async def test_each_refusal_has_its_error(
    network: Network, server: Server, query: str, expected: type[ModelshelfError], transient: bool
) -> None:
    with pytest.raises(expected) as caught:
        await network.fetch_range(server.at("/f?" + query), 0, 5)
    assert (caught.value.facts["transient"], caught.value.facts["retry_after"]) == (transient, 7.0)
    assert caught.value.message.endswith(".")


async def test_a_certificate_that_nobody_trusts_is_said_so(network: Network, server: Server) -> None:
    with pytest.raises(Unreachable, match="is not trusted") as caught:
        await network.fetch_range(Location(server.url + "/f"), 0, 5)
    assert "network.ca_file" in caught.value.remedy


async def test_nobody_there_and_an_unknown_name(network: Network, server: Server) -> None:
    with pytest.raises(Unreachable, match="connection refused"):
        await network.fetch_range(Location("https://127.0.0.1:1/f"), 0, 5)
    with pytest.raises(Unreachable, match=r"nowhere\.invalid"):
        await network.fetch_range(Location("https://nowhere.invalid/f"), 0, 5)
    with pytest.raises(UnsafeAddress, match="not an https address"):
        await network.fetch_range(Location(server.url.replace("https", "http")), 0, 5)


async def test_offline_means_loopback_only(network: Network, server: Server, config: ConfigManager) -> None:
    config.set("network.offline", True)
    assert (await network.fetch_range(server.at("/f"), 0, 5)).data == DATA[:5]
    with pytest.raises(Unreachable, match="stay offline"):
        await network.fetch_range(Location("https://example.com/f"), 0, 5)


async def test_a_name_is_resolved_once_and_only_its_public_addresses_count() -> None:
    named, public = Resolver(public=False, seconds=2), Resolver(public=True, seconds=2)
    assert {found["host"] for found in await named.resolve("localhost", 443)} <= {"127.0.0.1", "::1"}
    with pytest.raises(UnsafeAddress, match="no public address"):
        await public.resolve("localhost", 443)
    await asyncio.gather(named.close(), public.close())


async def test_a_path_is_read_like_a_range(network: Network, tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(DATA)
    answer = await network.fetch_range(Location(path=file), 10, 20)
    assert (answer.data, answer.total) == (DATA[10:30], len(DATA))
    with pytest.raises(FileNotInRepository):
        await network.fetch_range(Location(path=tmp_path / "none"), 0, 1)


@given(st.ip_addresses(v=4))
def test_an_address_is_as_public_as_the_one_it_wraps(address: ipaddress.IPv4Address) -> None:
    public = address.is_global and not address.is_multicast
    assert is_global(str(address)) == public
    wrapped = (f"::ffff:{address}", str(ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b::")) + int(address))))
    for text in wrapped:
        assert not is_global(text) or public
