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

from modelshelf.config import ConfigManager
from modelshelf.errors import ModelshelfError, TimedOut
from modelshelf.events import EventBus, ProviderChanged, ProviderLooked
from modelshelf.providers.boundary import contained
from modelshelf.providers.looks import Look, Looks
from modelshelf.providers.offers import Listed, Offering, Offers
from modelshelf.providers.pulse import ANSWERED, Pulse, pulse
from modelshelf.providers.registry import ProviderRegistry
from modelshelf.providers.spec import Health, HealthStatus, Provider, ProviderConfig
from modelshelf.store import Store

log = logging.getLogger(__name__)

SPAN = timedelta(hours=1)
MOST_RECENT = 4000
PULSE_SECONDS = 10.0
MOST_BACKOFF = 4
FOLLOW_SECONDS = 5.0
JITTER = 0.1
RECORDING = 0.05  # the part of a time-out that is left for writing down what was seen


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
        self._events = events
        self._providers = providers
        self._offers = Offers(store)
        self._looks = Looks(store, self._offers)
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
        await self._looks.settle()
        await asyncio.to_thread(self._lock.release)

    async def check(self, provider: str) -> Health:
        """Look at a provider now; takes no longer than `providers.timeout_seconds`.

        Raises:
            NotFound, ProviderError: there is none, or it is switched off.
        """
        deadline = self._deadline()
        return await self._look(await self._providers.get(provider), deadline)

    async def history(self, provider: str, since: timedelta = timedelta(hours=1)) -> Sequence[Health]:
        """The looks at a provider within a time, the oldest first."""
        return await self._looks.of(provider, datetime.now(UTC) - since)

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

    def _deadline(self) -> float:
        """When a look that begins now is over, whatever it has seen by then; in the loop's time."""
        seconds = self._config.config.providers.timeout_seconds
        return asyncio.get_running_loop().time() + seconds * (1 - RECORDING)

    async def _look(self, adapter: Provider, deadline: float) -> Health:
        """Look at a provider and, where it answers, list its models; both are kept and told."""
        try:
            health = await self._patiently(adapter, adapter.health, deadline)
        except ModelshelfError as error:
            health = _down(error.message, error.remedy)
        await self._note(Look(adapter.config.id, health, await self._offered(adapter, health, deadline)))
        return health

    async def _offered(self, adapter: Provider, health: Health, deadline: float) -> Offering:
        """What it offers; when it cannot be asked, why."""
        if health.status not in ANSWERED:
            return Offering(error=health.detail)
        try:
            return Offering.of(adapter, await self._patiently(adapter, adapter.models, deadline))
        except ModelshelfError as error:
            return Offering(error=error.message)

    async def _patiently[R](self, adapter: Provider, ask: Callable[[], Awaitable[R]], deadline: float) -> R:
        """Ask a provider, until the deadline; nothing of ours counts against it."""
        try:
            async with asyncio.timeout_at(deadline):
                with contained(adapter.config):
                    return await ask()
        except ModelshelfError:
            raise
        except TimeoutError:
            seconds = self._config.config.providers.timeout_seconds
            raise TimedOut(f"{adapter.config.name} did not answer within {seconds:g} s.") from None

    async def _visit(self, config: ProviderConfig) -> None:
        deadline = self._deadline()
        try:
            try:
                adapter = await self._providers.get(config.id)
            except ModelshelfError as error:
                # Its adapter is gone, or it was removed a moment ago: then the next round forgets it.
                await self._note(Look(config.id, _down(error.message, error.remedy)))
            else:
                await self._look(adapter, deadline)
        except Exception as error:  # whatever one provider brings about must not end the watch over all of them
            log.warning("the look at %s was not kept: %s", config.id, error, exc_info=error)
            self._due[config.id] = time.monotonic() + FOLLOW_SECONDS
        finally:
            self._busy.discard(config.id)
            self._wake.set()

    async def _note(self, look: Look) -> None:
        self._plan(look.provider, look.health)
        relisted = await self._looks.keep(look)
        self._take(look.provider, look.health, relisted)

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
        for row, provider, health in await self._looks.after(self._newest, since):
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
