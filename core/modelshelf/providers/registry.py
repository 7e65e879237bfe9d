"""Which providers there are, and the adapters that speak to them."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from yarl import URL

from modelshelf.access import AccessService, Role, require
from modelshelf.config import ConfigManager
from modelshelf.errors import ModelshelfError, ProviderError, UsageError
from modelshelf.events import EventBus, ModelAnswered, ModelLoaded, ProviderChanged
from modelshelf.ids import split_served
from modelshelf.library import ModelLibrary
from modelshelf.network.addresses import is_loopback
from modelshelf.providers import rows
from modelshelf.providers.boundary import contained
from modelshelf.providers.cloud_catalogue import CloudCatalogue
from modelshelf.providers.discovery import PORTS, Discovered, find_engines, find_ollama, ollama_url
from modelshelf.providers.drafts import Drafts
from modelshelf.providers.exchange import Exchange
from modelshelf.providers.held import HeldAdapters
from modelshelf.providers.keys import KeyInfo, ProviderKeys, SecretStore
from modelshelf.providers.kinds import Kinds
from modelshelf.providers.making import Maker
from modelshelf.providers.spec import (
    Ability,
    ChatChunk,
    LoadSettings,
    Provider,
    ProviderConfig,
    ProviderContext,
    ProviderFactory,
    ServedModel,
    check_load_settings,
    needs_key,
    unsupported,
)
from modelshelf.store import Store
from modelshelf.store.tables import ProviderKeyRow
from modelshelf.vault import Secret

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Offer:
    """What one provider offers, or why that is not known."""

    provider: ProviderConfig
    models: Sequence[ServedModel] = ()
    error: ModelshelfError | None = None


class ProviderRegistry:
    """The configured providers. The built-in engine is always there; an Ollama on this machine joins when found."""

    name = "providers"

    def __init__(
        self,
        config: ConfigManager,
        store: Store,
        events: EventBus,
        access: AccessService,
        library: ModelLibrary,
        vault: SecretStore,
    ) -> None:
        self.access = access
        self._config = config
        self._store = store
        self._events = events
        self.cloud = CloudCatalogue(config)
        self._kinds = Kinds(self.cloud)
        self._maker = Maker(config, self._kinds)
        self.keys = ProviderKeys(config, store, access, vault, self.tell)
        context = ProviderContext(config, library, self.tell, self.key, self.load_settings, self.loaded)
        self._held = HeldAdapters(self._kinds, context)
        self.drafts = Drafts(self, self._kinds, self._maker, context)
        self.exchange = Exchange(self, store, self._maker)
        self._search: asyncio.Task[None] | None = None
        self._fresh: asyncio.Task[bool] | None = None

    async def start(self) -> None:
        """Look for engines on this machine, in the background."""
        await self.cloud.start()
        self._search = asyncio.create_task(self._join_found(), name="providers.discovery")

    async def stop(self) -> None:
        """Close every adapter and end the engine's children."""
        for task in (self._search, self._fresh):
            if task:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        await self._held.aclose()
        await self.cloud.stop()

    def kinds(self) -> Mapping[str, ProviderFactory]:
        """The kinds that can be added, by the name of their entry point; cloud services are in `cloud` beside them."""
        return self._kinds.plugged

    async def cloud_kinds(self) -> Mapping[str, ProviderFactory]:
        """The cloud services that can be added by name, beside those of `kinds`; newer facts are fetched meanwhile."""
        if self._fresh is None or self._fresh.done():
            self._fresh = asyncio.create_task(self.cloud.refresh(), name="providers.clouds")
        found = await asyncio.to_thread(self.cloud.kinds)
        return {kind: factory for kind, factory in found.items() if kind not in self._kinds.plugged}

    def kind(self, kind: str) -> ProviderFactory | None:
        """The adapters of a kind, a cloud service by its name included; None if nothing here speaks to it."""
        return self._kinds.find(kind)

    async def key(self, config: ProviderConfig, model: str = "") -> Secret | None:
        """The key of a provider for a model, or for its other routes where `model` is empty."""
        factory = self._kinds.find(config.kind)
        return await self.keys.find(factory, config, model) if factory else None

    async def keys_of(self, provider: str) -> Sequence[KeyInfo]:
        """The keys of a provider, as they may be shown.

        Raises:
            NotFound: there is no such provider.
        """
        config = await self.config(provider)
        factory = self._kinds.find(config.kind)
        return await self.keys.list(factory, config) if factory else ()

    async def add_key(
        self, provider: str, *, secret: Secret | None = None, env: str = "", pattern: str = "*", label: str = ""
    ) -> str:
        """Give a provider another key, for all its models or for those of a pattern; the id of the entry.

        Raises:
            NotFound: there is no such provider.
            UsageError, RoleRequired, VaultError.
        """
        config = await self.config(provider)
        return await self.keys.add(config, secret=secret, env=env, pattern=pattern, label=label)

    async def lacks_key(self, config: ProviderConfig) -> bool:
        """Whether a provider needs a key and has none."""
        factory = self._kinds.find(config.kind)
        if factory is None or not needs_key(factory):
            return False
        return not any(key.present for key in await self.keys.list(factory, config))

    async def list(self) -> tuple[ProviderConfig, ...]:
        """The providers in their order, the built-in engine first, those switched off included."""
        return await self._store.read(rows.every)

    async def get(self, provider: str) -> Provider:
        """The adapter of a provider.

        Raises:
            NotFound: there is no such provider.
            ProviderError: it is switched off, or nothing here speaks to its kind.
        """
        config = await self.config(provider)
        if not config.enabled:
            raise ProviderError(f"{config.name} is switched off.", remedy="Switch it on in LLM Settings.")
        return await self._held.adapter(config)

    async def config(self, provider: str) -> ProviderConfig:
        """The provider of an id.

        Raises:
            NotFound: there is none.
        """
        known = await self.list()
        found = next((item for item in known if item.id == provider), None)
        if found is None:
            raise rows.unknown(provider, known)
        return found

    async def models(self, provider: str | None = None) -> Sequence[ServedModel]:
        """What a provider offers; without a name, what all of them do: those that cannot say are left out.

        Raises:
            NotFound, Unreachable, NotSignedIn, ProviderError: for one named provider only.
        """
        if provider is not None:
            adapter = await self.get(provider)
            with contained(adapter.config):
                return await adapter.models()
        return [model for offer in await self.offers() for model in offer.models]

    async def offers(self) -> Sequence[Offer]:
        """What every provider that is switched on offers, asked at the same time, each with its own error."""
        return await asyncio.gather(*(self._offer(config) for config in await self.list() if config.enabled))

    @require(Role.ADMIN, "provider.add")
    async def add(
        self,
        kind: str,
        *,
        url: str = "",
        provider: str = "",
        name: str = "",
        settings: Mapping[str, Any] | None = None,
        key: ProviderKeyRow | None = None,
    ) -> ProviderConfig:
        """Add a provider under the id `provider`; without one it gets its kind's name, numbered if that is taken.

        `key` is an entry that `keys.prepare` made for it: both are saved, or neither.

        Raises:
            UsageError: no such kind, or an id or address that makes no sense or is taken.
            UnsafeAddress: an address that no provider may have.
        """
        taken = {item.id for item in await self.list()}
        config = self._maker.make(kind, url=url, provider=provider, name=name, settings=settings, taken=taken)
        await self._store.write(rows.insert, config, key)
        self.tell(config.id)
        return config

    @require(Role.ADMIN, "provider.change")
    async def change(
        self,
        provider: str,
        *,
        name: str | None = None,
        url: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> ProviderConfig:
        """Change what is given.

        Raises:
            NotFound: there is no such provider.
            UsageError, UnsafeAddress: as `add`.
        """
        config = await self.config(provider)
        changes: dict[str, Any] = {}
        if settings is not None and (factory := self._kinds.find(config.kind)):
            kept = {"found": True} if config.settings.get("found") else {}
            changes["settings"] = self._maker.settings(factory, settings) | kept
        if name is not None:
            changes["name"] = self._maker.name(name)
        if url is not None and url != config.url:
            if config.kind == rows.BUILTIN.kind:
                raise UsageError("The built-in engine has no address.", remedy="Leave the address out.")
            changes["url"] = self._maker.url(url, changes.get("settings", config.settings))
        return await self._change(provider, changes)

    @require(Role.ADMIN, "provider.enable")
    async def enable(self, provider: str, enabled: bool = True) -> ProviderConfig:
        """Switch a provider on or off; what it holds in memory is given back when it is switched off."""
        changed = await self._change(provider, {"enabled": enabled})
        if not enabled:
            await self._held.forget(provider)
        return changed

    @require(Role.ADMIN, "provider.remove")
    async def remove(self, provider: str) -> None:
        """Remove a provider. One that was found by itself is not found again.

        Raises:
            NotFound: there is no such provider.
            UsageError: it is the built-in engine, which can only be switched off.
        """
        if provider == rows.BUILTIN.id:
            raise UsageError("The built-in engine cannot be removed.", remedy="Switch it off instead.")
        await self._store.write(rows.delete, provider)
        await self.keys.forget(provider)
        await self._held.forget(provider)
        self.tell(provider)

    @require(Role.ADMIN, "provider.order")
    async def reorder(self, providers: Sequence[str]) -> None:
        """Put these providers first, in this order; the others follow as they were, the built-in engine leads.

        Raises:
            NotFound: one of them does not exist.
        """
        await self._store.write(rows.reorder, tuple(providers))
        self.tell(providers[0] if providers else rows.BUILTIN.id)

    async def load_settings(self, provider: str, model: str) -> LoadSettings:
        """How a person wants a model of a provider to be loaded."""
        known = {item.name for item in fields(LoadSettings)}
        told = await self._store.read(rows.load_settings, provider, model)
        return LoadSettings(**{name: value for name, value in told.items() if name in known})

    @require(Role.OPERATOR, "model.settings")
    async def set_load_settings(self, model: str, settings: LoadSettings) -> None:
        """Keep how `provider/model` is to be loaded from now on.

        Raises:
            UsageError: a value makes no sense, or the provider does not heed it.
        """
        adapter, name = await self._able(model, Ability.LOAD)
        self._heeded(adapter.config, settings)
        await self._store.write(rows.set_load_settings, adapter.config.id, name, settings.as_dict())
        self.tell(adapter.config.id)

    @require(Role.OPERATOR, "model.load")
    async def load(self, model: str, settings: LoadSettings | None = None) -> None:
        """Have `provider/model` brought into memory, as `settings` say and else as it was settled for it.

        Raises:
            UsageError, NotFound, Unsupported, Unreachable, ProviderError.
        """
        adapter, name = await self._able(model, Ability.LOAD)
        kept = await self.load_settings(adapter.config.id, name)
        if settings is not None:
            self._heeded(adapter.config, settings)
        with contained(adapter.config):
            await adapter.load(name, settings.over(kept) if settings else kept)

    @require(Role.OPERATOR, "model.unload")
    async def unload(self, model: str) -> None:
        """Have the memory of `provider/model` given back.

        Raises:
            As `load`.
        """
        adapter, name = await self._able(model, Ability.UNLOAD)
        with contained(adapter.config):
            await adapter.unload(name)

    async def discover(self) -> Sequence[Discovered]:
        """The engines that answer on this machine and are not configured yet."""
        known = {URL(item.url).origin() for item in await self.list() if item.url}
        settings = self._config.config
        ports = [port for port in PORTS if port != settings.server.port] if settings.providers.discover else []
        found = await find_engines(ports=ports, urls=[ollama_url(self._config.environ)])
        return [item for item in found if URL(item.url).origin() not in known]

    async def _join_found(self) -> None:
        try:
            item = await find_ollama(ollama_url(self._config.environ))
            if item is not None and is_loopback(URL(item.url).host or ""):
                config = ProviderConfig(
                    item.kind, item.kind, self._kinds.get(item.kind).label, item.url, True, {"found": True}
                )
                if await self._store.write(rows.insert_found, config):
                    self.tell(config.id)
        except ModelshelfError as error:
            log.warning("engines on this machine were not looked for: %s", error)

    async def _able(self, model: str, ability: Ability) -> tuple[Provider, str]:
        provider, name = split_served(model)
        adapter = await self.get(provider)
        if ability not in adapter.abilities:
            raise unsupported(adapter.config.name, ability, adapter.missing.get(ability, ""))
        return adapter, name

    async def _offer(self, config: ProviderConfig) -> Offer:
        try:
            with contained(config):
                return Offer(config, await (await self._held.adapter(config)).models())
        except ModelshelfError as error:
            return Offer(config, error=error)

    def _heeded(self, config: ProviderConfig, settings: LoadSettings) -> None:
        options = self._kinds.get(config.kind).load_options
        if odd := sorted(settings.as_dict().keys() - options):
            known = ", ".join(sorted(options)) or "nothing"
            raise UsageError(f"{config.name} cannot be told {', '.join(odd)}.", remedy=f"It can be told: {known}.")
        check_load_settings(settings)

    async def _change(self, provider: str, changes: Mapping[str, Any]) -> ProviderConfig:
        config = await self._store.write(rows.update, provider, changes)
        self.tell(provider)
        return config

    def answered(self, model: str, end: ChatChunk) -> None:
        """Say how fast `provider/model` answered, for whoever reckons speeds."""
        timings, usage = end.timings or {}, end.usage or {}
        if rate := timings.get("tokens_per_second"):
            written, tokens = usage.get("completion_tokens", 0), usage.get("total_tokens", 0)
            self._events.publish(ModelAnswered(model=model, rate=rate, written=written, tokens=tokens))

    def loaded(self, model: str, seconds: float) -> None:
        """Say how long it took to bring `provider/model` into memory."""
        self._events.publish(ModelLoaded(model=model, seconds=seconds))

    def tell(self, provider: str) -> None:
        """Say that something about a provider is other now."""
        self._events.publish(ProviderChanged(provider=provider))
