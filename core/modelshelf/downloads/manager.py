"""Downloads: plan them, start them, follow them, pause, resume, cancel and retry them."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from modelshelf.access import AccessService, Role, current, require
from modelshelf.config import ConfigManager
from modelshelf.downloads import jobs
from modelshelf.downloads.names import check_names
from modelshelf.downloads.pace import Pace
from modelshelf.downloads.plan import check_disk, from_json, make_plan, readable, to_json
from modelshelf.downloads.types import ENDED, DownloadPlan, Job, JobStatus
from modelshelf.downloads.worker import Worker, discard
from modelshelf.errors import GatedRepository, NotSignedIn
from modelshelf.events import EventBus, JobChanged, JobProgress, Subscription
from modelshelf.ids import ModelId
from modelshelf.network import Network
from modelshelf.store import Store
from modelshelf.store.tables import JobRow

if TYPE_CHECKING:
    import pandas as pd

    from modelshelf.catalog import CatalogService
    from modelshelf.library import ModelLibrary
    from modelshelf.vetting import VettingService

_COLUMNS = [
    "id",
    "source",
    "repo",
    "commit",
    "status",
    "total",
    "done",
    "error",
    "principal",
    "created",
    "started",
    "ended",
]
_RETRYABLE = frozenset({JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.REVIEW, JobStatus.PAUSED})


class DownloadManager:
    """Download jobs of this home, whichever process runs them. `worker` is what runs them in this one."""

    def __init__(
        self,
        config: ConfigManager,
        store: Store,
        events: EventBus,
        access: AccessService,
        catalog: "CatalogService",
        library: "ModelLibrary",
        vetting: "VettingService",
        *,
        pace: Pace | None = None,
    ) -> None:
        self.access = access
        self._pace = pace or Pace()
        self.worker = Worker(config, store, events, catalog, library, vetting, self._pace)
        self._config = config
        self._store = store
        self._events = events
        self._catalog = catalog

    async def plan(
        self, model: str | ModelId, files: Sequence[str] = (), *, source: str | None = None, revision: str | None = None
    ) -> DownloadPlan:
        """What a download would fetch. `files` are paths, patterns or quantisations; none: what the format needs.

        Raises:
            UsageError, NotFound, AccessError, Unreachable: the model cannot be had by this name, or not by you.
            DownloadError: a file's name cannot be used here, or the library cannot be written.
        """
        name = model if isinstance(model, ModelId) else ModelId.parse(model)
        name = replace(name, source=source or name.source, revision=revision or name.revision)
        if name.revision:
            check_names([name.revision])
        place, name = await self._catalog.resolve(str(replace(name, file=None)) if not name.file else str(name))
        detail = await self._catalog.detail(str(replace(name, file=None)))
        wanted = tuple(files) or ((name.file,) if name.file else ())
        others = readable(await self._store.read(jobs.unfinished))
        return await asyncio.to_thread(make_plan, detail, place.name, wanted, self.worker.places, others)

    @require(Role.OPERATOR, "download.start")
    async def start(
        self,
        model: str | ModelId,
        files: Sequence[str] = (),
        *,
        source: str | None = None,
        revision: str | None = None,
        priority: int = 0,
    ) -> str:
        """Start a download and return its id; that of the job which fetches the same files already, if there is one.

        Raises:
            As `plan`; GatedRepository: its publisher wants to be asked first; NotEnoughDisk.
        """
        plan = await self.plan(model, files, source=source, revision=revision)
        name = model if isinstance(model, ModelId) else ModelId.parse(model)
        if plan.missing:
            check_disk(plan, self.worker.places.parts)
            if plan.gated:
                await self._check_gate(plan)
        asked = revision or name.revision or ""
        job, new = await self._store.write(jobs.add, plan, to_json(plan), asked, current().name, priority)
        if new:
            self._events.publish(JobChanged(job=job, status=JobStatus.QUEUED.value))
        self.worker.notice(job)
        return job

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
            row = await self._store.read(jobs.get, job)
            await asyncio.to_thread(discard, self.worker.places, from_json(row.plan))

    @require(Role.OPERATOR, "download.resume")
    async def resume(self, job: str) -> None:
        """Let a paused job go on.

        Raises:
            NotFound, UsageError: there is no such job, or it is not paused.
        """
        await self._requeue(job, frozenset({JobStatus.PAUSED}))

    @require(Role.OPERATOR, "download.retry")
    async def retry(self, job: str) -> None:
        """Let a job that failed, was cancelled or waits for a decision go on where it stopped.

        Raises:
            NotFound, UsageError: there is no such job, or it did not fail.
        """
        await self._requeue(job, _RETRYABLE)

    async def jobs(self, limit: int = 200) -> tuple[Job, ...]:
        """Jobs, newest first."""
        return tuple(self._snapshot(row) for row in await self._store.read(jobs.newest, limit))

    async def job(self, job: str) -> Job:
        """One job as it is now.

        Raises:
            NotFound: there is no such job.
        """
        return self._snapshot(await self._store.read(jobs.get, job))

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
                row = await self._store.read(jobs.get, job)
                found = self._snapshot(row, step)
                if found != last:
                    yield found
                last = found
                if found.status in ENDED:
                    return
                step = await self._next(events, job)

    async def history(self) -> "pd.DataFrame":
        """Every job ever, newest first, one row each."""
        rows = await self.jobs(limit=100_000)
        return await asyncio.to_thread(_frame, rows)

    async def _next(self, events: Subscription, job: str) -> JobProgress | None:
        """Wait for news of the job, at most a moment: an event of another process may be lost."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pace.poll):
                async for event in events:
                    if isinstance(event, JobProgress | JobChanged) and event.job == job:
                        return event if isinstance(event, JobProgress) else None
        return None

    async def _check_gate(self, plan: DownloadPlan) -> None:
        """Ask for one byte: whether the publisher lets us in is not in the list of files."""
        network = Network(self._config, connect_seconds=self._pace.connect, silence_seconds=self._pace.silence)
        try:
            source = self._catalog.source(plan.source)
            await network.fetch_range(await source.locate(plan.repo, plan.commit, plan.files[0].path), 0, 1)
        except NotSignedIn as error:
            raise GatedRepository(f"{plan.repo} is open only to accounts that its publisher let in.") from error
        finally:
            await network.aclose()

    async def _ask(self, job: str, request: str) -> JobStatus:
        status = await self._store.write(jobs.ask, job, request)
        self._events.publish(JobChanged(job=job, status=status.value))
        return status

    async def _requeue(self, job: str, allowed: frozenset[JobStatus]) -> None:
        status = await self._store.write(jobs.requeue, job, allowed)
        self._events.publish(JobChanged(job=job, status=status.value))
        self.worker.notice(job)

    def _snapshot(self, row: JobRow, step: JobProgress | None = None) -> Job:
        step = step or self.worker.live.get(row.id)
        if step is None or JobStatus(row.status) not in jobs.WORKING:
            return jobs.snapshot(row)
        return jobs.snapshot(row, step.rate, step.eta, max(step.done, row.bytes_done))


def _frame(rows: Sequence[Job]) -> "pd.DataFrame":
    import pandas as pd

    names = (
        "id",
        "source",
        "repo",
        "commit",
        "status",
        "total",
        "done",
        "error",
        "principal",
        "created",
        "started",
        "ended",
    )
    frame = pd.DataFrame([[getattr(row, name) for name in names] for row in rows], columns=list(names))
    frame["seconds"] = (frame["ended"] - frame["started"]).dt.total_seconds() if len(frame) else []
    return frame
