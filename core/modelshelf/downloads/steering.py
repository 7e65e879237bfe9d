"""What is asked of jobs that exist: pause, resume, cancel, retry, their order and limits; that they were seen."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from modelshelf.access import AccessService, Role, require
from modelshelf.config import ConfigManager
from modelshelf.downloads import jobs, line, news, rows
from modelshelf.downloads.line import To
from modelshelf.downloads.looking import Looking
from modelshelf.downloads.pace import Pace
from modelshelf.downloads.types import JobStatus
from modelshelf.downloads.worker import Worker
from modelshelf.errors import UsageError
from modelshelf.events import EventBus, JobChanged
from modelshelf.store import Store

_RETRYABLE = frozenset({JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.REVIEW, JobStatus.PAUSED})
_STOPPED = frozenset({JobStatus.PAUSED})
_TOLD = 50  # of more jobs at once nobody needs to be told one by one


class Steering(Looking):
    """Jobs of this home, whichever process runs them. `worker` is what runs them in this one."""

    def __init__(
        self, config: ConfigManager, store: Store, events: EventBus, access: AccessService, worker: Worker, pace: Pace
    ) -> None:
        super().__init__(store, events, worker, pace)
        self.access = access
        self._config = config

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

    @require(Role.OPERATOR, "download.refuse")
    async def refuse(self, job: str) -> None:
        """Decide against a job that waits for a person's decision: it ends, and what arrived of it is deleted.

        Raises:
            NotFound, UsageError: there is no such job, or it waits for no decision.
        """
        row = await self._store.write(jobs.refuse, job)
        self._events.publish(JobChanged(job=job, status=row.status))
        await self.worker.discard(row)

    @require(Role.OPERATOR, "download.pause")
    async def pause_all(self) -> tuple[str, ...]:
        """Stop every job that has not ended; returns their ids."""
        return self._tell_all(await self._store.write(jobs.pause_all))

    @require(Role.OPERATOR, "download.resume")
    async def resume_all(self) -> tuple[str, ...]:
        """Let every paused job go on; returns the ids of all that have not ended."""
        changed = await self._store.write(jobs.resume_all)
        self.worker.own.update(job for job, _status in changed)
        return self._tell_all(changed)

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

    @require(Role.OPERATOR, "download.seen")
    async def mark_seen(self, ids: Sequence[str] = ()) -> int:
        """What became of these jobs, or of all, was seen: it is no news any more, on no page of this home.

        Who waits for the same as one of them goes with it. Returns how many jobs were news.
        """
        count = await self._store.write(news.seen, tuple(ids))
        if count:
            self._events.publish(JobChanged(job="", status=JobStatus.DONE.value))
        return count

    async def _ask(self, job: str, request: str) -> JobStatus:
        status = await self._store.write(jobs.ask, job, request)
        self._events.publish(JobChanged(job=job, status=status.value))
        return status

    async def _requeue(self, job: str, allowed: frozenset[JobStatus], files: Sequence[str] = ()) -> None:
        status = await self._store.write(jobs.requeue, job, allowed, files)
        self._events.publish(JobChanged(job=job, status=status.value))
        self.worker.notice(job)

    async def _tell(self, job: str) -> None:
        row = await self._store.read(rows.one, job)
        self._events.publish(JobChanged(job=job, status=row.status))
        self.worker.notice()

    def _tell_all(self, changed: Sequence[tuple[str, JobStatus]]) -> tuple[str, ...]:
        """Tell of many at once: of some by their ids, of the others that there are some."""
        for job, status in changed[:_TOLD]:
            self._events.publish(JobChanged(job=job, status=status.value))
        if len(changed) > _TOLD:
            self._events.publish(JobChanged(job="", status=changed[-1][1].value))
        self.worker.notice()
        return tuple(job for job, _status in changed)
