"""Downloads: plan, start, watch, steer."""

from datetime import datetime
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from modelshelf.api.needs import Answer, TheShelf
from modelshelf.downloads.types import Job, JobPage, JobStatus
from modelshelf.ids import ModelId

router = APIRouter(prefix="/downloads", tags=["downloads"])

JobId = Annotated[str, Path(max_length=64)]
Limit = Annotated[int, Query(ge=1, le=1000)]
Offset = Annotated[int, Query(ge=0, le=1_000_000)]


class Wanted(BaseModel):
    """What to fetch: a repository, all that its format needs or these files."""

    model: str = Field(
        min_length=1,
        max_length=4000,
        description="source:org/name@commit/file, org/name, https://host/path/model.gguf or ollama://library/name:tag",
    )
    sha256: str = Field(default="", max_length=80, description="the checksum of the file at an https address")
    sha256_beside: bool = Field(default=False, description="take the checksum that lies beside that file")
    files: list[str] = Field(default=[], max_length=1000)
    revision: str | None = Field(default=None, max_length=200)
    source: str | None = Field(default=None, max_length=40)


class Order(Wanted):
    """What to fetch, and how soon."""

    priority: int = Field(default=0, ge=-100, le=100, description="higher goes first")


class PlannedFileAnswer(Answer):
    """A file to fetch; `present` means that the library already has its bytes."""

    path: str
    size: int
    sha256: str | None
    git_sha1: str | None
    present: bool


class DiskAnswer(Answer):
    """What a plan asks of one disk, in bytes; `label` says what it will hold."""

    label: str
    folder: FilePath
    needed: int
    free: int
    fits: bool


class PlanAnswer(Answer):
    """What a download will do, before it does it. Sizes in bytes.

    `disks` are all that will hold a copy; `resumable` is false where a break means to begin a file anew.
    """

    source: str
    repo: str
    commit: str
    files: list[PlannedFileAnswer]
    skipped: list[str]
    total: int
    missing: int
    disk_needed: int
    disk_free: int
    fits_disk: bool
    licence: str | None
    gated: bool
    resumable: bool
    disks: list[DiskAnswer]


class JobAnswer(Answer):
    """A snapshot of a job. `rate` and `rate_limit` in bytes per second, `eta` in seconds.

    A higher `priority` goes first, then the lower `position`. `until` says when a job that waits for its budget goes
    on. `fetched` bytes came over the network in `seconds`, after `retries` further tries. Jobs that were started
    together share a `batch`. `unseen`: nobody has said yet that they saw how it ended, or that it waits.
    """

    id: str
    source: str
    repo: str
    commit: str
    files: list[str]
    status: JobStatus
    detail: str
    done: int
    total: int
    percent: int
    rate: float
    eta: float | None
    error: str
    remedy: str
    result: dict[str, Any]
    principal: str
    created: datetime
    started: datetime | None
    ended: datetime | None
    priority: int
    position: float
    rate_limit: float
    until: datetime | None
    attempts: int
    retries: int
    fetched: int
    seconds: float
    batch: str
    unseen: bool


async def named(shelf: TheShelf, wanted: Wanted) -> ModelId:
    """The model that is wanted, by its name or its address."""
    return await shelf.catalog.named(wanted.model, sha256=wanted.sha256, beside=wanted.sha256_beside)


def paged(page: JobPage, response: Response) -> list[JobAnswer]:
    """Some jobs of many, with how many there are."""
    response.headers["x-total-count"] = str(page.total)
    return [answer(job) for job in page.jobs]


def answer(job: Job) -> JobAnswer:
    """The job as the API tells it."""
    return JobAnswer.model_validate(job)


@router.post("/plan")
async def plan(shelf: TheShelf, wanted: Wanted) -> PlanAnswer:
    """What a download would fetch, how big it is and whether the disk holds it; nothing is fetched."""
    found = await shelf.downloads.plan(
        await named(shelf, wanted), wanted.files, source=wanted.source, revision=wanted.revision
    )
    return PlanAnswer.model_validate(found)


@router.post("", status_code=202)
async def start(shelf: TheShelf, order: Order, response: Response) -> JobAnswer:
    """Begin a download. It goes on without this connection; follow it by /api/events."""
    model = await named(shelf, order)
    job = await shelf.downloads.start(
        model, order.files, source=order.source, revision=order.revision, priority=order.priority
    )
    response.headers["location"] = f"downloads/{job}"
    return answer(await shelf.downloads.job(job))


@router.get("")
async def jobs(
    shelf: TheShelf,
    response: Response,
    limit: Limit = 200,
    offset: Offset = 0,
    state: Annotated[
        Literal["all", "open", "ended"], Query(description="open: as they are worked off; ended: the latest first")
    ] = "all",
) -> list[JobAnswer]:
    """Jobs, newest first, also those of other processes on this home; what has ended is left out first.

    With a `state`, pages of that: `x-total-count` says how many there are.
    """
    if state == "all":
        return [answer(job) for job in (await shelf.downloads.jobs(min(offset + limit, 1000)))[offset:]]
    read = shelf.downloads.queue if state == "open" else shelf.downloads.ended
    return paged(await read(limit, offset), response)


@router.get("/{job}")
async def one(shelf: TheShelf, job: JobId) -> JobAnswer:
    """One job."""
    return answer(await shelf.downloads.job(job))


@router.post("/{job}/pause")
async def pause(shelf: TheShelf, job: JobId) -> JobAnswer:
    """Stop for now; what arrived is kept."""
    await shelf.downloads.pause(job)
    return answer(await shelf.downloads.job(job))


@router.post("/{job}/resume")
async def resume(shelf: TheShelf, job: JobId) -> JobAnswer:
    """Go on where it stopped."""
    await shelf.downloads.resume(job)
    return answer(await shelf.downloads.job(job))


@router.post("/{job}/cancel")
async def cancel(shelf: TheShelf, job: JobId) -> JobAnswer:
    """End it and throw away what arrived."""
    await shelf.downloads.cancel(job)
    return answer(await shelf.downloads.job(job))
