"""The worker of a process: claims jobs, runs a few at once, listens to what is asked of them, tells how they go."""

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from modelshelf.config import ConfigManager
from modelshelf.downloads import jobs
from modelshelf.downloads.pace import HostGates, Pace, RateLimit
from modelshelf.downloads.part import discard_part
from modelshelf.downloads.plan import Places, from_json, readable
from modelshelf.downloads.run import JobRun, Tools
from modelshelf.downloads.transfer import Means
from modelshelf.downloads.types import RUNNING, DownloadPlan, JobStatus
from modelshelf.errors import Blocked, ModelshelfError, NeedsReview, StoreError
from modelshelf.events import EventBus, JobChanged, JobProgress
from modelshelf.network import Network
from modelshelf.store import Store
from modelshelf.store.tables import JobRow

if TYPE_CHECKING:
    from modelshelf.catalog import CatalogService
    from modelshelf.library import ModelLibrary
    from modelshelf.vetting import VettingService

log = logging.getLogger(__name__)

_THREADS = 16
_LOST = "lost"
_FULL_SHA = 40


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
    ) -> None:
        self.me = jobs.identity()
        self.live: dict[str, JobProgress] = {}
        self.own: set[str] = set()
        self._config, self._store, self._events = config, store, events
        self._catalog, self._library, self._vetting = catalog, library, vetting
        self._pace = pace
        self._running: dict[str, asyncio.Task[None]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._wake = asyncio.Event()
        self._tools: Tools | None = None

    async def start(self) -> None:
        """Begin to take jobs; those that a process left behind go on."""
        pace = self._pace
        network = Network(self._config, connect_seconds=pace.connect, silence_seconds=pace.silence)
        means = Means(network, pace, HostGates(), RateLimit())
        pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="downloads")
        self._tools = Tools(self._catalog, self._library, self._vetting, means, pool, self.places)
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
        for job in await self._store.write(jobs.release, self.me):
            self._events.publish(JobChanged(job=job, status=JobStatus.QUEUED.value))
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
            limit = self._config.config.downloads.concurrent_jobs
            try:
                row = await self._store.write(jobs.claim, self.me, limit, self._pace.lease, mine)
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

    async def _run(self, row: JobRow) -> None:
        self._events.publish(JobChanged(job=row.id, status=row.status))
        try:
            status, changes = await self._work(row)
            await self._finish(row, status, changes)
        finally:
            self._running.pop(row.id, None)
            self._wake.set()

    async def _work(self, row: JobRow) -> tuple[JobStatus | None, dict[str, Any]]:
        """Run the job until it ends or is asked to stop: its new status and what to write."""
        assert self._tools is not None  # noqa: S101 - only a started worker has jobs
        try:
            plan = from_json(row.plan)
            run = JobRun(plan, _refs(row), self._tools_now())
            others = await self._store.read(jobs.unfinished, row.id)
            work = asyncio.create_task(run.run(readable(others)), name=f"downloads.{row.id}.work")
            beats = asyncio.create_task(self._report(row, run), name=f"downloads.{row.id}.beats")
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
            return JobStatus.FAILED, jobs.failure(error)
        except Exception as error:
            log.exception("job %s failed", row.id)
            return JobStatus.FAILED, jobs.failure(ModelshelfError(f"The download of {row.repo} failed: {error}."))

    async def _obey(self, request: str, plan: DownloadPlan, run: JobRun) -> tuple[JobStatus | None, dict[str, Any]]:
        if request == _LOST:
            return None, {}
        done = {"bytes_done": run.progress.meter.done, "detail": ""}
        if request == jobs.PAUSE:
            return JobStatus.PAUSED, done
        await asyncio.to_thread(discard, self.places, plan)
        return JobStatus.CANCELLED, {**done, "bytes_done": 0}

    async def _report(self, row: JobRow, run: JobRun) -> str:
        """Tell how the job goes, and renew the lease, until something else is asked of it."""
        pace, told, renewed = self._pace, None, time.monotonic()
        status = row.status
        while True:
            progress, meter = run.progress, run.progress.meter
            state = (progress.status, progress.detail, meter.done)
            if state != told or time.monotonic() - renewed > pace.lease / 4:
                changes = {"status": state[0].value, "detail": state[1], "bytes_done": state[2]}
                told, renewed = state, time.monotonic()
                with suppress(StoreError):
                    request = await self._store.write(jobs.beat, row.id, self.me, pace.lease, changes)
                    if request is None or request:
                        return request or _LOST
                self._events.publish(_step(row.id, run))
            elif request := await self._asked(row.id):
                return request
            if status != progress.status:
                status = progress.status
                self._events.publish(JobChanged(job=row.id, status=status))
            await asyncio.sleep(pace.beat)

    async def _asked(self, job: str) -> str:
        with suppress(StoreError):
            row = await self._store.read(jobs.get, job)
            return row.request if row.owner == self.me else _LOST
        return ""

    async def _finish(self, row: JobRow, status: JobStatus | None, changes: dict[str, Any]) -> None:
        self.live.pop(row.id, None)
        if status is None:
            return
        for attempt in range(3):
            try:
                kept = await self._store.write(jobs.finish, row.id, self.me, status, changes)
            except StoreError as error:
                log.warning("the end of job %s cannot be written (try %d): %s", row.id, attempt + 1, error)
                await asyncio.sleep(self._pace.poll)
                continue
            if kept:
                self._events.publish(JobChanged(job=row.id, status=status.value))
            return

    def _tools_now(self) -> Tools:
        """The tools under the settings in force."""
        assert self._tools is not None  # noqa: S101 - as above
        settings = self._config.config.downloads
        self._tools.means.limit.rate = settings.max_rate_mb * 1e6
        return replace(self._tools, connections=settings.connections_per_file, places=self.places)


def discard(places: Places, plan: DownloadPlan) -> None:
    """Delete what arrived of a plan, unless another job is at it. For threads."""
    for file in plan.files:
        discard_part(places.part(plan, file))


def _refs(row: JobRow) -> list[str]:
    """The branch or tag to write, `main` if none was named; a commit is no such name."""
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
    changes = jobs.failure(error)
    changes["result"] |= {"findings": error.facts.get("findings", [])}
    return changes
