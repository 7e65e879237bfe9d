"""Brings the catalogue up to date: by itself in the process that leads a home, or when somebody asks."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from modelshelf.access import AccessService, Role, require
from modelshelf.catalog import holdings as kept
from modelshelf.catalog.builder import Built, build
from modelshelf.catalog.failures import unwritten
from modelshelf.catalog.holdings import Holdings, SourceState
from modelshelf.catalog.source import Enumerated, Listed, Source, TakesAddresses, Whole
from modelshelf.catalog.sources.tokens import hub_endpoint
from modelshelf.catalog.sync import stopping
from modelshelf.catalog.sync.more import More, more
from modelshelf.catalog.sync.rounds import Round
from modelshelf.config import ConfigManager
from modelshelf.errors import ConfigError, ModelshelfError, NotFound, StoreError, UsageError
from modelshelf.events import (
    CatalogChanged,
    EventBus,
    SourceChanged,
    SyncAsked,
    SyncChanged,
    SyncStop,
)

if TYPE_CHECKING:
    from modelshelf.catalog.service import CatalogService
    from modelshelf.catalog.stock import Taken

log = logging.getLogger(__name__)

FIRST_SECONDS = 20.0  # a page that has just been opened has better things to do
LOOK_SECONDS = 60.0
LEADER_SECONDS = 2.0
REST_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class SourceProgress:
    """How a source is known: status is never | partly | whole | off, or, while it is listed, asking | waiting.

    `models` were found when it was last gone through, `found` so far in the crawl under way; `full` is when the last
    whole crawl began, `asked` when news was last asked for; `error` is why the last round failed.
    """

    source: str
    status: str
    models: int = 0
    found: int = 0
    full: datetime | None = None
    asked: datetime | None = None
    error: str = ""


class CatalogSync:
    """Lists sources and has generations built. `leads` tells whether this process may: one of a home does."""

    name = "catalog sync"

    def __init__(
        self,
        config: ConfigManager,
        events: EventBus,
        access: AccessService,
        catalog: "CatalogService",
        leads: Callable[[], bool],
        *,
        backoff: float = 1.0,
    ) -> None:
        self.access = access
        self._config = config
        self._events = events
        self._catalog = catalog
        self._leads = leads
        self._backoff = backoff
        self._folder = config.paths.catalog
        self._tasks: list[asyncio.Task[None]] = []
        self._turn = asyncio.Lock()
        self._wanted: bool | None = None  # somebody asked; True: for all from the first model
        self._wake = asyncio.Event()
        self._broken = asyncio.Event()  # what is in use cannot be read
        self._rest_until = 0.0
        self._errors: dict[str, str] = {}
        self._doing: dict[str, str] = {}

    async def start(self) -> None:
        """Begin to look after the catalogue, some seconds from now; what there is already is warmed up."""
        self._tasks = [
            asyncio.create_task(self._watch(), name="catalog.sync"),
            asyncio.create_task(self._listen(), name="catalog.listen"),
            asyncio.create_task(self._warm(), name="catalog.warm"),
        ]

    async def stop(self) -> None:
        """Stop where it is; what was listed is kept."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    @require(Role.OPERATOR, "catalog.sync")
    async def now(self, *, full: bool = False) -> Built | None:
        """Bring the catalogue up to date; None if another process leads, which is asked to do it.

        `full` goes through every source from its first model on, else news is asked for where that is enough.

        Raises:
            NotEnoughDisk, StoreError: no new generation could be made; the one in use stays.
            ModelshelfError: no source could be listed, and there is nothing to make a catalogue of.
        """
        lock = FileLock(self._config.paths.leader, thread_local=False)
        if not self._leads():
            try:
                await asyncio.to_thread(lock.acquire, blocking=False)
            except Timeout:
                self._events.publish(SyncAsked(full=full))
                return None
        try:
            return await self._round(full=full)
        finally:
            await asyncio.to_thread(lock.release)

    @require(Role.OPERATOR, "catalog.stop")
    async def halt(self) -> bool:
        """Have listing stop, here or in another process; False if nobody lists. The next round goes on from there."""
        if self._leads() or self._turn.locked():
            found = self._turn.locked() or self._wanted is not None
        else:
            found = await asyncio.to_thread(_is_held, self._config.paths.leader)
        if found:
            self._events.publish(SyncStop())
        return found

    @require(Role.OPERATOR, "catalog.list_all")
    async def list_all(self) -> None:
        """Keep all models of hubs from now on, not the most downloaded alone; the process that leads begins at once.

        Raises:
            ConfigError: the settings cannot be changed.
        """
        config = await asyncio.to_thread(self._config.set, "catalog.sync", "all")
        if config.catalog.sync != "all":
            raise ConfigError(
                "Not all models are listed: a variable of the environment sets catalog.sync.",
                remedy="Set MODELSHELF_CATALOG__SYNC to all, or take it away.",
            )
        self._events.publish(SyncAsked())

    async def more(self) -> More | None:
        """What the first hub of which the most downloaded alone are kept has beyond them; None for nothing."""
        setting = self._config.config.catalog
        if setting.sync != "top" or self._metered:
            return None
        settings = {one.name: one for one in self._catalog.registry.settings}
        for source in self._sources():
            if isinstance(source, Listed) and not isinstance(source, Whole):
                state = await asyncio.to_thread(Holdings(self._folder, source.name).state)
                own = settings[source.name]
                address = "" if own.owner else hub_endpoint(own, self._config)  # an organisation has fewer
                if found := more(state, source.label, source.name, address, setting.requests_per_minute):
                    return found
        return None

    @require(Role.OPERATOR, "catalog.import")
    async def take(self, file: Path, source: str = "") -> "tuple[Taken, Built]":
        """Let a Parquet file be all that is known of a source, and make a catalogue of it.

        Without a source it is the first hub that is configured. Columns are those of `modelshelf.catalog.stock.SCHEMA`,
        of which only `id` must be there.

        Raises:
            UsageError: it cannot be read as models; the catalogue in use stays.
            NotEnoughDisk, StoreError: no new generation could be made; the one in use stays.
        """
        name = source or self._first_hub()
        if not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
            raise UsageError(f"“{name[:60]}” cannot be a source's name.", remedy="Use letters, digits and ._-.")
        if not await asyncio.to_thread(file.is_file):
            raise NotFound(f"There is no file {file}.", remedy="Name a Parquet file.")
        async with self._turn:
            known = Holdings(self._folder, name)
            before = await asyncio.to_thread(known.state)
            try:
                taken = await asyncio.to_thread(known.take, file, datetime.now(UTC), before.origin)
            except OSError as error:
                raise unwritten(error) from error
            try:
                built = await self._build()
            except ModelshelfError as error:
                await asyncio.to_thread(known.save, before)
                self._tell("", "failed", error=error.message)
                raise
            self._tell("", "done", built.rows)
            await asyncio.to_thread(known.tidy)
        return taken, built

    async def progress(self) -> tuple[SourceProgress, ...]:
        """How every source is known, in the order in which they are asked."""
        names = [settings.name for settings in self._catalog.registry.settings]
        names += [name for name in await asyncio.to_thread(kept.sources, self._folder) if name not in names]
        return tuple([await asyncio.to_thread(self._progress, name) for name in names])

    def _progress(self, name: str) -> SourceProgress:
        state = Holdings(self._folder, name).state()
        disabled = {settings.name for settings in self._catalog.registry.settings if not settings.enabled}
        status = "whole" if state.full else "partly" if state.top or state.topped or state.crawled else "never"
        return SourceProgress(
            name,
            "off" if name in disabled else self._doing.get(name, status),
            state.models,
            state.found if state.crawling else state.top_found,
            datetime.fromisoformat(state.full) if state.full else None,
            datetime.fromisoformat(state.asked) if state.asked else None,
            self._errors.get(name, ""),
        )

    async def _round(self, *, full: bool) -> Built:
        """Every source once, one after another; a source that fails keeps no other from being listed."""
        async with self._turn:
            with self._events.subscribe() as events:
                stop = asyncio.create_task(stopping.wanted(events), name="catalog.stop")
                try:
                    failures = await self._each(stop, full=full)
                    return await self._ended(failures, stopped=stop.done())
                finally:
                    stop.cancel()

    async def _each(self, stop: stopping.Stop, *, full: bool) -> list[ModelshelfError]:
        """List sources until all are, or somebody wants to stop; the errors of those that could not be."""
        failures: list[ModelshelfError] = []
        for source in self._sources():
            if stop.done():
                break
            try:
                whole = await stopping.unless(stop, self._list(source, full=full))
            except ModelshelfError as error:
                failures.append(error)
                self._tell(source.name, "failed", error=error.message)
            else:
                self._tell(source.name, "done" if whole else "stopped")
                self._errors.pop(source.name, None)
        return failures

    async def _ended(self, failures: Sequence[ModelshelfError], *, stopped: bool) -> Built:
        """Put in use what has come."""
        if stopped:  # it is not begun again before it would be due anyway
            self._rest_until = asyncio.get_running_loop().time() + self._config.config.catalog.sync_hours * 3600
        try:
            built = await self._build()
        except NotFound:
            if not stopped:
                raise (failures[0] if failures else NotFound("There is no source to list.", remedy=_ADD)) from None
            built = Built("", 0)
        self._tell("", "stopped" if stopped else "done", built.rows)
        return built

    async def _list(self, source: Source, *, full: bool) -> None:
        known = Holdings(self._folder, source.name)
        endpoint = self._catalog.registry.endpoint(source.name)
        state = await asyncio.to_thread(known.state)
        if state.origin not in {"", endpoint}:
            await asyncio.to_thread(known.forget)  # another hub under the same name has other models
            state = SourceState()
        await asyncio.to_thread(known.save, replace(state, origin=endpoint))

        def tell(status: str, found: int = 0, error: str = "") -> None:
            self._tell(source.name, status, found, error)

        setting = self._config.config.catalog
        going = Round(source, known, setting.requests_per_minute, tell, self._partly, backoff=self._backoff)
        try:
            await going.run(full=full, top_only=setting.sync == "top" or self._metered)
        except ModelshelfError:
            raise
        except OSError as error:
            raise unwritten(error) from error
        await asyncio.to_thread(known.tidy)

    @property
    def _metered(self) -> bool:
        return self._config.config.downloads.metered != "no"

    async def _partly(self) -> None:
        """Put what has come so far in use, while the rest is listed."""
        with suppress(NotFound):
            await self._build()

    async def _anew(self) -> None:
        """Put what is known in use, apart from any round."""
        async with self._turn:
            with suppress(NotFound):
                built = await self._build()
                self._tell("", "done", built.rows)

    async def _build(self) -> Built:
        files = await asyncio.to_thread(self._files)
        if not files:
            raise NotFound("There is nothing to make a catalogue of.", remedy=_ADD)
        self._tell("", "building")
        built = await build(self._folder, files)
        self._events.publish(CatalogChanged(generation=built.generation, rows=built.rows))
        return built

    def _files(self) -> dict[str, list[Path]]:
        """What each source that is not switched off said, in the order of the settings."""
        settings = self._catalog.registry.settings
        names = [one.name for one in settings if one.enabled]
        configured = {one.name for one in settings}
        names += [name for name in kept.sources(self._folder) if name not in configured]
        found = {name: Holdings(self._folder, name).files() for name in names}
        return {name: files for name, files in found.items() if files}

    def _sources(self) -> Sequence[Source]:
        registry = self._catalog.registry
        every = [source for source in registry.all().values() if not (source.remote and registry.offline)]
        return [one for one in every if isinstance(one, Enumerated) or not isinstance(one, TakesAddresses)]

    def _first_hub(self) -> str:
        hubs = [one.name for one in self._catalog.registry.settings if one.kind == "huggingface"]
        return hubs[0] if hubs else "import"

    def _tell(self, source: str, status: str, found: int = 0, error: str = "") -> None:
        if status in {"asking", "waiting"}:
            self._doing[source] = status
        else:
            self._doing.pop(source, None)
        if status == "failed":
            self._errors[source] = error
            log.warning("listing %s failed: %s", source, error)
        self._events.publish(SyncChanged(source=source, status=status, found=found, error=error))

    async def _warm(self) -> None:
        try:
            await self._catalog.index.warm()
        except NotFound:
            pass
        except (StoreError, LookupError, ValueError) as error:  # whatever columns come to that are no columns
            log.warning("the catalogue cannot be read and is made anew: %s", error)
            self._broken.set()

    async def _watch(self) -> None:
        await _until(self._broken, FIRST_SECONDS)
        while True:
            try:
                if self._leads():
                    await self._look_after()
            except ModelshelfError as error:
                log.warning("the catalogue was not brought up to date: %s", error)
                self._tell("", "failed", error=error.message)
            # Who leads a home may not be known yet.
            await _until(self._wake, LEADER_SECONDS if self._broken.is_set() else LOOK_SECONDS)
            self._wake.clear()

    async def _look_after(self) -> None:
        """Do what somebody asked for, or what is due; after a failure the hubs are left alone for a while."""
        now = asyncio.get_running_loop().time()
        if self._broken.is_set():  # what sources said is still there
            self._broken.clear()
            await self._anew()
        if self._wanted is not None:
            await asyncio.to_thread(self._config.load)  # another process may have changed what is to be kept
        if self._wanted is not None or (now > self._rest_until and await self._due()):
            full, self._wanted = bool(self._wanted), None
            await self._round(full=full)
            if self._errors:
                self._rest_until = max(self._rest_until, asyncio.get_running_loop().time() + REST_SECONDS)
        elif await self._other_sources():
            await self._anew()

    async def _other_sources(self) -> bool:
        """Whether sources were switched on or off, added or removed since the catalogue was made."""
        status, files = await self._catalog.index.status(), await asyncio.to_thread(self._files)
        return bool(status.generation and files) and status.sources != tuple(files)

    async def _due(self) -> bool:
        """Whether some hub has not been asked for longer than the settings say."""
        setting = self._config.config.catalog
        if setting.sync == "off":
            return False
        oldest = datetime.now(UTC) - timedelta(hours=setting.sync_hours)
        hubs = [source.name for source in self._sources() if isinstance(source, Listed | Whole)]
        states = [await asyncio.to_thread(self._progress, name) for name in hubs]
        return any(one.asked is None or one.asked < oldest or (one.found and not one.error) for one in states)

    async def _listen(self) -> None:
        with self._events.subscribe() as events:
            async for event in events:
                if isinstance(event, SyncAsked):
                    self._wanted = event.full or bool(self._wanted)
                    self._wake.set()
                elif isinstance(event, SyncStop) and self._leads() and not self._turn.locked():
                    self._wanted = None
                    self._tell("", "stopped")
                elif isinstance(event, SourceChanged):
                    self._wake.set()


async def _until(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, at most so long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _is_held(path: Path) -> bool:
    """Whether another process leads. For threads."""
    lock = FileLock(path, thread_local=False)
    try:
        with lock.acquire(blocking=False):
            return False
    except Timeout:
        return True


_ADD = "Add a source: modelshelf sources add NAME --kind huggingface --url https://…"
