"""Simulators over TLS on loopback, and a whole shelf whose sources they are."""

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from modelshelf.config import ConfigManager
from modelshelf.downloads import Job
from tests.conftest import LoopRunner
from tests.core.catalog.conftest import Serve, serve, trusted
from tests.core.sources.simulators import Host, ModelScope, Registry, Site, sha256

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

__all__ = ["serve", "trusted"]

Open = Callable[[Site], str]


@pytest.fixture
def opened(loop: LoopRunner, serve: Serve) -> Open:
    """Puts a simulator on a port of its own; its address."""
    return lambda site: loop.enter(serve(site))


@dataclass
class Place:
    """A simulator, its address, and a shelf that has it as the source `here`."""

    site: Any
    url: str
    shelf: "Shelf"
    config: ConfigManager

    async def fetch(self, model: str, *files: str, **named: Any) -> Job:
        """Name it, download it, wait."""
        name = await self.shelf.catalog.named(model, **named)
        async with aclosing(self.shelf.downloads.follow(await self.shelf.downloads.start(name, files))) as steps:
            async for step in steps:
                last = step
        return last

    def landed(self, job: Job) -> dict[str, str]:
        """The files under their final names with the SHA-256 of what is there."""
        folder = Path(job.result["path"])
        found = {str(path.relative_to(folder)): sha256(path.read_bytes()) for path in folder.rglob("*.*")}
        assert found == {file["name"]: file["sha256"] for file in job.result["files"]}
        return found

    def nothing_landed(self) -> bool:
        cache = self.config.paths.cache
        return not [*cache.glob("models--*/blobs/*"), *cache.glob("models--*/snapshots/*/*")]


def _place(kind: str, site: Site, opened: Open, config: ConfigManager, shelf: "Shelf", **more: Any) -> Place:
    url = opened(site)
    config.set("sources", [{"name": "here", "kind": kind, "url": url, **more}])
    return Place(site, url, shelf, config)


@pytest.fixture
def modelscope(opened: Open, config: ConfigManager, trusted: None, shelf: "Shelf") -> Place:
    return _place("modelscope", ModelScope(), opened, config, shelf, label="ModelScope")


@pytest.fixture
def registry(opened: Open, config: ConfigManager, trusted: None, shelf: "Shelf") -> Place:
    return _place("ollama", Registry(), opened, config, shelf, label="the registry")


@pytest.fixture
def host(opened: Open, config: ConfigManager, trusted: None, shelf: "Shelf") -> Place:
    place = Place(Host(), "", shelf, config)
    place.url = opened(place.site)
    return place
