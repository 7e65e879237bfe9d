"""Downloads: plan, start, watch, steer."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from modelshelf.api.needs import Answer, TheShelf
from modelshelf.downloads.types import Job, JobStatus
from modelshelf.ids import ModelId

router = APIRouter(prefix="/downloads", tags=["downloads"])

JobId = Annotated[str, Path(max_length=64)]


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


class Order(Wanted):
    """What to fetch, and how soon."""

    source: str | None = Field(default=None, max_length=40)
    priority: int = Field(default=0, ge=-100, le=100, description="higher goes first")


class PlannedFileAnswer(Answer):
    """A file to fetch; `present` means that the library already has its bytes."""

    path: str
    size: int
    sha256: str | None
    git_sha1: str | None
    present: bool


class PlanAnswer(Answer):
    """What a download will do, before it does it. Sizes in bytes."""

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


class JobAnswer(Answer):
    """A snapshot of a job. `rate` in bytes per second, `eta` in seconds."""

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


async def _named(shelf: TheShelf, wanted: Wanted) -> ModelId:
    return await shelf.catalog.named(wanted.model, sha256=wanted.sha256, beside=wanted.sha256_beside)


def _answer(job: Job) -> JobAnswer:
    return JobAnswer.model_validate(job)


@router.post("/plan")
async def plan(shelf: TheShelf, wanted: Wanted) -> PlanAnswer:
    """What a download would fetch, how big it is and whether the disk holds it; nothing is fetched."""
    found = await shelf.downloads.plan(await _named(shelf, wanted), wanted.files, revision=wanted.revision)
    return PlanAnswer.model_validate(found)


@router.post("", status_code=202)
async def start(shelf: TheShelf, order: Order, response: Response) -> JobAnswer:
    """Begin a download. It goes on without this connection; follow it by /api/events."""
    model = await _named(shelf, order)
    job = await shelf.downloads.start(
        model, order.files, source=order.source, revision=order.revision, priority=order.priority
    )
    response.headers["location"] = f"downloads/{job}"
    return _answer(await shelf.downloads.job(job))


@router.get("")
async def jobs(shelf: TheShelf, limit: Annotated[int, Query(ge=1, le=1000)] = 200) -> list[JobAnswer]:
    """The newest jobs, those of other processes on the same home included."""
    return [_answer(job) for job in await shelf.downloads.jobs(limit)]


@router.get("/{job}")
async def one(shelf: TheShelf, job: JobId) -> JobAnswer:
    """One job."""
    return _answer(await shelf.downloads.job(job))


@router.post("/{job}/pause")
async def pause(shelf: TheShelf, job: JobId) -> JobAnswer:
    """Stop for now; what arrived is kept."""
    await shelf.downloads.pause(job)
    return _answer(await shelf.downloads.job(job))


@router.post("/{job}/resume")
async def resume(shelf: TheShelf, job: JobId) -> JobAnswer:
    """Go on where it stopped."""
    await shelf.downloads.resume(job)
    return _answer(await shelf.downloads.job(job))


@router.post("/{job}/cancel")
async def cancel(shelf: TheShelf, job: JobId) -> JobAnswer:
    """End it and throw away what arrived."""
    await shelf.downloads.cancel(job)
    return _answer(await shelf.downloads.job(job))


@router.post("/{job}/retry")
async def retry(shelf: TheShelf, job: JobId) -> JobAnswer:
    """Try a failed job again; it goes on where it stopped."""
    await shelf.downloads.retry(job)
    return _answer(await shelf.downloads.job(job))
