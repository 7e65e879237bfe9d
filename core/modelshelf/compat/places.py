"""Where models can run or be served: the configured providers as compatibility sees them."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from modelshelf.compat import answers
from modelshelf.compat.asking import Asking
from modelshelf.compat.clouds import Elsewhere, judge_served
from modelshelf.compat.engines import Engine, engine, on_this, on_thought_of
from modelshelf.compat.fit import BUILTIN, required
from modelshelf.compat.machine import Machine
from modelshelf.compat.placement import with_free
from modelshelf.compat.subjects import Subject
from modelshelf.compat.types import Compatibility, Settings
from modelshelf.errors import ModelshelfError, NotFound, UsageError
from modelshelf.ids import ModelId
from modelshelf.providers.spec import HealthStatus, ProviderConfig

if TYPE_CHECKING:
    from modelshelf.config import ConfigManager
    from modelshelf.providers import HealthMonitor, ProviderRegistry
    from modelshelf.providers.spec import LoadSettings, ServedModel


class Places:
    """The providers as of the last `refresh`, with what they were last seen to offer."""

    def __init__(self, config: "ConfigManager", providers: "ProviderRegistry", health: "HealthMonitor") -> None:
        self._config, self._providers, self._health = config, providers, health
        self._configs: dict[str, ProviderConfig] = {}
        self._own: Sequence[ServedModel] = ()
        self._asked: dict[str, Sequence[ServedModel]] = {}

    @property
    def names(self) -> Mapping[str, str]:
        """The names of the providers, by id."""
        return {id_: config.name for id_, config in self._configs.items()}

    @property
    def enabled(self) -> Sequence[str]:
        """The ids of those that are switched on."""
        return [id_ for id_, config in self._configs.items() if config.enabled]

    @property
    def here(self) -> Sequence[str]:
        """The ids of those that run models on this machine and are switched on."""
        return [id_ for id_ in self.enabled if self.runs_here(self._configs[id_])]

    async def refresh(self) -> None:
        """Look at what is configured now."""
        self._configs = {config.id: config for config in await self._providers.list()}
        self._own = await self._providers.models(BUILTIN) if BUILTIN in self._configs else ()
        await self._health.refresh()

    async def know(self, providers: Iterable[str]) -> None:
        """Ask those, all at once, that nobody asked yet; what one does not say now is said by its health."""
        new = [id_ for id_ in providers if id_ in self._configs and self.served_by(id_) is None]
        for id_, models in zip(new, await asyncio.gather(*map(self._ask, new)), strict=True):
            self._asked[id_] = models

    def config(self, provider: str) -> ProviderConfig:
        """A provider; the kind of an engine stands for one that is not configured yet.

        Raises:
            NotFound: there is none of that name.
        """
        if provider not in self._configs and (runs := engine(provider)) is not None:
            return ProviderConfig(provider, provider, runs.label, enabled=False)
        if provider not in self._configs:
            known = ", ".join(self._configs)
            raise NotFound(f"There is no provider {provider}.", remedy=f"Configured are: {known}.")
        return self._configs[provider]

    def others(self, provider: str) -> Sequence[str]:
        """Those that could be used instead: switched on, not known to be down, and nobody need be asked for that."""
        down = {HealthStatus.DOWN, HealthStatus.REFUSED}
        return [
            other
            for other in self.enabled
            if other != provider
            and (self.runs_here(self._configs[other]) or self.served_by(other) is not None)
            and not ((seen := self._health.latest.get(other)) and seen.status in down)
        ]

    def runs_here(self, config: ProviderConfig) -> bool:
        """Whether it runs models in the memory of this machine."""
        return engine(config.kind) is not None and _is_here(config)

    def served_by(self, provider: str) -> "Sequence[ServedModel] | None":
        """What a provider offered when it was last asked; None if it never was."""
        if provider == BUILTIN:
            return self._own
        listed = self._health.listed.get(provider)
        return listed.models if listed else self._asked.get(provider)

    def offered(self, provider: str, subject: Subject) -> "ServedModel | None":
        """A subject as a provider offers it."""
        if subject.served is not None and subject.served.provider == provider:
            return subject.served
        names = {name.lower() for name in subject.names}
        for one in self.served_by(provider) or ():
            # A short name alone says nothing: two servers may call quite different models the same.
            if one.id.lower() in names or (one.repo or "").lower() in names:
                return one
            if "/" in one.name and one.name.lower() in names:
                return one
        return None

    def name_of(self, provider: str, model: str) -> str:
        """The name by which a provider offers a model, whatever name that was asked by; empty if it does not."""
        try:
            repo = ModelId.parse(model).repo
        except UsageError:
            repo = ""
        for one in self.served_by(provider) or ():
            if model in {one.id, one.name} or (repo and (one.repo or "").lower() == repo.lower()):
                return one.name
        return ""

    def quick(self, provider: str, machine: Machine, seen: Callable[[str, Machine], Machine]) -> Asking | None:
        """How a provider here would be asked, without waiting; None if it runs nothing here.

        `seen(kind, machine)` is the machine as an engine sees it.
        """
        config = self._configs.get(provider)
        kind = config.kind if config else provider
        runs = engine(kind)
        if runs is None or (config and not _is_here(config)):
            return None
        label, here = config.name if config else provider, seen(kind, machine)
        return Asking(provider, label, on_this(runs, here), here, self._settings(), refused=self._refused())

    async def asking(
        self,
        config: ProviderConfig,
        machine: Machine,
        settings: Settings | None,
        subject: Subject,
        present: bool = True,
    ) -> Asking:
        """How a provider would be asked to run a subject; `present`: on this machine as it is now.

        Raises:
            UsageError: it runs no files.
        """
        runs: Engine | None = engine(config.kind)
        if runs is None:
            raise UsageError(
                f"{config.name} runs no files of this machine.", remedy="Choose an engine on this machine."
            )
        offered = self.offered(config.id, subject)
        asked = settings or await self.settings(config, subject)
        runs = on_this(runs, machine) if present else on_thought_of(runs, machine)
        held = self._held(config.id, offered) if present else {}
        if present and offered is not None and offered.loaded:
            # Its own memory is not in its way: it would be given back before it is loaded anew.
            machine = with_free(machine, offered.memory or offered.size or 0, cards=runs.gpus)
        must = required(settings)
        return Asking(config.id, config.name, runs, machine, asked, must, refused=self._refused(), held=held)

    async def settings(self, config: ProviderConfig, subject: Subject) -> Settings:
        """How a provider loads a subject: as settled for it, else as configured for all."""
        offered = self.offered(config.id, subject)
        return self._settings(await self._providers.load_settings(config.id, offered.name) if offered else None)

    def elsewhere(
        self,
        config: ProviderConfig,
        subject: Subject,
        settings: Settings | None,
        needs: frozenset[str],
        wants: frozenset[str],
        rate: float | None,
    ) -> Compatibility:
        """What another machine makes of a subject: no score where it does not serve it."""
        offered = self.offered(config.id, subject)
        if offered is None:
            return self._not_served(config, subject)
        health = self._health.latest.get(config.id)
        asked = Elsewhere(
            offered, config.name, settings or self._settings(), required(settings), needs, wants, health, rate
        )
        return judge_served(asked, model=subject.model, provider=config.id)

    def _not_served(self, config: ProviderConfig, subject: Subject) -> Compatibility:
        known = self._providers.cloud.models(config.kind) if subject.names else {}
        named = next((name for name in known if name.lower() in {item.lower() for item in subject.names}), None)
        if named is not None and self.served_by(config.id):
            return answers.not_for_this_key(subject.model, config.id, config.name, named)
        return answers.elsewhere(subject.model, config.id, config.name)

    async def _ask(self, provider: str) -> "Sequence[ServedModel]":
        try:
            return await self._providers.models(provider)
        except ModelshelfError:
            return ()

    def _held(self, provider: str, offered: "ServedModel | None") -> Mapping[str, int]:
        found = self.served_by(provider) or ()
        return {
            one.id: count
            for one in found
            if one.loaded and one is not offered and (count := one.memory or one.size or 0)
        }

    def _settings(self, kept: "LoadSettings | None" = None) -> Settings:
        chosen = self._config.config.engine
        settings = Settings(context=chosen.context, slots=chosen.slots, kv=chosen.kv)
        if kept is None:
            return settings
        told = {name: value for name, value in kept.as_dict().items() if name in _SHARED and value is not None}
        if told.get("gpu_layers") == -1:
            told["gpu_layers"] = None
        return replace(settings, **told)

    def _refused(self) -> frozenset[str]:
        return frozenset(name.lower() for name in self._config.config.compatibility.refused_licences)


_SHARED = frozenset({"context", "kv", "gpu_layers", "slots", "flash_attention"})


def _is_here(config: ProviderConfig) -> bool:
    """Whether the provider runs on this machine, by its address."""
    host = urlsplit(config.url).hostname if config.url else "localhost"
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False
