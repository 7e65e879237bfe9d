"""Models that somebody listed in a Parquet file, at an https address or on a disk; a hub has their files."""

import asyncio
import shutil
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

from modelshelf.catalog.sources.hub import HubSource
from modelshelf.catalog.sources.tokens import hub_endpoint
from modelshelf.catalog.types import Location, RepoCard
from modelshelf.config import ConfigManager, SourceConfig
from modelshelf.errors import Unreachable
from modelshelf.network import Network

MOST_BYTES = 8 * 10**9


class ParquetSource(HubSource):
    """`settings.url` or `settings.path` is the file; details and files come from the Hub that HF_ENDPOINT names.

    A search does not ask it: what it lists is in the catalogue.
    """

    def __init__(self, settings: SourceConfig, config: ConfigManager) -> None:
        of_hub = settings.model_copy(update={"url": hub_endpoint(settings.model_copy(update={"url": ""}), config)})
        super().__init__(of_hub, config)
        self._place = settings.url or settings.path
        self._network = Network(config)

    async def search(self, text: str, *, limit: int = 50) -> Sequence[RepoCard]:
        """Nothing: the catalogue has it."""
        return ()

    async def fetch(self, file: Path) -> None:
        """Bring the file here."""
        if "://" not in self._place:
            await asyncio.to_thread(self._copy, file)
            return
        await self._prepare()
        size = 0
        location = Location(self._place, ssl=self._context, hosts=frozenset(self._settings.hosts))
        with file.open("wb") as out:
            async with self._network.open(location) as answer, aclosing(answer.chunks()) as chunks:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > MOST_BYTES:
                        raise Unreachable(f"{self.label} is larger than {MOST_BYTES / 1e9:g} GB.")
                    await asyncio.to_thread(out.write, chunk)

    async def aclose(self) -> None:
        """Close the connections."""
        await super().aclose()
        await self._network.aclose()

    def _copy(self, file: Path) -> None:
        place = Path(self._place).expanduser()
        if not place.is_file():
            raise Unreachable(f"{self.label}: there is no file {place}.", remedy="Set its path, or attach the disk.")
        shutil.copyfile(place, file)
