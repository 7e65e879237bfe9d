"""What the table of jobs says: one job, the newest ones, what is still to be written. Functions of a session.

Lists read no plans: a thousand of them are much to read, and nobody who lists jobs asks for them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, case, delete, func, or_, select
from sqlalchemy.orm import Session

from modelshelf.downloads.types import ENDED, RUNNING, Job, JobStatus
from modelshelf.errors import ModelshelfError, NotFound
from modelshelf.store.tables import JobRow

WORKING = frozenset({*RUNNING, JobStatus.WAITING})
CLAIMABLE = frozenset({*WORKING, JobStatus.QUEUED})
OPEN = frozenset({*CLAIMABLE, JobStatus.PAUSED})
OPEN_VALUES = sorted(status.value for status in OPEN)
ENDED_VALUES = sorted(status.value for status in ENDED)
_HEAVY = frozenset({"plan", "held"})
_RUNNING_VALUES = sorted(status.value for status in RUNNING)
_COLUMNS = tuple(column for column in JobRow.__table__.columns if column.key not in _HEAVY)

Lean = JobRow | Row[Any]  # a row, or what a list reads of it


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
        raise _unknown(job)
    return row


def one(session: Session, job: str) -> Row[Any]:
    """What a list says of a job.

    Raises:
        NotFound: there is no such job.
    """
    row = session.execute(select(*_COLUMNS).where(JobRow.id == job)).first()
    if row is None:
        raise _unknown(job)
    return row


def _unknown(job: str) -> NotFound:
    return NotFound(f"There is no download job “{job}”.")


def these(session: Session, ids: Sequence[str]) -> list[Row[Any]]:
    """What a list says of these jobs, in their order; what is gone is left out."""
    found = {row.id: row for row in session.execute(select(*_COLUMNS).where(JobRow.id.in_(ids)))}
    return [found[job] for job in ids if job in found]


def newest(session: Session, limit: int) -> Sequence[Lean]:
    """Jobs, newest first: all that have not ended as far as they find room, in the order of the queue, then others."""
    open_, _total = queue(session, limit)
    ended, _total = history(session, limit - len(open_), ended=True) if len(open_) < limit else ([], 0)
    return sorted([*open_, *ended], key=lambda row: (row.created, row.id), reverse=True)


def queue(session: Session, limit: int, offset: int = 0) -> tuple[Sequence[Lean], int]:
    """What has not ended, as it is worked off: what runs, then the next ones; and how many there are."""
    is_open = JobRow.status.in_(OPEN_VALUES)
    order = (
        case((JobRow.status.in_(_RUNNING_VALUES), 0), else_=1), JobRow.priority.desc(), JobRow.position, JobRow.created,
        JobRow.id,
    )  # fmt: skip
    ids = session.scalars(select(JobRow.id).where(is_open).order_by(*order).limit(limit).offset(offset)).all()
    total = session.scalar(select(func.count()).select_from(JobRow).where(is_open))
    return these(session, ids), total or 0


def history(session: Session, limit: int, offset: int = 0, *, ended: bool = False) -> tuple[Sequence[Lean], int]:
    """Every job, by the time it was asked for, or all that have ended, by when they did; the newest first. How many."""
    which = JobRow.ended.is_not(None) if ended else JobRow.id.is_not(None)
    order = (JobRow.ended if ended else JobRow.created).desc()
    total = session.scalar(select(func.count()).select_from(JobRow).where(which)) or 0
    found = select(*_COLUMNS).where(which).order_by(order, JobRow.id.desc()).limit(limit).offset(offset)
    return session.execute(found).all(), total


def clear(session: Session, before: datetime | None) -> int:
    """Forget jobs that have ended, or that did so before a moment; returns how many."""
    past = JobRow.status.in_(ENDED_VALUES)
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


def failure(error: ModelshelfError) -> dict[str, Any]:
    """What a job keeps of an error; `failed` are the files that it names."""
    result: dict[str, Any] = {"exit_code": error.exit_code, "code": error.code}
    if failed := error.facts.get("failed"):
        result["failed"] = failed
    return {"detail": "", "error": {"error": error.message, "remedy": error.remedy}, "result": result}


def failed_files(result: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The files that failed, with what was said of each, from a job's result."""
    return {str(item["path"]): item for item in result.get("failed", ())}


def snapshot(row: Lean, rate: float = 0.0, eta: float | None = None, done: int | None = None) -> Job:
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
        batch=row.batch,
        unseen=row.unseen,
    )
