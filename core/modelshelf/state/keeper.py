"""Brings events into state: reads what changed from its service, once however many events told of it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from modelshelf.errors import ModelshelfError
from modelshelf.events import (
    CatalogChanged,
    ConflictsChanged,
    Event,
    JobChanged,
    JobProgress,
    LibraryChanged,
    ProfileChanged,
    ProviderChanged,
    ProviderLooked,
    QuarantineChanged,
    RegistrationChanged,
    ServiceChanged,
    SourceChanged,
    StatusChanged,
    StoresChanged,
    SyncAsked,
    SyncChanged,
    SyncStop,
    VerifyProgress,
)
from modelshelf.providers.spec import needs_key
from modelshelf.state.providers import UNSEEN, ProviderState

if TYPE_CHECKING:
    from modelshelf.providers.keys import KeyInfo
    from modelshelf.providers.spec import ProviderConfig
    from modelshelf.shelf import Shelf

log = logging.getLogger(__name__)

# Seconds between readings: when a thousand jobs are paused they are read a few times, not a thousand.
APART = {"jobs": 0.1, "stores": 0.5, "integration": 0.1, "conflicts": 0.5}

OWN = frozenset({"builtin"})  # kinds whose models live in this process


class StateKeeper:
    """The one writer of the shared state."""

    name = "state"

    def __init__(self, shelf: "Shelf") -> None:
        self._shelf = shelf
        self._tasks: list[asyncio.Task[None]] = []
        self._due: dict[str, asyncio.Event] = {}

    async def start(self) -> None:
        """Follow events from now on; the first reading of everything runs in the background."""
        readers: dict[str, Callable[[], Awaitable[None]]] = {
            "jobs": self._read_jobs,
            "library": self._read_library,
            "quarantine": self._read_quarantine,
            "registrations": self._read_registrations,
            "providers": self._read_providers,
            "profiles": self._read_profiles,
            "sources": self._read_sources,
            "catalog": self._read_catalog,
            "stores": self._read_stores,
            "integration": self._read_integration,
            "conflicts": self._read_conflicts,
        }
        for name, read in readers.items():
            self._due[name] = asyncio.Event()
            self._due[name].set()
            self._tasks.append(asyncio.create_task(self._repeat(name, read), name=f"state.{name}"))
        self._tasks.append(asyncio.create_task(self._follow(), name="state.follow"))

    async def stop(self) -> None:
        """Let go."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def _follow(self) -> None:
        with self._shelf.events.subscribe() as events:
            async for event in events:
                if isinstance(event, JobProgress) and (job := self._shelf.downloads_state.find(event.job)):
                    job.advance(event)
                if isinstance(event, ProviderLooked) and (item := self._shelf.providers_state.find(event.provider)):
                    self._take_pulse(item)
                if isinstance(event, VerifyProgress):
                    self._shelf.models_state.check = self._shelf.vetting.checks.state
                if isinstance(event, StoresChanged) and event.total:
                    state = self._shelf.models_state
                    state.comparing = replace(state.comparing, done=event.done, total=event.total)
                if isinstance(event, SyncAsked | SyncChanged | SyncStop):
                    self._take_listing(event)
                for name in _touched(event):
                    self._due[name].set()

    async def _repeat(self, name: str, read: Callable[[], Awaitable[None]]) -> None:
        """Read whenever something made it due; a reading that fails is logged and tried at the next event."""
        while True:
            await self._due[name].wait()
            self._due[name].clear()
            try:
                await read()
            except (ModelshelfError, OSError) as error:
                log.warning("%s could not be read: %s", name, error)
            await asyncio.sleep(APART.get(name, 0))

    async def _read_jobs(self) -> None:
        try:
            downloads = self._shelf.downloads
            jobs, queue, news = await downloads.jobs(), await downloads.queue(1), await downloads.news()
            self._shelf.downloads_state.take(jobs, queue.total, news)
        except ModelshelfError as error:
            self._shelf.downloads_state.error = f"{error} {error.remedy}"
            raise

    async def _read_library(self) -> None:
        state = self._shelf.models_state
        try:
            state.param.update(installed=list(await self._shelf.library.models()), loaded=True, error="")
        except ModelshelfError as error:
            state.param.update(error=f"{error} {error.remedy}", loaded=True)
            raise

    async def _read_quarantine(self) -> None:
        self._shelf.models_state.quarantined = len(await self._shelf.vetting.quarantine.items())

    async def _read_stores(self) -> None:
        """A look at all stores may take a while; a landing that brings several events is one reason for it."""
        found = await self._shelf.adoption.elsewhere()
        self._shelf.models_state.param.update(elsewhere=found, comparing=found.comparing)

    async def _read_registrations(self) -> None:
        self._shelf.models_state.registrations = list(await self._shelf.registration.list())

    async def _read_sources(self) -> None:
        self._shelf.models_state.sources = list(self._shelf.catalog.reports())

    async def _read_catalog(self) -> None:
        found = await self._shelf.catalog.index.status()
        told = {"generation": found.generation, "rows": found.rows, "made": found.made, "loaded": True}
        told["more"] = await self._shelf.catalog_sync.more()
        self._shelf.catalog_state.param.update(**told)

    async def _read_integration(self) -> None:
        state = self._shelf.integration_state
        status, issues = await self._shelf.integration.glance(), list(await self._shelf.troubles.issues())
        if (status, issues) != (state.status, state.issues) or not state.loaded:
            state.param.update(status=status, issues=issues, loaded=True)

    async def _read_conflicts(self) -> None:
        state = self._shelf.integration_state
        conflicts, mended = list(await self._shelf.conflicts.list()), list(await self._shelf.conflicts.mended())
        if (conflicts, mended) != (state.conflicts, state.mended):
            state.param.update(conflicts=conflicts, mended=mended)

    def _take_listing(self, event: SyncAsked | SyncChanged | SyncStop) -> None:
        state = self._shelf.catalog_state
        if isinstance(event, SyncAsked):
            state.begin("asked")
        elif isinstance(event, SyncStop):
            state.stop()
        else:
            state.take(event.status, event.source, event.found, event.error)

    async def _read_profiles(self) -> None:
        state = self._shelf.profiles_state
        try:
            profiles = list(await self._shelf.profiles.list())
            state.param.update(profiles=profiles, loaded=True, error="")
            # To look at the providers may take a while: the profiles themselves need not wait for that.
            state.states = {item.name: item for item in await self._shelf.profiles.states()}
        except ModelshelfError as error:
            state.param.update(error=f"{error} {error.remedy}", loaded=True)
            raise

    async def _read_providers(self) -> None:
        state = self._shelf.providers_state
        try:
            configs = await self._shelf.providers.list()
        except ModelshelfError as error:
            state.error = f"{error} {error.remedy}"
            raise
        known = {item.id: item for item in state.providers}
        states = [known.get(config.id) or ProviderState(id=config.id, kind=config.kind) for config in configs]
        await self._shelf.health.refresh()
        registry = self._shelf.providers
        keys = await registry.keys.survey([(registry.kind(config.kind), config) for config in configs])
        for config, item in zip(configs, states, strict=True):
            self._describe(config, item, keys.get(config.id, ()))
        if states != state.providers or state.error:
            state.param.update(providers=states, error="")
        await asyncio.gather(*(self._read_own_models(item) for item in states if item.enabled and item.kind in OWN))

    def _describe(self, config: "ProviderConfig", item: ProviderState, keys: "Sequence[KeyInfo]") -> None:
        """Everything about a provider in one update; its models are those that were written down, nobody is asked."""
        shelf = self._shelf
        kind, listed = shelf.providers.kind(config.kind), shelf.health.listed.get(config.id)
        told: dict[str, object] = {
            "name": config.name,
            "label": kind.label if kind else config.kind,
            "url": config.url,
            "enabled": config.enabled,
            "abilities": tuple((listed and listed.abilities) or (kind.abilities if kind else ())),
            "missing": dict(listed.missing) if listed else {},
            "load_options": tuple(sorted(kind.load_options)) if kind else (),
            "keys": tuple(keys),
            "lacks_key": needs_key(kind) and not any(key.present for key in keys),
            "health": shelf.health.latest.get(config.id, UNSEEN),
            "pulse": shelf.health.pulse(config.id),
        }
        if listed and config.kind not in OWN:
            told |= {"models": list(listed.models), "error": listed.error, "listed": listed.at}
        item.param.update(**told)

    def _take_pulse(self, item: ProviderState) -> None:
        """Follow a look that changed nothing; the figures of it are worth no more than a drawing now and then."""
        health = self._shelf.health
        found = health.pulse(item.id)
        if found is not item.pulse:
            item.param.update(health=health.latest.get(item.id, UNSEEN), pulse=found)

    async def _read_own_models(self, item: ProviderState) -> None:
        """What is loaded in the built-in engine differs from process to process: each asks its own."""
        try:
            models = list(await self._shelf.providers.models(item.id))
        except ModelshelfError as error:
            item.error = error.message
        else:
            item.param.update(models=models, error="", listed=datetime.now(UTC))


_TOUCHED: Mapping[type[Event], tuple[str, ...]] = {
    JobChanged: ("jobs",),
    LibraryChanged: ("library", "providers", "profiles", "stores", "integration", "conflicts"),
    StoresChanged: ("stores",),
    QuarantineChanged: ("quarantine", "integration"),
    ProviderChanged: ("providers", "profiles", "integration", "conflicts"),
    ProfileChanged: ("profiles", "conflicts"),
    RegistrationChanged: ("registrations", "conflicts"),
    SourceChanged: ("sources", "catalog", "integration"),
    CatalogChanged: ("catalog", "integration"),
    SyncAsked: ("catalog",),
    StatusChanged: ("integration",),
    ConflictsChanged: ("conflicts", "library"),
    ServiceChanged: ("integration",),
}


def _touched(event: Event) -> tuple[str, ...]:
    """Which readings an event makes due."""
    if isinstance(event, StoresChanged) and event.total:
        return ()  # only how far it is
    return _TOUCHED.get(type(event), ())
