"""How jobs stand: what runs and waits, what became of the others, their files, their numbers."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from modelshelf.downloads import batches as together
from modelshelf.downloads import news as untold
from modelshelf.downloads import numbers as measured
from modelshelf.downloads import rows
from modelshelf.downloads.pace import Pace
from modelshelf.downloads.plan import from_json
from modelshelf.downloads.progress import files_of
from modelshelf.downloads.rows import Lean
from modelshelf.downloads.types import ENDED, BatchState, FileState, Job, JobPage, JobStatus, News
from modelshelf.downloads.worker import Worker
from modelshelf.events import EventBus, JobChanged, JobProgress, Subscription
from modelshelf.store import Store
from modelshelf.store.tables import TransferRow

if TYPE_CHECKING:
    import pandas as pd

HISTORY = 100_000
NEWS = 50  # ended jobs that are told one by one


class Looking:
    """Jobs of this home, whichever process runs them. `worker` is what runs them in this one."""

    def __init__(self, store: Store, events: EventBus, worker: Worker, pace: Pace) -> None:
        self.worker = worker
        self._store = store
        self._events = events
        self._pace = pace

    async def jobs(self, limit: int = 200) -> tuple[Job, ...]:
        """Jobs, newest first; those that have not ended are among them before any that has."""
        return self._snapshots(await self._store.read(rows.newest, limit))

    async def queue(self, limit: int = 50, offset: int = 0) -> JobPage:
        """What has not ended, as it is worked off: what runs, then the next ones."""
        found, total = await self._store.read(rows.queue, limit, offset)
        return JobPage(self._snapshots(found), total)

    async def ended(self, limit: int = 50, offset: int = 0) -> JobPage:
        """What has ended, the latest first."""
        found, total = await self._store.read(rows.history, limit, offset, ended=True)
        return JobPage(self._snapshots(found), total)

    async def job(self, job: str) -> Job:
        """One job as it is now.

        Raises:
            NotFound: there is no such job.
        """
        return self._snapshot(await self._store.read(rows.one, job))

    async def batches(self, ids: Sequence[str]) -> dict[str, BatchState]:
        """How jobs that were asked for together stand, by the id of their batch."""
        return await self._store.read(together.states, tuple(ids))

    async def news(self, limit: int = NEWS) -> News:
        """What ended or waits, and nobody has said yet that they saw it; `mark_seen` says so."""
        ended, total, waiting = await self._store.read(untold.read, limit)
        return News(self._snapshots(ended), total, waiting)

    async def files(self, job: str) -> tuple[FileState, ...]:
        """The files of a job, how much of each has arrived, and which failed.

        Raises:
            NotFound: there is no such job.
            DownloadError: its row is damaged.
        """
        row = await self._store.read(rows.get, job)
        run = self.worker.runs.get(job)
        live = dict(run.progress.files) if run else None
        return await asyncio.to_thread(files_of, row, from_json(row.plan), self.worker.places, live)

    async def follow(self, job: str) -> AsyncGenerator[Job, None]:
        """Snapshots of a job as it goes on, the last one when it has ended.

        Works for jobs that another process runs, too.

        Raises:
            NotFound: there is no such job.
        """
        with self._events.subscribe() as events:
            step: JobProgress | None = None
            last: Job | None = None
            while True:
                row = await self._store.read(rows.one, job)
                found = self._snapshot(row, step)
                if found != last:
                    yield found
                last = found
                if found.status in ENDED:
                    return
                step = await self._next(events, job)

    async def history(self, limit: int = HISTORY) -> "pd.DataFrame":
        """Every job ever, newest first, one row each: `rate` in bytes per second, `seconds` from begin to end."""
        return await asyncio.to_thread(_history_frame, await self.past(limit))

    async def past(self, limit: int = HISTORY) -> tuple[Job, ...]:
        """Jobs by the time they were asked for, newest first."""
        return (await self.past_page(limit)).jobs

    async def past_page(self, limit: int = HISTORY, offset: int = 0) -> JobPage:
        """As `past`, some of them, and how many there are in all."""
        found, total = await self._store.read(rows.history, limit, offset)
        return JobPage(self._snapshots(found), total)

    async def numbers(self, limit: int = HISTORY) -> "pd.DataFrame":
        """What every transfer of a file took, the latest first.

        Sizes in bytes, `rate` in bytes per second while it ran, `seconds` with pauses between tries; `refetched` bytes
        came again or in vain, `outcome` is done, stopped, or the code of an error; `host` is who sent the bytes.
        """
        return await asyncio.to_thread(_numbers_frame, await self.transfers(limit))

    async def transfers(self, limit: int = 200, offset: int = 0) -> Sequence[TransferRow]:
        """The rows of `numbers`."""
        return await self._store.read(measured.recent, limit, offset)

    async def summary(self) -> measured.Summary:
        """All transfers that are known, together."""
        return await self._store.read(measured.summary)

    async def _next(self, events: Subscription, job: str) -> JobProgress | None:
        """Wait for news of the job, at most a moment: an event of another process may be lost."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pace.poll):
                async for event in events:
                    if isinstance(event, JobProgress | JobChanged) and event.job == job:
                        return event if isinstance(event, JobProgress) else None
        return None

    def _snapshot(self, row: Lean, step: JobProgress | None = None) -> Job:
        step = step or self.worker.live.get(row.id)
        if step is None or JobStatus(row.status) not in rows.WORKING:
            return rows.snapshot(row)
        return rows.snapshot(row, step.rate, step.eta, max(step.done, row.bytes_done))

    def _snapshots(self, found: Sequence[Lean]) -> tuple[Job, ...]:
        return tuple(self._snapshot(row) for row in found)


def _history_frame(found: Sequence[Job]) -> "pd.DataFrame":
    """For threads: pandas takes half a second to load, in which nothing else would go on."""
    from modelshelf.downloads.frame import to_frame

    return to_frame(found)


def _numbers_frame(found: Sequence[TransferRow]) -> "pd.DataFrame":
    """For threads, as above."""
    from modelshelf.downloads.frame import numbers_frame

    return numbers_frame(found)
