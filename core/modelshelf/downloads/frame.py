"""The history of downloads as a table."""

from collections.abc import Sequence

import pandas as pd

from modelshelf.downloads.types import Job
from modelshelf.store.tables import TransferRow

_NAMES = (
    "id", "source", "repo", "commit", "status", "total", "done", "fetched", "attempts", "retries", "error", "principal",
    "created", "started", "ended",
)  # fmt: skip


def to_frame(rows: Sequence[Job]) -> pd.DataFrame:
    """A row for each job: `seconds` from begin to end, `moving` those in which bytes came, `rate` in B/s."""
    frame = pd.DataFrame([[getattr(row, name) for name in _NAMES] for row in rows], columns=list(_NAMES))
    frame["seconds"] = (frame["ended"] - frame["started"]).dt.total_seconds() if len(frame) else []
    frame["moving"] = [row.seconds for row in rows]
    frame["rate"] = [mean_rate(row) for row in rows]
    return frame


def mean_rate(job: Job) -> float | None:
    """Bytes per second while bytes came, None if none came."""
    return job.fetched / job.seconds if job.fetched and job.seconds > 0 else None


_MEASURED = (
    "at", "source", "repo", "commit", "path", "host", "size", "received", "refetched", "seconds", "rate", "retries",
    "connections", "outcome",
)  # fmt: skip


def numbers_frame(rows: Sequence[TransferRow]) -> pd.DataFrame:
    """A row for each transfer of a file, as `TransferRow` says."""
    return pd.DataFrame([[getattr(row, name) for name in _MEASURED] for row in rows], columns=list(_MEASURED))
