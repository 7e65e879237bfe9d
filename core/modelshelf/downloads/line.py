"""The order of the queue: which job is next, and moving one in it. Functions of a session."""

from typing import Any, Literal

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from modelshelf.downloads.rows import OPEN_VALUES, get
from modelshelf.downloads.types import ENDED, JobStatus
from modelshelf.errors import UsageError
from modelshelf.store.tables import JobRow

LOWEST, HIGHEST = -100, 100
CLOSEST = 1e-6  # nearer than this to its neighbours a job gets no place of its own any more

To = Literal["first", "last", "before", "after"]


def prioritise(session: Session, job: str, priority: int) -> int:
    """Give a job this priority; returns it.

    Raises:
        NotFound: there is no such job.
        UsageError: it has ended, or nothing has such a priority.
    """
    row = _open(session, job)
    if not LOWEST <= priority <= HIGHEST:
        raise UsageError(f"A priority is from {LOWEST} to {HIGHEST}.", remedy="Choose one of these.")
    row.priority = priority
    return priority


def shift(session: Session, job: str, steps: int) -> int:
    """Raise (or lower, by fewer than 0) a job's priority, as far as priorities go; returns it.

    Raises:
        NotFound, UsageError: there is no such job, or it has ended.
    """
    row = _open(session, job)
    return prioritise(session, job, max(LOWEST, min(HIGHEST, row.priority + steps)))


def limit(session: Session, job: str, rate: float) -> None:
    """Let a job fetch at most so many bytes a second, 0 for no limit of its own.

    Raises:
        NotFound: there is no such job.
        UsageError: it has ended, or the rate is below 0.
    """
    if not 0 <= rate < 1e15:
        raise UsageError("A limit is 0 or more.", remedy="Write it in MB/s; 0 takes it away.")
    _open(session, job).rate_limit = rate


def move(session: Session, job: str, to: To, other: str = "") -> None:
    """Put a job first, last, or before or after another one, whose priority it takes.

    Raises:
        NotFound: there is no such job.
        UsageError: it, or the other one, has ended, or they are the same.
    """
    row = _open(session, job)
    if to in ("before", "after") and other == job:
        raise UsageError("A job cannot stand beside itself.", remedy="Name another job.")
    beside = _open(session, other) if to in ("before", "after") else _end_of_line(session, job, first=to == "first")
    if beside is None:
        return
    row.priority = beside.priority  # of whom it stands beside: of the one before it if it was put after that one
    low, high = (beside, _neighbour(session, job, beside, 1)) if to in ("after", "last") else (
        _neighbour(session, job, beside, -1), beside)  # fmt: skip
    row.position = _between(session, low, high)


def _between(session: Session, low: JobRow | None, high: JobRow | None) -> float:
    """A place between two of one priority, or at an end of it; if there is none, the later ones make room."""
    if low is None or high is None:
        return low.position + 1.0 if low else high.position - 1.0 if high else 0.0
    before, after = low.position, high.position
    if after - before <= CLOSEST:
        later = or_(JobRow.id == high.id, _comes(high, 1))
        alike = (JobRow.priority == high.priority) & JobRow.status.in_(OPEN_VALUES) & later
        session.execute(update(JobRow).where(alike).values(position=JobRow.position + 1.0))
        after += 1.0
    return (before + after) / 2


def _end_of_line(session: Session, without: str, *, first: bool) -> JobRow | None:
    """The first or the last of the others in the queue."""
    order: tuple[Any, ...] = (JobRow.priority.desc(), JobRow.position, JobRow.created, JobRow.id)
    if not first:
        order = (JobRow.priority, JobRow.position.desc(), JobRow.created.desc(), JobRow.id.desc())
    others = JobRow.status.in_(OPEN_VALUES) & (JobRow.id != without)
    found = session.scalar(select(JobRow.id).where(others).order_by(*order).limit(1))
    return get(session, found) if found else None


def _neighbour(session: Session, without: str, beside: JobRow, way: int) -> JobRow | None:
    """Who comes next after another one in the queue, or (-1) before it, among those of its priority."""
    keys = (JobRow.position, JobRow.created, JobRow.id)
    order = keys if way > 0 else tuple(key.desc() for key in keys)
    alike = JobRow.status.in_(OPEN_VALUES) & (JobRow.priority == beside.priority) & (JobRow.id != without)
    found = session.scalar(select(JobRow.id).where(alike & _comes(beside, way)).order_by(*order).limit(1))
    return get(session, found) if found else None


def _comes(row: JobRow, way: int) -> Any:
    """Later in the queue than a row, or (-1) earlier, among those of its priority."""
    found: Any = None
    for key, value in reversed([(JobRow.position, row.position), (JobRow.created, row.created), (JobRow.id, row.id)]):
        beyond = key > value if way > 0 else key < value
        found = beyond if found is None else or_(beyond, and_(key == value, found))
    return found


def _open(session: Session, job: str) -> JobRow:
    row = get(session, job)
    if JobStatus(row.status) in ENDED:
        raise UsageError(f"The download of {row.repo} has ended ({row.status}).", remedy="Start it again.")
    return row
