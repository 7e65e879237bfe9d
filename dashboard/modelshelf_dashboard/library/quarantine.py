"""Quarantine: files that are held back, and downloads that wait for a decision, with what they could do."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from modelshelf.access import Role
from modelshelf.downloads.types import Job, JobStatus
from modelshelf.errors import ModelshelfError
from modelshelf.state import DownloadState
from modelshelf.vetting.quarantine import Held
from modelshelf_dashboard import figures
from modelshelf_dashboard.components.table import Table
from modelshelf_dashboard.library import verdict_words as words
from modelshelf_dashboard.library.deciding import doubts, policy_speaks
from modelshelf_dashboard.library.verdicts import Verdicts
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import _, _n

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf


class Quarantine:
    """The table of what is held back or waits for a decision."""

    def __init__(self, shelf: "Shelf", session: Session, verdicts: Verdicts) -> None:
        self._shelf = shelf
        self._session = session
        self._verdicts = verdicts
        self._held: dict[str, Held] = {}
        self._waiting: dict[str, Job] = {}
        self.table = Table(
            heard=self._heard,
            columns=[
                {
                    "key": "why",
                    "label": _("What it could do"),
                    "kind": "text prose",
                    "width": "minmax(150px,.8fr)",
                    "wide": True,
                },
                {"key": "from", "label": _("From"), "kind": "text", "width": "116px", "wide": True},
                {"key": "when", "label": _("Since"), "kind": "text", "width": "96px", "wide": True},
            ],
            label=_("Quarantine"),
            heading=_("File"),
            topic="quarantine",
        )
        session.follower.watch(shelf.models_state, ["quarantined"], self.ask)
        session.follower.watch_items(shelf.downloads_state, "jobs", ["status"], self.ask)
        self.ask()

    def ask(self) -> None:
        """Read the quarantine anew."""
        self._session.run(self._read(), key="quarantine")

    async def _read(self) -> None:
        try:
            items = await self._shelf.vetting.quarantine.items()
            jobs = waiting(await self._shelf.downloads.jobs())
        except ModelshelfError as error:
            again = {"do": "again", "word": _("Try again"), "help": "quarantine"}
            self.table.trouble(str(error), error.remedy, again)
            return
        self._held, self._waiting = {item.id: item for item in items}, {job.id: job for job in jobs}
        told = [
            _n("{n} file is held back", "{n} files are held back", len(items)) if items else "",
            _n("{n} download waits for a decision", "{n} downloads wait for a decision", len(jobs)) if jobs else "",
            self._why(Role.ADMIN) and _("only an administrator releases or accepts"),
        ]
        rows = [*map(self._job_row, jobs), *map(self._row, items)]
        self.table.fill(rows, status=" · ".join(part for part in told if part), empty=_empty())

    def _why(self, role: Role) -> str:
        return self._verdicts.deciding.why_not(role)

    def _row(self, item: Held) -> dict[str, Any]:
        actions = [
            {"do": "open", "word": _("Inspect")},
            {"do": "release", "word": _("Release"), "why": self._why(Role.ADMIN)},
            {"do": "delete", "word": _("Delete"), "kind": "trouble", "why": self._why(Role.OPERATOR)},
        ]
        details = list(dict.fromkeys(finding.detail for finding in item.findings)) or [_("It did not pass.")]
        row = _told("block", details, item.source, f"{item.commit[:7]} · {figures.size(item.size)}", item.at)
        return {**row, "id": item.id, "title": item.path.rpartition("/")[2], "sub": item.repo, "actions": actions}

    def _job_row(self, job: Job) -> dict[str, Any]:
        why = self._why(Role.ADMIN) or (_("Your policy wants the decision.") if policy_speaks(job) else "")
        actions = [
            {"do": "open", "word": _("Inspect")},
            {"do": "accept", "word": _("Accept"), "why": why},
            {"do": "refuse", "word": _("Reject"), "kind": "trouble", "why": self._why(Role.OPERATOR)},
        ]
        details = list(dict.fromkeys(one["detail"] for one in doubts(job))) or [job.error]
        row = _told("review", details, job.source, f"{job.commit[:7]} · {figures.size(job.total)}", job.ended)
        title = job.repo.partition("/")[2] or job.repo
        return {**row, "id": job.id, "title": title, "sub": job.repo, "actions": actions}

    def _heard(self, message: dict[str, Any]) -> None:
        name, deciding = str(message.get("id", "")), self._verdicts.deciding
        held, job = self._held.get(name), self._waiting.get(name)
        match message["do"]:
            case "again":
                self.ask()
            case "open" | "shield":
                if held is not None:
                    self._verdicts.open_held(name, held.path)
                elif job is not None:
                    self._verdicts.open_job(name, job.repo.partition("/")[2])
            case "release" if held is not None:
                deciding.release(held)
            case "delete" if held is not None:
                deciding.delete(held)
            case "accept" if job is not None:
                deciding.accept(job)
            case "refuse" if job is not None:
                deciding.refuse(job)


def waiting[Standing: (Job, DownloadState)](jobs: Sequence[Standing]) -> list[Standing]:
    """Those that wait for a decision, of each model the newest: a later try says what holds now."""
    newest: dict[str, Standing] = {}
    for job in jobs:  # newest first
        newest.setdefault(f"{job.source}:{job.repo}", job)
    return [job for job in newest.values() if job.status is JobStatus.REVIEW]


def _empty() -> dict[str, Any]:
    return {
        "text": _("Nothing is held back."),
        "remedy": _("Files that could run code or are not what they claim come here instead of into the library."),
    }


def _told(verdict: str, details: Sequence[str], source: str, which: str, at: datetime | None) -> dict[str, Any]:
    """What a row says of the findings, and where and when it came from."""
    return {
        "more": details[0],
        "shield": words.shield(verdict, details[0]),
        "cells": {
            "why": {"main": " ".join(details[:3])},
            "from": {"main": source, "sub": which},
            "when": {"main": figures.ago(at)},
        },
    }
