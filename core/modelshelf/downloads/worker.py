"""The worker of a process: claims jobs, runs a few at once, listens to what is asked of them, tells how they go."""

import asyncio
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from modelshelf.config import ConfigManager
from modelshelf.downloads import jobs, rows
from modelshelf.downloads.limits import Allowance, JobLimit
from modelshelf.downloads.numbers import TransferLog
from modelshelf.downloads.pace import HostGates, Pace, RateLimit
from modelshelf.downloads.part import discard_part
from modelshelf.downloads.plan import Places, from_json, readable
from modelshelf.downloads.run import JobRun, Landed, Tools
from modelshelf.downloads.tally import Tally, beat, count, end
from modelshelf.downloads.transfer import Means
from modelshelf.downloads.types import ENDED, RUNNING, DownloadPlan, JobStatus
from modelshelf.errors import Blocked, DownloadError, ModelshelfError, NeedsReview, StoreError
from modelshelf.events import EventBus, JobChanged, JobProgress
from modelshelf.hooks import Hooks
from modelshelf.hooks.deliveries import told_of
from modelshelf.hooks.spec import AFTER_DOWNLOAD
from modelshelf.network import Network
from modelshelf.store import Store
from modelshelf.store.tables import JobRow

if TYPE_CHECKING:
    from modelshelf.catalog import CatalogService
    from modelshelf.library import ModelLibrary
    from modelshelf.vetting import VettingService

log = logging.getLogger(__name__)

_THREADS = 16
_LOST, _BUDGET = "lost", "budget"
_TOLD = 50  # of more jobs at once that wait for the budget nobody needs to be told one by one
_FULL_SHA = 40
_FETCHING = frozenset({JobStatus.PLANNING, JobStatus.WAITING, JobStatus.TRANSFERRING})


class Worker:
    """Runs jobs of this home, at most so many at once over all its processes. The shelf starts and stops it."""

    name = "downloads"

    def __init__(
        self,
        config: ConfigManager,
        store: Store,
        events: EventBus,
        catalog: "CatalogService",
        library: "ModelLibrary",
        vetting: "VettingService",
        pace: Pace,
        allowance: Allowance,
        hooks: Hooks | None = None,
    ) -> None:
        self._hooks = hooks or Hooks()
        self.me = jobs.identity()
        self.live: dict[str, JobProgress] = {}
        self.runs: dict[str, JobRun] = {}
        self.own: set[str] = set()
        self.allowance = allowance
        self._config, self._store, self._events = config, store, events
        self._catalog, self._library, self._vetting = catalog, library, vetting
        self._pace = pace
        self._running: dict[str, asyncio.Task[None]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._wake = asyncio.Event()
        self._tools: Tools | None = None
        self.landed: Landed | None = None

    async def start(self) -> None:
        """Begin to take jobs; those that a process left behind go on."""
        pace = self._pace
        network = Network(self._config, connect_seconds=pace.connect, silence_seconds=pace.silence)
        means = Means(network, pace, HostGates(), RateLimit())
        pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="downloads")
        numbers = TransferLog(self._store, self._events)
        self._tools = Tools(self._catalog, self._library, self._vetting, means, pool, self.places, numbers)
        self._tasks = [
            asyncio.create_task(self._take_jobs(), name="downloads.take"),
            asyncio.create_task(self._listen(), name="downloads.listen"),
        ]

    async def stop(self) -> None:
        """Let go of every job; another process, or the next start, goes on with it."""
        tasks = [*self._tasks, *self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()
        for job, status in await self._store.write(jobs.release, self.me):
            self._events.publish(JobChanged(job=job, status=status.value))
            if status is JobStatus.CANCELLED:
                await self.discard(await self._store.read(rows.get, job))
        if self._tools:
            tools, self._tools = self._tools, None
            await tools.means.network.aclose()
            await asyncio.to_thread(tools.pool.shutdown)

    @property
    def places(self) -> Places:
        """Where files grow and where they end."""
        paths = self._config.paths
        return Places(paths.cache, paths.parts)

    def notice(self, job: str = "") -> None:
        """There may be something to do; `job` was started by this process."""
        if job:
            self.own.add(job)
        self._wake.set()

    async def _listen(self) -> None:
        with self._events.subscribe() as events:
            async for event in events:
                if isinstance(event, JobProgress):
                    self.live[event.job] = event
                elif isinstance(event, JobChanged):
                    if JobStatus(event.status) not in {*RUNNING, JobStatus.WAITING}:
                        self.live.pop(event.job, None)
                    self._wake.set()

    async def _take_jobs(self) -> None:
        """Jobs of this process at once; those of others a moment later, so that their own process comes first."""
        adopt_at = time.monotonic() + self._pace.poll
        while True:
            mine = None if time.monotonic() >= adopt_at else frozenset(self.own)
            try:
                row = await self._claim(mine)
            except StoreError as error:
                log.warning("jobs cannot be read: %s", error)
                row = None
            if row is not None:
                self._running[row.id] = asyncio.create_task(self._run(row), name=f"downloads.{row.id}")
                continue
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace.poll):
                    await self._wake.wait()

    async def _claim(self, mine: frozenset[str] | None) -> JobRow | None:
        """The next job that the budget lets go on; the others say that they wait."""
        settings = self._config.config.downloads
        if self._tools:
            self._tools.means.limit.rate = settings.max_rate_mb * 1e6
        gate = await self.allowance.gate()
        limit, lease = settings.concurrent_jobs, self._pace.lease
        changed, row = await self._store.write(_next, gate, self.me, limit, lease, mine)
        status = JobStatus.QUEUED if gate.allowed is None else JobStatus.WAITING
        for job in changed[:_TOLD]:
            self._events.publish(JobChanged(job=job, status=status.value))
        return row

    async def _run(self, row: JobRow) -> None:
        assert self._tools is not None  # noqa: S101 - only a started worker has jobs
        self._events.publish(JobChanged(job=row.id, status=row.status))
        counts = not self.allowance.costs_nothing(row.source)
        tally = Tally(row, JobLimit(self._tools.means.limit, row.rate_limit), counts=counts)
        try:
            status, changes = await self._work(row, tally)
            await self._finish(row, status, {**changes, **tally.changes()}, tally)
        finally:
            self.runs.pop(row.id, None)
            self.own.discard(row.id)
            self._running.pop(row.id, None)
            self._wake.set()

    async def _work(self, row: JobRow, tally: Tally) -> tuple[JobStatus | None, dict[str, Any]]:
        """Run the job until it ends or is asked to stop: its new status and what to write."""
        try:
            plan = from_json(row.plan)
            run = self.runs[row.id] = JobRun(plan, _refs(row, plan), self._tools_now(tally.limit), _held(row))
            tally.progress = run.progress
            pending = await self._store.read(rows.pending, row.id)
            work = asyncio.create_task(
                run.run(readable(pending.begun), pending.untouched), name=f"downloads.{row.id}.work"
            )
            beats = asyncio.create_task(self._report(row, run, tally), name=f"downloads.{row.id}.beats")
            try:
                await asyncio.wait({work, beats}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (work, beats):
                    task.cancel()
                await asyncio.wait({work, beats})
            if work.cancelled():
                return await self._obey(beats.result(), plan, run)
            return JobStatus.DONE, {"result": work.result(), "bytes_done": plan.total, "detail": ""}
        except Blocked as error:
            return JobStatus.QUARANTINED, _ended(error)
        except NeedsReview as error:
            return JobStatus.REVIEW, _ended(error)
        except ModelshelfError as error:
            return JobStatus.FAILED, rows.failure(error)
        except Exception as error:  # one job's defect ends that job, not the work on the others
            log.exception("job %s failed", row.id)
            return JobStatus.FAILED, rows.failure(ModelshelfError(f"The download of {row.repo} failed: {error}."))

    async def _obey(self, request: str, plan: DownloadPlan, run: JobRun) -> tuple[JobStatus | None, dict[str, Any]]:
        if request == _LOST:
            return None, {}
        done = {"bytes_done": run.progress.meter.done, "detail": ""}
        if request == jobs.PAUSE:
            return JobStatus.PAUSED, done
        if request == _BUDGET:
            gate = await self.allowance.gate()
            return JobStatus.WAITING, {**done, "detail": gate.detail, "until": gate.until}
        await asyncio.to_thread(discard, self.places, plan)
        return JobStatus.CANCELLED, {**done, "bytes_done": 0}

    async def _report(self, row: JobRow, run: JobRun, tally: Tally) -> str:
        """Tell how the job goes, and renew the lease, until something else is asked of it."""
        pace, told, renewed = self._pace, None, time.monotonic()
        status = row.status
        while True:
            progress, meter = run.progress, run.progress.meter
            state = (progress.status, progress.detail, meter.done)
            news = state != told or time.monotonic() - renewed > pace.lease / 4
            if news:
                told, renewed = state, time.monotonic()
                request = await self._beat(row.id, tally, state)
            else:
                request = await self._asked(row.id, tally)
            if request:
                return request
            if news:
                self._events.publish(_step(row.id, run))
            if status != progress.status:
                status = progress.status
                self._events.publish(JobChanged(job=row.id, status=status))
            if self._over_budget(run, tally):
                return _BUDGET
            await asyncio.sleep(pace.beat)

    async def _beat(self, job: str, tally: Tally, state: tuple[JobStatus, str, int]) -> str:
        """Write how the job goes; what is asked of it, empty if nothing is."""
        changes = {"status": state[0].value, "detail": state[1], "bytes_done": state[2], **tally.changes()}
        try:
            wish, used = await self._store.write(
                beat, job, self.me, self._pace.lease, changes, self.allowance.day, tally.fresh()
            )
        except StoreError:
            return ""
        self.allowance.learn(used)
        return _heard(wish, tally)

    async def _asked(self, job: str, tally: Tally) -> str:
        with suppress(StoreError):
            return _heard(await self._store.read(jobs.wish, job, self.me), tally)
        return ""

    def _over_budget(self, run: JobRun, tally: Tally) -> bool:
        """Whether what the job still lacks is more than may be fetched now."""
        missing = run.progress.meter.total - run.progress.meter.done
        if not tally.counts or not self.allowance.limited or run.progress.status not in _FETCHING or missing <= 0:
            return False
        found = self.allowance.closed()
        return found is not None and missing > found.allowed

    async def _finish(self, row: JobRow, status: JobStatus | None, changes: dict[str, Any], tally: Tally) -> None:
        self.live.pop(row.id, None)
        day, fetched = self.allowance.day, tally.fresh()
        for attempt in range(3):
            try:
                if status is None:  # somebody else's by now; what came is counted all the same
                    self.allowance.learn(await self._store.write(count, day, fetched))
                    return
                kept, used = await self._store.write(end, row.id, self.me, status, changes, day, fetched)
            except StoreError as error:
                log.warning("the end of job %s cannot be written (try %d): %s", row.id, attempt + 1, error)
                await asyncio.sleep(self._pace.poll)
                continue
            self.allowance.learn(used)
            if kept:
                if kept is JobStatus.CANCELLED is not status:
                    await self.discard(row)
                self._events.publish(JobChanged(job=row.id, status=kept.value))
                if kept in ENDED:
                    await self._hooks.tell(AFTER_DOWNLOAD, told_of(await self._store.read(rows.get, row.id)))
            return

    async def discard(self, row: JobRow) -> None:
        """Delete what arrived of a job, unless another one is at it."""
        with suppress(DownloadError):  # a plan that cannot be read names no files
            await asyncio.to_thread(discard, self.places, from_json(row.plan))

    def _tools_now(self, limit: JobLimit) -> Tools:
        """The tools under the settings in force."""
        assert self._tools is not None  # noqa: S101 - as above
        settings = self._config.config.downloads
        limit.fallback = settings.max_job_rate_mb * 1e6
        means = replace(self._tools.means, limit=limit)
        return replace(self._tools, means=means, connections=settings.connections_per_file, places=self.places,
                       landed=self.landed)  # fmt: skip


def discard(places: Places, plan: DownloadPlan) -> None:
    """Delete what arrived of a plan, unless another job is at it. For threads."""
    for file in plan.files:
        discard_part(places.part(plan, file))


def _next(
    session: Session, gate: jobs.Gate, me: str, limit: int, lease: float, mine: frozenset[str] | None
) -> tuple[Sequence[str], JobRow | None]:
    """Which jobs begin or cease to wait for the budget, and the one that goes on."""
    return jobs.park(session, gate), jobs.claim(session, me, limit, lease, mine, gate)


def _heard(wish: jobs.Wish | None, tally: Tally) -> str:
    """Take in the limit that is asked for; the request, or that the job is somebody else's."""
    if wish is None:
        return _LOST
    tally.limit.own = wish.rate
    return wish.request


def _held(row: JobRow) -> dict[str, dict[str, str]]:
    return {path: {str(key): str(value) for key, value in item.items()} for path, item in row.held.items()
            if isinstance(item, dict)}  # fmt: skip


def _refs(row: JobRow, plan: DownloadPlan) -> Sequence[str]:
    """The branches or tags to write, `main` if none was named; a commit is no such name."""
    if plan.refs is not None:
        return plan.refs
    name = row.revision or "main"
    return [] if len(row.commit) == _FULL_SHA and name.startswith(row.commit) else [name]


def _step(job: str, run: JobRun) -> JobProgress:
    progress, meter = run.progress, run.progress.meter
    return JobProgress(
        job=job,
        status=progress.status.value,
        done=max(meter.done, 0),
        total=meter.total,
        rate=meter.rate(),
        eta=meter.eta(),
        file=progress.file,
    )


def _ended(error: ModelshelfError) -> dict[str, Any]:
    changes = rows.failure(error)
    changes["result"] |= {"findings": error.facts.get("findings", [])}
    return changes
