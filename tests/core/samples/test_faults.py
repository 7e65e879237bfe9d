"""Each fault is what it says, so that tests of clients can rely on it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

import aiohttp
import pytest

from modelshelf.samples import ALWAYS, Faults, SampleHub
from modelshelf.samples.faults import Place

Web = Callable[[SampleHub], Awaitable[aiohttp.ClientSession]]
BYTES = bytes(range(256)) * 400
SIZE = len(BYTES)


class Reader:
    """Reads the one file of a hub."""

    def __init__(self, hub: SampleHub, session: aiohttp.ClientSession) -> None:
        self.hub = hub
        self.session = session
        self.url = f"{hub.url}/me/model/resolve/main/a.gguf"

    async def read(self, asked: str = "") -> tuple[int, bytes, Mapping[str, str]]:
        """Status, body and headers."""
        async with self.session.get(self.url, headers={"Range": asked} if asked else {}) as answer:
            return answer.status, await answer.read(), answer.headers


@pytest.fixture
def reader(loop: object, bare: SampleHub, web: Web) -> Callable[[Faults], Awaitable[Reader]]:
    async def prepare(faults: Faults) -> Reader:
        await bare.add("me/model", {"a.gguf": BYTES})
        bare.faults = faults
        return Reader(bare, await web(bare))

    return prepare


Prepare = Callable[[Faults], Awaitable[Reader]]


async def test_no_fault_is_on_by_default(reader: Prepare) -> None:
    status, body, _ = await (await reader(Faults())).read()
    assert (status, body) == (200, BYTES)


@pytest.mark.parametrize("place", ["api", "resolve", "cdn"])
async def test_an_error_status_as_often_as_told(reader: Prepare, place: Place) -> None:
    client = await reader(Faults(status=429, status_times=2, status_on=place, retry_after="3"))
    url = f"{client.hub.url}/api/models" if place == "api" else client.url
    seen = []
    for _ in range(3):
        async with client.session.get(url) as answer:
            seen.append((answer.status, answer.headers.get("Retry-After")))
    assert seen == [(429, "3"), (429, "3"), (200, None)]


async def test_the_connection_ends_after_so_many_bytes(reader: Prepare) -> None:
    client = await reader(Faults(close_after=5000, close_times=ALWAYS))
    for start in (0, 5000, 90_000):
        async with client.session.get(client.url, headers={"Range": f"bytes={start}-"}) as answer:
            with pytest.raises(aiohttp.ClientPayloadError):
                await answer.read()
    assert [entry.sent for entry in client.hub.requests if entry.place == "cdn"] == [5000] * 3


async def test_once_is_once_and_setting_faults_counts_anew(reader: Prepare) -> None:
    client = await reader(Faults(close_after=5000))
    for _ in range(2):
        with pytest.raises(aiohttp.ClientPayloadError):
            await client.read()
        assert (await client.read())[1] == BYTES
        client.hub.faults = Faults(close_after=5000)


async def test_corruption_keeps_the_size_and_hits_one_place(reader: Prepare) -> None:
    client = await reader(Faults(corrupt=ALWAYS))
    _, body, _ = await client.read()
    wrong = [at for at in range(SIZE) if body[at] != BYTES[at]]
    assert len(body) == SIZE
    assert wrong == list(range(SIZE // 2 - 16, SIZE // 2))
    assert (await client.read("bytes=0-999"))[1] == BYTES[:1000]
    _, body, _ = await client.read(f"bytes={SIZE // 2 - 8}-{SIZE // 2 + 7}")
    assert body[8:] == BYTES[SIZE // 2 : SIZE // 2 + 8]
    assert body[:8] != BYTES[SIZE // 2 - 8 : SIZE // 2]


async def test_truncation_agrees_with_its_own_length(reader: Prepare) -> None:
    status, body, _ = await (await reader(Faults(truncate=1))).read()
    assert (status, body) == (200, BYTES[:-1000])


async def test_a_length_that_promises_too_much(reader: Prepare) -> None:
    client = await reader(Faults(long_length=1))
    with pytest.raises(aiohttp.ClientPayloadError):
        await client.read()


async def test_what_ranges_can_go_through(reader: Prepare) -> None:
    client = await reader(Faults(range_ignored=1))
    status, body, headers = await client.read("bytes=10000-10099")
    assert (status, body, headers.get("Content-Range")) == (200, BYTES, None)
    client.hub.faults = Faults(wrong_offset=1)
    status, body, headers = await client.read("bytes=10000-10099")
    assert (status, body) == (206, BYTES[5904:6004])
    assert headers["Content-Range"] == f"bytes 5904-6003/{SIZE}"
    client.hub.faults = Faults(lying_body=1)
    status, body, headers = await client.read("bytes=10001-10100")
    assert (status, body) == (206, BYTES[5905:6005])
    assert headers["Content-Range"] == f"bytes 10001-10100/{SIZE}"


async def test_a_redirect_into_the_clear_is_noted(reader: Prepare) -> None:
    client = await reader(Faults(plain_redirect=1))
    status, _, _ = await client.read()
    assert status == 418
    assert [entry.place for entry in client.hub.requests] == ["resolve", "plain"]
    assert (await client.read())[0] == 200


async def test_a_signature_wears_out(reader: Prepare) -> None:
    client = await reader(Faults(signature_uses=2))
    async with client.session.head(client.url) as answer:
        where = answer.headers["Location"]
    seen = []
    for _ in range(3):
        async with client.session.get(where) as answer:
            seen.append(answer.status)
    assert seen == [200, 200, 403]
    assert (await client.read())[0] == 200


@pytest.mark.parametrize(
    ("faults", "least"),
    [
        (Faults(rate=400_000), 0.2),
        (Faults(trickle=400_000), 0.2),
        (Faults(silence_after=500, silence_seconds=0.2), 0.2),
        (Faults(latency=0.1), 0.2),
    ],
)
async def test_slowness(reader: Prepare, faults: Faults, least: float) -> None:
    client = await reader(faults)
    began = time.monotonic()
    assert (await client.read())[1] == BYTES
    assert least <= time.monotonic() - began < least + 2


async def test_a_switch_can_be_meant_for_some_files(reader: Prepare) -> None:
    client = await reader(Faults(corrupt=ALWAYS, only="*.safetensors"))
    assert (await client.read())[1] == BYTES


@pytest.mark.parametrize("faults", [Faults(api_down=True), Faults(cdn_down=True)])
async def test_a_server_that_is_down_says_nothing(reader: Prepare, faults: Faults) -> None:
    client = await reader(faults)
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await client.read()


async def test_a_client_that_leaves_is_no_error(reader: Prepare, caplog: pytest.LogCaptureFixture) -> None:
    client = await reader(Faults(rate=100_000))
    async with client.session.get(client.url) as answer:
        await answer.content.read(1000)
    await client.session.close()
    while client.hub.active:
        await asyncio.sleep(0.01)
    assert caplog.records == []


async def test_a_hub_ends_in_the_middle_of_a_silence(reader: Prepare) -> None:
    client = await reader(Faults(silence_after=500, silence_seconds=600))
    async with client.session.get(client.url) as answer:
        await answer.content.readexactly(500)
        began = time.monotonic()
        await client.hub.stop()
        assert time.monotonic() - began < 2
