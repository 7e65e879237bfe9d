"""Progress of downloads in a terminal: a line for each job, and below it one for each file that moves."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

from modelshelf.cli.output import duration, err, file_size
from modelshelf.downloads.types import ENDED, RUNNING, FileState, Job, JobStatus
from modelshelf.errors import ModelshelfError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from modelshelf.downloads import DownloadManager

LOOK_SECONDS = 0.5
LINES = 12  # jobs that all have a line of their own
FILES_SHOWN = 8  # of a job; what small files do in between nobody could read


class Board:
    """Shows jobs until they have ended. `hidden` shows nothing, for programs; `patient` waits for paused ones too."""

    def __init__(self, downloads: "DownloadManager", *, hidden: bool = False, patient: bool = False) -> None:
        self._downloads = downloads
        self._patient = patient
        self._bar = _bar(hidden=hidden)
        self._hidden = hidden
        self._lines: dict[str, TaskID] = {}
        self._files: dict[tuple[str, str], TaskID] = {}

    async def watch(self, jobs: Sequence[str], tell: Callable[[Job], None] = lambda _: None) -> tuple[Job, ...]:
        """Follow the jobs to their ends, all at once; `tell` hears every step."""
        with self._bar:
            async with asyncio.TaskGroup() as tasks, self._looking(jobs):
                followers = [tasks.create_task(self._follow(job, tell)) for job in jobs]
                await asyncio.wait(followers)
        return tuple(follower.result() for follower in followers)

    async def _follow(self, job: str, tell: Callable[[Job], None]) -> Job:
        async with aclosing(self._downloads.follow(job)) as steps:
            async for step in steps:
                tell(step)
                self._show(step)
                if step.status is JobStatus.PAUSED and not self._patient:
                    break
        return step

    def _show(self, job: Job) -> None:
        line = self._lines.get(job.id)
        if line is None:
            line = self._lines[job.id] = self._bar.add_task("queued", total=None, note="", name=job.repo)
        if job.status in ENDED:
            self._show_files(job.id, ())
        # Of many jobs only those are worth a line that do something; a terminal has few.
        seen = len(self._lines) <= LINES or job.status in RUNNING
        self._bar.update(
            line,
            description=job.status.value,
            completed=job.done,
            total=job.total or None,
            note=note(job),
            visible=seen,
        )

    @asynccontextmanager
    async def _looking(self, jobs: Sequence[str]) -> AsyncIterator[None]:
        """Look at the files of the jobs as long as they are followed."""
        if self._hidden:
            yield
            return
        task = asyncio.create_task(self._look(jobs), name="cli.files")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _look(self, jobs: Sequence[str]) -> None:
        while True:
            for job in jobs:
                try:
                    if (await self._downloads.job(job)).status in {JobStatus.TRANSFERRING, JobStatus.WAITING}:
                        self._show_files(job, await self._downloads.files(job))
                except ModelshelfError:
                    continue  # the next look, or the end of the job, says what is wrong
            await asyncio.sleep(LOOK_SECONDS)

    def _show_files(self, job: str, files: Sequence[FileState]) -> None:
        if len(files) == 1:
            return
        moving = {file.path: file for file in files if file.status in ("moving", "failed")}
        shown = dict(list(moving.items())[:FILES_SHOWN])
        for key in [key for key in self._files if key[0] == job and key[1] not in shown]:
            self._bar.remove_task(self._files.pop(key))
        for path, file in shown.items():
            line = self._files.get((job, path))
            if line is None:
                line = self._bar.add_task("", total=file.size or None, note="", name=f"  {path}")
                self._files[job, path] = line
            text = file.error or f"{file_size(file.done)} of {file_size(file.size)}"
            self._bar.update(line, description=f"  {file.status}", completed=file.done, note=text)


def note(job: Job) -> str:
    """How far a job is, how fast, and what it waits for."""
    if job.detail:
        return job.detail
    if job.status is JobStatus.DONE:
        return file_size(job.total)
    rate = f" · {job.rate / 1e6:.1f} MB/s" if job.rate and job.status is JobStatus.TRANSFERRING else ""
    left = f" · {duration(job.eta)} left" if job.eta and rate else ""
    return f"{file_size(job.done)} of {file_size(job.total)}{rate}{left}"


def _bar(*, hidden: bool) -> "Progress":
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.text import Text

    class Plain(TextColumn):
        """A field of the task as it is: names of files are no markup."""

        def render(self, task: "object") -> Text:
            return Text(str(getattr(task, "fields", {}).get(self.text_format, "")), overflow="ellipsis", no_wrap=True)

    return Progress(
        TextColumn(escape("{task.description:14}")), Plain("name"), BarColumn(bar_width=24), Plain("note"),
        console=err, disable=hidden, transient=True,
    )  # fmt: skip
