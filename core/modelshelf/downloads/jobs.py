"""Jobs in the database: started, claimed by a lease, changed by their owner alone, asked to stop by anyone.

Every function here takes a session of the store. An owner is written `host:pid:start-time`, so that the jobs of a
process of this host that is no more are taken over at once, others when their lease has run out.
"""

import platform
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import psutil
from sqlalchemy import select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from modelshelf.downloads.types import ENDED, RUNNING, DownloadPlan, Job, JobStatus
from modelshelf.errors import ModelshelfError, NotFound, UsageError
from modelshelf.store.tables import JobRow, now

HUNG = timedelta(minutes=10)
PAUSE, CANCEL = "pause", "cancel"
WORKING = frozenset({*RUNNING, JobStatus.WAITING})
CLAIMABLE = frozenset({*WORKING, JobStatus.QUEUED})


def identity() -> str:
    """This process, and one worker in it, as an owner of jobs."""
    process = psutil.Process()
    return f"{_host()}:{process.pid}:{process.create_time():.2f}:{uuid.uuid4().hex[:6]}"


def _host() -> str:
    return platform.node().replace(":", "-")[:80]


def _is_alive(owner: str) -> bool | None:
    """Whether the owner's process runs; None if that cannot be known from here."""
    parts = owner.split(":")
    if len(parts) != 4 or parts[0] != _host():
        return None
    try:
        return f"{psutil.Process(int(parts[1])).create_time():.2f}" == parts[2]
    except (psutil.NoSuchProcess, ValueError):
        return False
    except psutil.Error:
        return None


def add(
    session: Session, plan: DownloadPlan, document: dict[str, Any], revision: str, principal: str, priority: int
) -> tuple[str, bool]:
    """A new job for the plan, or the one that already fetches the same files: its id, and whether it is new."""
    wanted = sorted(file.path for file in plan.files)
    alike = select(JobRow).where(
        JobRow.source == plan.source,
        JobRow.repo == plan.repo,
        JobRow.commit == plan.commit,
        JobRow.status.not_in([status.value for status in ENDED]),
    )
    for row in session.scalars(alike):
        if row.wanted == wanted:
            if row.status == JobStatus.PAUSED:
                row.status = JobStatus.QUEUED.value
            row.priority = max(row.priority, priority)
            return row.id, False
    row = JobRow(
        id=uuid.uuid4().hex[:12],
        source=plan.source,
        repo=plan.repo,
        revision=revision,
        commit=plan.commit,
        wanted=wanted,
        plan=document,
        priority=priority,
        principal=principal,
        bytes_total=plan.total,
        bytes_done=plan.total - plan.missing,
    )
    session.add(row)
    return row.id, True


def claim(session: Session, me: str, limit: int, lease: float, mine: frozenset[str] | None) -> JobRow | None:
    """The next job, now owned by `me`; None if nothing waits or `limit` jobs run already on this home.

    `mine` restricts the choice to jobs that this process started.
    """
    moment = now()
    rows = session.scalars(
        select(JobRow)
        .where(JobRow.status.in_([status.value for status in CLAIMABLE]))
        .order_by(JobRow.priority.desc(), JobRow.created, JobRow.id)
        .with_for_update(skip_locked=True)
    ).all()
    free = [row for row in rows if not row.owner or (row.owner != me and _abandoned(row, moment))]
    if len(rows) - len(free) >= limit:
        return None
    row = next((row for row in free if mine is None or row.id in mine), None)
    if row is None:
        return None
    row.owner, row.lease_until = me, moment + timedelta(seconds=lease)
    row.attempts += 1
    row.started = row.started or moment
    row.status = JobStatus.PLANNING.value
    return row


def _abandoned(row: JobRow, moment: datetime) -> bool:
    """Whether the owner is gone. A clock that jumps must not take a job from a process that is seen to run."""
    alive = _is_alive(row.owner)
    overdue = moment - row.lease_until if row.lease_until else HUNG
    return alive is False or overdue >= (HUNG if alive else timedelta(0))


def release(session: Session, me: str) -> list[str]:
    """Let go of every job of mine; returns their ids."""
    rows = session.scalars(select(JobRow).where(JobRow.owner == me)).all()
    for row in rows:
        row.owner, row.lease_until, row.status = "", None, JobStatus.QUEUED.value
    return [row.id for row in rows]


def beat(session: Session, job: str, me: str, lease: float, changes: Mapping[str, Any]) -> str | None:
    """Renew the lease and write changes; returns what was asked of the job, or None if it is no longer mine."""
    values = {**changes, "lease_until": now() + timedelta(seconds=lease)}
    if not _change(session, job, me, values):
        return None
    return session.scalar(select(JobRow.request).where(JobRow.id == job)) or ""


def finish(session: Session, job: str, me: str, status: JobStatus, changes: Mapping[str, Any]) -> bool:
    """Let go of a job of mine with a new status; False if it is no longer mine."""
    values = {**changes, "status": status.value, "owner": "", "lease_until": None, "request": ""}
    if status in ENDED:
        values["ended"] = now()
    return _change(session, job, me, values)


def _change(session: Session, job: str, me: str, values: Mapping[str, Any]) -> bool:
    result = session.execute(update(JobRow).where(JobRow.id == job, JobRow.owner == me).values(**values))
    return isinstance(result, CursorResult) and result.rowcount == 1


def ask(session: Session, job: str, request: str) -> JobStatus:
    """Pause or cancel a job: at once if nobody works on it, else its owner is asked. Returns the status now.

    Raises:
        NotFound: there is no such job.
        UsageError: it has ended.
    """
    row = _row(session, job)
    status = JobStatus(row.status)
    if status in ENDED:
        raise UsageError(f"The download of {row.repo} has ended ({status.value}).", remedy="Start it again.")
    if row.owner and not _abandoned(row, now()):
        row.request = request if row.request != CANCEL else CANCEL
        return status
    row.owner, row.request, row.lease_until = "", "", None
    row.status = (JobStatus.CANCELLED if request == CANCEL else JobStatus.PAUSED).value
    row.detail = ""
    row.ended = now() if request == CANCEL else None
    return JobStatus(row.status)


def requeue(session: Session, job: str, allowed: frozenset[JobStatus]) -> JobStatus:
    """Let a job of one of these statuses go on; one that is on its way stays as it is. Returns the status now.

    Raises:
        NotFound: there is no such job.
        UsageError: its status is another.
    """
    row = _row(session, job)
    status = JobStatus(row.status)
    if status in CLAIMABLE:
        row.request = "" if row.request == PAUSE else row.request
        return status
    if status not in allowed:
        raise UsageError(f"The download of {row.repo} is {status.value}.", remedy="Start it again.")
    row.status, row.detail, row.request, row.owner = JobStatus.QUEUED.value, "", "", ""
    row.error, row.result, row.ended = {}, {}, None
    return JobStatus.QUEUED


def get(session: Session, job: str) -> JobRow:
    """The row of a job.

    Raises:
        NotFound: there is no such job.
    """
    return _row(session, job)


def newest(session: Session, limit: int) -> Sequence[JobRow]:
    """Jobs, newest first."""
    return session.scalars(select(JobRow).order_by(JobRow.created.desc(), JobRow.id).limit(limit)).all()


def unfinished(session: Session, without: str = "") -> Sequence[JobRow]:
    """The jobs that will still write, paused ones too."""
    statuses = [status.value for status in (*CLAIMABLE, JobStatus.PAUSED)]
    return session.scalars(select(JobRow).where(JobRow.id != without, JobRow.status.in_(statuses))).all()


def _row(session: Session, job: str) -> JobRow:
    row = session.get(JobRow, job)
    if row is None:
        raise NotFound(f"There is no download job “{job}”.")
    return row


def failure(error: ModelshelfError) -> dict[str, Any]:
    """What a job keeps of an error."""
    return {
        "detail": "",
        "error": {"error": error.message, "remedy": error.remedy},
        "result": {"exit_code": error.exit_code, "code": error.code},
    }


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
    )
