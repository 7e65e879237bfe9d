"""What is asked of jobs that exist: pause, resume, cancel, retry, their order, their limits, their history."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from modelshelf.access import AccessService, Role, require
from modelshelf.config import ConfigManager
from modelshelf.downloads import jobs, line, rows
from modelshelf.downloads.line import To
from modelshelf.downloads.pace import Pace
from modelshelf.downloads.plan import from_json
from modelshelf.downloads.progress import files_of
from modelshelf.downloads.types import ENDED, FileState, Job, JobStatus
from modelshelf.downloads.worker import Worker
from modelshelf.errors import UsageError
from modelshelf.events import EventBus, JobChanged, JobProgress, Subscription
from modelshelf.store import Store
from modelshelf.store.tables import JobRow

if TYPE_CHECKING:
    import pandas as pd

_RETRYABLE = frozenset({JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.REVIEW, JobStatus.PAUSED})
_STOPPED = frozenset({JobStatus.PAUSED})
HISTORY = 100_000


class Steering:
    """Jobs of this home, whichever process runs them. `worker` is what runs them in this one."""

    def __init__(
        self, config: ConfigManager, store: Store, events: EventBus, access: AccessService, worker: Worker, pace: Pace
    ) -> None:
        self.access = access
        self.worker = worker
        self._config = config
        self._store = store
        self._events = events
        self._pace = pace

    @require(Role.OPERATOR, "download.pause")
    async def pause(self, job: str) -> None:
        """Stop a job for now; what arrived stays.

        Raises:
            NotFound, UsageError: there is no such job, or it has ended.
        """
        await self._ask(job, jobs.PAUSE)

    @require(Role.OPERATOR, "download.cancel")
    async def cancel(self, job: str) -> None:
        """End a job and delete what arrived of it.

        Raises:
            NotFound, UsageError: there is no such job, or it has ended.
        """
        if await self._ask(job, jobs.CANCEL) is JobStatus.CANCELLED:
            await self.worker.discard(await self._store.read(rows.get, job))

    @require(Role.OPERATOR, "download.resume")
    async def resume(self, job: str) -> None:
        """Let a paused job go on.

        Raises:
            NotFound, UsageError: there is no such job, or it is not paused.
        """
        await self._requeue(job, _STOPPED)

    @require(Role.OPERATOR, "download.retry")
    async def retry(self, job: str, files: Sequence[str] = ()) -> None:
        """Let a job that failed, was cancelled or waits for a decision go on where it stopped.

        With `files`, only these of the files that failed are tried again; the others stay failed.

        Raises:
            NotFound, UsageError: there is no such job, it did not fail, or one of the files did not.
        """
        await self._requeue(job, _RETRYABLE, files)

    @require(Role.OPERATOR, "download.pause")
    async def pause_all(self) -> tuple[str, ...]:
        """Stop every job that has not ended, the last of the queue first; returns their ids."""
        ids = await self._store.read(rows.unfinished)
        return tuple([job for job in reversed(ids) if await self._asked(job, jobs.PAUSE)])

    @require(Role.OPERATOR, "download.resume")
    async def resume_all(self) -> tuple[str, ...]:
        """Let every paused job go on; returns their ids."""
        found = []
        for job in await self._store.read(rows.unfinished):
            with suppress(UsageError, LookupError):  # it ended, or was cleared away, in this moment
                await self._requeue(job, _STOPPED)
                found.append(job)
        return tuple(found)

    @require(Role.OPERATOR, "download.order")
    async def prioritise(self, job: str, priority: int) -> None:
        """Give a job a priority from -100 to 100: higher goes first.

        Raises:
            NotFound, UsageError: there is no such job, it has ended, or there is no such priority.
        """
        await self._store.write(line.prioritise, job, priority)
        await self._tell(job)

    @require(Role.OPERATOR, "download.order")
    async def shift(self, job: str, steps: int) -> int:
        """Raise a job's priority by so many steps, or lower it by fewer than 0; returns what it is now.

        Raises:
            NotFound, UsageError: there is no such job, or it has ended.
        """
        priority = await self._store.write(line.shift, job, steps)
        await self._tell(job)
        return priority

    @require(Role.OPERATOR, "download.order")
    async def move(self, job: str, to: To, other: str = "") -> None:
        """Put a job first or last in the queue, or before or after another one, whose priority it takes.

        Raises:
            NotFound, UsageError: there is no such job, or it has ended.
        """
        await self._store.write(line.move, job, to, other)
        await self._tell(job)

    @require(Role.OPERATOR, "download.limit")
    async def limit(self, job: str, rate: float) -> None:
        """Let a job fetch at most so many bytes a second, beside the limit of all jobs; 0 takes its limit away.

        Raises:
            NotFound, UsageError: there is no such job, it has ended, or the rate is below 0.
        """
        await self._store.write(line.limit, job, rate)
        await self._tell(job)

    async def jobs(self, limit: int = 200) -> tuple[Job, ...]:
        """Jobs, newest first; those that have not ended are among them before any that has."""
        return tuple(self._snapshot(row) for row in await self._store.read(rows.newest, limit))

    async def job(self, job: str) -> Job:
        """One job as it is now.

        Raises:
            NotFound: there is no such job.
        """
        return self._snapshot(await self._store.read(rows.get, job))

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
                row = await self._store.read(rows.get, job)
                found = self._snapshot(row, step)
                if found != last:
                    yield found
                last = found
                if found.status in ENDED:
                    return
                step = await self._next(events, job)

    async def history(self, limit: int = HISTORY) -> "pd.DataFrame":
        """Every job ever, newest first, one row each: `rate` in bytes per second, `seconds` from begin to end."""
        found = await self._store.read(rows.history, limit)
        from modelshelf.downloads.frame import to_frame

        return await asyncio.to_thread(to_frame, [rows.snapshot(row) for row in found])

    async def past(self, limit: int = HISTORY) -> tuple[Job, ...]:
        """Jobs by the time they were asked for, newest first."""
        return tuple(self._snapshot(row) for row in await self._store.read(rows.history, limit))

    @require(Role.OPERATOR, "download.clear")
    async def clear(self, days: float = 0.0) -> int:
        """Forget the jobs that ended more than so many days ago, or all that have ended; returns how many.

        Raises:
            UsageError: a number of days below 0.
        """
        if not 0 <= days < 1e6:
            raise UsageError("A number of days is 0 or more.", remedy="Leave it out to forget all that has ended.")
        before = datetime.now(UTC) - timedelta(days=days) if days else None
        count = await self._store.write(rows.clear, before)
        if count:
            self._events.publish(JobChanged(job="", status=JobStatus.DONE.value))
        return count

    async def _next(self, events: Subscription, job: str) -> JobProgress | None:
        """Wait for news of the job, at most a moment: an event of another process may be lost."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pace.poll):
                async for event in events:
                    if isinstance(event, JobProgress | JobChanged) and event.job == job:
                        return event if isinstance(event, JobProgress) else None
        return None

    async def _ask(self, job: str, request: str) -> JobStatus:
        status = await self._store.write(jobs.ask, job, request)
        self._events.publish(JobChanged(job=job, status=status.value))
        return status

    async def _asked(self, job: str, request: str) -> bool:
        """As `_ask`; False for a job that ended, or was cleared away, in this moment."""
        try:
            await self._ask(job, request)
        except (UsageError, LookupError):
            return False
        return True

    async def _requeue(self, job: str, allowed: frozenset[JobStatus], files: Sequence[str] = ()) -> None:
        status = await self._store.write(jobs.requeue, job, allowed, files)
        self._events.publish(JobChanged(job=job, status=status.value))
        self.worker.notice(job)

    async def _tell(self, job: str) -> None:
        row = await self._store.read(rows.get, job)
        self._events.publish(JobChanged(job=job, status=row.status))
        self.worker.notice()

    def _snapshot(self, row: JobRow, step: JobProgress | None = None) -> Job:
        step = step or self.worker.live.get(row.id)
        if step is None or JobStatus(row.status) not in rows.WORKING:
            return rows.snapshot(row)
        return rows.snapshot(row, step.rate, step.eta, max(step.done, row.bytes_done))
