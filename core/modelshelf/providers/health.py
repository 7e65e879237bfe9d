"""Looks after the providers: one process per home looks, all others follow what it wrote."""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from filelock import FileLock, Timeout
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from modelshelf.config import ConfigManager
from modelshelf.errors import ModelshelfError, TimedOut
from modelshelf.events import EventBus, ProviderChanged, ProviderLooked
from modelshelf.providers.boundary import contained
from modelshelf.providers.offers import Listed, Offers
from modelshelf.providers.pulse import ANSWERED, Pulse, pulse
from modelshelf.providers.registry import ProviderRegistry
from modelshelf.providers.spec import Health, HealthStatus, Provider, ProviderConfig
from modelshelf.store import Store
from modelshelf.store.tables import HealthRow

log = logging.getLogger(__name__)

KEPT = timedelta(days=7)
SPAN = timedelta(hours=1)
MOST_RECENT = 4000
PULSE_SECONDS = 10.0
MOST_BACKOFF = 4
FOLLOW_SECONDS = 5.0
JITTER = 0.1
GRACE_SECONDS = 1.0  # for an adapter to turn its own time-out into a sentence


class HealthMonitor:
    """`latest` holds the last look at each provider, `UNKNOWN` until there was one; `listed` what each offered then.

    The process that holds the leader's lock looks every `providers.health_seconds`; a provider that stays down is
    looked at less often, up to four times as seldom. Each is looked at on its own: none waits for another, and none is
    looked at twice at the same time.
    """

    name = "health"

    def __init__(self, config: ConfigManager, store: Store, events: EventBus, providers: ProviderRegistry) -> None:
        self.latest: dict[str, Health] = {}
        self.listed: Mapping[str, Listed] = {}
        self._config = config
        self._store = store
        self._events = events
        self._providers = providers
        self._offers = Offers(store)
        self._lock = FileLock(config.paths.leader, thread_local=False)
        self._tasks: list[asyncio.Task[None]] = []
        self._due: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._seen: dict[str, ProviderConfig] = {}
        self._recent: dict[str, deque[Health]] = {}
        self._pulses: dict[str, tuple[float, Pulse]] = {}
        self._newest = 0
        self._busy: set[str] = set()
        self._touched: set[str] = set()
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

    async def history(self, provider: str, since: timedelta = timedelta(hours=1)) -> Sequence[Health]:
        """The looks at a provider within a time, the oldest first."""
        return await self._store.read(_history, provider, datetime.now(UTC) - since)

    def pulse(self, provider: str) -> Pulse:
        """How a provider did in the last hour; reckoned anew every few seconds, or when its status changed."""
        reckoned, found = self._pulses.get(provider, (0.0, Pulse()))
        if time.monotonic() - reckoned > PULSE_SECONDS:
            found = pulse(tuple(self._recent.get(provider, ())), datetime.now(UTC))
            self._pulses[provider] = time.monotonic(), found
        return found

    async def refresh(self) -> None:
        """Read what was written down last of every provider's models."""
        self.listed = await self._offers.read()

    async def _look(self, adapter: Provider) -> Health:
        """Look at a provider and, where it answers, list its models; both are kept and told."""
        try:
            health = await self._patiently(adapter, adapter.health)
        except ModelshelfError as error:
            health = _down(error.message, error.remedy)
        relisted = await self._list(adapter, health)
        await self._note(adapter.config.id, health, relisted)
        return health

    async def _list(self, adapter: Provider, health: Health) -> bool:
        """Keep what it offers; whether that is other than before. What it offered stays when it cannot be asked."""
        provider = adapter.config.id
        if health.status not in ANSWERED:
            return await self._offers.note_failure(provider, health.detail)
        try:
            models = await self._patiently(adapter, adapter.models)
        except ModelshelfError as error:
            return await self._offers.note_failure(provider, error.message)
        return await self._offers.note(adapter, models)

    async def _patiently[R](self, adapter: Provider, ask: Callable[[], Awaitable[R]]) -> R:
        """Ask a provider, within its time and a little; nothing of ours counts against it."""
        seconds = self._config.config.providers.timeout_seconds
        try:
            async with asyncio.timeout(seconds + GRACE_SECONDS):
                with contained(adapter.config):
                    return await ask()
        except ModelshelfError:
            raise
        except TimeoutError:
            raise TimedOut(f"{adapter.config.name} did not answer within {seconds:g} s.") from None

    async def _visit(self, config: ProviderConfig) -> None:
        try:
            try:
                adapter = await self._providers.get(config.id)
            except ModelshelfError as error:
                # Its adapter is gone, or it was removed a moment ago: then the next round forgets it.
                await self._note(config.id, _down(error.message, error.remedy), False)
            else:
                await self._look(adapter)
        except Exception as error:  # whatever one provider brings about must not end the watch over all of them
            log.warning("the look at %s was not kept: %s", config.id, error, exc_info=error)
            self._due[config.id] = time.monotonic() + FOLLOW_SECONDS
        finally:
            self._busy.discard(config.id)
            self._wake.set()

    async def _note(self, provider: str, health: Health, relisted: bool) -> None:
        self._plan(provider, health)
        await self._store.write(_add, provider, health)
        self._take(provider, health, relisted)

    async def _watch(self) -> None:
        async with asyncio.TaskGroup() as looks:
            while True:
                # Before the work: whoever calls during it has not been heard.
                self._wake.clear()
                pause = FOLLOW_SECONDS
                try:
                    leads = await self._lead()
                    await self._follow()
                    if leads:
                        pause = await self._round(looks)
                except ModelshelfError as error:
                    log.warning("the providers' health is not known: %s", error)
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()

    async def _listen(self) -> None:
        """A provider that was added, changed or used is looked at soon; a follower reads what the leader wrote."""
        with self._events.subscribe() as events:
            async for event in events:
                if isinstance(event, ProviderChanged):
                    if not event.seen:
                        self._touched.add(event.provider)
                    self._wake.set()

    async def _lead(self) -> bool:
        if not self._lock.is_locked:
            with suppress(Timeout, OSError):
                await asyncio.to_thread(self._lock.acquire, blocking=False)
        return self._lock.is_locked

    async def _round(self, looks: asyncio.TaskGroup) -> float:
        """Begin to look at everything that is due and not being looked at; the seconds until more is."""
        known = {item.id: item for item in await self._providers.list()}
        configs = {id_: item for id_, item in known.items() if item.enabled}
        for gone in self.latest.keys() - configs.keys():
            del self.latest[gone]
            self._recent.pop(gone, None)
            self._pulses.pop(gone, None)
            if gone not in known:
                await self._offers.forget(gone)
        for id_, config in configs.items():
            if self._seen.get(id_) != config:
                self._touched.add(id_)
        self._seen = configs
        free = [id_ for id_ in configs if id_ not in self._busy]
        for id_ in free:
            if id_ in self._touched or self._due.get(id_, 0.0) <= time.monotonic():
                self._touched.discard(id_)
                self._busy.add(id_)
                looks.create_task(self._visit(configs[id_]), name=f"health.{id_}")
        interval = self._config.config.providers.health_seconds
        waiting = [self._due.get(id_, 0.0) for id_ in configs if id_ not in self._busy]
        return max(min(waiting, default=time.monotonic() + interval) - time.monotonic(), 0.05)

    async def _follow(self) -> None:
        """Take in what other processes looked at, and at the start what there was before."""
        since = datetime.now(UTC) - SPAN
        for row, provider, health in await self._store.read(_looks_after, self._newest, since):
            self._newest = max(self._newest, row)
            known = self.latest.get(provider)
            if known is None or known.at < health.at:
                self._keep(provider, health)

    def _plan(self, provider: str, health: Health) -> None:
        down = health.status is HealthStatus.DOWN
        self._failures[provider] = self._failures.get(provider, 0) + 1 if down else 0
        interval = self._config.config.providers.health_seconds
        self._due[provider] = time.monotonic() + next_look(interval, self._failures[provider])

    def _take(self, provider: str, health: Health, relisted: bool) -> None:
        before = self.latest.get(provider)
        self._keep(provider, health)
        if relisted or before is None or _seen(before) != _seen(health):
            self._events.publish(ProviderChanged(provider=provider, seen=True))

    def _keep(self, provider: str, health: Health) -> None:
        before = self.latest.get(provider)
        if before is None or before.status is not health.status:
            self._pulses.pop(provider, None)
        self.latest[provider] = health
        self._recent.setdefault(provider, deque(maxlen=MOST_RECENT)).append(health)
        self._events.publish(ProviderLooked(provider=provider))


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
        provider=provider,
        at=health.at,
        status=health.status,
        latency_ms=health.latency_ms,
        detail=health.detail,
        remedy=health.remedy,
        version=health.version[:100],
    )
    session.add(row)
    session.execute(delete(HealthRow).where(HealthRow.provider == provider, HealthRow.at < health.at - KEPT))


def _looks_after(session: Session, seen: int, since: datetime) -> list[tuple[int, str, Health]]:
    query = select(HealthRow).where(HealthRow.id > seen, HealthRow.at >= since).order_by(HealthRow.id)
    return [(row.id, row.provider, _health(row)) for row in session.scalars(query)]


def _history(session: Session, provider: str, since: datetime) -> list[Health]:
    query = select(HealthRow).where(HealthRow.provider == provider, HealthRow.at >= since).order_by(HealthRow.at)
    return [_health(row) for row in session.scalars(query)]


def _health(row: HealthRow) -> Health:
    return Health(HealthStatus(row.status), row.at, row.latency_ms, row.detail, row.remedy, row.version)
