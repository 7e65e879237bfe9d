"""Downloads: planned, resumable, verified, vetted, and in the library as a whole or not at all."""

from modelshelf.downloads.manager import DownloadManager
from modelshelf.downloads.types import (
    ENDED,
    RUNNING,
    BatchPlan,
    Copy,
    Disk,
    DownloadPlan,
    FileState,
    Job,
    JobStatus,
    Order,
    PlannedFile,
)

__all__ = [
    "ENDED",
    "RUNNING",
    "BatchPlan",
    "Copy",
    "Disk",
    "DownloadManager",
    "DownloadPlan",
    "FileState",
    "Job",
    "JobStatus",
    "Order",
    "PlannedFile",
]
