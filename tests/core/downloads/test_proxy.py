"""A proxy in the way that ends TLS, looks at what comes and passes it on: what it says is never taken for a model."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from yarl import URL

from modelshelf.config import ConfigManager
from modelshelf.downloads import Job, JobStatus
from modelshelf.errors import ModelshelfError
from modelshelf.samples import SampleHub
from modelshelf.samples.repository import HubFile
from tests.conftest import LoopRunner
from tests.core.downloads.conftest import World, a_world, noise
from tests.core.downloads.proxy import Intercepting, Manner, intercepting

DATA = noise(18 * 2**20, seed=3)
FILES = {"model-Q8_0.gguf": DATA, "config.json": b'{"model_type": "llama"}'}


class NamedHub(SampleHub):
    """A hub that is known by names which only the proxy can look up."""

    def sign(self, file: HubFile) -> str:
        return str(URL(super().sign(file)).with_host("bytes.test"))


@dataclass
class Behind:
    """A world whose only way to the hub is the proxy."""

    world: World
    proxy: Intercepting

    async def fetch(self) -> Job:
        return await self.world.fetch("org/model-GGUF")


@asynccontextmanager
async def behind(hub: SampleHub, config: ConfigManager, folder: Path) -> AsyncIterator[Behind]:
    await hub.start()
    try:
        await hub.add("org/model-GGUF", FILES)
        api, cdn = URL(hub.url), URL(hub.cdn_url)
        places = {f"hub.test:{api.port}": ("127.0.0.1", api.port), f"bytes.test:{cdn.port}": ("127.0.0.1", cdn.port)}
        async with intercepting({k: (h, p or 0) for k, (h, p) in places.items()}, hub.ssl_context) as proxy:
            config.set("network.proxy", proxy.url)
            config.set("network.ca_file", str(proxy.write_ca(folder / "company.pem")))
            url, hosts = str(api.with_host("hub.test").origin()), [str(cdn.with_host("bytes.test").origin())]
            config.set("sources", [{"name": "hub", "kind": "huggingface", "url": url, "hosts": hosts}])
            async with a_world(hub, config) as world:
                yield Behind(world, proxy)
    finally:
        await hub.stop()


@pytest.fixture
def office(loop: LoopRunner, hub_folder: Path, config: ConfigManager, tmp_path: Path) -> Behind:
    return loop.enter(behind(NamedHub(hub_folder, samples=False), config, tmp_path))


async def test_with_its_certificate_named_the_file_arrives_through_it(office: Behind) -> None:
    job = await office.fetch()
    assert (job.status, job.error) == (JobStatus.DONE, "")
    snapshot = office.world.cache / "models--org--model-GGUF/snapshots" / job.commit
    assert (snapshot / "model-Q8_0.gguf").read_bytes() == DATA
    assert {line.split(":")[0] for line in office.proxy.asked} == {"CONNECT hub.test", "CONNECT bytes.test"}


async def test_a_certificate_that_nobody_named_is_refused(office: Behind) -> None:
    office.world.config.set("network.ca_file", str(office.world.hub.ca_file))
    with pytest.raises(ModelshelfError, match="certificate") as raised:
        await office.fetch()
    assert "network.ca_file" in raised.value.remedy


@pytest.mark.parametrize(
    ("manner", "message", "remedy"),
    [
        (Manner.PORTAL, "no Hub's answer", "login page"),
        (Manner.WANTS_PASSWORD, "wants a name and a password", "name:password"),
        (Manner.FORBIDS, "answers 403", "Ask who runs the proxy"),
    ],
)
async def test_what_the_proxy_says_itself_is_no_answer(
    office: Behind, manner: Manner, message: str, remedy: str
) -> None:
    office.proxy.manner = manner
    with pytest.raises(ModelshelfError, match=message) as raised:
        await office.fetch()
    assert remedy in raised.value.remedy
    assert office.world.blobs() == []


@pytest.mark.parametrize("manner", [Manner.PORTAL, Manner.WANTS_PASSWORD, Manner.FORBIDS, Manner.DAMAGES])
async def test_it_meddles_with_the_bytes_alone(office: Behind, manner: Manner) -> None:
    """The Hub itself is open to it: this is what a scanner of large files does."""
    world, office.proxy.only, office.proxy.manner = office.world, "bytes.test", manner
    job = await office.fetch()
    assert job.status is JobStatus.FAILED
    assert job.error.endswith(".")
    assert job.remedy
    assert [path for path in world.blobs() if path.stat().st_size == len(DATA)] == []
    office.proxy.manner = Manner.PASS
    await world.downloads.retry(job.id)
    assert (await world.ended(job.id)).status is JobStatus.DONE
