"""Jobs in the database: started, claimed by a lease, changed by their owner alone, asked to stop by anyone.

Every function here takes a session of the store. An owner is written `host:pid:start-time`, so that the jobs of a
process of this host that is no more are taken over at once, others when their lease has run out.
"""

import platform
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psutil
from sqlalchemy import func, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from modelshelf.downloads.news import TOLD
from modelshelf.downloads.rows import CLAIMABLE, OPEN_VALUES, WORKING, failed_files, get
from modelshelf.downloads.types import ENDED, DownloadPlan, JobStatus
from modelshelf.errors import UsageError
from modelshelf.store.tables import JobRow, now

__all__ = ["CLAIMABLE", "ENDED", "WORKING", "add", "ask", "get"]

HUNG = timedelta(minutes=10)
PAUSE, CANCEL = "pause", "cancel"
_CLAIMABLE = sorted(status.value for status in CLAIMABLE)
_WAITS = (JobStatus.QUEUED.value, JobStatus.WAITING.value)


@dataclass(frozen=True, slots=True)
class Gate:
    """Which jobs may go on: those that lack at most `allowed` bytes (None: all), and those of the `free` sources.

    `detail` and `until` are what the others say meanwhile.
    """

    allowed: int | None = None
    detail: str = ""
    until: datetime | None = None
    free: frozenset[str] = frozenset()


OPEN_GATE = Gate()


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of a job that somebody works on: `request` is pause, cancel or empty; `rate` its limit in B/s."""

    request: str
    rate: float


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
    session: Session,
    plan: DownloadPlan,
    document: dict[str, Any],
    revision: str,
    principal: str,
    priority: int,
    batch: str = "",
) -> tuple[str, bool]:
    """A new job for the plan, or the one that already fetches the same files: its id, and whether it is new."""
    wanted = sorted(file.path for file in plan.files)
    # By its repository: by its status every job of a long queue would be looked at. The rest is judged here.
    alike = select(JobRow).where(JobRow.repo == plan.repo, JobRow.commit == plan.commit)
    for row in session.scalars(alike):
        if row.source == plan.source and row.status in OPEN_VALUES and row.wanted == wanted:
            if row.status == JobStatus.PAUSED:
                row.status = JobStatus.QUEUED.value
            row.priority = max(row.priority, priority)
            return row.id, False
    last = session.scalar(select(func.max(JobRow.position)).where(JobRow.status.in_(OPEN_VALUES)))
    row = JobRow(
        id=uuid.uuid4().hex[:12],
        source=plan.source,
        repo=plan.repo,
        revision=revision,
        commit=plan.commit,
        wanted=wanted,
        plan=document,
        priority=priority,
        position=(last or 0.0) + 1.0,
        principal=principal,
        bytes_total=plan.total,
        bytes_done=plan.total - plan.missing,
        copied=plan.total if plan.copies else 0,
        batch=batch,
    )
    session.add(row)
    return row.id, True


def claim(
    session: Session, me: str, limit: int, lease: float, mine: Collection[str] | None, gate: Gate = OPEN_GATE
) -> JobRow | None:
    """The next job, now owned by `me`; None if nothing may go on or `limit` jobs run already on this home.

    `mine` restricts the choice to jobs that this process started.
    """
    moment = now()
    # Written so that an index finds the few that somebody works on among a thousand that wait.
    held = [row for row in session.scalars(select(JobRow).where(JobRow.owner > "")) if row.status in _CLAIMABLE]
    for row in held:
        if row.owner != me and _abandoned(row, moment):
            row.owner, row.lease_until = "", None
    session.flush()
    if sum(bool(row.owner) for row in held) >= limit:
        return None
    busy = [row.id for row in held if row.owner]
    ready = select(JobRow.id).where(JobRow.status.in_(_CLAIMABLE), JobRow.id.not_in(busy))
    if gate.allowed is not None:
        ready = ready.where(_small(gate))
    order = (JobRow.priority.desc(), JobRow.position, JobRow.created, JobRow.id)
    ids = session.scalars(ready.order_by(*order).limit(1 if mine is None else None))
    job = next((job for job in ids if mine is None or job in mine), None)
    if job is None:
        return None
    row = get(session, job)
    row.owner, row.lease_until = me, moment + timedelta(seconds=lease)
    row.attempts += 1
    row.started = row.started or moment
    row.status, row.detail, row.until = JobStatus.PLANNING.value, "", None
    return row


def park(session: Session, gate: Gate) -> Sequence[str]:
    """Let the jobs that nobody works on wait, or wait no longer, as the gate says; returns the ids of those changed."""
    idle = (JobRow.owner == "") & JobRow.status.in_(_WAITS)
    parked = JobRow.status == JobStatus.WAITING.value
    if gate.allowed is None:
        return _set(session, idle & parked, JobStatus.QUEUED, "", None)
    told = parked & (JobRow.detail == gate.detail)
    changed = [*_set(session, idle & parked & _small(gate), JobStatus.QUEUED, "", None)]
    return [*changed, *_set(session, idle & ~_small(gate) & ~told, JobStatus.WAITING, gate.detail, gate.until)]


def _small(gate: Gate) -> Any:
    little = JobRow.bytes_total - JobRow.bytes_done <= gate.allowed
    return little | JobRow.source.in_(gate.free) if gate.free else little


def _set(session: Session, which: Any, status: JobStatus, detail: str, until: datetime | None) -> Sequence[str]:
    ids = session.scalars(select(JobRow.id).where(which)).all()
    if ids:
        values = {"status": status.value, "detail": detail, "until": until, "unseen": status in TOLD}
        session.execute(update(JobRow).where(which).values(**values))
    return ids


def _abandoned(row: JobRow, moment: datetime) -> bool:
    """Whether the owner is gone. A clock that jumps must not take a job from a process that is seen to run."""
    alive = _is_alive(row.owner)
    overdue = moment - row.lease_until if row.lease_until else HUNG
    return alive is False or overdue >= (HUNG if alive else timedelta(0))


def release(session: Session, me: str) -> list[tuple[str, JobStatus]]:
    """Let go of every job of mine, and do what was asked of it meanwhile; returns their ids and what they are now."""
    rows = session.scalars(select(JobRow).where(JobRow.owner == me)).all()
    for row in rows:
        _let_go(row, _obeyed(row.request, JobStatus.QUEUED))
    return [(row.id, JobStatus(row.status)) for row in rows]


def beat(session: Session, job: str, me: str, lease: float, changes: Mapping[str, Any]) -> Wish | None:
    """Renew the lease and write changes; returns what is asked of the job, or None if it is no longer mine."""
    values = {**changes, "lease_until": now() + timedelta(seconds=lease)}
    return wish(session, job, me) if _change(session, job, me, values) else None


def wish(session: Session, job: str, me: str) -> Wish | None:
    """What is asked of a job; None if it is no longer mine."""
    found = session.execute(
        select(JobRow.request, JobRow.rate_limit).where(JobRow.id == job, JobRow.owner == me)
    ).first()
    return Wish(*found) if found else None


def finish(session: Session, job: str, me: str, status: JobStatus, changes: Mapping[str, Any]) -> JobStatus | None:
    """Let go of a job of mine with a new status; returns it, or None if the job is no longer mine.

    What was asked since the last beat counts: a job that was to be cancelled does not end up paused.
    """
    request = session.scalar(select(JobRow.request).where(JobRow.id == job, JobRow.owner == me))
    if request is None or not _change(session, job, me, changes):
        return None
    session.expire_all()
    _let_go(get(session, job), status if status in ENDED else _obeyed(request, status))
    return JobStatus(get(session, job).status)


def _obeyed(request: str, status: JobStatus) -> JobStatus:
    return {CANCEL: JobStatus.CANCELLED, PAUSE: JobStatus.PAUSED}.get(request, status)


def _let_go(row: JobRow, status: JobStatus) -> None:
    row.owner, row.lease_until, row.request, row.status = "", None, "", status.value
    row.ended = now() if status in ENDED else None
    row.unseen = status in TOLD
    if status is not JobStatus.WAITING:
        row.detail, row.until = "", None


def _change(session: Session, job: str, me: str, values: Mapping[str, Any]) -> bool:
    # The row's own id is written even where nothing else is: whether it is still mine has to be known.
    query = update(JobRow).where(JobRow.id == job, JobRow.owner == me).values(**{"id": job, **values})
    result = session.execute(query, execution_options={"synchronize_session": False})
    return isinstance(result, CursorResult) and result.rowcount == 1


def ask(session: Session, job: str, request: str) -> JobStatus:
    """Pause or cancel a job: at once if nobody works on it, else its owner is asked. Returns the status now.

    Raises:
        NotFound: there is no such job.
        UsageError: it has ended.
    """
    row = get(session, job)
    status = JobStatus(row.status)
    if status in ENDED:
        raise UsageError(f"The download of {row.repo} has ended ({status.value}).", remedy="Start it again.")
    if row.owner and not _abandoned(row, now()):
        row.request = request if row.request != CANCEL else CANCEL
        return status
    _let_go(row, JobStatus.CANCELLED if CANCEL in (request, row.request) else JobStatus.PAUSED)
    return JobStatus(row.status)


def refuse(session: Session, job: str) -> JobRow:
    """Cancel a job that waits for a person's decision.

    Raises:
        NotFound: there is no such job.
        UsageError: it waits for none.
    """
    row = get(session, job)
    if JobStatus(row.status) is not JobStatus.REVIEW:
        raise UsageError(f"The download of {row.repo} waits for no decision ({row.status}).")
    row.status = JobStatus.CANCELLED.value
    return row


def pause_all(session: Session) -> list[tuple[str, JobStatus]]:
    """Pause every job that has not ended; returns their ids and what they are now."""
    session.execute(update(JobRow).where(JobRow.owner == "", JobRow.status.in_(_CLAIMABLE)).values(**_PAUSED))
    for row in session.scalars(select(JobRow).where(JobRow.owner > "")).all():
        if JobStatus(row.status) not in ENDED:
            ask(session, row.id, PAUSE)
    session.flush()
    return _open(session)


def resume_all(session: Session) -> list[tuple[str, JobStatus]]:
    """Let every paused job go on, and none stop that was asked to; returns those that have not ended."""
    session.execute(update(JobRow).where(JobRow.owner > "", JobRow.request == PAUSE).values(request=""))
    session.execute(update(JobRow).where(JobRow.status == JobStatus.PAUSED.value).values(**_AGAIN))
    return _open(session)


def _open(session: Session) -> list[tuple[str, JobStatus]]:
    found = session.execute(select(JobRow.id, JobRow.status).where(JobRow.status.in_(OPEN_VALUES)))
    return [(job, JobStatus(status)) for job, status in found]


_IDLE: dict[str, Any] = {"detail": "", "until": None, "unseen": False}
_PAUSED = {**_IDLE, "status": JobStatus.PAUSED.value}
_AGAIN = {**_IDLE, "status": JobStatus.QUEUED.value, "error": {}, "result": {}}


def requeue(session: Session, job: str, allowed: frozenset[JobStatus], files: Collection[str] = ()) -> JobStatus:
    """Let a job of one of these statuses go on; one that is on its way stays as it is. Returns the status now.

    With `files`, only these of the files that failed are tried again.

    Raises:
        NotFound: there is no such job.
        UsageError: its status is another, or one of the files did not fail.
    """
    row = get(session, job)
    status = JobStatus(row.status)
    if status in CLAIMABLE:
        row.request = "" if row.request == PAUSE else row.request
        return status
    if status not in allowed:
        raise UsageError(f"The download of {row.repo} is {status.value}.", remedy="Start it again.")
    failed = failed_files(row.result)
    if wrong := [path for path in files if path not in failed]:
        raise UsageError(
            f"{wrong[0]} of {row.repo} did not fail.",
            remedy=f"Name some of these: {', '.join(failed)}." if failed else "Leave the files out.",
        )
    if files:
        row.held = {path: item for path, item in failed.items() if path not in files}
    elif status is not JobStatus.PAUSED:
        row.held = {}
    _let_go(row, JobStatus.QUEUED)
    row.error, row.result = {}, {}
    return JobStatus.QUEUED
