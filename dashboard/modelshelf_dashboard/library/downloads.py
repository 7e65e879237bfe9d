"""Downloads: what runs, what waits, and what became of the others."""

from typing import TYPE_CHECKING, Any

from modelshelf.downloads.types import JobStatus
from modelshelf_dashboard import figures
from modelshelf_dashboard.components.table import Table
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.state_words import job_tone, job_word
from modelshelf_dashboard.texts import _, _n
from modelshelf_dashboard.transfers import Transfers

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf
    from modelshelf.state import DownloadState


class Downloads:
    """The table of all jobs. What ticks in it comes from the dock's events."""

    def __init__(self, shelf: "Shelf", session: Session, transfers: Transfers) -> None:
        self._shelf = shelf
        self._session = session
        self._transfers = transfers
        self.table = Table(
            heard=self._heard,
            columns=[
                {"key": "progress", "label": _("Progress"), "kind": "progress", "width": "minmax(150px,260px)"},
                {"key": "when", "label": _("Started"), "kind": "text", "width": "130px", "wide": True},
            ],
            label=_("Downloads"),
            heading=_("Model"),
            topic="downloadProcess",
            opens=False,
        )
        state = shelf.downloads_state
        session.follower.watch_items(state, "jobs", ["status", "detail", "total", "error", "remedy"], self._draw)
        session.follower.watch(state, ["error"], self._draw)
        self._draw()

    def _draw(self) -> None:
        state = self._shelf.downloads_state
        if state.error:
            self.table.trouble(state.error, "")
            return
        status = _n("{n} download", "{n} downloads", len(state.jobs))
        if state.active:
            status += " · " + _n("{n} running or waiting", "{n} running or waiting", len(state.active))
        self.table.fill([_row(job) for job in state.jobs], status=status, empty=_empty())

    def _heard(self, message: dict[str, Any]) -> None:
        nav = self._session.navigation
        match message["do"]:
            case "discover":
                nav.view = "discover"
            case "quarantine":
                nav.view = "quarantine"
            case "installed":
                nav.view = "installed"
            case _:
                self._transfers.do(message)


def _row(job: "DownloadState") -> dict[str, Any]:
    word = job_word(job.status, job.detail)
    files = [path.rpartition("/")[2] for path in job.files]
    told = f"{job.error} {job.remedy}".strip() if job.error else ""
    return {
        "id": job.id,
        "title": job.repo.partition("/")[2],
        "sub": " · ".join(
            [job.repo.partition("/")[0], files[0] if len(files) == 1 else _n("{n} file", "{n} files", len(files))]
            if files
            else [job.repo.partition("/")[0]]
        ),
        "more": told or word,
        "cells": {
            "progress": _progress(job, word, told),
            "when": {"when": figures.iso(job.created), "sub": job.principal},
        },
        "actions": _actions(job),
    }


def _progress(job: "DownloadState", word: str, told: str) -> dict[str, Any]:
    if job.active:
        return {"percent": job.percent(), "job": job.id, "main": word, "label": job.repo}
    size = figures.size(job.total) if job.total else ""
    return {"main": word, "sub": told or size, "tone": job_tone(job.status)}


def _actions(job: "DownloadState") -> list[dict[str, Any]]:
    cancel = {"do": "cancel", "word": _("Cancel")}
    match job.status:
        case JobStatus.PAUSED:
            return [{"do": "resume", "word": _("Resume")}, cancel]
        case JobStatus.FAILED | JobStatus.CANCELLED:
            return [{"do": "retry", "word": _("Try again")}]
        case JobStatus.QUARANTINED | JobStatus.REVIEW:
            return [{"do": "quarantine", "word": _("See why"), "help": "quarantine"}]
        case JobStatus.DONE:
            return [{"do": "installed", "word": _("Installed"), "help": "storageManagement"}]
        case _:
            return [{"do": "pause", "word": _("Pause")}, cancel]


def _empty() -> dict[str, Any]:
    return {
        "text": _("Nothing has been downloaded yet."),
        "remedy": _("Every download shows here, with its speed and what became of it."),
        "action": {"do": "discover", "word": _("Find a model"), "kind": "primary", "help": "modelLibrary"},
    }
