"""Keeps registrations true: gives what landed, tries again what waits, and sees what providers list no longer."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from modelshelf.errors import ModelshelfError
from modelshelf.events import EventBus, LibraryChanged, ProviderChanged
from modelshelf.library.types import InstalledModel
from modelshelf.providers.offers import Listed
from modelshelf.providers.pulse import ANSWERED
from modelshelf.providers.rows import BUILTIN
from modelshelf.providers.taking import Taker, Way
from modelshelf.registration.goods import unfit
from modelshelf.registration.registrar import Registrar
from modelshelf.registration.types import Registration, Status

if TYPE_CHECKING:
    from modelshelf.library import ModelLibrary
    from modelshelf.providers import HealthMonitor, ProviderRegistry

log = logging.getLogger(__name__)

LOOK_SECONDS = 30.0
SEEN = frozenset({Status.REGISTERED, Status.TO_START, Status.GONE})
NOT_LISTED = "{name} does not list it any more."


class RegistrationKeeper:
    """Works in the process that leads; in the others it only waits to lead."""

    name = "registration"

    def __init__(
        self,
        service: Registrar,
        events: EventBus,
        library: "ModelLibrary",
        providers: "ProviderRegistry",
        health: "HealthMonitor",
    ) -> None:
        self._service, self._events, self._library = service, events, library
        self._providers, self._health = providers, health
        self._tasks: list[asyncio.Task[None]] = []
        self._repos: set[str] = set()
        self._wake = asyncio.Event()

    async def start(self) -> None:
        """Begin to follow; nothing is waited for."""
        self._wake.set()
        self._tasks = [
            asyncio.create_task(self._listen(), name="registration.listen"),
            asyncio.create_task(self._watch(), name="registration.watch"),
        ]

    async def stop(self) -> None:
        """Let go: what is half done is finished by the next process."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        with suppress(ModelshelfError):
            await self._service.release()

    async def _listen(self) -> None:
        with self._events.subscribe() as events:
            async for event in events:
                if isinstance(event, LibraryChanged):
                    self._repos.add(event.repo)
                    self._wake.set()
                elif isinstance(event, ProviderChanged):
                    self._wake.set()

    async def _watch(self) -> None:
        while True:
            self._wake.clear()
            if self._health.leading:
                try:
                    await self._round()
                except ModelshelfError as error:
                    log.warning("registrations are not looked after: %s", error)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._wake.wait()

    async def _round(self) -> None:
        repos, self._repos = self._repos, set()
        for item in await self._service.left_behind():
            await self._service.retry(item)
        if repos:
            await self._follow_library(repos)
        await self._follow_providers()

    async def _follow_library(self, repos: set[str]) -> None:
        """New models are given; those that went without us leave registrations that lead nowhere."""
        models = [model for model in await self._library.models() if model.repo in repos]
        for model in models:
            if model.managed and not unfit(model):
                await self._service.settle(model)
        for repo in repos:
            for item in await self._service.of_repo(repo):
                if not _holds(models, item):
                    await self._file_gone(item)

    async def _file_gone(self, item: Registration) -> None:
        if item.provider == BUILTIN.id or item.status is Status.UNDONE:
            await self._service.forget([item])
        elif item.status in SEEN - {Status.GONE} and item.way in {Way.PATH, Way.SYMLINK}:
            told = {
                "error": "Its file is not in the library any more.",
                "remedy": "Take it back, or download it again.",
            }
            await self._service.mark(item, {"status": Status.GONE, **told})

    async def _follow_providers(self) -> None:
        """What waits is done when its provider answers; what it lists, or not, is written down."""
        await self._health.refresh()
        known = {config.id: config for config in await self._providers.list()}
        for item in await self._service.every():
            config = known.get(item.provider)
            if config is None:
                await self._service.forget([item])
            elif item.status is Status.WAITING:
                health = self._health.latest.get(item.provider)
                if config.enabled and health is not None and health.status in ANSWERED:
                    await self._service.retry(item)
            elif item.status in SEEN and config.enabled and (listed := self._health.listed.get(item.provider)):
                await self._compare(item, config.name, listed)

    async def _compare(self, item: Registration, label: str, listed: Listed) -> None:
        """Take in a list that is newer than what we know."""
        if listed.error or (item.updated and listed.at <= item.updated):
            return
        adapter = await self._providers.get(item.provider)
        if not isinstance(adapter, Taker):
            return
        shown = any(adapter.shows(item.name, served) for served in listed.models)
        unlisted = item.status is Status.GONE and item.error == NOT_LISTED.format(name=label)
        if shown and (unlisted or item.status is Status.TO_START):
            await self._service.mark(item, {"status": Status.REGISTERED, "error": "", "remedy": ""})
        elif not shown and item.status is Status.REGISTERED:
            after = Status.TO_START if item.command else Status.GONE
            told = {} if item.command else {"error": NOT_LISTED.format(name=label), "remedy": "Register it again."}
            await self._service.mark(item, {"status": after, **told})


def _holds(models: Sequence[InstalledModel], item: Registration) -> bool:
    """Whether the library has the file that a registration is of."""
    return any(
        model.repo == item.repo
        and model.commit == item.commit
        and (not item.path or any(file.path == item.path for file in model.files))
        for model in models
    )
