"""A connection read by a thread: it obeys the same policy as the loop, and ends when it is told to."""

import asyncio
import os
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from yarl import URL

from modelshelf.catalog.types import Location
from modelshelf.config import ConfigManager
from modelshelf.downloads.journal import Identity
from modelshelf.downloads.pace import HostGates, Pace, Ramp
from modelshelf.downloads.part import Part, Written
from modelshelf.downloads.pieces import MIB, Span
from modelshelf.downloads.stream import Stream
from modelshelf.errors import AccessError, FileNotInRepository, ModelshelfError, Unreachable, UnsafeAddress
from modelshelf.network import Lane, LaneUnfitError, Network, Route
from modelshelf.network.answers import Extent
from tests.conftest import LoopRunner

DATA = os.urandom(3 * MIB)


class Server:
    """A TLS server of one file; the query of a request says what is wrong with the answer."""

    def __init__(self) -> None:
        authority = trustme.CA()
        self.inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(self.inside)
        self.context = ssl.create_default_context()
        authority.configure_trust(self.context)
        self.url = ""
        self.ports: list[int] = []
        self.asked = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        self.ports.append(request.transport.get_extra_info("peername")[1])
        self.asked.set()
        if status := request.query.get("status"):
            return web.Response(status=int(status), headers={"Location": "/elsewhere", "Retry-After": "7"})
        span = request.http_range
        start, stop = span.start or 0, span.stop or len(DATA)
        told = request.query.get("range", f"bytes {start}-{stop - 1}/{len(DATA)}")
        response = web.StreamResponse(status=206, headers={"Content-Range": told, "ETag": '"abc"'})
        if "chunked" not in request.query:
            response.content_length = stop - start
        if "close" in request.query:
            response.force_close()
        await response.prepare(request)
        await response.write(DATA[start : stop - 1000 if "silent" in request.query else stop])
        if "silent" in request.query:
            await asyncio.Event().wait()
        return response


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_get("/{tail:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server.inside).start()
    server.url = f"https://127.0.0.1:{runner.addresses[0][1]}/f"
    try:
        yield server
    finally:
        await runner.cleanup()


@asynccontextmanager
async def networking(config: ConfigManager) -> AsyncIterator[Network]:
    network = Network(config, connect_seconds=2, silence_seconds=0.3)
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


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as made:
        yield made


async def lane_to(network: Network, server: Server, query: str = "", context: ssl.SSLContext | None = None) -> Lane:
    location = Location(server.url, {}, context or server.context)
    lane = await network.lane(location, Route(URL(server.url + query), trusted=True))
    assert lane is not None
    return lane


def read_all(lane: Lane, start: int, end: int) -> bytes:
    lane.ask(start, end, None)
    found, view = bytearray(), memoryview(bytearray(70_000))
    while count := lane.read_into(view):
        found += view[:count]
    return bytes(found)


async def test_ranges_come_one_after_another_over_one_connection(network: Network, server: Server) -> None:
    lane = await lane_to(network, server)
    for start, end in ((0, 10), (5, MIB), (len(DATA) - 1, len(DATA))):
        assert await asyncio.to_thread(read_all, lane, start, end) == DATA[start:end]
    await asyncio.to_thread(lane.close)
    assert len(set(server.ports)) == 1


async def test_a_server_that_closes_is_asked_again_at_the_checked_address(network: Network, server: Server) -> None:
    lane = await lane_to(network, server, "?close")
    for _ in range(2):
        assert await asyncio.to_thread(read_all, lane, 0, 100) == DATA[:100]
    assert len(set(server.ports)) == 2


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?status=302", LaneUnfitError),
        ("?chunked", LaneUnfitError),
        ("?status=403", AccessError),
        ("?status=404", FileNotInRepository),
        ("?status=429", Unreachable),
        ("?status=500", Unreachable),
        ("?range=bytes 5-104/9", Unreachable),
        ("?range=bytes 1-100/3145728", Unreachable),
        ("?range=nonsense", Unreachable),
    ],
)
async def test_what_is_answered_is_checked_as_in_the_loop(
    network: Network, server: Server, query: str, expected: type[Exception]
) -> None:
    lane = await lane_to(network, server, query)
    with pytest.raises(expected) as caught:
        await asyncio.to_thread(read_all, lane, 0, 100)
    if isinstance(caught.value, ModelshelfError) and "status" in caught.value.facts:
        assert caught.value.facts["redirected"]


async def test_a_certificate_that_nobody_trusts_is_said_so(network: Network, server: Server) -> None:
    lane = await lane_to(network, server, context=ssl.create_default_context())
    with pytest.raises(Unreachable, match="is not trusted"):
        await asyncio.to_thread(read_all, lane, 0, 100)
    assert server.ports == []


async def test_where_a_lane_may_lead(network: Network, server: Server, config: ConfigManager) -> None:
    location = Location(server.url, {}, server.context)
    for target in ("http://127.0.0.1/f", "https://user:secret@127.0.0.1/f"):
        with pytest.raises(UnsafeAddress):
            await network.lane(location, Route(URL(target), trusted=True))
    for target in (server.url, "https://localhost/f", "https://10.0.0.1/f"):
        with pytest.raises(UnsafeAddress):
            await network.lane(location, Route(URL(target), trusted=False))
    # Behind a proxy the loop does it all.
    config.set("network.proxy", "http://127.0.0.1:1")
    assert await network.lane(location, Route(URL("https://example.com/f"), trusted=False)) is None
    config.set("network.offline", True)
    with pytest.raises(Unreachable, match="stay offline"):
        await network.lane(location, Route(URL("https://example.com/f"), trusted=False))


async def test_silence_ends_a_lane_and_nobody_there_is_said(network: Network, server: Server) -> None:
    with pytest.raises(Unreachable, match="does not answer in time"):
        await asyncio.to_thread(read_all, await lane_to(network, server, "?silent"), 0, MIB)
    nobody = Lane(Route(URL("https://127.0.0.1:1/"), trusted=True), [(2, ("127.0.0.1", 1))], server.context, 1, 1)
    with pytest.raises(Unreachable):
        await asyncio.to_thread(read_all, nobody, 0, 10)


async def test_a_cancelled_stream_ends_its_thread_and_keeps_what_came(
    server: Server, config: ConfigManager, pool: ThreadPoolExecutor, tmp_path: Path
) -> None:
    patient = Network(config, silence_seconds=600)
    lane = await lane_to(patient, server, "?silent")
    part = Part(tmp_path / "x.part", Identity(len(DATA), "a" * 64, None), pool)
    came = asyncio.Event()

    async def arrived(rows: list[Written], _: int) -> None:
        part.count(rows)
        came.set()

    def checked(_: Extent) -> None:
        assert threading.current_thread() is not threading.main_thread()

    async with part.opened():
        stream = Stream(lane, part, Pace(), checked, arrived)
        work = asyncio.create_task(stream.run(pool, Span(0, len(DATA)), None))
        await came.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert part.pieces.done >= MIB
        kept = await asyncio.to_thread(part.path.read_bytes)
        assert kept[: part.pieces.done] == DATA[: part.pieces.done]
    await patient.aclose()


def test_connections_are_added_while_they_make_it_faster() -> None:
    ramp = Ramp(4, 8)
    assert (ramp.step(80.0), ramp.count, ramp.open) == (2, 6, True)
    assert (ramp.step(120.0), ramp.count, ramp.open) == (2, 8, False)
    tired = Ramp(4, 8)
    assert [tired.step(100.0), tired.step(105.0), tired.step(500.0)] == [2, 0, 0]
    assert (tired.count, tired.open) == (6, False)
    assert Ramp(1, 1).step(10.0) == 0
    assert Ramp(4, 8).step(0.0) == 0


async def test_a_host_gets_so_many_requests_at_once_and_others_their_own() -> None:
    gates, inside, most = HostGates(at_once=3), 0, 0

    async def ask(host: str) -> None:
        nonlocal inside, most
        async with gates.turn(host):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(ask("one") for _ in range(20)))
    assert most == 3
    await asyncio.gather(*(ask(host) for host in ("one", "two") for _ in range(20)))
    assert most == 6
