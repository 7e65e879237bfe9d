"""A process of its own that downloads a repository: `python -m tests.core.downloads.child HOME CACHE REPO`."""

import asyncio
import sys
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any, cast

from modelshelf.access import AccessService
from modelshelf.catalog import CatalogService
from modelshelf.config import ConfigManager
from modelshelf.downloads import DownloadManager
from modelshelf.downloads.pace import Pace
from modelshelf.events import EventBus
from modelshelf.library import ModelLibrary
from modelshelf.store import Store
from modelshelf.vetting import ScanReport, Verdict, VettingService


class Calm:
    """Passes everything: scanning is not what is tried here."""

    async def admit(self, origin: object) -> None:
        pass

    async def scan(self, path: Path, *, name: str, sha256: str, origin: object = None) -> ScanReport:
        return ScanReport(str(path), Verdict.PASS)


async def main(home: str, cache: str, repo: str) -> None:
    config = ConfigManager(Path(home), {"HOME": home, "HF_HUB_CACHE": cache})
    store, vetting = Store.at(config.paths.database), cast("VettingService", Calm())
    events, access = EventBus(store), AccessService(store)
    catalog = CatalogService(config, store, events)
    library = ModelLibrary(config, store, events, access, vetting)
    downloads = DownloadManager(
        config, store, events, access, catalog, library, vetting, pace=Pace(beat=0.05, poll=0.1)
    )
    services: tuple[Any, ...] = (store, events, access, catalog, library, downloads.worker)
    async with AsyncExitStack() as stack:
        for service in services:
            await service.start()
            stack.push_async_callback(service.stop)
        job = await downloads.start(repo)
        async with aclosing(downloads.follow(job)) as steps:
            async for step in steps:
                print(step.status.value, step.done, step.error, flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
