"""Downloads: planned, resumable, verified, vetted, and in the library as a whole or not at all."""

from modelshelf.downloads.manager import DownloadManager
from modelshelf.downloads.types import ENDED, RUNNING, DownloadPlan, Job, JobStatus, PlannedFile

__all__ = ["ENDED", "RUNNING", "DownloadManager", "DownloadPlan", "Job", "JobStatus", "PlannedFile"]
