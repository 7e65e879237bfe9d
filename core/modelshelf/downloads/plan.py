"""Plans: which files, which bytes are missing, and whether the disk holds them."""

import hashlib
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from modelshelf.catalog.types import RepoDetail
from modelshelf.downloads.cache import RepoCache, blob_name
from modelshelf.downloads.choose import choose
from modelshelf.downloads.names import check_names
from modelshelf.downloads.types import DownloadPlan, PlannedFile
from modelshelf.errors import DownloadError, FolderNotWritable, NotEnoughDisk
from modelshelf.store.tables import JobRow

GIB = 2**30
RESERVE = GIB
RESERVE_SHARE = 0.02
# A tiny download must be possible on a nearly full disk: it asks for no more than its own size and this besides.
SMALL_RESERVE = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Places:
    """Where downloads go: the cache, and the folder of part files on the same file system."""

    cache: Path
    parts: Path

    def repo(self, repo: str) -> RepoCache:
        """The part of the cache that belongs to a repository."""
        return RepoCache(self.cache, repo)

    def part(self, plan: DownloadPlan, file: PlannedFile) -> Path:
        """Where a file grows. Files with the same published checksum share it, so that no byte is fetched twice."""
        name = blob_name(file)
        if name is None:
            text = f"{plan.source}\n{plan.repo}\n{plan.commit}\n{file.path}"
            name = "unnamed-" + hashlib.sha256(text.encode()).hexdigest()
        return self.parts / self.repo(plan.repo).folder_name / f"{name}.part"

    def to_write(self, plan: DownloadPlan) -> int:
        """How many bytes of the disk the plan will still take; what its part files hold already is taken."""
        cache = self.repo(plan.repo)
        sizes = {self.part(plan, file): file.size for file in plan.files if not cache.holds(file)}
        return sum(max(size - _allocated(part), 0) for part, size in sizes.items())


def make_plan(
    detail: RepoDetail, source: str, wanted: Sequence[str], places: Places, others: Sequence[DownloadPlan] = ()
) -> DownloadPlan:
    """The plan for files of a commit, beside the `others` that will still write. For threads.

    Raises:
        FileNotInRepository: something wanted matches no file.
        DownloadError: a name that cannot be a file here.
        FolderNotWritable: the cache or the folder of parts cannot be written.
    """
    by_path = {file.path: file for file in detail.files}
    chosen = choose(tuple(by_path), wanted)
    check_names(chosen)
    plan = DownloadPlan(
        source=source,
        repo=detail.card.repo,
        commit=detail.commit,
        files=tuple(PlannedFile(f.path, f.size, f.sha256, f.git_sha1) for f in (by_path[path] for path in chosen)),
        skipped=tuple(sorted(set(by_path) - set(chosen))),
        total=sum(by_path[path].size for path in chosen),
        missing=0,
        disk_needed=0,
        disk_free=0,
        licence=detail.card.licence,
        gated=detail.card.gated,
    )
    return measure(plan, places, others)


def measure(plan: DownloadPlan, places: Places, others: Sequence[DownloadPlan] = ()) -> DownloadPlan:
    """The plan as the disk is now. For threads.

    Raises:
        FolderNotWritable: the cache or the folder of parts cannot be written.
    """
    cache = places.repo(plan.repo)
    files = tuple(replace(file, present=cache.holds(file)) for file in plan.files)
    missing = sum({places.part(plan, file): file.size for file in files if not file.present}.values())
    if missing:
        _check_folders(places.cache, places.parts)
    total, free = _disk(places.parts)
    own = places.to_write(plan)
    needed = own + sum(places.to_write(other) for other in others) + reserve(own, total) if own else 0
    return replace(plan, files=files, missing=missing, disk_needed=needed, disk_free=free)


def reserve(missing: int, disk: int) -> int:
    """What must stay free beside a download of `missing` bytes on a disk of that size, in bytes."""
    return min(max(RESERVE, int(disk * RESERVE_SHARE)), missing + SMALL_RESERVE)


def check_disk(plan: DownloadPlan, folder: Path) -> None:
    """Raises NotEnoughDisk if the plan does not fit."""
    if not plan.fits_disk:
        raise NotEnoughDisk(
            f"{plan.repo} needs {plan.disk_needed / 1e9:.2f} GB on the disk that holds {folder}, "
            f"{plan.disk_free / 1e9:.2f} GB are free.",
            need=plan.disk_needed,
            free=plan.disk_free,
        )


def to_json(plan: DownloadPlan) -> dict[str, Any]:
    """The plan as a job keeps it."""
    return asdict(plan) | {"files": [asdict(file) for file in plan.files], "skipped": len(plan.skipped)}


def from_json(data: Mapping[str, Any]) -> DownloadPlan:
    """The plan of a job.

    Raises:
        DownloadError: the row is damaged.
    """
    try:
        files = tuple(PlannedFile(**file) for file in data["files"])
        return DownloadPlan(**{**data, "files": files, "skipped": ()})
    except (KeyError, TypeError) as error:
        raise DownloadError("The plan of this job cannot be read.", remedy="Start the download again.") from error


def readable(rows: Iterable[JobRow]) -> list[DownloadPlan]:
    """The plans of these jobs, without those that cannot be read."""
    found = []
    for row in rows:
        with suppress(DownloadError):
            found.append(from_json(row.plan))
    return found


def _check_folders(cache: Path, parts: Path) -> None:
    for folder in (cache, parts):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / ".modelshelf-probe"
            probe.touch()
            probe.unlink(missing_ok=True)
        except OSError as error:
            raise FolderNotWritable(f"{folder} cannot be written to: {error.strerror}.") from error


def _disk(folder: Path) -> tuple[int, int]:
    for place in (folder, *folder.parents):
        try:
            usage = shutil.disk_usage(place)
        except OSError:
            continue
        return usage.total, usage.free
    return 0, 0


def _allocated(part: Path) -> int:
    try:
        return part.stat().st_blocks * 512
    except OSError:
        return 0
