"""Which providers there are, and the adapters that speak to them."""

import asyncio
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import entry_points
from itertools import count
from typing import Any

from yarl import URL

from modelshelf.access import AccessService, Role, require
from modelshelf.config import ConfigManager
from modelshelf.errors import ModelshelfError, ProviderError, UnsafeAddress, UsageError
from modelshelf.events import EventBus, ProviderChanged
from modelshelf.ids import split_served
from modelshelf.library import ModelLibrary
from modelshelf.network.addresses import is_loopback
from modelshelf.providers import rows
from modelshelf.providers.addresses import clean_url
from modelshelf.providers.boundary import contained
from modelshelf.providers.discovery import Discovered, find_ollama, ollama_url
from modelshelf.providers.spec import (
    Ability,
    Provider,
    ProviderConfig,
    ProviderContext,
    ProviderFactory,
    ServedModel,
    unsupported,
)
from modelshelf.store import Store

log = logging.getLogger(__name__)

GROUP = "modelshelf.providers"
_ID = re.compile(r"^[a-z0-9][a-z0-9_.-]{0,39}$")


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
        self, config: ConfigManager, store: Store, events: EventBus, access: AccessService, library: ModelLibrary
    ) -> None:
        self.access = access
        self._config = config
        self._store = store
        self._events = events
        self._context = ProviderContext(config, library, self._tell)
        self._adapters: dict[str, Provider] = {}
        self._search: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Look for engines on this machine, in the background."""
        self._search = asyncio.create_task(self._join_found(), name="providers.discovery")

    async def stop(self) -> None:
        """Close every adapter and end the engine's children."""
        if self._search:
            self._search.cancel()
            await asyncio.gather(self._search, return_exceptions=True)
        adapters, self._adapters = list(self._adapters.values()), {}
        for outcome in await asyncio.gather(*(item.aclose() for item in adapters), return_exceptions=True):
            if isinstance(outcome, Exception):
                log.warning("a provider did not close cleanly: %s", outcome)

    def kinds(self) -> Mapping[str, ProviderFactory]:
        """What can be added: adapters by the name of their entry point. One that cannot be loaded is left out."""
        return self._kinds

    async def list(self) -> tuple[ProviderConfig, ...]:
        """The providers in their order, the built-in engine first, those switched off included."""
        return await self._store.read(rows.every)

    async def get(self, provider: str) -> Provider:
        """The adapter of a provider.

        Raises:
            NotFound: there is no such provider.
            ProviderError: it is switched off, or nothing here speaks to its kind.
        """
        known = await self.list()
        config = next((item for item in known if item.id == provider), None)
        if config is None:
            raise rows.unknown(provider, known)
        if not config.enabled:
            raise ProviderError(f"{config.name} is switched off.", remedy="Switch it on in LLM Settings.")
        return await self._adapter(config)

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
        self, kind: str, *, url: str = "", provider: str = "", name: str = "", settings: Mapping[str, Any] | None = None
    ) -> ProviderConfig:
        """Add a provider under the id `provider`; without one it gets its kind's name, numbered if that is taken.

        Raises:
            UsageError: no such kind, or an id or address that makes no sense or is taken.
            UnsafeAddress: an address that no provider may have.
        """
        factory = self._factory(kind)
        taken = {item.id for item in await self.list()}
        chosen = provider or next(name for name in _numbered(kind) if name not in taken)
        if not _ID.match(chosen):
            raise UsageError(
                f"“{chosen}” is no id of a provider.", remedy="Use small letters, digits, dots and dashes, 40 at most."
            )
        settings = dict(settings or {})
        config = ProviderConfig(
            chosen, kind, _name(name or factory.label), self._url(url or factory.default_url, settings), True, settings
        )
        await self._store.write(rows.insert, config)
        self._tell(chosen)
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
        changes: dict[str, Any] = {}
        if settings is not None:
            changes["settings"] = dict(settings)
        if name is not None:
            changes["name"] = _name(name)
        if url is not None:
            changes["url"] = self._url(url, settings or {})
        return await self._change(provider, changes)

    @require(Role.ADMIN, "provider.enable")
    async def enable(self, provider: str, enabled: bool = True) -> ProviderConfig:
        """Switch a provider on or off; what it holds in memory is given back when it is switched off."""
        changed = await self._change(provider, {"enabled": enabled})
        if not enabled:
            await self._forget(provider)
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
        await self._forget(provider)
        self._tell(provider)

    @require(Role.OPERATOR, "model.load")
    async def load(self, model: str) -> None:
        """Have `provider/model` brought into memory.

        Raises:
            UsageError, NotFound, Unsupported, Unreachable, ProviderError.
        """
        adapter, name = await self._able(model, Ability.LOAD)
        with contained(adapter.config):
            await adapter.load(name)

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
        known = {item.url for item in await self.list()}
        found = await find_ollama(ollama_url(self._config.environ))
        return [found] if found and found.url not in known else []

    async def _join_found(self) -> None:
        try:
            for item in await self.discover():
                if is_loopback(URL(item.url).host or ""):
                    config = ProviderConfig(
                        item.kind, item.kind, self._factory(item.kind).label, item.url, True, {"found": True}
                    )
                    if await self._store.write(rows.insert_found, config):
                        self._tell(config.id)
        except ModelshelfError as error:
            log.warning("engines on this machine were not looked for: %s", error)

    async def _able(self, model: str, ability: Ability) -> tuple[Provider, str]:
        provider, name = split_served(model)
        adapter = await self.get(provider)
        if ability not in adapter.abilities:
            raise unsupported(adapter.config.name, ability)
        return adapter, name

    async def _offer(self, config: ProviderConfig) -> Offer:
        try:
            with contained(config):
                return Offer(config, await (await self._adapter(config)).models())
        except ModelshelfError as error:
            return Offer(config, error=error)

    async def _adapter(self, config: ProviderConfig) -> Provider:
        held = self._adapters.get(config.id)
        if held is not None and replace(held.config, name=config.name, enabled=config.enabled) == config:
            # Another name is no reason to break answers under way off.
            held.config = config
            return held
        with contained(config):
            made = self._factory(config.kind)(config, self._context)
        self._adapters[config.id] = made
        if held is not None:
            await held.aclose()
        return made

    async def _forget(self, provider: str) -> None:
        if adapter := self._adapters.pop(provider, None):
            await adapter.aclose()

    async def _change(self, provider: str, changes: Mapping[str, Any]) -> ProviderConfig:
        config = await self._store.write(rows.update, provider, changes)
        self._tell(provider)
        return config

    def _factory(self, kind: str) -> ProviderFactory:
        try:
            return self.kinds()[kind]
        except KeyError:
            known = ", ".join(sorted(self.kinds()))
            raise UsageError(f"There is no kind of provider “{kind}”.", remedy=f"Known: {known}.") from None

    def _url(self, url: str, settings: Mapping[str, Any]) -> str:
        if not url:
            return ""
        cleaned = clean_url(url, plain_http=settings.get("plain_http") is True)
        server, address = self._config.config.server, URL(cleaned)
        if address.port == server.port and (is_loopback(address.host or "") or address.host == server.host):
            raise UnsafeAddress("That is the address of this Modelshelf itself.", remedy="Name the provider's port.")
        return cleaned

    def _tell(self, provider: str) -> None:
        self._events.publish(ProviderChanged(provider=provider))

    @cached_property
    def _kinds(self) -> Mapping[str, ProviderFactory]:
        found: dict[str, ProviderFactory] = {}
        for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
            try:
                found[entry.name] = entry.load()
            except (ImportError, AttributeError) as error:
                log.warning("the provider kind %s cannot be loaded: %s", entry.name, error)
        return found


def _name(text: str) -> str:
    cleaned = " ".join(text.split())
    if not cleaned or len(cleaned) > 100 or not cleaned.isprintable():
        raise UsageError("A provider's name has 1 to 100 characters.", remedy="Choose a short name.")
    return cleaned


def _numbered(kind: str) -> Iterator[str]:
    yield kind
    yield from (f"{kind}-{number}" for number in count(2))
