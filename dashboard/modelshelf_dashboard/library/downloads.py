"""Downloads: what runs, what waits, what became of the others, and what the transfers took."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import panel as pn

from modelshelf.downloads.types import RUNNING, BatchState, FileState, Job, JobPage, JobStatus
from modelshelf.errors import ModelshelfError
from modelshelf_dashboard.components.queue import Queue
from modelshelf_dashboard.library.job_rows import BATCH, batch_row, job_row
from modelshelf_dashboard.library.numbers import Numbers
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import _
from modelshelf_dashboard.transfers import DOCKED, TICKS, Transfers, deed, entry

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

PAGE_ENDED = 20  # of what has ended
PAGE = 50  # rows that are read and shown at first, and more at each press
QUEUE, ENDED = "queue", "ended"
APART = 0.25  # seconds between readings that nobody pressed for
LOOK_SECONDS = 1.0  # between looks at the files of what is unfolded


class Downloads:
    """The view of one session. It reads a page of the queue, however long that is, and only while it is looked at."""

    def __init__(self, shelf: "Shelf", session: Session, transfers: Transfers | None = None) -> None:
        self._shelf = shelf
        self._session = session
        self._transfers = transfers
        self._shown = {QUEUE: PAGE, ENDED: PAGE_ENDED}
        self._counted: object = None  # what had ended when the numbers were read
        self._unfolded: set[str] = set()
        self._reading = self._due = False
        self._pressed = asyncio.Event()
        self.queue = Queue(heard=self._heard, label=_("Downloads"))
        self.numbers = Numbers(shelf, session)
        self.view = pn.Column(self.queue, self.numbers.view, margin=0, sizing_mode="stretch_width")
        session.follower.watch(shelf.downloads_state, ["turn", "error"], self.ask)
        session.navigation.param.watch(lambda *_events: self.ask(), ["view"])
        if transfers is None:  # no dock of the page tells what ticks
            session.follower.watch_items(shelf.downloads_state, "jobs", TICKS, self._tick)
        self.ask()

    def _tick(self) -> None:
        self.queue.ticks = [entry(job) for job in self._shelf.downloads_state.line(DOCKED)]

    @property
    def looked_at(self) -> bool:
        """Whether anybody sees it; by itself in a cell it always is."""
        return self._transfers is None or self._session.navigation.view == "downloads"

    def ask(self) -> None:
        """Read it anew, if it is looked at."""
        if not self.looked_at:
            self._session.stop("downloads files")
            return
        # What is being read is read to its end: were it given up at each event, a busy queue would never be shown.
        self._due = True
        if not self._reading:
            self._reading = True
            self._session.run(self._read_all(), what="downloads")

    def _ask_now(self) -> None:
        """As `ask`, for somebody who pressed something."""
        self._pressed.set()
        self.ask()

    async def _read_all(self) -> None:
        try:
            while self._due:
                self._due = False
                self._pressed.clear()
                await self._read()
                with suppress(TimeoutError):
                    async with asyncio.timeout(APART):
                        await self._pressed.wait()
        finally:
            self._reading = False

    async def _read(self) -> None:
        downloads, state = self._shelf.downloads, self._shelf.downloads_state
        if state.error:
            self.queue.param.update(state="error", note={"text": state.error})
            return
        queue, ended = await downloads.queue(self._shown[QUEUE]), await downloads.ended(self._shown[ENDED])
        batches = await downloads.batches(sorted({job.batch for job in queue.jobs if job.batch}))
        files = {job.id: await self._files(job.id) for job in (*queue.jobs, *ended.jobs) if job.id in self._unfolded}
        self._draw(queue, ended, batches, files)
        counted = ended.total, [job.id for job in ended.jobs[:1]]
        if counted != self._counted:
            self._counted = counted
            self.numbers.ask()
        watched = any(job.status in RUNNING and (job.id in files or job.batch) for job in queue.jobs)
        if watched:
            self._session.run(self._look_again(), key="downloads files")

    async def _files(self, job: str) -> Sequence[FileState]:
        try:
            return await self._shelf.downloads.files(job)
        except ModelshelfError:  # cleared away, or its row is damaged: the row itself says so
            return ()

    async def _look_again(self) -> None:
        await asyncio.sleep(LOOK_SECONDS)
        self.ask()

    def _draw(
        self,
        queue: JobPage,
        ended: JobPage,
        batches: Mapping[str, BatchState],
        files: Mapping[str, Sequence[FileState]],
    ) -> None:
        sections = []
        if queue.jobs:
            sections.append(self._section(QUEUE, _("Running and waiting"), queue, self._rows(queue, batches, files)))
            sections[0]["actions"] = _all(queue.jobs)
        if ended.jobs:
            rows = [job_row(job, files=files.get(job.id)) for job in ended.jobs]
            sections.append(self._section(ENDED, _("Ended"), ended, rows))
        self.queue.fill(sections, empty=_empty())

    def _section(self, name: str, title: str, page: JobPage, rows: list[dict[str, Any]]) -> dict[str, Any]:
        left = page.total - len(page.jobs)
        more = _("Show {n} of {left} more", n=min(PAGE, left), left=f"{left:,}") if left > 0 else ""
        return {"id": name, "title": title, "count": f"{page.total:,}", "rows": rows, "more": more}

    def _rows(
        self, page: JobPage, batches: Mapping[str, BatchState], files: Mapping[str, Sequence[FileState]]
    ) -> list[dict[str, Any]]:
        """Jobs, and in their places those that were asked for together as one row that unfolds."""
        rows: list[dict[str, Any]] = []
        told: set[str] = set()
        for job in page.jobs:
            batch = batches.get(job.batch)
            if batch is None or batch.jobs < 2:
                rows.append(job_row(job, files=files.get(job.id)))
            elif job.batch not in told:
                told.add(job.batch)
                members = [other for other in page.jobs if other.batch == job.batch]
                unfolded = BATCH + job.batch in self._unfolded
                rows.append(batch_row(batch, members, unfolded=unfolded))
                rows += [job_row(one, files=files.get(one.id), inside=True) for one in members if unfolded]
        return rows

    def _heard(self, message: dict[str, Any]) -> None:
        nav, name, context = self._session.navigation, str(message.get("id", "")), message.get("context") or {}
        match message["do"]:
            case "unfold":
                self._unfolded.add(name)
                self._ask_now()
            case "fold":
                self._unfolded.discard(name)
                self._ask_now()
            case "more":
                self._shown[name] = self._shown.get(name, 0) + PAGE
                self._ask_now()
            case "discover" | "quarantine" | "installed" as view:
                nav.navigate_to_model_library(view=view)
            case "batch-pause" | "batch-resume" | "batch-cancel" as do:
                ids = [str(job) for job in context.get("ids", ())]
                self._session.run(self._do_all(do.removeprefix("batch-"), ids), what="batch")
            case do if (work := deed(self._shelf, do, name, context)) is not None:
                self._session.run(self._shown_at_once(work), what=f"job {name}")

    async def _shown_at_once(self, work: Awaitable[object]) -> None:
        """Who pressed sees it without waiting for the event that tells everybody."""
        await work
        self._ask_now()

    async def _do_all(self, do: str, ids: Sequence[str]) -> None:
        """The same with each of a batch; what has ended meanwhile needs nothing."""
        for job in ids:
            if (work := deed(self._shelf, do, job)) is not None:
                try:
                    await work
                except ModelshelfError:
                    continue


def _all(jobs: Sequence[Job]) -> list[dict[str, Any]]:
    paused = [job.status is JobStatus.PAUSED for job in jobs]
    found = [{"do": "pause-all", "word": _("Pause all")}] if not all(paused) else []
    return [*found, {"do": "resume-all", "word": _("Resume all")}] if any(paused) else found


def _empty() -> dict[str, Any]:
    return {
        "text": _("Nothing has been downloaded yet."),
        "remedy": _("Every download shows here, with its speed and what became of it."),
        "action": {"do": "discover", "word": _("Find a model"), "kind": "primary", "help": "modelLibrary"},
    }
