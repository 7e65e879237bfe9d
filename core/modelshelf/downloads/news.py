"""What nobody has seen yet: how jobs ended, and what others wait for. Functions of a session."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from modelshelf.downloads.rows import ENDED_VALUES, these
from modelshelf.downloads.types import JobStatus, Waiting
from modelshelf.store.tables import JobRow

TOLD = frozenset({JobStatus.DONE, JobStatus.REVIEW, JobStatus.QUARANTINED, JobStatus.FAILED, JobStatus.WAITING})
_UNSEEN = JobRow.unseen.is_(True)


def read(session: Session, limit: int) -> tuple[Sequence[Row[Any]], int, tuple[Waiting, ...]]:
    """Jobs that ended unseen, the newest first; how many there are; and those that wait, by what they wait for."""
    ended = _UNSEEN & JobRow.status.in_(ENDED_VALUES)
    ids = session.scalars(select(JobRow.id).where(ended).order_by(JobRow.ended.desc()).limit(limit)).all()
    total = session.scalar(select(func.count()).select_from(JobRow).where(ended)) or 0
    return these(session, ids), total, _waiting(session)


def _waiting(session: Session) -> tuple[Waiting, ...]:
    waits = _UNSEEN & (JobRow.status == JobStatus.WAITING.value)
    query = select(JobRow.detail, func.max(JobRow.until), func.count(), func.min(JobRow.id)).where(waits)
    return tuple(Waiting(*row) for row in session.execute(query.group_by(JobRow.detail).order_by(JobRow.detail)))


def seen(session: Session, ids: Sequence[str] = ()) -> int:
    """Somebody saw these jobs, or all; returns how many were news. Who waits for the same goes with them."""
    which: Any = _UNSEEN
    if ids:
        details = select(JobRow.detail).where(JobRow.id.in_(ids), JobRow.status == JobStatus.WAITING.value)
        alike = (JobRow.status == JobStatus.WAITING.value) & JobRow.detail.in_(details)
        which &= JobRow.id.in_(ids) | alike
    result = session.execute(update(JobRow).where(which).values(unseen=False), execution_options=_PLAIN)
    return result.rowcount if isinstance(result, CursorResult) else 0


_PLAIN = {"synchronize_session": False}
