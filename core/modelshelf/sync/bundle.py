"""Bundles: models as a folder or a tar file, verified and vetted on import, for machines without a network."""

import asyncio
import shutil
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from modelshelf.access import AccessService, Role, require
from modelshelf.downloads import DownloadManager, refs
from modelshelf.downloads.disks import reserve, usage
from modelshelf.downloads.hashing import hash_file
from modelshelf.downloads.landing import Arrival, land
from modelshelf.downloads.part import disk_errors
from modelshelf.errors import Blocked, NeedsReview, NotEnoughDisk
from modelshelf.library import ModelLibrary
from modelshelf.store.tables import FileRow
from modelshelf.sync.archive import Archive, copy_checked, opened, write
from modelshelf.sync.errands import Errands
from modelshelf.sync.lockfile import Lock, LockedFile, LockedModel, loads
from modelshelf.sync.service import SyncService
from modelshelf.sync.types import Gauge
from modelshelf.vetting.origin import Origin
from modelshelf.vetting.types import Verdict

if TYPE_CHECKING:
    from modelshelf.vetting import VettingService

FOLDER = "bundles"


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import brought: models as `source:org/name@commit`, and bytes that were new."""

    models: tuple[str, ...]
    fetched: int


class BundleService:
    """Writes bundles and brings them into the library, whole or not at all. `errands` does so in the background."""

    def __init__(
        self,
        access: AccessService,
        library: ModelLibrary,
        downloads: DownloadManager,
        vetting: "VettingService",
        sync: SyncService,
    ) -> None:
        self.access = access
        self._library = library
        self._downloads = downloads
        self._vetting = vetting
        self._sync = sync
        self.errands = Errands(access, self, downloads.worker.places.parts.parent / FOLDER)

    @require(Role.OPERATOR, "library.export")
    async def export(self, models: Sequence[str], to: Path, gauge: Gauge | None = None) -> Lock:
        """Write models to a folder, or to a tar file if its name ends in `.tar`; every byte is verified on the way.

        Raises:
            NotFound, UsageError: a model is not installed or lacks files, or the place holds something already.
            ChecksumMismatch: a file is damaged; nothing was kept. NotEnoughDisk, FolderNotWritable.
        """
        lock = await self._sync.lock(models)
        installed = {(model.repo, model.commit): model for model in await self._library.models()}
        files: dict[str, Path] = {}
        for locked in lock.models:
            places = {file.path: file.file for file in installed[locked.repo, locked.commit].files}
            files |= {file.sha256: places[file.path] for file in locked.files}
        await asyncio.to_thread(write, lock, files, to, gauge)
        return lock

    async def read(self, place: Path) -> Lock:
        """The lock in a bundle.

        Raises:
            NotFound, FormatError: there is no bundle, or it is none.
        """
        return await asyncio.to_thread(_lock_of, place)

    @require(Role.OPERATOR, "library.import")
    async def bring(self, place: Path, only: Lock | None = None, gauge: Gauge | None = None) -> Imported:
        """Bring a bundle into the library: all its models, or those that a lock names too.

        Nothing is published before every file of every model is verified and passed.

        Raises:
            NotFound, FormatError: there is no bundle, or it is none.
            ChecksumMismatch: a file is not what the bundle says. Blocked, NeedsReview: a file did not pass.
            NotEnoughDisk, FolderNotWritable, DownloadError.
        """
        lock = await self.read(place)
        wanted = [model for model in lock.models if only is None or model in _alike(only, model)]
        stage = self._downloads.worker.places.parts / FOLDER
        # One import at a time: what a killed one left is swept away by the next.
        guard = FileLock(stage.with_suffix(".lock"), thread_local=False)
        with disk_errors(stage):
            stage.parent.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(guard.acquire)
        try:
            return await self._bring(place, wanted, stage, gauge or Gauge())
        finally:
            await asyncio.to_thread(shutil.rmtree, stage, ignore_errors=True)
            guard.release()

    async def _bring(self, place: Path, models: Sequence[LockedModel], stage: Path, gauge: Gauge) -> Imported:
        await asyncio.to_thread(shutil.rmtree, stage, ignore_errors=True)
        staged = await asyncio.to_thread(self._stage, place, models, stage, gauge)
        await self._vet(models, staged)
        for model in models:
            await self._land(model, staged)
        fetched = sum({arrival.part: arrival.size for arrival in staged.values() if arrival.part}.values())
        return Imported(tuple(str(model.id) for model in models), fetched)

    def _stage(
        self, place: Path, models: Sequence[LockedModel], stage: Path, gauge: Gauge
    ) -> dict[tuple[str, str], Arrival]:
        """Every file, verified: in the cache already, or copied from the bundle. For threads."""
        places = self._downloads.worker.places
        wanted = [(model, file) for model in models for file in model.files]
        lacking = [(m, f) for m, f in wanted if not _is_here(places.repo(m.repo).blob(f.blob), f)]
        need = sum(file.size for file in {(m.repo, f.blob): f for m, f in lacking}.values())
        gauge.expect(need)
        total, free = usage(stage)
        if need and need + reserve(need, total) > free:
            raise NotEnoughDisk(
                f"The bundle needs {(need + reserve(need, total)) / 1e9:.2f} GB on the disk that holds {stage.parent}, "
                f"{free / 1e9:.2f} GB are free.",
                need=need,
                free=free,
            )
        found = {(m.repo, f.path, m.commit): Arrival(f.path, f.size, f.blob, f.sha256, None) for m, f in wanted}
        copies: dict[tuple[str, str], Path] = {}
        with disk_errors(stage), opened(place) as archive:
            stage.mkdir(parents=True, exist_ok=True)
            for model, file in lacking:
                key = model.repo, file.blob
                if key not in copies:
                    copies[key] = self._copy(archive, file, stage, gauge)
                found[model.repo, file.path, model.commit] = Arrival(
                    file.path, file.size, file.blob, file.sha256, copies[key]
                )
        return {(f"{repo}@{commit}", path): arrival for (repo, path, commit), arrival in found.items()}

    def _copy(self, archive: Archive, file: LockedFile, stage: Path, gauge: Gauge) -> Path:
        target = stage / uuid.uuid4().hex
        with archive.open(file.sha256) as source:
            copy_checked(source, target, file, gauge)
        return target

    async def _vet(self, models: Sequence[LockedModel], staged: dict[tuple[str, str], Arrival]) -> None:
        doubtful: list[str] = []
        for model in models:
            for file in model.files:
                arrival = staged[f"{model.repo}@{model.commit}", file.path]
                blob = self._downloads.worker.places.repo(model.repo).blob(file.blob)
                origin = Origin(model.source, model.repo, model.commit)
                report = await self._vetting.scan(
                    arrival.part or blob, name=file.path, sha256=file.sha256, origin=origin
                )
                if report.verdict is Verdict.BLOCK:
                    await self._hold(model, arrival, report.findings)
                    raise Blocked(f"{file.path} of {model.repo} in the bundle is unsafe; nothing was imported.")
                if report.verdict is Verdict.REVIEW:
                    doubtful.append(f"{file.path} of {model.repo}")
        if doubtful:
            raise NeedsReview(f"{doubtful[0]} in the bundle needs a person's decision; nothing was imported.")

    async def _hold(self, model: LockedModel, arrival: Arrival, findings: Sequence[object]) -> None:
        if arrival.part is None:
            return
        await self._vetting.quarantine.hold(
            arrival.part,
            sha256=arrival.sha256,
            source=model.source,
            repo=model.repo,
            commit=model.commit,
            path=arrival.path,
            findings=findings,  # type: ignore[arg-type] # the scanner's own
        )

    async def _land(self, model: LockedModel, staged: dict[tuple[str, str], Arrival]) -> None:
        places = self._downloads.worker.places
        cache = places.repo(model.repo)
        arrivals = [staged[f"{model.repo}@{model.commit}", file.path] for file in model.files]
        before = await asyncio.to_thread(refs.read_all, cache, model.refs)
        await self._library.note_moves(model.repo, before, model.commit)
        await asyncio.to_thread(land, cache, model.commit, arrivals, model.refs, places.parts)
        rows = [
            FileRow(
                repo=model.repo, commit=model.commit, path=file.path, source=model.source, sha256=file.sha256,
                size=file.size,
            )
            for file in model.files
        ]  # fmt: skip
        await self._library.record(rows)


def _lock_of(place: Path) -> Lock:
    with opened(place) as archive:
        return loads(archive.lock())


def _alike(lock: Lock, model: LockedModel) -> list[LockedModel]:
    """The model itself, if a lock names its commit with the same bytes."""
    sums = {(file.path, file.sha256) for file in model.files}
    for item in lock.models:
        if (item.repo, item.commit) == (model.repo, model.commit):
            return [model] if {(file.path, file.sha256) for file in item.files} <= sums else []
    return []


def _is_here(blob: Path, file: LockedFile) -> bool:
    """Whether the library holds these very bytes."""
    with suppress(OSError):
        return blob.stat().st_size == file.size and hash_file(blob, git=False).sha256 == file.sha256
    return False
