"""Updates: a newer commit is fetched beside the old one; names move when it is verified, and can be moved back."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

from modelshelf.access import AccessService, Role, require
from modelshelf.catalog import CatalogService
from modelshelf.catalog.files import format_of, quantisation_of
from modelshelf.catalog.types import RepoDetail
from modelshelf.downloads import DownloadManager, DownloadPlan, refs
from modelshelf.errors import ChecksumMismatch, FileNotInRepository, ModelshelfError, NotFound, UsageError
from modelshelf.events import EventBus, LibraryChanged
from modelshelf.ids import ModelId
from modelshelf.library import ModelLibrary
from modelshelf.library.types import InstalledModel
from modelshelf.updates.types import Rollback, Update, Updating

AT_ONCE = 8
MAIN = "main"


class UpdateService:
    """Finds newer commits of what is installed, fetches them, and goes back to earlier ones."""

    def __init__(
        self,
        events: EventBus,
        access: AccessService,
        catalog: CatalogService,
        library: ModelLibrary,
        downloads: DownloadManager,
    ) -> None:
        self.access = access
        self._events = events
        self._catalog = catalog
        self._library = library
        self._downloads = downloads

    async def outdated(self, model: str | None = None) -> tuple[Update, ...]:
        """What the sources say of every name in the library, or of those of one model; who does not answer is unknown.

        Raises:
            NotFound: the model is not installed.
        """
        only = (await self._library.get(model)).repo if model else None
        gate = asyncio.Semaphore(AT_ONCE)
        pairs = [(m, ref) for m in await self._library.models() if only in (None, m.repo) for ref in m.refs]
        return tuple(await asyncio.gather(*(self._look(item, ref, gate) for item, ref in pairs)))

    @require(Role.OPERATOR, "download.update")
    async def update(self, model: str, ref: str | None = None) -> str:
        """Fetch the newest commit of a model beside the installed one, and return the job's id; empty if it is newest.

        When every file is verified and passed, `ref` (by default the name that leads to it, `main` before others)
        leads to the new commit. The old one stays.

        Raises:
            NotFound, UsageError: it is not installed, it is pinned, or no name leads to it.
            As `DownloadManager.start`.
        """
        installed = await self._library.get(model)
        if installed.pinned:
            raise UsageError(f"{installed.repo} is pinned: it stays as it is.", remedy="Unpin it first.")
        name = _name(installed, ref)
        detail = await self._newest(installed, name)
        if detail.commit == installed.commit and installed.complete:
            return ""
        return await self._downloads.start_plan(await self._plan(installed, detail, name))

    @require(Role.OPERATOR, "download.update")
    async def update_all(self) -> Updating:
        """Fetch the newest commit of everything that is outdated; what cannot be begun keeps nothing else from it."""
        jobs: list[str] = []
        failed: list[Update] = []
        for found in await self.outdated():
            if found.status == "unknown":
                failed.append(found)
            if found.status != "outdated":
                continue
            try:
                job = await self.update(found.repo, found.ref)
            except ModelshelfError as error:
                failed.append(replace(found, error=error.message, remedy=error.remedy))
            else:
                jobs += [job] if job else []
        return Updating(tuple(dict.fromkeys(jobs)), tuple(failed))

    @require(Role.OPERATOR, "download.rollback")
    async def rollback(self, model: str, ref: str | None = None, *, verify: bool = True) -> Rollback:
        """Let a name lead to the commit again that it led to before, after reading all its files once more.

        Raises:
            NotFound, UsageError: it is not installed, or there is no earlier commit.
            ChecksumMismatch: a file of the earlier commit is damaged; nothing was changed.
        """
        found = await self._library.get(model)
        models = {m.commit: m for m in await self._library.models() if m.repo == found.repo}
        current = next((m for m in models.values() if (ref or MAIN) in m.refs), found)
        name = _name(current, ref)
        commit = await self._library.moved_from(current.repo, name, current.commit)
        if not commit:
            raise UsageError(f"{current.repo} was not updated here.", remedy="Only an update can be taken back.")
        earlier = models.get(commit)
        if earlier is None or not earlier.complete:
            raise NotFound(
                f"The earlier commit {commit[:8]} of {current.repo} is not in the library any more.",
                remedy=f"Download it again: modelshelf download {current.repo}@{commit}",
            )
        if verify:
            await self._check(earlier)
        await self._lead(current.repo, name, current.commit, commit)
        return Rollback(current.repo, name, current.commit, commit)

    async def _lead(self, repo: str, name: str, before: str, commit: str) -> None:
        """Move a name. It is written down first: whatever ends this process between the two, both commits are whole."""
        places = self._downloads.worker.places
        await self._library.note_moves(repo, {name: before}, commit)
        await asyncio.to_thread(refs.move, places.repo(repo), name, commit, places.parts)
        self._events.publish(LibraryChanged(repo=repo))

    async def _look(self, installed: InstalledModel, ref: str, gate: asyncio.Semaphore) -> Update:
        update = Update(installed.repo, installed.source, ref, installed.commit)
        async with gate:
            try:
                detail = await self._newest(installed, ref)
                if detail.commit == installed.commit:
                    return replace(update, newest=detail.commit)
                plan = await self._plan(installed, detail, ref)
            except ModelshelfError as error:
                return replace(update, status="unknown", error=error.message, remedy=error.remedy)
        status = "pinned" if installed.pinned else "outdated"
        return replace(update, newest=detail.commit, status=status, missing=plan.missing)

    async def _newest(self, installed: InstalledModel, ref: str) -> RepoDetail:
        return await self._catalog.detail(ModelId(installed.repo, installed.source, ref))

    async def _plan(self, installed: InstalledModel, detail: RepoDetail, ref: str) -> DownloadPlan:
        files = _same_files([file.path for file in installed.files], [file.path for file in detail.files])
        name = ModelId(installed.repo, detail.card.source, detail.commit)
        plan = await self._downloads.plan(name, files)
        return replace(plan, refs=(ref,))

    async def _check(self, model: InstalledModel) -> None:
        async with aclosing(self._library.verify(model)) as results:
            async for result in results:
                if result.status not in ("ok", "recorded"):
                    raise ChecksumMismatch(
                        f"{result.path} of the earlier commit {model.commit[:8]} of {model.repo} is damaged.",
                        remedy=f"Download it again: modelshelf download {model.repo}@{model.commit}",
                        expected=result.expected,
                        found=result.sha256,
                    )


def _name(installed: InstalledModel, ref: str | None) -> str:
    """The name to move: the one that is asked for, else `main` if that leads to the commit, else any that does."""
    if ref and ref not in installed.refs:
        raise UsageError(
            f"{ref} does not lead to the installed commit of {installed.repo}.",
            remedy=f"These do: {', '.join(installed.refs) or 'none'}.",
        )
    if not installed.refs:
        raise UsageError(
            f"{installed.repo}@{installed.commit[:8]} was pinned to this commit.",
            remedy="Download a branch of it to have updates.",
        )
    return ref or (MAIN if MAIN in installed.refs else installed.refs[0])


def _same_files(installed: Sequence[str], offered: Sequence[str]) -> tuple[str, ...]:
    """What the newer commit has of the installed files; a quantisation that was cut anew is found by its name.

    Raises:
        FileNotInRepository: nothing of it is left.
    """
    wanted = {path for path in installed if path in offered}
    for path in installed:
        if path not in wanted and format_of(path) == "gguf" and (name := quantisation_of(path)):
            wanted |= {other for other in offered if format_of(other) == "gguf" and quantisation_of(other) == name}
    if not any(format_of(path) for path in wanted) and any(format_of(path) for path in installed):
        raise FileNotInRepository(
            "The newer commit holds none of the installed weights.", remedy="Choose files of it by name."
        )
    return tuple(sorted(wanted))
