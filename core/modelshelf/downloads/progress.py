"""How far each file of a job is: from the run itself, or from the journals, which any process can read."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from modelshelf.downloads import journal
from modelshelf.downloads.journal import Identity
from modelshelf.downloads.plan import Places
from modelshelf.downloads.rows import failed_files
from modelshelf.downloads.types import DownloadPlan, FileState, JobStatus, PlannedFile
from modelshelf.store.tables import JobRow

_JUDGED = frozenset({JobStatus.DONE, JobStatus.REVIEW, JobStatus.QUARANTINED})
_LANDED = frozenset({JobStatus.DONE, JobStatus.LANDING, JobStatus.REGISTERING})


def files_of(row: JobRow, plan: DownloadPlan, places: Places, live: Mapping[str, int] | None) -> tuple[FileState, ...]:
    """Every planned file; `live` are the bytes of those that this process fetches. For threads."""
    failed = {**_texts(row.held), **failed_files(row.result)}
    status = JobStatus(row.status)
    states = [_state(file, status, plan, places, live, failed.get(file.path)) for file in plan.files]
    if status not in _JUDGED:
        return tuple(states)
    found = _findings(status, row.result)
    judged = [(state, found.get(state.path, ("pass", state.error))) for state in states]
    return tuple(replace(state, verdict=verdict, error=error) for state, (verdict, error) in judged)


def _state(
    file: PlannedFile,
    status: JobStatus,
    plan: DownloadPlan,
    places: Places,
    live: Mapping[str, int] | None,
    failure: Mapping[str, str] | None,
) -> FileState:
    done = (live or {}).get(file.path, 0)
    if status in _LANDED:
        done = file.size
    elif not done and status is not JobStatus.CANCELLED:
        done = _written(file, plan, places)
    if failure:
        return FileState(file.path, file.size, done, "failed", failure.get("error", ""), failure.get("remedy", ""))
    whole = done >= file.size and (file.size > 0 or status in _LANDED or places.repo(plan.repo).holds(file))
    moving = live is not None and file.path in live and not whole
    return FileState(file.path, file.size, min(done, file.size), "done" if whole else "moving" if moving else "waiting")


def _findings(status: JobStatus, result: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """What the scanner did not like: of each file the verdict, and in words the first thing that led to it."""
    verdict = "block" if status is JobStatus.QUARANTINED else "review"
    found: dict[str, tuple[str, str]] = {}
    for item in result.get("findings", ()):
        found.setdefault(str(item.get("file", "")), (verdict, str(item.get("detail", ""))))
    return found


def _written(file: PlannedFile, plan: DownloadPlan, places: Places) -> int:
    if places.repo(plan.repo).holds(file):
        return file.size
    part = places.part(plan, file)
    known = journal.read(part.with_suffix(".json"), Identity(file.size, file.sha256, file.git_sha1))
    return known.pieces.done if known else 0


def _texts(held: Mapping[str, object]) -> dict[str, dict[str, str]]:
    return {path: dict(item) for path, item in held.items() if isinstance(item, dict)}
