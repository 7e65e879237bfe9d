"""What a download needs of every disk that will hold a copy: where it grows, the library, and engines that copy."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from modelshelf.catalog.files import format_of
from modelshelf.downloads.types import Copy, Disk, DownloadPlan

if TYPE_CHECKING:
    from modelshelf.downloads.plan import Places

GIB = 2**30
RESERVE = GIB
RESERVE_SHARE = 0.02
# A tiny download must be possible on a nearly full disk: it asks for no more than its own size and this besides.
SMALL_RESERVE = 64 * 2**20


@dataclass(slots=True)
class _Need:
    """What is needed of one disk, in bytes: `own` for the plan, `others` for what was promised to other jobs."""

    folder: Path
    labels: list[str] = field(default_factory=list)
    own: int = 0
    others: int = 0

    def disk(self) -> Disk:
        total, free = usage(self.folder)
        needed = self.own + self.others + reserve(self.own, total) if self.own else 0
        return Disk(" and ".join(self.labels), self.folder, needed, free)


def disks_of(
    plan: DownloadPlan, places: "Places", others: Sequence[DownloadPlan] = (), untouched: int = 0
) -> tuple[Disk, ...]:
    """Every disk that will hold something of the plan, the one where it grows first. For threads.

    `others` are the plans of jobs that will still write; `untouched` the bytes of jobs that have not begun.
    """
    needs: dict[int, _Need] = {}
    grows = _need(needs, places.parts, "downloads")
    grows.own += places.to_write(plan)
    grows.others += sum(places.to_write(other) for other in others) + untouched
    library = places.repo(plan.repo).folder / "blobs"
    if _device(library) != _device(places.parts):
        # What has arrived is copied there, so that both disks hold it for a while.
        lands = _need(needs, library, "library")
        lands.own += places.to_land(plan)
        lands.others += sum(places.to_land(other) for other in others) + untouched
    else:
        grows.labels.append("library")
    for copy in plan.copies:
        if _takes_room(copy, library):
            _need(needs, copy.folder, copy.label).own += _weights(plan)
    for other in others:
        for copy in other.copies:
            if _takes_room(copy, places.repo(other.repo).folder / "blobs") and _device(copy.folder) in needs:
                needs[_device(copy.folder)].others += _weights(other)
    return tuple(need.disk() for need in needs.values())


def reserve(missing: int, disk: int) -> int:
    """What must stay free beside a download of `missing` bytes on a disk of that size, in bytes."""
    return min(max(RESERVE, int(disk * RESERVE_SHARE)), missing + SMALL_RESERVE)


def usage(folder: Path) -> tuple[int, int]:
    """The size of the disk that holds a folder, which need not exist yet, and what is free on it; in bytes."""
    for place in (folder, *folder.parents):
        try:
            found = shutil.disk_usage(place)
        except OSError:
            continue
        return found.total, found.free
    return 0, 0


def _need(needs: dict[int, _Need], folder: Path, label: str) -> _Need:
    need = needs.setdefault(_device(folder), _Need(folder))
    need.labels.append(label)
    return need


def _takes_room(copy: Copy, library: Path) -> bool:
    return not copy.linked or _device(copy.folder) != _device(library)


def _weights(plan: DownloadPlan) -> int:
    return sum(file.size for file in plan.files if format_of(file.path))


def _device(folder: Path) -> int:
    for place in (folder, *folder.parents):
        try:
            return os.stat(place).st_dev  # noqa: PTH116 - follows a folder that is a link to another disk
        except OSError:
            continue
    return -1
