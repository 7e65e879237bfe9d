"""The sources in force: made from the settings through the entry points `modelshelf.sources`."""

import logging
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from modelshelf.catalog.source import Source, SourceFactory, WantsSecrets
from modelshelf.config import ConfigManager, SourceConfig
from modelshelf.errors import ModelshelfError, NotFound, UsageError

if TYPE_CHECKING:
    from modelshelf.vault import Vault

log = logging.getLogger(__name__)

GROUP = "modelshelf.sources"
BUILT_IN = {
    "modelscope": SourceConfig(name="modelscope", kind="modelscope", label="ModelScope"),
    "ollama": SourceConfig(name="ollama", kind="ollama", label="Ollama's registry"),
    "web": SourceConfig(name="web", kind="web", label="Web address"),
}
"""Sources that are there by name without being configured; no search asks them."""


class SourceRegistry:
    """Follows the settings: a source that was changed is made anew when it is next asked for."""

    def __init__(self, config: ConfigManager, secrets: "Vault | None" = None) -> None:
        self._config = config
        self._secrets = secrets
        self._seen: object = None
        self._sources: dict[str, tuple[SourceConfig, Source]] = {}
        self._built_in: dict[str, tuple[SourceConfig, Source]] = {}
        self._broken: dict[str, ModelshelfError] = {}
        self._retired: list[Source] = []

    @property
    def settings(self) -> Sequence[SourceConfig]:
        """Every configured source, in order."""
        return self._config.config.sources

    @property
    def offline(self) -> bool:
        """Whether remote sources must not be asked."""
        asked = self._config.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")
        return asked or self._config.config.network.offline

    @property
    def broken(self) -> Mapping[str, ModelshelfError]:
        """The sources that could not be made, and why."""
        self._sync()
        return self._broken

    def all(self) -> Mapping[str, Source]:
        """The enabled sources that could be made, in order."""
        self._sync()
        return {name: source for name, (_, source) in self._sources.items()}

    def get(self, name: str) -> Source:
        """The source of that name.

        Raises:
            NotFound: there is none, or it is switched off.
            UsageError: it is of a kind that is not installed.
        """
        sources = self.all()
        if name in self._broken:
            raise self._broken[name]
        if name not in sources and name in BUILT_IN and all(settings.name != name for settings in self.settings):
            return self._ours(name)
        if name not in sources:
            known = ", ".join(sources) or "none"
            raise NotFound(f"There is no source “{name}” in use.", remedy=f"Sources in use: {known}.")
        return sources[name]

    def endpoint(self, name: str) -> str:
        """What tells apart two sources that had the same name at different times."""
        settings = (self._sources.get(name) or self._built_in[name])[0]
        return f"{settings.kind}|{settings.url or self._config.environ.get('HF_ENDPOINT', '')}|{settings.token_env}"

    async def aclose(self, *, everything: bool = False) -> None:
        """Close the sources that are no longer in force, or all."""
        if everything:
            self._retired += [source for _, source in self._sources.values()]
            self._retired += [source for _, source in self._built_in.values()]
            self._sources, self._built_in, self._seen = {}, {}, None
        retired, self._retired = self._retired, []
        for source in retired:
            await source.aclose()

    def _sync(self) -> None:
        config = self._config.config
        if self._seen is config:
            return
        before, self._sources, self._broken = self._sources, {}, {}
        same_network = getattr(self._seen, "network", None) == config.network
        if not same_network:
            self._retired += [source for _, source in self._built_in.values()]
            self._built_in = {}
        self._seen = config
        for settings in config.sources:
            if not settings.enabled or settings.name in self._sources:
                continue
            kept = before.get(settings.name)
            if kept and kept[0] == settings and same_network:
                self._sources[settings.name] = before.pop(settings.name)
            else:
                self._make(settings)
        self._retired += [source for _, source in before.values()]

    def _make(self, settings: SourceConfig) -> None:
        try:
            self._sources[settings.name] = settings, self._made(settings)
        except ModelshelfError as error:
            self._broken[settings.name] = error

    def _made(self, settings: SourceConfig) -> Source:
        factory: SourceFactory = _factory(settings.kind)
        made = factory(settings, self._config)
        if self._secrets is not None and isinstance(made, WantsSecrets):
            made.use_secrets(self._secrets)
        return made

    def _ours(self, name: str) -> Source:
        if name not in self._built_in:
            self._built_in[name] = BUILT_IN[name], self._made(BUILT_IN[name])
        return self._built_in[name][1]


def kinds() -> Sequence[str]:
    """The kinds of sources that are installed, by name."""
    return sorted(_entries())


@cache
def _entries() -> Mapping[str, EntryPoint]:
    """Looking through all installed packages takes some 20 ms in the event loop: once in a process is enough."""
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _factory(kind: str) -> SourceFactory:
    found = _entries()
    if kind not in found:
        raise UsageError(f"There is no kind of source “{kind}”.", remedy=f"Known kinds: {', '.join(sorted(found))}.")
    try:
        factory: SourceFactory = found[kind].load()
    except (ImportError, AttributeError) as error:
        log.warning("the kind of source %s cannot be loaded: %s", kind, error)
        raise UsageError(
            f"The kind of source “{kind}” cannot be loaded: {error}.", remedy="Install its package again."
        ) from error
    return factory
