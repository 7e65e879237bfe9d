"""The order of the queue: which job is next, and moving one in it. Functions of a session."""

from collections.abc import Sequence
from typing import Literal

from sqlalchemy import select, update
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
    line = _line(session, job)
    if to in ("first", "last"):
        place = 0 if to == "first" else len(line)
    else:
        if other == job:
            raise UsageError("A job cannot stand beside itself.", remedy="Name another job.")
        _open(session, other)
        place = [item[0] for item in line].index(other) + (to == "after")
    if not line:
        return
    # It takes the priority of whom it stands beside: of the one before it if it was put after that one.
    neighbour = line[max(place - 1, 0)] if to in ("after", "last") else line[min(place, len(line) - 1)]
    row.priority = neighbour[1]
    before = [item[2] for item in line[:place] if item[1] == row.priority][-1:]
    after = [item[2] for item in line[place:] if item[1] == row.priority][:1]
    low = before[0] if before else (after[0] - 2.0 if after else 0.0)
    high = after[0] if after else low + 2.0
    if high - low > CLOSEST:
        row.position = (low + high) / 2
        return
    order = [*(item[0] for item in line[:place]), job, *(item[0] for item in line[place:])]
    for position, name in enumerate(order, 1):
        session.execute(update(JobRow).where(JobRow.id == name).values(position=float(position)))


def _line(session: Session, without: str) -> Sequence[tuple[str, int, float]]:
    """Everyone else in the queue, in its order: id, priority, position."""
    query = select(JobRow.id, JobRow.priority, JobRow.position).where(
        JobRow.status.in_(OPEN_VALUES), JobRow.id != without
    )
    order = (JobRow.priority.desc(), JobRow.position, JobRow.created, JobRow.id)
    return [(job, priority, position) for job, priority, position in session.execute(query.order_by(*order))]


def _open(session: Session, job: str) -> JobRow:
    row = get(session, job)
    if JobStatus(row.status) in ENDED:
        raise UsageError(f"The download of {row.repo} has ended ({row.status}).", remedy="Start it again.")
    return row
