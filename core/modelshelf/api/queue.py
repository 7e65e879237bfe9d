"""The queue of downloads: its order, its limits, several at once, its history and its budget."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from modelshelf.api.downloads import JobAnswer, JobId, Limit, Offset, PlanAnswer, Wanted, answer, named, paged
from modelshelf.api.needs import Answer, TheShelf
from modelshelf.downloads.types import Order

router = APIRouter(prefix="/downloads", tags=["downloads"])


class BatchOrder(BaseModel):
    """Several downloads, in this order."""

    orders: list[Wanted] = Field(min_length=1, max_length=1000)
    priority: int = Field(default=0, ge=-100, le=100, description="higher goes first")

    async def parsed(self, shelf: TheShelf) -> tuple[Order, ...]:
        """As the manager takes them."""
        return tuple(
            [Order(await named(shelf, item), tuple(item.files), item.source, item.revision) for item in self.orders]
        )


class BatchAnswer(Answer):
    """What several downloads will do together; sizes in bytes."""

    plans: list[PlanAnswer]
    total: int
    missing: int
    fits_disk: bool


class Changed(BaseModel):
    """Which jobs were changed."""

    jobs: list[str]


class Cleared(BaseModel):
    """How many entries of the history are forgotten."""

    cleared: int


class Change(BaseModel):
    """What is to be other about a job; what is left out stays."""

    priority: int | None = Field(default=None, ge=-100, le=100, description="higher goes first")
    rate_limit: float | None = Field(default=None, ge=0, lt=1e15, description="bytes per second, 0: none of its own")


class Move(BaseModel):
    """Where a job goes in the queue."""

    to: Literal["first", "last", "before", "after"]
    other: str = Field(default="", max_length=64, description="the job to stand before or after")


class Files(BaseModel):
    """Files of a job; none means all."""

    files: list[str] = Field(default=[], max_length=1000)


class FileAnswer(Answer):
    """A file of a job: status is done | moving | waiting | failed; sizes in bytes; verdict pass | review | block."""

    path: str
    size: int
    done: int
    status: str
    error: str
    remedy: str
    verdict: str


class BudgetAnswer(BaseModel):
    """Whether anything may be fetched, else why not and until when; bytes used today and this month."""

    open: bool
    today: int
    month: int
    detail: str = ""
    until: datetime | None = None
    allowed: int | None = Field(default=None, description="jobs that lack at most so many bytes go on")


class TransferAnswer(Answer):
    """What the transfer of a file took.

    Sizes in bytes, `rate` in bytes per second, `seconds` with pauses between tries; `refetched` bytes came again or in
    vain; `connections` is the most at once; `outcome` is done, stopped, or the code of an error.
    """

    at: datetime
    source: str
    repo: str
    commit: str
    path: str
    host: str
    size: int
    received: int
    refetched: int
    seconds: float
    rate: float
    retries: int
    connections: int
    outcome: str


class SummaryAnswer(Answer):
    """All transfers together; `hosts` are who sent the most, with their bytes."""

    transfers: int
    received: int
    refetched: int
    seconds: float
    rate: float
    retries: int
    failed: int
    hosts: list[tuple[str, int]]


class NumbersAnswer(BaseModel):
    """Transfers, and all that are known together."""

    summary: SummaryAnswer
    transfers: list[TransferAnswer]


class WaitingAnswer(Answer):
    """Jobs that wait for the same: for what, until when, how many, and one of them."""

    detail: str
    until: datetime | None
    count: int
    job: str


class NewsAnswer(Answer):
    """Jobs that ended unseen, the newest first, how many in all, and what others wait for."""

    count: int
    ended: list[JobAnswer]
    ended_total: int
    waiting: list[WaitingAnswer]


class Seen(BaseModel):
    """Jobs that were seen; none means all."""

    jobs: list[str] = Field(default=[], max_length=1000)


class SeenAnswer(BaseModel):
    """How many jobs were news."""

    seen: int


@router.get("/history")
async def history(shelf: TheShelf, response: Response, limit: Limit = 200, offset: Offset = 0) -> list[JobAnswer]:
    """Every job that is not forgotten, newest first, with its rate and its retries; `x-total-count` says how many."""
    return paged(await shelf.downloads.past_page(limit, offset), response)


@router.get("/numbers")
async def numbers(shelf: TheShelf, limit: Limit = 200, offset: Offset = 0) -> NumbersAnswer:
    """What transfers of files took, the latest first, and all that are known together."""
    found = await shelf.downloads.transfers(limit, offset)
    together = SummaryAnswer.model_validate(await shelf.downloads.summary())
    return NumbersAnswer(summary=together, transfers=[TransferAnswer.model_validate(row) for row in found])


@router.get("/news")
async def news(shelf: TheShelf) -> NewsAnswer:
    """What ended or waits, and nobody has said yet that they saw it."""
    return NewsAnswer.model_validate(await shelf.downloads.news())


@router.post("/news/seen")
async def seen(shelf: TheShelf, wanted: Seen | None = None) -> SeenAnswer:
    """It was seen: these jobs, or all, are no news any more, on no page of this home."""
    return SeenAnswer(seen=await shelf.downloads.mark_seen(wanted.jobs if wanted else ()))


@router.delete("/history")
async def clear(
    shelf: TheShelf, days: Annotated[float, Query(ge=0, lt=1e6, description="only what ended before so many days")] = 0
) -> Cleared:
    """Forget jobs that have ended; nothing that was downloaded goes."""
    return Cleared(cleared=await shelf.downloads.clear(days))


@router.get("/budget")
async def budget(shelf: TheShelf) -> BudgetAnswer:
    """Whether downloads may go on now: hours of the day, bytes of the day and month, a metered connection."""
    allowance = shelf.downloads.allowance
    used = await allowance.look()
    today, month = used.on(allowance.day)
    found = allowance.closed()
    if found is None:
        return BudgetAnswer(open=True, today=today, month=month)
    return BudgetAnswer(
        open=False, today=today, month=month, detail=found.detail(allowance.zone), until=found.until,
        allowed=found.allowed,
    )  # fmt: skip


@router.post("/batch/plan")
async def plan_batch(shelf: TheShelf, batch: BatchOrder) -> BatchAnswer:
    """What several downloads would fetch, and whether the disks hold them all; nothing is fetched."""
    return BatchAnswer.model_validate(await shelf.downloads.plan_batch(await batch.parsed(shelf)))


@router.post("/batch", status_code=202)
async def start_batch(shelf: TheShelf, batch: BatchOrder) -> Changed:
    """Begin several downloads, or none if the disks do not hold them all."""
    return Changed(jobs=list(await shelf.downloads.start_batch(await batch.parsed(shelf), priority=batch.priority)))


@router.post("/pause")
async def pause_all(shelf: TheShelf) -> Changed:
    """Stop every job for now."""
    return Changed(jobs=list(await shelf.downloads.pause_all()))


@router.post("/resume")
async def resume_all(shelf: TheShelf) -> Changed:
    """Let every paused job go on."""
    return Changed(jobs=list(await shelf.downloads.resume_all()))


@router.get("/{job}/files")
async def files(shelf: TheShelf, job: JobId) -> list[FileAnswer]:
    """The files of a job, and how far each is."""
    return [FileAnswer.model_validate(file) for file in await shelf.downloads.files(job)]


@router.patch("/{job}")
async def change(shelf: TheShelf, job: JobId, wanted: Change) -> JobAnswer:
    """Change a job's priority or its rate limit."""
    if wanted.priority is not None:
        await shelf.downloads.prioritise(job, wanted.priority)
    if wanted.rate_limit is not None:
        await shelf.downloads.limit(job, wanted.rate_limit)
    return answer(await shelf.downloads.job(job))


@router.post("/{job}/move")
async def move(shelf: TheShelf, job: JobId, wanted: Move) -> JobAnswer:
    """Put a job first, last, before or after another one, whose priority it takes."""
    await shelf.downloads.move(job, wanted.to, wanted.other)
    return answer(await shelf.downloads.job(job))


@router.post("/{job}/retry")
async def retry(shelf: TheShelf, job: JobId, wanted: Files | None = None) -> JobAnswer:
    """Try a failed job again; it goes on where it stopped. With `files`, only these of the failed files are tried."""
    await shelf.downloads.retry(job, wanted.files if wanted else ())
    return answer(await shelf.downloads.job(job))
