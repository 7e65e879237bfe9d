"""Downloads as one session sees and steers them: the dock, and what its buttons do."""

from collections.abc import Sequence
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

CHANGES = ("status", "detail", "total")
TICKS = (*CHANGES, "done", "rate", "eta")


class Transfers:
    """The dock and the deeds on jobs, for every view that has buttons for them."""

    def __init__(self, shelf: "Shelf", session: Session) -> None:
        self._shelf = shelf
        self._session = session
        self.dock = Dock(heard=self.do, events=session.events)
        # With server-sent events the figures reach the browser by themselves; only changes of state are pushed.
        names = CHANGES if session.events else TICKS
        session.follower.watch_items(shelf.downloads_state, "jobs", names, self._show)
        self._show()

    def do(self, message: dict[str, Any]) -> None:
        """What a button of the dock or of a row says: `{do, id}`."""
        job = str(message.get("id", ""))
        if message["do"] == "all":
            self._session.navigation.navigate_to_model_library(view="downloads")
            return
        deed = {
            "pause": self._shelf.downloads.pause,
            "resume": self._shelf.downloads.resume,
            "cancel": self._shelf.downloads.cancel,
            "retry": self._shelf.downloads.retry,
        }.get(message["do"])
        if deed is not None and job:
            self._session.run(deed(job), what=f"job {job}")

    def start(self, model: str, files: tuple[str, ...] = ()) -> None:
        """Fetch these files of a model; without any, what is best for this machine."""
        work = self._shelf.downloads.start(model, files) if files else self._start_best(model)
        self._session.run(work, what=f"download {model}")

    async def _start_best(self, model: str) -> None:
        ranked = await self._shelf.compatibility.rank(await self._shelf.catalog.detail(model))
        await self._shelf.downloads.start(model, best_files(ranked))

    def _show(self) -> None:
        self.dock.jobs = [_entry(job) for job in self._shelf.downloads_state.active]


def best_files(ranked: Sequence[RankedFile]) -> tuple[str, ...]:
    """What Download fetches, wherever it stands: the first of these, or nothing by name where a format needs it all."""
    return ranked[0].files if ranked and format_of(ranked[0].files[0]) == "gguf" else ()


def _entry(job: "DownloadState") -> dict[str, Any]:
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
