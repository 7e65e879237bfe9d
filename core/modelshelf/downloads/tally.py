"""What a job costs: bytes that came, the time they took, requests that were tried again."""

from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from modelshelf.downloads import jobs, traffic
from modelshelf.downloads.budget import Used
from modelshelf.downloads.jobs import Wish
from modelshelf.downloads.limits import JobLimit
from modelshelf.downloads.run import Progress
from modelshelf.downloads.types import JobStatus
from modelshelf.store.tables import JobRow


class Tally:
    """Adds what this run of a job cost to what earlier ones did. `counts`: its bytes are traffic of this home."""

    def __init__(self, row: JobRow, limit: JobLimit, *, counts: bool) -> None:
        self.limit = limit
        self.progress: Progress | None = None
        self.counts = counts
        self._before = row.fetched, row.seconds, row.retries
        self._told = 0

    def changes(self) -> dict[str, Any]:
        """What the job's row is to say."""
        fetched, seconds, retries = self._before
        progress = self.progress
        return {
            "fetched": fetched + self.limit.fetched,
            "seconds": seconds + (progress.seconds if progress else 0.0),
            "retries": retries + (progress.retries if progress else 0),
        }

    def fresh(self) -> int:
        """The bytes of this home's traffic since the last time this was asked."""
        count, self._told = self.limit.fetched - self._told, self.limit.fetched
        return count if self.counts else 0


def beat(
    session: Session, job: str, me: str, lease: float, changes: dict[str, Any], day: date, fetched: int
) -> tuple[Wish | None, Used]:
    """As `jobs.beat`, and count bytes of a day; the wish, and what is used up by now."""
    wish = jobs.beat(session, job, me, lease, changes)
    return wish, count(session, day, fetched)


def count(session: Session, day: date, fetched: int) -> Used:
    """Count bytes of a day; what is used up by now."""
    if fetched:
        traffic.add(session, day, fetched)
        session.flush()
    return traffic.used(session, day)


def end(
    session: Session, job: str, me: str, status: JobStatus, changes: dict[str, Any], day: date, fetched: int
) -> tuple[JobStatus | None, Used]:
    """As `jobs.finish`, and count bytes of a day."""
    ended = jobs.finish(session, job, me, status, changes)
    return ended, count(session, day, fetched)
