"""Plans: which files, which bytes are missing, and whether the disk holds them."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from modelshelf.catalog.types import RepoDetail
from modelshelf.downloads.cache import RepoCache, blob_name
from modelshelf.downloads.choose import choose
from modelshelf.downloads.disks import disks_of
from modelshelf.downloads.names import check_names
from modelshelf.downloads.types import Copy, DownloadPlan, PlannedFile
from modelshelf.errors import DownloadError, FolderNotWritable, NotEnoughDisk
from modelshelf.store.tables import JobRow


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

    def to_land(self, plan: DownloadPlan) -> int:
        """How many bytes will enter the library."""
        cache = self.repo(plan.repo)
        return sum({self.part(plan, file): file.size for file in plan.files if not cache.holds(file)}.values())


def make_plan(
    detail: RepoDetail,
    source: str,
    wanted: Sequence[str],
    places: Places,
    others: Sequence[DownloadPlan] = (),
    untouched: int = 0,
    copies: Sequence[Copy] = (),
) -> DownloadPlan:
    """The plan for files of a commit, beside the `others` that will still write. For threads.

    `untouched` are the bytes of further jobs that have not begun; `copies` the places that will hold the weights too.

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
        copies=tuple(copies),
    )
    return measure(plan, places, others, untouched)


def measure(
    plan: DownloadPlan, places: Places, others: Sequence[DownloadPlan] = (), untouched: int = 0
) -> DownloadPlan:
    """The plan as the disks are now. For threads.

    Raises:
        FolderNotWritable: the cache or the folder of parts cannot be written.
    """
    cache = places.repo(plan.repo)
    files = tuple(replace(file, present=cache.holds(file)) for file in plan.files)
    missing = sum({places.part(plan, file): file.size for file in files if not file.present}.values())
    if missing:
        _check_folders(places.cache, places.parts)
    disks = disks_of(plan, places, others, untouched)
    tightest = min(disks, key=lambda disk: disk.free - disk.needed)
    return replace(
        plan,
        files=files,
        missing=missing,
        disks=disks,
        disk_needed=tightest.needed,
        disk_free=tightest.free,
    )


def check_disk(plan: DownloadPlan) -> None:
    """Raises NotEnoughDisk if a disk does not hold its share of the plan."""
    for disk in plan.disks:
        if not disk.fits:
            raise NotEnoughDisk(
                f"{plan.repo} needs {disk.needed / 1e9:.2f} GB on the disk that holds {disk.folder}, "
                f"{disk.free / 1e9:.2f} GB are free.",
                need=disk.needed,
                free=disk.free,
            )


def to_json(plan: DownloadPlan) -> dict[str, Any]:
    """The plan as a job keeps it: without what the disks are now."""
    files = [asdict(file) for file in plan.files]
    copies = [asdict(copy) | {"folder": str(copy.folder)} for copy in plan.copies]
    return asdict(plan) | {"files": files, "skipped": len(plan.skipped), "copies": copies, "disks": []}


def from_json(data: Mapping[str, Any]) -> DownloadPlan:
    """The plan of a job.

    Raises:
        DownloadError: the row is damaged.
    """
    try:
        files = tuple(PlannedFile(**file) for file in data["files"])
        copies = tuple(Copy(**{**copy, "folder": Path(copy["folder"])}) for copy in data.get("copies", ()))
        refs = None if data.get("refs") is None else tuple(data["refs"])
        loaded = {"files": files, "skipped": (), "copies": copies, "refs": refs, "disks": ()}
        return DownloadPlan(**{**data, **loaded})
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


def _allocated(part: Path) -> int:
    try:
        return part.stat().st_blocks * 512
    except OSError:
        return 0


def about(plan: DownloadPlan) -> dict[str, Any]:
    """What hooks are told of a download that is about to begin."""
    return {
        "model": f"{plan.source}:{plan.repo}@{plan.commit}",
        "source": plan.source,
        "repo": plan.repo,
        "commit": plan.commit,
        "files": [{"path": file.path, "size": file.size} for file in plan.files],
        "total": plan.total,
        "licence": plan.licence,
        "gated": plan.gated,
    }
