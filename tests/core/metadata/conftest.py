"""A hub of the tests' own with the services that read from it, and servers that answer as they like."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from modelshelf.catalog import CatalogService
from modelshelf.catalog.source import Source
from modelshelf.catalog.types import Location, RepoCard, RepoDetail, RepoFile
from modelshelf.config import ConfigManager
from modelshelf.events import EventBus
from modelshelf.ids import ModelId
from modelshelf.metadata import MetadataService
from modelshelf.samples import SampleHub
from modelshelf.samples.certificates import certificates
from modelshelf.store import Store
from tests.conftest import LoopRunner, running


@dataclass
class World:
    """A hub, and what reads from it."""

    hub: SampleHub
    config: ConfigManager
    store: Store
    catalog: CatalogService
    metadata: MetadataService

    def asked(self, name: str) -> list[str]:
        """The ranges that were asked for of files whose path ends so, where their bytes are."""
        found = [request for request in self.hub.requests if request.place == "cdn" and request.method == "GET"]
        sha = {
            file.sha256
            for repo in self.hub.repos.values()
            for path, file in repo.head.files.items()
            if path.endswith(name)
        }
        return [request.range for request in found if request.path.rpartition("/")[2] in sha]

    @property
    def sent(self) -> int:
        """The bytes of files that the hub has sent."""
        return sum(request.sent for request in self.hub.requests if request.place == "cdn")

    def anew(self) -> AbstractAsyncContextManager[MetadataService]:
        """The service of another process on the same home."""
        return running(MetadataService(self.config, self.catalog, self.store))


@pytest.fixture
def world(loop: LoopRunner, samples_folder: Path, config: ConfigManager, store: Store, events: EventBus) -> World:
    """A hub without repositories, to which a test adds its own."""
    hub = loop.enter(running(SampleHub(samples_folder, samples=False)))
    config.set("network.ca_file", str(hub.ca_file))
    source = {"name": "hub", "kind": "huggingface", "url": hub.url, "hosts": [hub.cdn_url]}
    config.set("sources", [source])
    catalog = loop.enter(running(CatalogService(config, store, events)))
    metadata = loop.enter(running(MetadataService(config, catalog, store)))
    return World(hub, config, store, catalog, metadata)


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class OneFile:
    """A source, and a catalogue of it, with one repository of one file whose bytes a server gives as it likes."""

    name, label, remote = "odd", "Odd", True

    def __init__(self, url: str, context: ssl.SSLContext, file: str, size: int) -> None:
        self._location = Location(url, {}, context)
        self._file = RepoFile(file, size)

    async def resolve(self, model: ModelId | str) -> tuple[Source, ModelId]:
        """Itself."""
        return self, ModelId("org/m", "odd")

    async def search(self, text: str, *, limit: int = 50) -> Sequence[RepoCard]:
        """Nothing."""
        return ()

    async def detail(self, repo: object, revision: str | None = None) -> RepoDetail:
        """The one file."""
        return RepoDetail(RepoCard("odd", "org/m"), "a" * 40, (self._file,))

    async def locate(self, repo: str, commit: str, path: str) -> Location:
        """Where the server is."""
        return self._location

    async def aclose(self) -> None:
        """Nothing is held."""


Odd = Callable[[Handler, str, int], AsyncIterator[MetadataService]]


@pytest.fixture
def odd(samples_folder: Path, config: ConfigManager) -> object:
    """A service that reads one file from a server: `async with odd(answer, name, size) as metadata`."""
    made = certificates(samples_folder / "tls")

    @asynccontextmanager
    async def opened(handler: Handler, name: str, size: int) -> AsyncIterator[MetadataService]:
        app = web.Application()
        app.router.add_get("/{path:.*}", handler)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=made.server_context()).start()
        url = f"https://127.0.0.1:{runner.addresses[0][1]}/{name}"
        metadata = MetadataService(config, OneFile(url, made.client_context(), name, size))
        try:
            yield metadata
        finally:
            await metadata.stop()
            await runner.cleanup()

    return opened
