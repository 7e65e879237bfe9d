"""Plans and jobs."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class JobStatus(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"  # waits for its turn
    PLANNING = "planning"  # asks the source for the commit and its files
    WAITING = "waiting"  # cannot go on by itself: disk, budget, gate or network; `detail` says which
    TRANSFERRING = "transferring"  # bytes arrive
    VERIFYING = "verifying"  # the tail of the checksums
    VETTING = "vetting"  # the scanner looks
    LANDING = "landing"  # moves into the library
    REGISTERING = "registering"  # providers learn of it
    PAUSED = "paused"  # a person stopped it; resume goes on
    DONE = "done"  # in the library, every planned file verified and passed
    REVIEW = "review"  # a file needs a person's decision
    QUARANTINED = "quarantined"  # a file is unsafe and held back
    FAILED = "failed"  # `error` says why and what to do; retry goes on where it stopped
    CANCELLED = "cancelled"  # a person ended it; the part files are gone


ENDED = frozenset({JobStatus.DONE, JobStatus.REVIEW, JobStatus.QUARANTINED, JobStatus.FAILED, JobStatus.CANCELLED})
RUNNING = frozenset(
    {
        JobStatus.PLANNING,
        JobStatus.TRANSFERRING,
        JobStatus.VERIFYING,
        JobStatus.VETTING,
        JobStatus.LANDING,
        JobStatus.REGISTERING,
    }
)


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file to fetch; `present` means that the library already has its bytes."""

    path: str
    size: int
    sha256: str | None
    git_sha1: str | None
    present: bool = False


@dataclass(frozen=True, slots=True)
class DownloadPlan:
    """What a download will do, before it does it. Sizes in bytes."""

    source: str
    repo: str
    commit: str
    files: tuple[PlannedFile, ...]
    skipped: tuple[str, ...]
    total: int
    missing: int
    disk_needed: int
    disk_free: int
    licence: str | None
    gated: bool
    resumable: bool = True

    @property
    def fits_disk(self) -> bool:
        """Whether the disk holds what is missing and the reserve."""
        return self.disk_needed <= self.disk_free


@dataclass(frozen=True, slots=True)
class Job:
    """A snapshot of a download job. `rate` is bytes per second over the last seconds, `eta` in seconds."""

    id: str
    source: str
    repo: str
    commit: str
    files: tuple[str, ...]
    status: JobStatus
    detail: str
    done: int
    total: int
    rate: float
    eta: float | None
    error: str
    remedy: str
    result: dict[str, Any]
    principal: str
    created: datetime
    started: datetime | None
    ended: datetime | None

    @property
    def percent(self) -> int:
        """How much has arrived, in whole per cent, rounded down."""
        return 100 * self.done // self.total if self.total else 0
