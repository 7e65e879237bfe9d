"""What the table of jobs says: one job, the newest ones, what is still to be written. Functions of a session."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session, defer

from modelshelf.downloads.types import ENDED, RUNNING, Job, JobStatus
from modelshelf.errors import ModelshelfError, NotFound
from modelshelf.store.tables import JobRow

WORKING = frozenset({*RUNNING, JobStatus.WAITING})
CLAIMABLE = frozenset({*WORKING, JobStatus.QUEUED})
OPEN = frozenset({*CLAIMABLE, JobStatus.PAUSED})
OPEN_VALUES = sorted(status.value for status in OPEN)


@dataclass(frozen=True, slots=True)
class Pending:
    """What other jobs will still write: `begun` have to be looked at one by one, the rest are `untouched` bytes."""

    begun: Sequence[JobRow] = ()
    untouched: int = 0


def get(session: Session, job: str) -> JobRow:
    """The row of a job.

    Raises:
        NotFound: there is no such job.
    """
    row = session.get(JobRow, job)
    if row is None:
        raise NotFound(f"There is no download job “{job}”.")
    return row


def newest(session: Session, limit: int) -> Sequence[JobRow]:
    """Jobs, newest first: all that have not ended as far as they find room, in the order of the queue, then others.

    The plans stay in the database: a thousand of them are much to read, and nobody who lists jobs asks for them.
    """
    lean = select(JobRow).options(defer(JobRow.plan))
    running_first = (JobRow.owner == "", JobRow.priority.desc(), JobRow.position, JobRow.created)
    open_ = session.scalars(lean.where(JobRow.status.in_(OPEN_VALUES)).order_by(*running_first).limit(limit)).all()
    ended = lean.where(JobRow.status.not_in(OPEN_VALUES)).order_by(JobRow.created.desc()).limit(limit - len(open_))
    return sorted([*open_, *session.scalars(ended)], key=lambda row: (row.created, row.id), reverse=True)


def history(session: Session, limit: int) -> Sequence[JobRow]:
    """Every job, newest first."""
    query = select(JobRow).options(defer(JobRow.plan)).order_by(JobRow.created.desc(), JobRow.id).limit(limit)
    return session.scalars(query).all()


def clear(session: Session, before: datetime | None) -> int:
    """Forget jobs that have ended, or that did so before a moment; returns how many."""
    past = JobRow.status.in_([status.value for status in ENDED])
    chosen = past if before is None else past & (JobRow.ended < before)
    doomed = session.scalars(select(JobRow.id).where(chosen)).all()
    session.execute(delete(JobRow).where(chosen))
    return len(doomed)


def pending(session: Session, without: str = "") -> Pending:
    """What the jobs that have not ended will still write, paused ones too."""
    others = (JobRow.id != without) & JobRow.status.in_(OPEN_VALUES)
    begun = or_(JobRow.started.is_not(None), JobRow.copied > 0)
    left = select(func.sum(JobRow.bytes_total - JobRow.bytes_done)).where(others, ~begun)
    return Pending(session.scalars(select(JobRow).where(others, begun)).all(), session.scalar(left) or 0)


def unfinished(session: Session) -> Sequence[str]:
    """The ids of all jobs that have not ended, in the order of the queue."""
    order = (JobRow.priority.desc(), JobRow.position, JobRow.created)
    return session.scalars(select(JobRow.id).where(JobRow.status.in_(OPEN_VALUES)).order_by(*order)).all()


def failure(error: ModelshelfError) -> dict[str, Any]:
    """What a job keeps of an error; `failed` are the files that it names."""
    result: dict[str, Any] = {"exit_code": error.exit_code, "code": error.code}
    if failed := error.facts.get("failed"):
        result["failed"] = failed
    return {"detail": "", "error": {"error": error.message, "remedy": error.remedy}, "result": result}


def failed_files(result: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The files that failed, with what was said of each, from a job's result."""
    return {str(item["path"]): item for item in result.get("failed", ())}


def snapshot(row: JobRow, rate: float = 0.0, eta: float | None = None, done: int | None = None) -> Job:
    """A job as others see it."""
    return Job(
        id=row.id,
        source=row.source,
        repo=row.repo,
        commit=row.commit,
        files=tuple(row.wanted),
        status=JobStatus(row.status),
        detail=row.detail,
        done=row.bytes_done if done is None else done,
        total=row.bytes_total,
        rate=rate,
        eta=eta,
        error=str(row.error.get("error", "")),
        remedy=str(row.error.get("remedy", "")),
        result=dict(row.result),
        principal=row.principal,
        created=row.created,
        started=row.started,
        ended=row.ended,
        priority=row.priority,
        position=row.position,
        rate_limit=row.rate_limit,
        until=row.until,
        attempts=row.attempts,
        retries=row.retries,
        fetched=row.fetched,
        seconds=row.seconds,
    )
