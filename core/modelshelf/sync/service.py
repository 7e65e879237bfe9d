"""Lock files: written from what is installed; a machine is compared with one, and made to match it."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

from modelshelf.access import AccessService, Role, require
from modelshelf.downloads import DownloadManager, DownloadPlan, refs
from modelshelf.downloads.plan import check_disk
from modelshelf.errors import ChecksumMismatch, FileNotInRepository, RevisionNotFound, UsageError
from modelshelf.ids import ModelId
from modelshelf.library import ModelLibrary
from modelshelf.library.types import InstalledModel, VerifyResult
from modelshelf.library.verify import published_name
from modelshelf.sync.lockfile import Lock, LockedFile, LockedModel
from modelshelf.sync.types import Difference, SyncReport


class SyncService:
    """Writes lock files and makes this machine match one."""

    def __init__(self, access: AccessService, library: ModelLibrary, downloads: DownloadManager) -> None:
        self.access = access
        self._library = library
        self._downloads = downloads

    async def lock(self, models: Sequence[str] = ()) -> Lock:
        """The lock of these models, or of all that are whole; files whose checksum nobody knows are read.

        Raises:
            NotFound: one is not installed. UsageError: one lacks files. ChecksumMismatch: a file is damaged.
        """
        if models:
            found = [await self._library.get(name) for name in models]
            if lacking := next((model for model in found if not model.complete), None):
                raise UsageError(f"{lacking.repo} lacks files.", remedy="Download it again, then lock it.")
        else:
            found = [model for model in await self._library.models() if model.complete]
        unique = {(model.repo, model.commit): model for model in found}
        return Lock(tuple([await self._locked(model) for model in unique.values()]))

    async def compare(self, lock: Lock, *, verify: bool = True) -> SyncReport:
        """How this machine differs from a lock; `verify` reads every locked file that is here."""
        installed = {(model.repo, model.commit): model for model in await self._library.models()}
        models = [
            await self._difference(locked, installed.get((locked.repo, locked.commit)), verify)
            for locked in lock.models
        ]
        wanted = {(locked.repo, locked.commit) for locked in lock.models}
        return SyncReport(tuple(models), tuple(m for key, m in installed.items() if key not in wanted))

    @require(Role.OPERATOR, "library.sync")
    async def apply(self, report: SyncReport) -> tuple[str, ...]:
        """Fetch what is missing or damaged, if the disks hold it all, and let names lead where they should.

        Returns the ids of the jobs; what arrives is compared with the lock before it is published.

        Raises:
            ChecksumMismatch, FileNotInRepository, RevisionNotFound: the source offers something else by now.
            As `DownloadManager.plan` and `start`; then nothing was started.
        """
        plans: list[DownloadPlan] = []
        for item in report.models:
            if item.missing or item.damaged:
                plans.append(await self._plan(item.model, plans))
        for plan in plans:
            check_disk(plan)
        for item in report.models:
            if item.refs and not (item.missing or item.damaged):
                await self._lead(item)
        return tuple([await self._downloads.start_plan(plan) for plan in plans])

    @require(Role.OPERATOR, "library.prune")
    async def prune(self, report: SyncReport) -> int:
        """Remove what no lock names: models and files; returns the bytes that this frees.

        Raises:
            UsageError: a download is writing to one of them. FolderNotWritable.
        """
        freed = 0
        for model in report.extra:
            freed += (await self._library.remove(model)).freed
        for item in report.models:
            for path in item.extra:
                freed += (await self._library.remove(ModelId(item.model.repo, None, item.model.commit, path))).freed
        return freed

    async def _locked(self, model: InstalledModel) -> LockedModel:
        sums = {file.path: file.sha256 for file in model.files}
        if model.damaged or not model.managed or not all(sums.values()):
            sums = {}
            async with aclosing(self._library.verify(model)) as results:
                async for result in results:
                    _check(result)
                    sums[result.path] = result.sha256
        files = [
            LockedFile(file.path, file.size, str(sums[file.path]), published_name(file.blob, 40))
            for file in model.files
        ]
        return LockedModel(model.repo, model.commit, tuple(files), model.source or "", model.refs)

    async def _difference(self, locked: LockedModel, found: InstalledModel | None, verify: bool) -> Difference:
        wanted = {file.path: file for file in locked.files}
        if found is None:
            return Difference(locked, missing=tuple(sorted(wanted)), refs=locked.refs)
        here = {file.path: file.sha256 for file in found.files}
        if verify:
            async with aclosing(self._library.verify(found)) as results:
                here = {result.path: result.sha256 async for result in results if result.status != "missing"}
        return Difference(
            locked,
            missing=tuple(sorted(wanted.keys() - here.keys())),
            damaged=tuple(sorted(p for p in wanted if here.get(p) and here[p] != wanted[p].sha256)),
            refs=tuple(sorted(set(locked.refs) - set(found.refs))),
            extra=tuple(sorted(here.keys() - wanted.keys())),
        )

    async def _plan(self, locked: LockedModel, after: Sequence[DownloadPlan]) -> DownloadPlan:
        plan = await self._downloads.plan(locked.id, [file.path for file in locked.files], after=after)
        if plan.commit != locked.commit:
            raise RevisionNotFound(f"{locked.id} leads to another commit, {plan.commit[:8]}.")
        pins = {file.path: file for file in locked.files}
        for file in plan.files:
            pin = pins.get(file.path)
            if pin and (file.size != pin.size or (file.sha256 and file.sha256 != pin.sha256)):
                raise ChecksumMismatch(
                    f"{file.path} of {locked.repo} is not the file that the lock file names.",
                    remedy="Ask who wrote the lock file: the source publishes other bytes under this commit.",
                    expected=pin.sha256,
                    found=file.sha256,
                )
        if missing := sorted(pins.keys() - {file.path for file in plan.files}):
            raise FileNotInRepository(f"{locked.id} holds no file {missing[0]} any more.")
        files = tuple(replace(file, pinned=pins[file.path].sha256) for file in plan.files if file.path in pins)
        return replace(plan, files=files, total=sum(file.size for file in files), refs=locked.refs)

    async def _lead(self, item: Difference) -> None:
        """Let names lead to a commit that is whole here."""
        places, repo = self._downloads.worker.places, item.model.repo
        before = await asyncio.to_thread(refs.read_all, places.repo(repo), item.refs)
        await self._library.note_moves(repo, before, item.model.commit)
        for name in item.refs:
            await asyncio.to_thread(refs.move, places.repo(repo), name, item.model.commit, places.parts)


def _check(result: VerifyResult) -> None:
    if result.status in ("mismatch", "missing"):
        raise ChecksumMismatch(
            f"{result.path} of {result.repo} is damaged: {result.detail}",
            remedy="Download it again, then try again.",
            expected=result.expected,
            found=result.sha256,
        )
