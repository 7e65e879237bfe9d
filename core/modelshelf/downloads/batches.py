"""Jobs that were asked for together. Functions of a session."""

from collections.abc import Sequence

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from modelshelf.downloads.rows import ENDED_VALUES
from modelshelf.downloads.types import BatchState, JobStatus
from modelshelf.store.tables import JobRow

_FAILED = sorted(status.value for status in (JobStatus.FAILED, JobStatus.REVIEW, JobStatus.QUARANTINED))


def states(session: Session, ids: Sequence[str]) -> dict[str, BatchState]:
    """How these batches stand, by their ids."""
    query = (
        select(
            JobRow.batch,
            func.count(),
            func.sum(case((JobRow.status.in_(ENDED_VALUES), 1), else_=0)),
            func.sum(case((JobRow.status.in_(_FAILED), 1), else_=0)),
            func.sum(JobRow.bytes_done),
            func.sum(JobRow.bytes_total),
        )
        .where(JobRow.batch.in_([name for name in ids if name]))
        .group_by(JobRow.batch)
    )
    return {row[0]: BatchState(row[0], *(int(figure) for figure in row[1:])) for row in session.execute(query)}
