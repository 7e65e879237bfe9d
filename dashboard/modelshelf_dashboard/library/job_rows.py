"""What a row of the downloads says: phase in plain words, figures, files, and the actions that are true now."""

from collections.abc import Sequence
from typing import Any

from modelshelf.downloads.types import ENDED, RUNNING, BatchState, FileState, Job, JobStatus
from modelshelf_dashboard import figures
from modelshelf_dashboard.state_words import file_tone, file_word, job_tone, job_word
from modelshelf_dashboard.texts import _, _n

LISTED = 100  # files of a job; those that move or failed come first
BATCH = "batch:"


def job_row(job: Job, *, files: Sequence[FileState] | None = None, inside: bool = False) -> dict[str, Any]:
    """A job as a row; with its files it is unfolded."""
    ended = job.status in ENDED
    return {
        "id": job.id,
        "title": job.repo.partition("/")[2] or job.repo,
        "model": f"{job.source}:{job.repo}" if job.source else job.repo,
        "sub": _sub(job),
        "tags": _tags(job),
        "moving": job.status is JobStatus.TRANSFERRING,
        "track": not ended,
        "word": job_word(job.status, job.detail),
        "tone": job_tone(job.status),
        "note": _note(job),
        "done": job.total if job.status is JobStatus.DONE else job.done,
        "total": job.total,
        "rate": job.rate,
        "eta": job.eta,
        "actions": actions(job),
        "more": [] if ended else _more(job),
        "inside": inside,
        **(_unfolded(job, files) if files is not None else {}),
    }


def batch_row(state: BatchState, members: Sequence[Job], *, unfolded: bool) -> dict[str, Any]:
    """Jobs that were asked for together as one row; its members follow when it is unfolded."""
    moving = sum(job.status in RUNNING for job in members)
    words = [
        _n("{n} on its way", "{n} on their way", moving) if moving else "",
        _n("{n} waits", "{n} wait", state.jobs - state.ended - moving) if state.jobs - state.ended > moving else "",
        _n("{n} ended", "{n} ended", state.ended) if state.ended else "",
        _n("{n} with trouble", "{n} with trouble", state.failed) if state.failed else "",
    ]
    paused = all(job.status is JobStatus.PAUSED for job in members)
    ids = {"ids": [job.id for job in members]}
    go = {"do": "batch-resume", "word": _("Resume")} if paused else {"do": "batch-pause", "word": _("Pause")}
    return {
        "id": BATCH + state.id,
        "batch": True,
        "title": _n("Batch of {n} model", "Batch of {n} models", state.jobs),
        "sub": ", ".join(job.repo.rpartition("/")[2] for job in members[:3]) + ("…" if state.jobs > 3 else ""),
        "moving": False,
        "track": True,
        "word": " · ".join(word for word in words if word),
        "tone": "warn" if state.failed else "",
        "done": state.done,
        "total": state.total,
        "actions": [{**go, "context": ids}, {"do": "batch-cancel", "word": _("Cancel"), "context": ids}],
        "open": unfolded,
    }


def actions(job: Job) -> list[dict[str, Any]]:
    """What can be done with a job now."""
    cancel = {"do": "cancel", "word": _("Cancel")}
    pause = {"do": "pause", "word": _("Pause")}
    match job.status:
        case JobStatus.PAUSED:
            return [{"do": "resume", "word": _("Resume")}, cancel]
        case JobStatus.QUEUED:
            return [{"do": "first", "word": _("Move first")}, pause, cancel]
        case JobStatus.FAILED | JobStatus.CANCELLED:
            return [{"do": "retry", "word": _("Try again")}]
        case JobStatus.QUARANTINED | JobStatus.REVIEW:
            return [{"do": "quarantine", "word": _("See why"), "help": "quarantine"}]
        case JobStatus.DONE:
            return [{"do": "installed", "word": _("Installed"), "help": "storageManagement"}]
        case _:
            return [pause, cancel]


def _more(job: Job) -> list[dict[str, Any]]:
    words = {"raise": _("Raise the priority"), "lower": _("Lower the priority")}
    if job.status not in RUNNING:
        words = {"first": _("Move first"), "last": _("Move last"), **words}
    shown = {action["do"] for action in actions(job)}
    return [{"do": do, "word": word} for do, word in words.items() if do not in shown]


def _sub(job: Job) -> str:
    files = [path.rpartition("/")[2] for path in job.files]
    what = files[0] if len(files) == 1 else _n("{n} file", "{n} files", len(files)) if files else ""
    return " · ".join(part for part in (job.repo.partition("/")[0], what, figures.ago(job.ended)) if part)


def _tags(job: Job) -> list[str]:
    tags = [_("priority {n}", n=f"{job.priority:+d}")] if job.priority else []
    return [*tags, _("at most {n} MB/s", n=f"{job.rate_limit / 1e6:g}")] if job.rate_limit else tags


def _note(job: Job) -> str:
    if job.error:
        return f"{job.error} {job.remedy}".strip()
    return job.detail if job.status is not JobStatus.WAITING else ""


def _unfolded(job: Job, files: Sequence[FileState]) -> dict[str, Any]:
    order = {"failed": 0, "moving": 1, "waiting": 2, "done": 3}
    shown = sorted(files, key=lambda file: (order.get(file.status, 2), file.path))
    left = len(files) - LISTED
    return {
        "open": True,
        "lines": _lines(job),
        "files": [_file(job, file) for file in shown[:LISTED]],
        "left": _n("and {n} more file", "and {n} more files", left) if left > 0 else "",
    }


def _lines(job: Job) -> list[str]:
    """What else there is to know, each a few words."""
    rate = job.fetched / job.seconds if job.seconds > 0 else 0.0
    took = _("{size} fetched in {time}", size=figures.size(job.fetched), time=figures.span(job.seconds))
    return [
        line
        for line in (
            _("from {source}", source=job.source),
            _("commit {commit}", commit=job.commit[:7]) if job.commit else "",
            took if job.fetched else "",
            _("{n} MB/s on average", n=f"{rate / 1e6:.1f}") if job.fetched and rate else "",
            _n("{n} request tried again", "{n} requests tried again", job.retries) if job.retries else "",
            _("asked for by {name}", name=job.principal) if job.principal else "",
        )
        if line
    ]


def _file(job: Job, file: FileState) -> dict[str, Any]:
    again = {"do": "retry-file", "word": _("Try again")}
    failed = file.status == "failed" and job.status is JobStatus.FAILED
    return {
        "path": file.path,
        "size": file.size,
        "done": file.done,
        "word": file_word(file, job.status),
        "tone": file_tone(file, job.status),
        "note": f"{file.error} {file.remedy}".strip(),
        "action": again if failed else None,
    }
