"""Looks after the providers: one process per home looks, all others follow what it wrote."""

import asyncio
import logging
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from filelock import FileLock, Timeout
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from modelshelf.config import ConfigManager
from modelshelf.errors import ModelshelfError
from modelshelf.events import EventBus, ProviderChanged
from modelshelf.providers.boundary import contained
from modelshelf.providers.registry import ProviderRegistry
from modelshelf.providers.spec import Health, HealthStatus, Provider, ProviderConfig
from modelshelf.store import Store
from modelshelf.store.tables import HealthRow

log = logging.getLogger(__name__)

KEPT = timedelta(days=7)
MOST_BACKOFF = 4
FOLLOW_SECONDS = 5.0
JITTER = 0.1
GRACE_SECONDS = 1.0  # for an adapter to turn its own time-out into a sentence


class HealthMonitor:
    """`latest` holds the last look at each provider, `UNKNOWN` until there was one.

    The process that holds the leader's lock looks every `providers.health_seconds`; a provider that stays down is
    looked at less often, up to four times as seldom.
    """

    name = "health"

    def __init__(self, config: ConfigManager, store: Store, events: EventBus, providers: ProviderRegistry) -> None:
        self.latest: dict[str, Health] = {}
        self._config = config
        self._store = store
        self._events = events
        self._providers = providers
        self._lock = FileLock(config.paths.leader, thread_local=False)
        self._tasks: list[asyncio.Task[None]] = []
        self._due: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._seen: dict[str, ProviderConfig] = {}
        self._wake = asyncio.Event()

    @property
    def leading(self) -> bool:
        """Whether this process is the one that looks."""
        return self._lock.is_locked

    async def start(self) -> None:
        """Begin to look, or to follow; nothing is waited for."""
        self._tasks = [
            asyncio.create_task(self._watch(), name="health.watch"),
            asyncio.create_task(self._listen(), name="health.listen"),
        ]

    async def stop(self) -> None:
        """Let go; another process takes over."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        await asyncio.to_thread(self._lock.release)

    async def check(self, provider: str) -> Health:
        """Look at a provider now.

        Raises:
            NotFound, ProviderError: there is none, or it is switched off.
        """
        return await self._look(await self._providers.get(provider))

    async def _look(self, adapter: Provider) -> Health:
        seconds = self._config.config.providers.timeout_seconds
        try:
            with contained(adapter.config):
                async with asyncio.timeout(seconds + GRACE_SECONDS):
                    health = await adapter.health()
        except ModelshelfError as error:
            late = isinstance(error.__cause__, TimeoutError)
            detail = f"{adapter.config.name} did not answer within {seconds:g} s." if late else error.message
            health = _down(detail, error.remedy)
        await self._note(adapter.config.id, health)
        return health

    async def _visit(self, config: ProviderConfig) -> None:
        try:
            adapter = await self._providers.get(config.id)
        except ModelshelfError as error:
            # Its adapter is gone, or it was removed a moment ago: then the next round forgets it.
            await self._note(config.id, _down(error.message, error.remedy))
        else:
            await self._look(adapter)

    async def _note(self, provider: str, health: Health) -> None:
        self._plan(provider, health)
        await self._store.write(_add, provider, health)
        self._take(provider, health)

    async def history(self, provider: str, since: timedelta = timedelta(hours=1)) -> Sequence[Health]:
        """The looks at a provider within a time, the oldest first."""
        return await self._store.read(_history, provider, datetime.now(UTC) - since)

    async def _watch(self) -> None:
        while True:
            # Before the work: whoever calls during it has not been heard.
            self._wake.clear()
            pause = FOLLOW_SECONDS
            try:
                if await self._lead():
                    pause = await self._round()
                else:
                    await self._follow()
            except* ModelshelfError as errors:
                log.warning("the providers' health is not known: %s", errors.exceptions[0])
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    async def _listen(self) -> None:
        """A provider that was added or changed is looked at soon; a follower reads what the leader wrote."""
        with self._events.subscribe() as events:
            async for event in events:
                if isinstance(event, ProviderChanged):
                    self._wake.set()

    async def _lead(self) -> bool:
        if not self._lock.is_locked:
            with suppress(Timeout, OSError):
                await asyncio.to_thread(self._lock.acquire, blocking=False)
        return self._lock.is_locked

    async def _round(self) -> float:
        """Look at everything that is due, all at the same time; the seconds until the next is."""
        configs = {item.id: item for item in await self._providers.list() if item.enabled}
        for gone in self.latest.keys() - configs.keys():
            del self.latest[gone]
        for id_, config in configs.items():
            if self._seen.get(id_) != config:
                self._due[id_] = 0.0
        self._seen = configs
        due = [id_ for id_ in configs if self._due.get(id_, 0.0) <= time.monotonic()]
        async with asyncio.TaskGroup() as group:
            for id_ in due:
                group.create_task(self._visit(configs[id_]), name=f"health.{id_}")
        interval = self._config.config.providers.health_seconds
        soonest = min((self._due.get(id_, 0.0) for id_ in configs), default=time.monotonic() + interval)
        return max(soonest - time.monotonic(), 0.05)

    async def _follow(self) -> None:
        for provider, health in (await self._store.read(_newest)).items():
            known = self.latest.get(provider)
            if known is None or known.at < health.at:
                self.latest[provider] = health

    def _plan(self, provider: str, health: Health) -> None:
        down = health.status is HealthStatus.DOWN
        self._failures[provider] = self._failures.get(provider, 0) + 1 if down else 0
        interval = self._config.config.providers.health_seconds
        self._due[provider] = time.monotonic() + next_look(interval, self._failures[provider])

    def _take(self, provider: str, health: Health) -> None:
        before = self.latest.get(provider)
        self.latest[provider] = health
        if before is None or _seen(before) != _seen(health):
            self._events.publish(ProviderChanged(provider=provider))


def _down(detail: str, remedy: str) -> Health:
    return Health(HealthStatus.DOWN, datetime.now(UTC), None, detail, remedy)


def next_look(interval: float, failures: int) -> float:
    """Seconds until a provider is looked at again, after so many looks in a row that found it down."""
    factor = min(1 << min(max(failures - 1, 0), MOST_BACKOFF), MOST_BACKOFF)
    # Spread: many providers behind one machine must not be asked in the same instant for ever.
    return interval * factor * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311


def _seen(health: Health) -> Health:
    """What a person sees change: neither the moment nor a few milliseconds more."""
    return replace(health, at=datetime.min, latency_ms=None)


def _add(session: Session, provider: str, health: Health) -> None:
    row = HealthRow(
        provider=provider, at=health.at, status=health.status, latency_ms=health.latency_ms, detail=health.detail
    )
    session.add(row)
    session.execute(delete(HealthRow).where(HealthRow.provider == provider, HealthRow.at < health.at - KEPT))


def _newest(session: Session) -> dict[str, Health]:
    newest = select(func.max(HealthRow.id)).group_by(HealthRow.provider)
    return {row.provider: _health(row) for row in session.scalars(select(HealthRow).where(HealthRow.id.in_(newest)))}


def _history(session: Session, provider: str, since: datetime) -> list[Health]:
    query = select(HealthRow).where(HealthRow.provider == provider, HealthRow.at >= since).order_by(HealthRow.at)
    return [_health(row) for row in session.scalars(query)]


def _health(row: HealthRow) -> Health:
    return Health(HealthStatus(row.status), row.at, row.latency_ms, row.detail)
