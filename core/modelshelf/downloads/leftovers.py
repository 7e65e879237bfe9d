"""Part files that no download will go on with: of jobs that are forgotten or given up, or of another program."""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from modelshelf.downloads.plan import Places, readable
from modelshelf.downloads.types import JobStatus
from modelshelf.store.tables import JobRow

SETTLED_SECONDS = 3600.0  # what is younger may be on its way: a file that was let out of quarantine, for one
_OVER = (JobStatus.DONE.value, JobStatus.CANCELLED.value)


def resumable(session: Session) -> Sequence[JobRow]:
    """The jobs that may still go on with what they have."""
    return session.scalars(select(JobRow).where(JobRow.status.not_in(_OVER))).all()


def settled(places: Places, seconds: float = SETTLED_SECONDS) -> list[Path]:
    """Part files and journals that nobody wrote to lately. Looks at the disk: for threads."""
    found = sorted(places.parts.glob("models--*/*"))
    return [path for path in found if path.suffix in {".part", ".json"} and _age(path) >= seconds]


def leftovers(places: Places, found: Iterable[Path], jobs: Iterable[JobRow]) -> dict[str, list[Path]]:
    """Those of these files that belong to none of the jobs, by repository."""
    wanted = {places.part(plan, file) for plan in readable(jobs) for file in plan.files}
    left: dict[str, list[Path]] = {}
    for path in found:
        if path.with_suffix(".part") not in wanted:
            left.setdefault(path.parent.name.removeprefix("models--").replace("--", "/", 1), []).append(path)
    return left


def _age(path: Path) -> float:
    try:
        return time.time() - path.lstat().st_mtime
    except OSError:
        return -1.0
