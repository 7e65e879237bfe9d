"""What services tell: frozen events, and the bus that carries them inside a process and between processes.

An event is small: it names what changed, the reader asks the service for the rest. Events of other processes that share
the same home arrive through the `event` table, read four times a second (`EventBus.relay`).
"""

import asyncio
import dataclasses
import json
import logging
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from modelshelf.errors import StoreError

if TYPE_CHECKING:
    from modelshelf.store import Store

log = logging.getLogger(__name__)

RELAY_SECONDS = 0.25
QUEUE_LIMIT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The root of all events; `kind` is the name on the wire."""

    kind: ClassVar[str] = "event"

    def payload(self) -> dict[str, Any]:
        """The fields as JSON-ready data."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobChanged(Event):
    """A download job came into being, changed its status, or ended."""

    kind: ClassVar[str] = "job"
    job: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgress(Event):
    """Bytes of a job: `done` of `total`, `rate` in bytes per second over the last seconds, `eta` in seconds or None."""

    kind: ClassVar[str] = "progress"
    job: str
    status: str
    done: int
    total: int
    rate: float
    eta: float | None
    file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferEnded(Event):
    """A transfer of a file came to its end, or broke off: what it took.

    Sizes in bytes, `rate` in bytes per second; `refetched` bytes came again or in vain; `connections` is the most at
    once; `outcome` is done, stopped, or the code of the error; `host` is who sent the bytes.
    """

    kind: ClassVar[str] = "transfer"
    source: str
    repo: str
    path: str
    host: str
    size: int
    received: int
    refetched: int
    seconds: float
    rate: float
    retries: int
    connections: int
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryChanged(Event):
    """A model landed in the library or left it."""

    kind: ClassVar[str] = "library"
    repo: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineChanged(Event):
    """A file entered or left the quarantine."""

    kind: ClassVar[str] = "quarantine"
    item: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyProgress(Event):
    """How far the check of the library is: bytes `done` of `total`, and how many files were found `bad` so far."""

    kind: ClassVar[str] = "verify"
    done: int
    total: int
    bad: int
    model: str = ""
    paused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderChanged(Event):
    """A provider was added, changed or removed, or its health or its models are others now.

    `seen` is True when somebody looked already and wrote down what is new; else it is worth a look.
    """

    kind: ClassVar[str] = "provider"
    provider: str
    seen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderLooked(Event):
    """A look at a provider is over, whether or not anything changed."""

    kind: ClassVar[str] = "look"
    provider: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAnswered(Event):
    """A model, `provider/name`, gave an answer to its end: `rate` in tokens per second, `tokens` read and written."""

    kind: ClassVar[str] = "answered"
    model: str
    rate: float
    written: int
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLoaded(Event):
    """A model, `provider/name`, was brought into memory, in so many seconds."""

    kind: ClassVar[str] = "loaded"
    model: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedMeasured(Event):
    """How fast a model loaded or answered was kept, by the process named: scores are other now."""

    kind: ClassVar[str] = "measured"
    model: str
    process: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationChanged(Event):
    """A model, `org/name@commit`, was given to a provider, or taken back; or that has another status now."""

    kind: ClassVar[str] = "registration"
    model: str
    provider: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileChanged(Event):
    """A profile was made, changed or removed."""

    kind: ClassVar[str] = "profile"
    profile: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceChanged(Event):
    """A source answered, fell silent or was configured anew."""

    kind: ClassVar[str] = "source"
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogChanged(Event):
    """Another generation of the catalogue is in use, of so many models."""

    kind: ClassVar[str] = "catalog"
    generation: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncChanged(Event):
    """How listing a source goes on; with an empty source, how a whole round does.

    status: asking | waiting | building | done | stopped | failed. `found` models were listed so far;
    `error` says why it waits or has failed.
    """

    kind: ClassVar[str] = "sync"
    source: str
    status: str
    found: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncAsked(Event):
    """Somebody wants the catalogue brought up to date now, by the process that leads; `full`: from the first model."""

    kind: ClassVar[str] = "sync-asked"
    full: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoresChanged(Event):
    """What other programs keep here, or what is known of it, is other now: `done` of `total` bytes are compared."""

    kind: ClassVar[str] = "stores"
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChanged(Event):
    """How everything plays together was looked at anew, by somebody of this process, and is other now."""

    kind: ClassVar[str] = "integration"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictsChanged(Event):
    """A conflict was resolved, or that was taken back; `mending` is its id."""

    kind: ClassVar[str] = "conflicts"
    mending: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncStop(Event):
    """Somebody wants listing to stop, in whichever process it goes on; what was listed stays, and where to go on."""

    kind: ClassVar[str] = "sync-stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceChanged(Event):
    """A service of this process started, failed or stopped."""

    kind: ClassVar[str] = "service"
    service: str
    status: str


KINDS: dict[str, type[Event]] = {
    cls.kind: cls
    for cls in (
        JobChanged,
        JobProgress,
        TransferEnded,
        LibraryChanged,
        QuarantineChanged,
        VerifyProgress,
        ProviderChanged,
        ProviderLooked,
        ModelAnswered,
        ModelLoaded,
        SpeedMeasured,
        RegistrationChanged,
        ProfileChanged,
        SourceChanged,
        CatalogChanged,
        SyncChanged,
        SyncAsked,
        StoresChanged,
        StatusChanged,
        ConflictsChanged,
        SyncStop,
        ServiceChanged,
    )
}
LOCAL = frozenset(
    cls.kind for cls in (ServiceChanged, StatusChanged, VerifyProgress, ProviderLooked, ModelAnswered, ModelLoaded)
)


def decode(kind: str, payload: str) -> Event | None:
    """The event of a row, or None for one that this version does not know: a newer one may share the home."""
    known = KINDS.get(kind)
    try:
        return known(**json.loads(payload)) if known else None
    except (TypeError, ValueError):
        return None


class Subscription:
    """The events one reader has not read yet; when it falls far behind, the oldest are dropped."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Event] = asyncio.Queue(QUEUE_LIMIT)

    def put(self, event: Event) -> None:
        """Add an event, in place of the oldest when there are too many."""
        if self._queue.full():
            self._queue.get_nowait()
        self._queue.put_nowait(event)

    def take(self) -> Event | None:
        """The next event if there is one already."""
        return None if self._queue.empty() else self._queue.get_nowait()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        return await self._queue.get()


class Mark(Subscription):
    """Whether anything of some kinds happened since it was last asked; at first it counts as happened."""

    def __init__(self, kinds: tuple[type[Event], ...]) -> None:
        super().__init__()
        self._kinds = kinds
        self._happened = True

    def put(self, event: Event) -> None:
        """Only that it happened is kept."""
        self._happened = self._happened or isinstance(event, self._kinds)

    def happened(self) -> bool:
        """Whether it happened; from here on only what happens next counts."""
        happened, self._happened = self._happened, False
        return happened


class EventBus:
    """Publish and subscribe, in this process and, through a store, in every process on the same home."""

    name = "events"

    def __init__(self, store: "Store | None" = None) -> None:
        self.process = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._store = store
        self._subscriptions: set[Subscription] = set()
        self._relay: asyncio.Task[None] | None = None
        self._outbox: list[Event] = []

    async def start(self) -> None:
        """Begin to exchange events with other processes, from now on."""
        if self._store is not None:
            newest = await self._store.read(self._store.newest_event)
            self._relay = asyncio.create_task(self._exchange(self._store, newest), name="events.relay")

    async def stop(self) -> None:
        """Hand out what is left and end the exchange."""
        if self._relay:
            self._relay.cancel()
            await asyncio.gather(self._relay, return_exceptions=True)
            self._relay = None
            if self._store is not None and self._outbox:
                rows, self._outbox = self._outbox, []
                await self._store.write(self._store.add_events, self.process, rows)

    def publish(self, event: Event) -> None:
        """Tell everyone. Never blocks: a subscriber that does not read loses the oldest events."""
        self._deliver(event)
        if self._store is not None and event.kind not in LOCAL:
            self._outbox.append(event)

    @contextmanager
    def subscribe(self) -> Iterator["Subscription"]:
        """Every event from here to the end of the `with` block, by `async for event in subscription`."""
        subscription = Subscription()
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def mark(self, *kinds: type[Event]) -> Mark:
        """Something that tells, for as long as the bus lives, whether an event of these kinds has happened."""
        mark = Mark(kinds)
        self._subscriptions.add(mark)
        return mark

    def _deliver(self, event: Event) -> None:
        for subscription in self._subscriptions:
            subscription.put(event)

    async def _exchange(self, store: "Store", seen: int) -> None:
        failing = False
        while True:
            try:
                await self._send(store)
                seen = await self._receive(store, seen)
            except StoreError as error:
                if not failing:
                    log.warning("Events for other processes wait: %s", error)
                failing = True
            else:
                failing = False
            await asyncio.sleep(RELAY_SECONDS)

    async def _send(self, store: "Store") -> None:
        if self._outbox:
            rows, self._outbox = _latest(self._outbox), []
            try:
                await store.write(store.add_events, self.process, rows)
            except StoreError:
                self._outbox = [*rows, *self._outbox][-QUEUE_LIMIT:]
                raise

    async def _receive(self, store: "Store", seen: int) -> int:
        for row in await store.read(store.events_after, seen):
            seen = row.id
            if row.process != self.process and (event := decode(row.kind, row.payload)):
                self._deliver(event)
        return seen


def _latest(events: list[Event]) -> list[Event]:
    """The events in order, of each job's progress only the last."""
    last = {event.job: event for event in events if isinstance(event, JobProgress)}
    return [event for event in events if not isinstance(event, JobProgress) or last[event.job] is event]
