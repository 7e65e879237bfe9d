"""The shelf: opens, starts and stops every service, in order, and holds them for all four faces."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Collection, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, Unpack

from modelshelf.access import AccessService, Role, require
from modelshelf.adoption import AdoptionService
from modelshelf.catalog import CatalogService
from modelshelf.catalog.manager import SourceManager
from modelshelf.catalog.sources.signin import HuggingFaceSignIn
from modelshelf.catalog.sync.service import CatalogSync
from modelshelf.catalog.types import RepoCard
from modelshelf.compat import CompatibilityService
from modelshelf.compat.types import RECOMMENDED_FROM
from modelshelf.config import PREFIX, ConfigManager
from modelshelf.discovery import DiscoveryService
from modelshelf.downloads import DownloadManager
from modelshelf.errors import ConfigError, ModelshelfError, NotFound
from modelshelf.events import EventBus, ServiceChanged
from modelshelf.hooks.service import HookService
from modelshelf.imports import ImportService
from modelshelf.integration.advice import Adviser
from modelshelf.integration.bulk import BulkService
from modelshelf.integration.conflicts import ConflictService
from modelshelf.integration.issues import Troubles
from modelshelf.integration.status import IntegrationService
from modelshelf.integration.support import Support
from modelshelf.integration.testing import SelfTest
from modelshelf.library import ModelLibrary
from modelshelf.metadata import MetadataService
from modelshelf.providers import (
    ChatChunk,
    ChatMessage,
    ChatReply,
    ChatRequest,
    HealthMonitor,
    ProviderRegistry,
    asking,
)
from modelshelf.providers.profile_spec import Limits
from modelshelf.providers.profiles import MARK, ProfileManager
from modelshelf.registration import RegistrationKeeper, RegistrationService
from modelshelf.state import (
    CatalogState,
    DownloadsState,
    IntegrationState,
    ModelsState,
    ProfilesState,
    ProvidersState,
    StateKeeper,
)
from modelshelf.store import Store
from modelshelf.sync import BundleService, SyncService
from modelshelf.updates import UpdateService
from modelshelf.vault import Vault
from modelshelf.vetting import VettingService

log = logging.getLogger(__name__)


class Service(Protocol):
    """What the shelf starts and stops."""

    name: str

    async def start(self) -> None:
        """Begin to work; raise a ModelshelfError with its remedy if that cannot be."""
        ...

    async def stop(self) -> None:
        """End, leaving nothing half done."""
        ...


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """How a service is: status is stopped | running | failed; `error`, `remedy` and `failure` belong to failed."""

    name: str
    status: str
    error: str = ""
    remedy: str = ""
    failure: ModelshelfError | None = field(default=None, repr=False, compare=False)  # with what caused it


class Shelf:
    """Everything Modelshelf can do. Open it by `async with open_shelf() as shelf`.

    A service that cannot start is shown as failed in `services`, with its remedy; the others run.
    """

    def __init__(self, config: ConfigManager) -> None:
        self.config = config
        paths = config.paths
        self.store = Store.at(paths.database)
        self.events = EventBus(self.store)
        self.access = AccessService(self.store)
        self.vault = Vault(config, self.store, self.access)
        self.hooks = HookService(config, self.store, self.events, self.access, self.vault)
        self.catalog = CatalogService(config, self.store, self.events, self.vault)
        self.sources = SourceManager(config, self.vault, self.events, self.access, self.catalog)
        self.huggingface = HuggingFaceSignIn(config, self.vault, self.events)
        self.metadata = MetadataService(config, self.catalog, self.store)
        self.vetting = VettingService(config, self.store, self.events, self.access, self.catalog, self.hooks)
        self.library = ModelLibrary(config, self.store, self.events, self.access, self.vetting, hooks=self.hooks)
        self.imports = ImportService(config, self.access, self.library, self.vetting)
        self.providers = ProviderRegistry(config, self.store, self.events, self.access, self.library, self.vault)
        self.health = HealthMonitor(config, self.store, self.events, self.providers)
        self.profiles = ProfileManager(self.store, self.events, self.access, self.providers, self.health)
        self.compatibility = CompatibilityService(
            config, self.store, self.events, self.catalog, self.metadata, self.library, self.providers, self.health,
            self.configure,
        )  # fmt: skip
        self.downloads = DownloadManager(
            config, self.store, self.events, self.access, self.catalog, self.library, self.vetting, hooks=self.hooks
        )
        self.adoption = AdoptionService(
            config, self.store, self.events, self.access, self.library, self.imports, lambda: self.health.leading
        )
        self.library.holders = self.adoption.holders
        self.registration = RegistrationService(
            self.store, self.events, self.access, self.library, self.metadata, self.providers, self.compatibility,
            self.profiles, self.hooks,
        )  # fmt: skip
        self.library.lent = self.registration
        self.downloads.copying = self.registration.copies
        self.downloads.worker.landed = self.imports.landed = self.registration.landed
        self.updates = UpdateService(self.events, self.access, self.catalog, self.library, self.downloads)
        self.sync = SyncService(self.access, self.library, self.downloads)
        self.bundles = BundleService(self.access, self.library, self.downloads, self.vetting, self.sync)
        self.catalog.checks.update(
            installed=lambda card: self.library.has(card.repo),
            fits=lambda card: bool(self.compatibility.quick(card).score),
            recommended=lambda card: (self.compatibility.quick(card).score or 0) >= RECOMMENDED_FROM,
        )
        self.catalog.checks.provider = self._fits_provider
        self.catalog.index.installed = self._installed
        self.catalog.index.ranks = self.compatibility.ranks
        self.catalog_sync = CatalogSync(config, self.events, self.access, self.catalog, lambda: self.health.leading)
        self.discovery = DiscoveryService(self.store, self.catalog.index, self.library, self.catalog_sync)
        self.integration = IntegrationService(
            self.events, self.catalog, self.library, self.providers, self.health, self.compatibility
        )
        self.troubles = Troubles(
            lambda: self.services.values(),
            self.integration, self.catalog, self.library, self.vetting, self.providers, self.health,
        )  # fmt: skip
        self.conflicts = ConflictService(
            config, self.store, self.events, self.access, self.library, self.providers, self.health, self.profiles,
            self.registration,
        )  # fmt: skip
        self.bulk = BulkService(self.library, self.updates, self.registration)
        adviser = Adviser(self.catalog, self.library, self.providers, self.profiles, self.compatibility)
        self.selftest = SelfTest(config, self.access, self.providers, self.health, adviser)
        self.support = Support(self)
        self.models_state = ModelsState()
        self.catalog_state = CatalogState()
        self.providers_state = ProvidersState()
        self.profiles_state = ProfilesState()
        self.downloads_state = DownloadsState()
        self.integration_state = IntegrationState()
        self._keeper = StateKeeper(self)
        self._order: tuple[Service, ...] = (
            self.store,
            self.events,
            self.access,
            self.vault,
            self.hooks,
            self.catalog,
            self.metadata,
            self.vetting,
            self.library,
            self.providers,
            self.health,
            self.compatibility,
            RegistrationKeeper(self.registration, self.events, self.library, self.providers, self.health),
            self.downloads.worker,
            self.bundles.errands,
            self.catalog_sync,
            self.adoption,
            self._keeper,
        )
        self.services: Mapping[str, ServiceStatus] = {s.name: ServiceStatus(s.name, "stopped") for s in self._order}

    async def start(self, without: Collection[str] = ()) -> None:
        """Start every service in order, but those named in `without`; one that fails is marked and left out."""
        for service in self._order:
            if service.name in without:
                continue
            try:
                await service.start()
            except ModelshelfError as error:
                log.warning("%s did not start: %s", service.name, error)
                failure = error.with_traceback(None)
                self._mark(ServiceStatus(service.name, "failed", error.message, error.remedy, failure))
            except Exception as error:  # a service's defect is shown as its state; the others start
                log.exception("%s did not start", service.name)
                self._mark(ServiceStatus(service.name, "failed", f"{service.name} did not start: {error}."))
            else:
                self._mark(ServiceStatus(service.name, "running"))

    async def stop(self) -> None:
        """Stop what runs, last started first; one that fails to stop does not keep the others."""
        for service in reversed(self._order):
            if self.services[service.name].status == "running":
                try:
                    await service.stop()
                except Exception:  # whatever it is, the others must still be stopped
                    log.exception("%s did not stop cleanly", service.name)
                self._mark(ServiceStatus(service.name, "stopped"))

    @require(Role.OPERATOR, "service.restart")
    async def restart(self, service: str) -> ServiceStatus:
        """Start a service again that failed.

        Raises:
            NotFound: there is no such service.
            ModelshelfError: it failed again, for this reason.
        """
        found = next((one for one in self._order if one.name == service), None)
        if found is None:
            raise NotFound(f"There is no service “{service}”.", remedy="`modelshelf status` names them.")
        if self.services[service].status == "failed":
            await found.start()
            self._mark(ServiceStatus(service, "running"))
        return self.services[service]

    async def chat(self, model: str, prompt: str | Sequence[ChatMessage], **limits: Unpack[Limits]) -> ChatReply:
        """Ask `provider/model`, or the profile `@name`, and wait for the whole answer, which names who gave it.

        `max_tokens` (512 where nothing else is said, None for no limit) and `temperature` go before a profile's own.

        Raises:
            UsageError, NotFound, Unreachable, ProviderError.
        """
        return await asking.whole(self.chat_stream(model, prompt, **limits))

    async def chat_stream(
        self, model: str, prompt: str | Sequence[ChatMessage], **limits: Unpack[Limits]
    ) -> AsyncGenerator[ChatChunk, None]:
        """As `chat`, piece by piece, each with the model it comes from; closing the generator stops the provider."""
        if model.startswith(MARK):
            chunks = self.profiles.chat_stream(model, prompt, **limits)
        else:
            messages = (ChatMessage("user", prompt),) if isinstance(prompt, str) else tuple(prompt)
            chunks = asking.stream(self.providers, [model], ChatRequest(messages, **limits))
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    @require(Role.ADMIN, "settings.change")
    async def configure(self, key: str, value: Any) -> None:
        """Change one setting, `section.name`, for everybody who uses this home.

        Raises:
            ConfigError: no such setting, the value is not allowed, or the environment says otherwise.
        """
        if key == "hooks.use":
            raise ConfigError(
                "Which hooks are loaded is not changed from here: they are programs that run on this machine.",
                remedy=f"Who owns the account writes them into {self.config.file}.",
            )
        await asyncio.to_thread(self.config.set, key, value)
        if (kept := self.config.get(key)) != value:
            raise ConfigError(
                f"{key} stays {kept}: a variable of the environment says so.",
                remedy=f"Start Modelshelf without {PREFIX}{key.upper().replace('.', '__')}; the new value is kept.",
            )

    def dashboard(self) -> Any:
        """The page as a Panel object for a notebook cell, or to serve."""
        return import_module("modelshelf_dashboard").Dashboard(self)

    def __repr__(self) -> str:
        running = sum(status.status == "running" for status in self.services.values())
        return f"<Shelf in {self.config.home}, {running} of {len(self.services)} services running>"

    async def _installed(self) -> frozenset[str]:
        """The repositories of which some commit is whole."""
        return frozenset(model.repo for model in await self.library.models() if model.complete)

    def _fits_provider(self, provider: str) -> Callable[[RepoCard], bool] | None:
        """Whether a model does well with one provider; None for one that runs no models on this machine."""
        if provider not in self.compatibility.here:
            return None
        return lambda card: bool(self.compatibility.quick(card, provider).score)

    def _mark(self, status: ServiceStatus) -> None:
        self.services = {**self.services, status.name: status}
        self.events.publish(ServiceChanged(service=status.name, status=status.status))


class Opening(AbstractAsyncContextManager["Shelf"]):
    """A shelf about to be opened: by `async with`, which closes it too, or by `await`, which leaves that to `stop`."""

    def __init__(self, home: Path | None, config: ConfigManager | None, without: Collection[str]) -> None:
        self._home = home
        self._config = config
        self._without = without
        self._shelf: Shelf | None = None

    def __await__(self) -> Generator[Any, None, Shelf]:
        return self.__aenter__().__await__()

    async def __aenter__(self) -> Shelf:
        shelf = Shelf(self._config or ConfigManager(self._home))
        try:
            await shelf.start(self._without)
            self._shelf = shelf
        finally:
            if self._shelf is None:  # cancelled half way
                await shelf.stop()
        return shelf

    async def __aexit__(self, *_: object) -> None:
        if self._shelf:
            await self._shelf.stop()


def open_shelf(
    home: Path | str | None = None, *, config: ConfigManager | None = None, without: Collection[str] = ()
) -> Opening:
    """Open the shelf in `home` (by default MODELSHELF_HOME or the platform's data folder).

    `async with open_shelf() as shelf` closes it at the end; in a notebook, `shelf = await open_shelf()` keeps it open
    until `await shelf.stop()`. `without` names services to leave out: a short command has no use for those that work
    in the background.

    Raises:
        ConfigError: when opening: the settings cannot be read or hold a value that is not allowed.
    """
    return Opening(Path(home) if home else None, config, without)
