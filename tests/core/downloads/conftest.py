"""A hub with faults, and everything that a download needs, in a temporary home."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from modelshelf.access import AccessService
from modelshelf.catalog import CatalogService
from modelshelf.config import ConfigManager
from modelshelf.downloads import DownloadManager, Job
from modelshelf.downloads.pace import Pace
from modelshelf.events import EventBus
from modelshelf.library import ModelLibrary
from modelshelf.samples import SampleHub
from modelshelf.store import Store
from modelshelf.sync import BundleService, SyncService
from modelshelf.updates import UpdateService
from modelshelf.vetting import Finding, ScanReport, Verdict, VettingService
from modelshelf.vetting.types import FileToScan
from tests.conftest import LoopRunner

QUICK = Pace(
    connect=2.0,
    silence=0.5,
    first_wait=0.01,
    longest_wait=0.05,
    tries=4,
    longest_asked=0.05,
    slow_rate=256 * 1024,
    slow_seconds=0.4,
    measure=0.05,
    beat=0.03,
    lease=4.0,
    poll=0.1,
)


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes that are the same each time and nowhere repeat."""
    source, left = random.Random(seed), size
    parts = []
    while left:  # a random number has less than 2^31 bits
        parts.append(source.randbytes(min(left, 64 << 20)))
        left -= len(parts[-1])
    return b"".join(parts)


@dataclass
class Opinion:
    """A vetting of the test's own: it passes every file but those named in `verdicts`, and notes what it held."""

    verdicts: dict[str, Verdict] = field(default_factory=dict)
    seen: list[tuple[str, str]] = field(default_factory=list)
    held: list[str] = field(default_factory=list)

    @property
    def quarantine(self) -> "Opinion":
        return self

    async def admit(self, origin: object) -> None:
        pass

    async def scan(self, path: Path, *, name: str, sha256: str, origin: object = None) -> ScanReport:
        assert await asyncio.to_thread(lambda: hashlib.sha256(path.read_bytes()).hexdigest()) == sha256
        self.seen.append((name, sha256))
        verdict = self.verdicts.get(name, Verdict.PASS)
        findings = () if verdict is Verdict.PASS else (Finding("TEST", name, "it could do harm.", verdict),)
        return ScanReport(str(path), verdict, findings)

    async def scan_all(self, files: Sequence[FileToScan], origin: object = None) -> list[ScanReport]:
        return [await self.scan(one.file, name=one.name, sha256=one.sha256 or "") for one in files]

    async def hold(self, file: Path, *, path: str, **_: object) -> None:
        file.unlink()
        self.held.append(path)


@dataclass
class World:
    """A manager with its worker, and what it stands on."""

    hub: SampleHub
    config: ConfigManager
    store: Store
    catalog: CatalogService
    library: ModelLibrary
    vetting: Opinion
    downloads: DownloadManager
    updates: UpdateService
    sync: SyncService
    bundles: BundleService

    @property
    def cache(self) -> Path:
        return self.config.paths.cache

    @property
    def parts(self) -> Path:
        return self.config.paths.parts

    async def ended(self, job: str) -> Job:
        """Wait for the end of a job."""
        async with aclosing(self.downloads.follow(job)) as steps:
            async for step in steps:
                last = step
        return last

    async def reached(self, job: str, wanted: Callable[[Job], bool]) -> Job:
        """Wait until a job looks as wanted."""
        async with aclosing(self.downloads.follow(job)) as steps:
            async for step in steps:
                if wanted(step):
                    return step
        raise AssertionError(f"the job ended without it: {step}")

    async def fetch(self, repo: str, *files: str, **options: Any) -> Job:
        """Download and wait."""
        return await self.ended(await self.downloads.start(repo, files, **options))

    def blobs(self) -> list[Path]:
        """Everything under a final name."""
        return sorted(self.cache.glob("models--*/blobs/*")) + sorted(self.cache.glob("models--*/snapshots/*/*"))

    def sent(self, since: int = 0) -> int:
        """Bytes that left the hub's content server, in answer to the requests from number `since` on."""
        return sum(request.sent for request in list(self.hub.requests)[since:] if request.place == "cdn")


@asynccontextmanager
async def a_world(hub: SampleHub, config: ConfigManager, *, working: bool = True, **clock: Any) -> AsyncIterator[World]:
    """Open everything, as a process does. `clock` and `zone` are what its budget goes by."""
    store = Store.at(config.paths.database)
    events = EventBus(store)
    access = AccessService(store)
    catalog = CatalogService(config, store, events)
    vetting = Opinion()
    real = cast("VettingService", vetting)
    library = ModelLibrary(config, store, events, access, real)
    downloads = DownloadManager(config, store, events, access, catalog, library, real, pace=QUICK, **clock)
    services: tuple[Any, ...] = (store, events, access, catalog, library, *([downloads.worker] if working else []))
    async with AsyncExitStack() as stack:
        for service in services:
            await service.start()
            stack.push_async_callback(service.stop)
        updates = UpdateService(events, access, catalog, library, downloads)
        sync = SyncService(access, library, downloads)
        bundles = BundleService(access, library, downloads, real, sync)
        yield World(hub, config, store, catalog, library, vetting, downloads, updates, sync, bundles)


def use(hub: SampleHub, config: ConfigManager) -> None:
    """Let the settings name the hub as the only source."""
    config.set("network.ca_file", str(hub.ca_file))
    config.set("sources", [{"name": "hub", "kind": "huggingface", "url": hub.url, "hosts": [hub.cdn_url]}])


class _started:  # noqa: N801 - reads as a function
    def __init__(self, hub: SampleHub) -> None:
        self.hub = hub

    async def __aenter__(self) -> SampleHub:
        await self.hub.start()
        return self.hub

    async def __aexit__(self, *_: object) -> None:
        await self.hub.stop()


@pytest.fixture(scope="session")
def hub_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hub")


@pytest.fixture
def empty_hub(loop: LoopRunner, hub_folder: Path) -> SampleHub:
    """A hub without repositories."""
    return loop.enter(_started(SampleHub(hub_folder, samples=False)))


@pytest.fixture
def world(loop: LoopRunner, empty_hub: SampleHub, config: ConfigManager) -> World:
    """A download manager on the hub."""
    use(empty_hub, config)
    return loop.enter(a_world(empty_hub, config))
