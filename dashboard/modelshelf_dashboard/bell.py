"""The bell: what ended and what needs a decision, kept for the home until somebody has seen it."""

from typing import TYPE_CHECKING, Any

from modelshelf.downloads.types import Job, JobStatus, Waiting
from modelshelf_dashboard import figures
from modelshelf_dashboard.components.news import News
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.state_words import job_tone, job_word
from modelshelf_dashboard.texts import _, _n

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

_DOTS = {"good": "well", "warn": "slow", "bad": "bad"}


class Bell:
    """The list that the bell opens, for one session; `inline` in a cell of its own."""

    def __init__(self, shelf: "Shelf", session: Session, *, inline: bool = False) -> None:
        self._shelf = shelf
        self._session = session
        self.piece = News(heard=self._heard, inline=inline)
        session.follower.watch(shelf.downloads_state, ["news"], self._show)
        self._show()

    def _show(self) -> None:
        news = self._shelf.downloads_state.news
        decisions = [job for job in news.ended if job.status is not JobStatus.DONE]
        done = [job for job in news.ended if job.status is JobStatus.DONE]
        items = [*map(waiting_entry, news.waiting), *map(job_entry, decisions), *map(job_entry, done)]
        left = news.ended_total - len(news.ended)
        self.piece.param.update(items=items, left=_n("and {n} older", "and {n} older", left) if left > 0 else "")

    def _heard(self, message: dict[str, Any]) -> None:
        nav, job, context = self._session.navigation, str(message.get("id", "")), message.get("context") or {}
        match message["do"]:
            case "seen":
                self._seen(job)
            case "seen-all":
                self._session.run(self._shelf.downloads.mark_seen(), what="news")
            case "retry":
                self._session.run(self._shelf.downloads.retry(job), what=f"job {job}")
            case "installed" | "quarantine" | "downloads" as view:
                nav.navigate_to_model_library(view=view, model="")
                self._seen(job)
            case "open":
                nav.navigate_to_model_library(view="discover", model=str(context.get("model", "")))
                self._seen(job)

    def _seen(self, job: str) -> None:
        self._session.run(self._shelf.downloads.mark_seen([job]), what="news")


def job_entry(job: Job) -> dict[str, Any]:
    """A job that ended as an entry."""
    tone = job_tone(job.status)
    return {
        "id": job.id,
        "tone": tone,
        "dot": _DOTS.get(tone, ""),
        "title": job.repo.partition("/")[2] or job.repo,
        "word": job_word(job.status),
        "text": f"{job.error} {job.remedy}".strip() or figures.size(job.total),
        "when": figures.iso(job.ended),
        "action": _action(job),
    }


def _action(job: Job) -> dict[str, Any]:
    """The one thing to do next."""
    match job.status:
        case JobStatus.DONE:
            return {"do": "installed", "word": _("Show"), "help": "storageManagement"}
        case JobStatus.REVIEW | JobStatus.QUARANTINED:
            return {"do": "quarantine", "word": _("See why"), "help": "quarantine"}
    match job.result.get("code"):
        case "GatedRepository":
            context = {"model": f"{job.source}:{job.repo}"}
            return {"do": "open", "word": _("Ask access"), "help": "gatedModels", "context": context}
        case "NotEnoughDisk":
            return {"do": "installed", "word": _("Free space"), "help": "storageManagement"}
    return {"do": "retry", "word": _("Try again"), "help": "downloadProcess"}


def waiting_entry(waiting: Waiting) -> dict[str, Any]:
    """Jobs that wait for the same as one entry."""
    _cause, _colon, why = waiting.detail.partition(": ")
    return {
        "id": waiting.job,
        "tone": "warn",
        "dot": "slow",
        "title": _n("{n} download", "{n} downloads", waiting.count),
        "word": job_word(JobStatus.WAITING),
        "text": why or waiting.detail,
        "when": "",
        "action": {"do": "downloads", "word": _("Show"), "help": "downloadProcess"},
    }
