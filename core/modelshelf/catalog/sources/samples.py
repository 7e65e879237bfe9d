"""The sample hub: tiny real models made on the spot, served by this process when somebody asks for them."""

import asyncio
import errno
from collections.abc import Sequence
from pathlib import Path

from modelshelf.catalog.sources import commits, hub, scans
from modelshelf.catalog.sources.api import Access, HubApi
from modelshelf.catalog.types import History, Location, RepoCard, RepoDetail, SecurityStatus
from modelshelf.config import ConfigManager, SourceConfig
from modelshelf.errors import FolderNotWritable, ModelshelfError, NotEnoughDisk, RepositoryNotFound, Unreachable
from modelshelf.samples import SampleHub

AUTHOR = "samples"


class SampleSource:
    """The repositories `samples/…`. Its hub starts with the first question and ends with the source."""

    remote = False

    def __init__(self, settings: SourceConfig, config: ConfigManager) -> None:
        self.name = settings.name
        self.label = settings.label or settings.name
        self._settings, self._config = settings, config
        self._lock = asyncio.Lock()
        self._access = Access()
        self._running: tuple[SampleHub, HubApi] | None = None

    async def search(self, text: str, *, limit: int = 50) -> Sequence[RepoCard]:
        """The sample models whose names match."""
        _, api = await self._start()
        return await hub.with_sizes(api, await hub.search(api, self.name, text, limit))

    async def detail(self, repo: str, revision: str | None = None) -> RepoDetail:
        """A sample model with its files."""
        if not repo.startswith(f"{AUTHOR}/"):
            raise RepositoryNotFound(f"{self.label} has no {repo}.")
        _, api = await self._start()
        return await hub.detail(api, self.name, repo, revision)

    async def security(self, repo: str, commit: str) -> SecurityStatus | None:
        """What the sample hub's scanners are said to have found."""
        _, api = await self._start()
        return await scans.security(api, repo, commit)

    async def history(self, repo: str, revision: str = "main", *, limit: int = 20) -> History:
        """The newest commits."""
        _, api = await self._start()
        return await commits.history(api, repo, revision, limit, public=False)

    async def locate(self, repo: str, commit: str, path: str) -> Location:
        """The address of a file on the running hub."""
        server, api = await self._start()
        return Location(hub.file_url(api.endpoint, repo, commit, path), {}, self._access.context, server.hosts)

    async def hub(self) -> SampleHub:
        """The running hub.

        Raises:
            As `search`.
        """
        return (await self._start())[0]

    async def aclose(self) -> None:
        """End the hub."""
        async with self._lock:
            if self._running:
                (server, api), self._running = self._running, None
                await api.aclose()
                await server.stop()

    async def _start(self) -> tuple[SampleHub, HubApi]:
        async with self._lock:
            if self._running is None:
                server = SampleHub(self._config.paths.samples)
                try:
                    await server.start()
                except OSError as error:
                    await server.stop()
                    raise _unstarted(server.folder, error) from error
                token = self._config.environ.get(self._settings.token_env) if self._settings.token_env else None
                self._access = Access(token, context=server.ssl_context)
                self._running = server, HubApi(server.url, self.label, lambda: self._access)
            return self._running


def _unstarted(folder: Path, error: OSError) -> ModelshelfError:
    if error.errno == errno.ENOSPC:
        return NotEnoughDisk(f"The sample hub cannot start: the disk that holds {folder} is full.")
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return FolderNotWritable(f"The sample hub cannot start: {folder} cannot be written.")
    return Unreachable(
        f"The sample hub cannot start: {error.strerror or error}.", remedy=f"Check that {folder} can be written."
    )
