"""The library: what is in the Hugging Face cache, whoever put it there."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from modelshelf.access import AccessService, Role, require
from modelshelf.catalog.files import format_of
from modelshelf.config import ConfigManager
from modelshelf.errors import ModelshelfError, NotFound, Unreachable, UsageError
from modelshelf.events import EventBus, LibraryChanged
from modelshelf.hooks import Hooks
from modelshelf.hooks.spec import AFTER_DELETION, BEFORE_DELETION
from modelshelf.ids import ModelId
from modelshelf.library import records
from modelshelf.library.inventory import Inventory, KnownRepo, assemble
from modelshelf.library.loose import Loose, loose
from modelshelf.library.pins import Pins
from modelshelf.library.removal import Deletion, Holders, LentNames, check_idle, execute, nobody, plan
from modelshelf.library.served import ServedFile, served
from modelshelf.library.types import InstalledModel, Removal, VerifyResult
from modelshelf.library.verify import Gauge, verify
from modelshelf.store import Store
from modelshelf.store.tables import FileRow

if TYPE_CHECKING:
    import pandas as pd

    from modelshelf.vetting import VettingService

log = logging.getLogger(__name__)

LOOK_SECONDS = 3.0
LOOK_SHARE = 20
FIRST_LOOK_SECONDS = 2.0
PATH_LIMIT = 1000

Name = str | ModelId | InstalledModel


class Lent(Protocol):
    """Knows what of the library was given to other programs."""

    async def links(self, repo: str) -> LentNames:
        """The names of a repository's files that it made elsewhere, by the file."""
        ...

    async def let_go(self, removal: Removal) -> None:
        """This is about to be deleted: take it back from everywhere."""
        ...


class ModelLibrary:
    """Lists, finds, verifies and deletes models. It notices within seconds what other programs add or delete.

    `holders` says whose stores hold the same bytes as files of the library.
    """

    name = "library"

    def __init__(
        self,
        config: ConfigManager,
        store: Store,
        events: EventBus,
        access: AccessService,
        vetting: "VettingService",
        *,
        look_seconds: float = LOOK_SECONDS,
        hooks: Hooks | None = None,
    ) -> None:
        self.access = access
        self.holders: Holders = nobody
        self._hooks = hooks or Hooks()
        self._config = config
        self._store = store
        self._events = events
        self._look_seconds = look_seconds
        self.pins = Pins(store, events, access, self)
        self._inventory = Inventory()
        self._looked = asyncio.Event()
        self._complete: frozenset[str] = frozenset()
        self._watcher: asyncio.Task[None] | None = None
        self.lent: Lent | None = None

    @property
    def cache(self) -> Path:
        """The Hugging Face cache under the present settings."""
        return self._config.paths.cache

    async def start(self) -> None:
        """Begin to watch the cache. Waits for the first look, but not for a disk that takes long."""
        self._watcher = asyncio.create_task(self._watch(), name="library.watch")
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_LOOK_SECONDS):
                await self._looked.wait()

    async def stop(self) -> None:
        """End the watch."""
        if self._watcher:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
            self._watcher = None

    async def models(self) -> tuple[InstalledModel, ...]:
        """Every commit of every repository in the cache; those that lack files are marked."""
        known = await self._look()
        found = await self._store.read(records.read)
        return await asyncio.to_thread(assemble, known, found)

    def has(self, repo: str) -> bool:
        """Whether some commit of the repository was whole when the cache was last looked at."""
        return repo.lower() in self._complete

    async def served(self) -> tuple[ServedFile, ...]:
        """Every whole GGUF model under the name that engines offer it by."""
        return await asyncio.to_thread(served, await self.models())

    async def loose(self) -> Sequence[Loose]:
        """Of each repository the bytes that no snapshot leads to."""
        known = await self._look()
        return await asyncio.to_thread(loose, known)

    async def frame(self) -> "pd.DataFrame":
        """The models as a table, sizes in bytes."""
        return await asyncio.to_thread(_to_frame, await self.models())

    async def find(self, model: Name) -> InstalledModel | None:
        """A model by the name it is served under, by `org/name`, or by a whole id; the newest if several match."""
        found = await self._find(model)
        return found[0] if found else None

    async def get(self, model: Name) -> InstalledModel:
        """As `find`.

        Raises:
            NotFound: it is not installed.
        """
        found, _ = await self._get(model)
        return found

    async def record(self, rows: Sequence[FileRow]) -> None:
        """Keep what is known of files that landed."""
        await self._store.write(records.write, rows)
        for repo in {row.repo for row in rows}:
            self._events.publish(LibraryChanged(repo=repo))

    async def lead_out(self, files: Sequence[tuple[Path, str]]) -> None:
        """Let the library lead to these files of other programs, each with its SHA-256.

        Raises:
            Unreachable: such a file is gone, or its path is too long to be kept.
        """
        long = next((place for place, _ in files if len(str(place)) > PATH_LIMIT), None)
        try:
            if files and long is None:
                await self._store.write(records.lead_out, files)
        except OSError as error:
            raise Unreachable(f"{files[0][0]} cannot be linked to: {error.strerror}.") from error
        if long is not None:
            raise Unreachable(f"{long} has too long a name to be linked to.", remedy="Move it to a shorter path.")

    async def note_moves(self, repo: str, before: Mapping[str, str], commit: str) -> None:
        """Keep where names of commits led, before they are made to lead to this commit."""
        await self._store.write(records.note_moves, repo, before, commit)

    async def moved_from(self, repo: str, ref: str, commit: str) -> str:
        """Where a name led before it led to this commit; empty if that is not known."""
        return await self._store.read(records.moved_from, repo, ref, commit)

    async def removal(self, model: Name) -> Removal:
        """What deleting a model would free and break. Without a commit in its name, all its commits are meant.

        Raises:
            NotFound: it is not installed.
            UsageError: it cannot be deleted now.
        """
        return (await self._plan(model)).removal

    async def permitted(self, model: Name) -> Removal:
        """As `removal`, for who is about to take a model out of the library by another way than `remove`.

        Raises:
            NotFound, UsageError: as `removal`.
            Vetoed: a hook refuses.
        """
        removal = await self.removal(model)
        await self._hooks.ask(BEFORE_DELETION, _about(removal))
        return removal

    @require(Role.OPERATOR, "library.remove")
    async def remove(self, model: Name) -> Removal:
        """Delete a model; bytes that other commits or repositories use stay.

        Raises:
            NotFound: it is not installed.
            UsageError: a download is writing to it.
            Vetoed: a hook refuses.
            FolderNotWritable: the disk refuses.
        """
        deletion = await self._plan(model)
        about = _about(deletion.removal)
        await self._hooks.ask(BEFORE_DELETION, about)
        if self.lent is not None:
            await self.lent.let_go(deletion.removal)
        try:
            await asyncio.to_thread(execute, deletion)
            await self._store.write(records.forget, deletion.removal)
        finally:
            await self._look(deletion.removal.repo)
        await self.access.record("library.remove", deletion.removal.repo, "done", f"{deletion.removal.freed} bytes")
        await self._hooks.tell(AFTER_DELETION, about)
        return deletion.removal

    async def verify(
        self, model: Name | None = None, *, gauge: Gauge | None = None
    ) -> AsyncGenerator[VerifyResult, None]:
        """Read every file of a model, or of all, and compare it with its checksum: a result for each, in order.

        Files that are not what they should be are marked in the library. `gauge` is told how far the reading is.

        Raises:
            NotFound: the model is not installed.
        """
        wanted = None if model is None else await self._get(model)
        known, rows = await self._look(), (await self._store.read(records.read)).files
        snapshots = [
            (repo, snapshot)
            for repo, item in known.items()
            for snapshot in item.read.snapshots
            if wanted is None or (repo, snapshot.commit) == (wanted[0].repo, wanted[0].commit)
        ]
        async with aclosing(verify(snapshots, wanted[1] if wanted else (), rows, gauge)) as results:
            async for result, row in results:
                if row is not None:
                    before = rows.get((row.repo, row.commit, row.path))
                    await self._store.write(records.write, [row])
                    if row.damaged != bool(before and before.damaged):
                        self._events.publish(LibraryChanged(repo=row.repo))
                yield result

    async def _find(self, model: Name) -> tuple[InstalledModel, tuple[str, ...]] | None:
        """The model, and its files that are meant; no files means all of them."""
        models = await self.models()
        if isinstance(model, InstalledModel):
            return next(((m, ()) for m in models if (m.repo, m.commit) == (model.repo, model.commit)), None)
        if isinstance(model, str):
            for item in await asyncio.to_thread(served, models):
                if item.name.lower() == model.lower():
                    return item.model, tuple(file.path for file in item.files)
        name = _parse(model)
        exact = [m for m in models if name and _matches(m, name)]
        chosen = next((m for m in exact if m.complete), exact[0] if exact else None)
        return (chosen, (name.file,) if name and name.file else ()) if chosen else None

    async def _get(self, model: Name) -> tuple[InstalledModel, tuple[str, ...]]:
        found = await self._find(model)
        if found is None:
            raise NotFound(f"{_label(model)} is not installed.", remedy="List what is, with `modelshelf list`.")
        return found

    async def _plan(self, model: Name) -> Deletion:
        installed, files = await self._get(model)
        if job := await self._store.read(records.active_job, installed.repo):
            raise UsageError(
                f"{installed.repo} is being downloaded (job {job[0]}, {job[1]}).",
                remedy="Wait until the download is done, or cancel it.",
            )
        known = await self._look()
        item = known.get(installed.repo)
        if item is None:
            raise NotFound(f"{_label(model)} is not installed.")
        left = [f.path for f in installed.files if f.path not in files and format_of(f.path)]
        chosen = files if files and left else ()
        commits: tuple[str, ...] = (installed.commit,)
        if isinstance(model, str | ModelId) and not files and not _pinned(model):
            commits = tuple(snapshot.commit for snapshot in item.read.snapshots)
        lent = await self.lent.links(installed.repo) if self.lent is not None else {}
        return await asyncio.to_thread(self._prepare, known, installed.repo, commits, chosen, lent)

    def _prepare(
        self,
        known: Mapping[str, KnownRepo],
        repo: str,
        commits: Sequence[str],
        files: Sequence[str],
        lent: LentNames,
    ) -> Deletion:
        cache = self.cache
        check_idle(repo, cache)
        repos = {name: item.read for name, item in known.items()}
        return plan(repos, repo, commits, files, cache, holders=self.holders, lent=lent)

    async def _look(self, *touched: str) -> Mapping[str, KnownRepo]:
        """Read what changed in the cache, and tell of it."""
        outside = await self._store.read(records.outside)
        known, changed = await asyncio.to_thread(self._inventory.refresh, self.cache, outside)
        if changed:
            self._complete = frozenset(
                repo.lower() for repo, item in known.items() if any(traits.complete for traits in item.traits)
            )
        if self._looked.is_set():
            for repo in sorted(changed.union(touched)):
                self._events.publish(LibraryChanged(repo=repo))
        self._looked.set()
        return known

    async def _watch(self) -> None:
        while True:
            begun = time.monotonic()
            try:
                await self._look()
            except ModelshelfError as error:
                log.warning("the library cannot be read: %s", error)
            # A large cache on a slow disk is looked at less often, so that looking never costs more than a twentieth.
            await asyncio.sleep(max(self._look_seconds, LOOK_SHARE * (time.monotonic() - begun)))


def _matches(model: InstalledModel, name: ModelId) -> bool:
    same = model.repo.lower() == name.repo.lower() and (name.source in (None, model.source) or model.source is None)
    revision = name.revision
    known = revision is None or revision in model.refs or (len(revision) >= 7 and model.commit.startswith(revision))
    return same and known and (name.file is None or any(file.path == name.file for file in model.files))


def _parse(model: str | ModelId) -> ModelId | None:
    if isinstance(model, ModelId):
        return model
    try:
        return ModelId.parse(model)
    except UsageError:
        # Repositories without a publisher (`gpt2`) are in old caches.
        return ModelId(model) if "/" not in model else None


def _pinned(model: str | ModelId) -> bool:
    name = _parse(model)
    return name is not None and name.revision is not None


def _label(model: Name) -> str:
    return str(model.id) if isinstance(model, InstalledModel) else str(model)


def _about(removal: Removal) -> dict[str, Any]:
    """What hooks are told of a deletion."""
    return {
        "model": removal.repo,
        "source": "",
        "repo": removal.repo,
        "commit": removal.commits[0] if len(removal.commits) == 1 else "",
        "commits": list(removal.commits),
        "freed": removal.freed,
    }


def _to_frame(models: Sequence[InstalledModel]) -> "pd.DataFrame":
    from modelshelf.library.frame import to_frame

    return to_frame(models)
