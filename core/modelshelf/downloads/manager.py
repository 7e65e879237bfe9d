"""Downloads: plan them, one or a whole batch, and start them; `Steering` does the rest."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy.orm import Session

from modelshelf.access import AccessService, Role, current, require
from modelshelf.config import ConfigManager
from modelshelf.downloads import jobs, rows
from modelshelf.downloads.limits import Allowance
from modelshelf.downloads.names import check_names
from modelshelf.downloads.pace import Pace
from modelshelf.downloads.plan import about, check_disk, make_plan, measure, readable, to_json
from modelshelf.downloads.rows import Pending
from modelshelf.downloads.steering import Steering
from modelshelf.downloads.transfer import SMALL
from modelshelf.downloads.types import BatchPlan, Copy, DownloadPlan, JobStatus, Order, Refused, Survey
from modelshelf.downloads.worker import Worker
from modelshelf.errors import GatedRepository, ModelshelfError, NotSignedIn
from modelshelf.events import EventBus, JobChanged
from modelshelf.hooks import Hooks
from modelshelf.hooks.spec import BEFORE_DOWNLOAD
from modelshelf.ids import ModelId
from modelshelf.network import Network
from modelshelf.store import Store

if TYPE_CHECKING:
    from modelshelf.catalog import CatalogService
    from modelshelf.library import ModelLibrary
    from modelshelf.vetting import VettingService

PROBE_SECONDS = 3.0


class Clock(Protocol):
    """What time it is, in any zone."""

    def __call__(self) -> datetime:
        """The present moment."""
        ...


Copying = Callable[[DownloadPlan], Awaitable[Sequence[Copy]]]


class DownloadManager(Steering):
    """Download jobs of this home, whichever process runs them. `worker` is what runs them in this one.

    `copying` tells of a plan which places will hold it once more without anybody being asked.

    `clock` and `zone` (by default this machine's) are what the hours and days of the budget go by.
    """

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
        clock: Clock | None = None,
        zone: tzinfo | None = None,
        hooks: Hooks | None = None,
    ) -> None:
        pace, self._hooks = pace or Pace(), hooks or Hooks()
        self.allowance = Allowance(config, store, catalog, clock, zone)
        worker = Worker(config, store, events, catalog, library, vetting, pace, self.allowance, self._hooks)
        super().__init__(config, store, events, access, worker, pace)
        self._catalog = catalog
        self.copying: Copying | None = None

    async def plan(
        self,
        model: str | ModelId,
        files: Sequence[str] = (),
        *,
        source: str | None = None,
        revision: str | None = None,
        copies: Sequence[Copy] = (),
        after: Sequence[DownloadPlan] = (),
    ) -> DownloadPlan:
        """What a download would fetch. `files` are paths, patterns or quantisations; none: what the format needs.

        `copies` are places that will hold the weights once more, `after` further plans that will be started first.
        The server of a large file is asked whether it can send a part of it.

        Raises:
            UsageError, NotFound, AccessError, Unreachable: the model cannot be had by this name, or not by you.
            DownloadError: a file's name cannot be used here, or the library cannot be written.
        """
        plan = await self._plan(Order(model, tuple(files), source, revision), copies, after)
        return replace(plan, resumable=await self._can_resume(plan))

    async def _plan(
        self, order: Order, copies: Sequence[Copy] = (), after: Sequence[DownloadPlan] = ()
    ) -> DownloadPlan:
        name = order.name
        if name.revision:
            check_names([name.revision])
        place, name = await self._catalog.resolve(str(replace(name, file=None)) if not name.file else str(name))
        detail = await self._catalog.detail(str(replace(name, file=None)))
        wanted = order.files or ((name.file,) if name.file else ())
        pending = await self._store.read(rows.pending)
        others = [*await asyncio.to_thread(readable, pending.begun), *after]
        places = self.worker.places
        plan = await asyncio.to_thread(make_plan, detail, place.name, wanted, places, others, pending.untouched, copies)
        if copies or self.copying is None or not (found := await self.copying(plan)):
            return plan
        return await asyncio.to_thread(measure, replace(plan, copies=tuple(found)), places, others, pending.untouched)

    async def plan_batch(self, orders: Sequence[Order]) -> BatchPlan:
        """What several downloads would fetch together; every plan counts what those before it will write.

        Raises:
            As `plan`, for the first that cannot be had.
        """
        plans: list[DownloadPlan] = []
        for order in orders:
            plans.append(await self._plan(order, after=plans))
        return BatchPlan(tuple(plans))

    async def survey(self, orders: Sequence[Order]) -> Survey:
        """As `plan_batch`, for a person to decide on: what cannot be had, or not by you, keeps no other one from it."""
        plans: list[DownloadPlan] = []
        good: list[Order] = []
        refused: list[Refused] = []
        for order in orders:
            try:
                plan = await self._plan(order, after=plans)
                if plan.gated and plan.missing:
                    await self._check_gate(plan)
                await self._hooks.ask(BEFORE_DOWNLOAD, about(plan))
            except ModelshelfError as error:
                refused.append(Refused(order, str(error), error.remedy))
            else:
                plans.append(plan)
                good.append(order)
        return Survey(tuple(good), tuple(plans), tuple(refused))

    @require(Role.OPERATOR, "download.start")
    async def start(
        self,
        model: str | ModelId,
        files: Sequence[str] = (),
        *,
        source: str | None = None,
        revision: str | None = None,
        priority: int = 0,
        copies: Sequence[Copy] = (),
    ) -> str:
        """Start a download and return its id; that of the job which fetches the same files already, if there is one.

        Raises:
            As `plan`; GatedRepository: its publisher wants to be asked first; NotEnoughDisk; Vetoed by a hook.
        """
        order = Order(model, tuple(files), source, revision)
        return await self._begin(await self._plan(order, copies), _asked(order), priority)

    @require(Role.OPERATOR, "download.start")
    async def start_batch(self, orders: Sequence[Order], *, priority: int = 0) -> tuple[str, ...]:
        """Start several downloads, in this order, if the disks hold them all; returns their ids.

        Raises:
            As `start`; then none was started.
        """
        batch = await self.plan_batch(orders)
        for plan in batch.plans:
            await self._check(plan)
        name = uuid.uuid4().hex[:12] if len(orders) > 1 else ""
        asked = [
            (plan, to_json(plan), _asked(order), current().name, priority, name)
            for plan, order in zip(batch.plans, orders, strict=True)
        ]
        added = await self._store.write(_add_all, asked)
        self.worker.own.update(job for job, _new in added)
        self._tell_all([(job, JobStatus.QUEUED) for job, new in added if new])
        return tuple(job for job, _new in added)

    @require(Role.OPERATOR, "download.start")
    async def start_plan(self, plan: DownloadPlan, *, priority: int = 0) -> str:
        """Start a download by its plan, for example one with `pinned` files or `refs` of its own; returns its id.

        Raises:
            GatedRepository, NotEnoughDisk, FolderNotWritable, Vetoed.
        """
        pending: Pending = await self._store.read(rows.pending)
        others = await asyncio.to_thread(readable, pending.begun)
        plan = await asyncio.to_thread(measure, plan, self.worker.places, others, pending.untouched)
        return await self._begin(plan, plan.commit, priority)

    async def _begin(self, plan: DownloadPlan, revision: str, priority: int) -> str:
        await self._check(plan)
        return await self._add(plan, revision, priority)

    async def _check(self, plan: DownloadPlan) -> None:
        """Raises NotEnoughDisk, GatedRepository or Vetoed: better now than after hours in the queue."""
        await self._hooks.ask(BEFORE_DOWNLOAD, about(plan))
        if plan.missing:
            check_disk(plan)
            if plan.gated:
                await self._check_gate(plan)

    async def _add(self, plan: DownloadPlan, revision: str, priority: int) -> str:
        job, new = await self._store.write(jobs.add, plan, to_json(plan), revision, current().name, priority)
        if new:
            self._events.publish(JobChanged(job=job, status=JobStatus.QUEUED.value))
        self.worker.notice(job)
        return job

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

    async def _can_resume(self, plan: DownloadPlan) -> bool:
        """Ask for one byte in the middle of the largest file; small ones come in one piece anyway.

        A server that does not answer now says nothing about that.
        """
        large = [file for file in plan.files if not file.present and file.size > SMALL]
        if not large:
            return True
        file = max(large, key=lambda item: item.size)
        network = Network(self._config, connect_seconds=PROBE_SECONDS, silence_seconds=PROBE_SECONDS)
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                location = await self._catalog.source(plan.source).locate(plan.repo, plan.commit, file.path)
                async with network.open(location, 1, 2) as answer, aclosing(answer.chunks()):
                    return answer.partial
        except (TimeoutError, ModelshelfError):
            return True
        finally:
            await network.aclose()


_Asked = tuple[DownloadPlan, dict[str, Any], str, str, int, str]


def _add_all(session: Session, asked: Sequence[_Asked]) -> list[tuple[str, bool]]:
    """Jobs in their order, in one transaction."""
    added = []
    for one in asked:
        added.append(jobs.add(session, *one))
        session.flush()
    return added


def _asked(order: Order) -> str:
    """The branch, tag or commit that was asked for, empty if none was."""
    return order.name.revision or ""
