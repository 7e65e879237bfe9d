"""Downloads as one session sees and steers them: the dock, and what its buttons do."""

from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from modelshelf.catalog.files import format_of
from modelshelf.compat.types import RankedFile
from modelshelf.downloads.types import JobStatus
from modelshelf_dashboard.components.dock import Dock
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.state_words import job_word

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf
    from modelshelf.state import DownloadState

CHANGES = ("status", "detail", "total", "priority", "position")
TICKS = (*CHANGES, "done", "rate", "eta")
DOCKED = 12  # jobs the dock knows: it shows the first, the header adds up what they do


class Transfers:
    """The dock and the deeds on jobs, for every view that has buttons for them."""

    def __init__(self, shelf: "Shelf", session: Session) -> None:
        self._shelf = shelf
        self._session = session
        self.dock = Dock(heard=self.do, events=session.events)
        # With server-sent events the figures reach the browser by themselves; only changes of state are pushed.
        names = CHANGES if session.events else TICKS
        session.follower.watch_items(shelf.downloads_state, "jobs", names, self._show)
        session.follower.watch(shelf.downloads_state, ["open"], self._show)
        session.navigation.param.watch(self._hush, ["tab", "view"])
        self._hush()
        self._show()

    def do(self, message: dict[str, Any]) -> None:
        """What a button of the dock or of a row says: `{do, id, context}`."""
        if message["do"] == "all":
            self._session.navigation.navigate_to_model_library(view="downloads")
            return
        job = str(message.get("id", ""))
        if (work := deed(self._shelf, message["do"], job, message.get("context") or {})) is not None:
            self._session.run(work, what=f"job {job}")

    def start(self, model: str, files: tuple[str, ...] = ()) -> None:
        """Fetch these files of a model; without any, what is best for this machine."""
        work = self._shelf.downloads.start(model, files) if files else self._start_best(model)
        self._session.run(work, what=f"download {model}")

    async def _start_best(self, model: str) -> None:
        await self._shelf.downloads.start(model, await self.best(model))

    async def best(self, model: str) -> tuple[str, ...]:
        """What Download would fetch of a model."""
        return best_files(await self._shelf.compatibility.rank(await self._shelf.catalog.detail(model)))

    def _hush(self, *_events: object) -> None:
        nav = self._session.navigation
        self.dock.quiet = nav.tab == "library" and nav.view == "downloads"

    def _show(self) -> None:
        state = self._shelf.downloads_state
        jobs = [entry(job) for job in state.line(DOCKED)]
        self.dock.param.update(jobs=jobs, more=max(state.open - len(jobs), 0))


def deed(
    shelf: "Shelf", name: str, job: str, context: dict[str, Any] | None = None
) -> Coroutine[Any, Any, object] | None:
    """What a button on a job does; None for one that is no deed on a job."""
    downloads = shelf.downloads
    match name:
        case "pause-all":
            return downloads.pause_all()
        case "resume-all":
            return downloads.resume_all()
        case "first" | "last":
            return downloads.move(job, name)
        case "raise" | "lower":
            return downloads.shift(job, 1 if name == "raise" else -1)
        case "retry-file":
            return downloads.retry(job, [str((context or {}).get("file", ""))])
    deeds = {
        "pause": downloads.pause,
        "resume": downloads.resume,
        "cancel": downloads.cancel,
        "retry": downloads.retry,
    }
    return deeds[name](job) if name in deeds and job else None


def best_files(ranked: Sequence[RankedFile]) -> tuple[str, ...]:
    """What Download fetches, wherever it stands: the first of these, or nothing by name where a format needs it all."""
    return ranked[0].files if ranked and format_of(ranked[0].files[0]) == "gguf" else ()


def entry(job: "DownloadState") -> dict[str, Any]:
    """A job as the dock shows it and its ticks tell it."""
    files = [path.rpartition("/")[2] for path in job.files]
    return {
        "id": job.id,
        "title": job.repo.partition("/")[2],
        "detail": files[0] if len(files) == 1 else "",
        "status": job.status.value,
        "word": job_word(job.status, job.detail),
        "moving": job.status is JobStatus.TRANSFERRING,
        "done": job.done,
        "total": job.total,
        "rate": job.rate,
        "eta": job.eta,
    }
