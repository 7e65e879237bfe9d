"""Downloads: planned, resumable, verified, vetted, and in the library as a whole or not at all."""

from modelshelf.downloads.manager import DownloadManager
from modelshelf.downloads.types import (
    ENDED,
    RUNNING,
    BatchPlan,
    BatchState,
    Copy,
    Disk,
    DownloadPlan,
    FileState,
    Job,
    JobPage,
    JobStatus,
    News,
    Order,
    PlannedFile,
    Waiting,
)

__all__ = [
    "ENDED",
    "RUNNING",
    "BatchPlan",
    "BatchState",
    "Copy",
    "Disk",
    "DownloadManager",
    "DownloadPlan",
    "FileState",
    "Job",
    "JobPage",
    "JobStatus",
    "News",
    "Order",
    "PlannedFile",
    "Waiting",
]
