"""Plans and jobs."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from modelshelf.ids import ModelId


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
    """A file to fetch; `present` means that the library already has its bytes.

    `pinned` is the SHA-256 that a lock file demands, beside what the source publishes.
    """

    path: str
    size: int
    sha256: str | None
    git_sha1: str | None
    present: bool = False
    pinned: str | None = None


@dataclass(frozen=True, slots=True)
class Copy:
    """A place that will hold the weights once more: an engine's own store, for example Ollama's.

    `linked` means that it takes no room on the library's own disk, because it links to the bytes there.
    """

    label: str
    folder: Path
    linked: bool = False


@dataclass(frozen=True, slots=True)
class Disk:
    """What a plan asks of one disk, in bytes; `label` says what it will hold, `folder` a place on it."""

    label: str
    folder: Path
    needed: int
    free: int

    @property
    def fits(self) -> bool:
        """Whether the disk holds what is needed, the reserve included."""
        return self.needed <= self.free


@dataclass(frozen=True, slots=True)
class DownloadPlan:
    """What a download will do, before it does it. Sizes in bytes.

    `disks` are all that will hold something of it; `disk_needed` and `disk_free` are of the tightest. `resumable` is
    False where the server cannot send a part of a file: what a break interrupts is fetched from its beginning. `refs`
    are the names that are to lead to the commit; None: the one that was asked for, else `main`.
    """

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
    disks: tuple[Disk, ...] = ()
    copies: tuple[Copy, ...] = ()
    refs: tuple[str, ...] | None = None

    @property
    def fits_disk(self) -> bool:
        """Whether every disk holds what is missing and the reserve."""
        return self.disk_needed <= self.disk_free


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """Several downloads together: each plan counts what those before it will write."""

    plans: tuple[DownloadPlan, ...]

    @property
    def total(self) -> int:
        """What all of them hold, in bytes."""
        return sum(plan.total for plan in self.plans)

    @property
    def missing(self) -> int:
        """What is still to be fetched, in bytes."""
        return sum(plan.missing for plan in self.plans)

    @property
    def fits_disk(self) -> bool:
        """Whether every disk holds the whole batch and its reserve."""
        return all(plan.fits_disk for plan in self.plans)


@dataclass(frozen=True, slots=True)
class Order:
    """What to download, as a batch takes it: `files` are paths, patterns or quantisations."""

    model: str | ModelId
    files: tuple[str, ...] = ()
    source: str | None = None
    revision: str | None = None

    @property
    def name(self) -> ModelId:
        """The model's name, with the source and revision that are asked for beside it.

        Raises:
            UsageError: it is no name.
        """
        name = self.model if isinstance(self.model, ModelId) else ModelId.parse(self.model)
        return replace(name, source=self.source or name.source, revision=self.revision or name.revision)


@dataclass(frozen=True, slots=True)
class Refused:
    """An order that cannot be begun now: why, and what to do."""

    order: Order
    error: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Survey:
    """Orders looked at together: those that can be begun with their plans, in their order, and those that cannot."""

    orders: tuple[Order, ...]
    plans: tuple[DownloadPlan, ...]
    refused: tuple[Refused, ...]

    @property
    def missing(self) -> int:
        """What is to be fetched, in bytes."""
        return sum(plan.missing for plan in self.plans)

    @property
    def disks(self) -> tuple[Disk, ...]:
        """Every disk with what all of them need of it together: each plan counts those before it."""
        worst: dict[tuple[str, Path], Disk] = {}
        for disk in (disk for plan in self.plans for disk in plan.disks):
            known = worst.get((disk.label, disk.folder))
            if known is None or disk.needed > known.needed:
                worst[disk.label, disk.folder] = disk
        return tuple(worst.values())

    @property
    def fits_disk(self) -> bool:
        """Whether every disk holds all of them and its reserve."""
        return all(disk.fits for disk in self.disks)


@dataclass(frozen=True, slots=True)
class FileState:
    """A file of a job: status is done | moving | waiting | failed; `done` and `size` in bytes.

    `verdict` is what the scanner said: pass | review | block, empty before all files are there; `error` says why.
    """

    path: str
    size: int
    done: int
    status: str
    error: str = ""
    remedy: str = ""
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """A snapshot of a download job. `rate` is bytes per second over the last seconds, `eta` in seconds.

    A higher `priority` goes first, then the lower `position`. `rate_limit` is in bytes per second, 0 for none. `until`
    says when a job that waits for its budget goes on. `attempts` counts how often it was begun, `retries` how often a
    request was tried again; `fetched` are the bytes that came over the network, `seconds` the time that took. Jobs that
    were asked for together share a `batch`. `unseen`: nobody has said yet that they saw how it ended, or that it waits.
    """

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
    priority: int = 0
    position: float = 0.0
    rate_limit: float = 0.0
    until: datetime | None = None
    attempts: int = 0
    retries: int = 0
    fetched: int = 0
    seconds: float = 0.0
    batch: str = ""
    unseen: bool = False

    @property
    def percent(self) -> int:
        """How much has arrived, in whole per cent, rounded down."""
        return 100 * self.done // self.total if self.total else 0


@dataclass(frozen=True, slots=True)
class JobPage:
    """Some jobs of many; `total` is how many there are in all."""

    jobs: tuple[Job, ...] = ()
    total: int = 0


@dataclass(frozen=True, slots=True)
class BatchState:
    """How jobs that were asked for together stand: how many of them, how many ended and failed; bytes."""

    id: str
    jobs: int
    ended: int
    failed: int
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """Jobs that wait for the same: `detail` says for what, `until` how long, `job` is one of them."""

    detail: str
    until: datetime | None
    count: int
    job: str


@dataclass(frozen=True, slots=True)
class News:
    """What nobody has seen yet: jobs that ended, the newest first, `ended_total` in all, and what others wait for."""

    ended: tuple[Job, ...] = ()
    ended_total: int = 0
    waiting: tuple[Waiting, ...] = ()

    @property
    def count(self) -> int:
        """How many entries there are."""
        return self.ended_total + len(self.waiting)
