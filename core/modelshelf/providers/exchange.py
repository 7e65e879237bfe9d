"""Providers as a text to carry elsewhere: TOML, without any secret; keys are named, where a variable holds them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from modelshelf.access import Role, require
from modelshelf.errors import UsageError
from modelshelf.providers import rows
from modelshelf.providers.keys import check_env
from modelshelf.providers.making import Maker
from modelshelf.providers.spec import ProviderConfig
from modelshelf.store import Store

if TYPE_CHECKING:
    from modelshelf.providers.registry import ProviderRegistry

VERSION = 1
_OURS = frozenset({"found", "removed"})


@dataclass(frozen=True, slots=True)
class Portable:
    """One provider of an export; `key_env` maps patterns of model names to environment variables."""

    config: ProviderConfig
    key_env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, by ids."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    without_key: tuple[str, ...] = ()


def dump(found: Sequence[Portable]) -> str:
    """The text."""
    document: dict[str, Any] = {"version": VERSION, "providers": [_table(item) for item in found]}
    return tomlkit.dumps(document)


def parse(text: str) -> Sequence[Portable]:
    """What a text holds.

    Raises:
        UsageError: it is no export of providers; the sentence names the place.
    """
    try:
        document = tomlkit.parse(text).unwrap()
    except TOMLKitError as error:
        raise UsageError(f"The text is not valid TOML: {error}.", remedy="Import what an export wrote.") from None
    items = document.get("providers")
    if document.get("version") != VERSION or not isinstance(items, list):
        raise UsageError("The text is no export of providers.", remedy="Import what `providers export` wrote.")
    found = [_read(number, item) for number, item in enumerate(items, 1)]
    ids = [item.config.id for item in found]
    if twice := next((id_ for id_ in ids if ids.count(id_) > 1), None):
        raise UsageError(f"The text names the provider “{twice}” twice.", remedy="Leave one of them out.")
    return found


def _table(item: Portable) -> dict[str, Any]:
    config = item.config
    told: dict[str, Any] = {"id": config.id, "kind": config.kind, "name": config.name, "url": config.url}
    settings = {name: value for name, value in config.settings.items() if name not in _OURS and value is not None}
    extra = {"enabled": config.enabled} if not config.enabled else {}
    return told | extra | ({"settings": settings} if settings else {}) | (
        {"key_env": dict(item.key_env)} if item.key_env else {}
    )  # fmt: skip


def _read(number: int, item: Any) -> Portable:
    shape = {"id": str, "kind": str, "name": str, "url": str, "enabled": bool, "settings": dict, "key_env": dict}
    where = f"Provider {number} of the text"
    if not isinstance(item, dict) or not {"id", "kind"} <= item.keys():
        raise UsageError(f"{where} has no id or no kind.", remedy="Import what `providers export` wrote.")
    for name, value in item.items():
        if name not in shape or not isinstance(value, shape[name]):
            raise UsageError(f"{where} has a “{name}” that makes no sense.", remedy="Mend it, or leave it out.")
    for name in item.get("key_env", {}).values():
        check_env(str(name))
    told: dict[str, Any] = {"name": item["id"], **item}
    told.pop("key_env", None)
    config = ProviderConfig(**told)
    return Portable(config, {str(pattern): str(name) for pattern, name in item.get("key_env", {}).items()})


class Exchange:
    """Takes providers out and in."""

    def __init__(self, registry: "ProviderRegistry", store: Store, maker: Maker) -> None:
        self.access = registry.access
        self._registry = registry
        self._store = store
        self._maker = maker

    async def export(self) -> str:
        """The providers as TOML, without secrets: of keys only the environment variables that hold them."""
        keys = self._registry.keys
        configs = [item for item in await self._registry.list() if item != rows.BUILTIN]
        return dump([Portable(item, await keys.names(item.id)) for item in configs])

    @require(Role.ADMIN, "provider.import")
    async def import_(self, text: str) -> Imported:
        """Add the providers of an export; one of an id that is known is changed. All of it or nothing.

        Raises:
            UsageError, UnsafeAddress: the text or something in it makes no sense; nothing was changed.
        """
        found = parse(text)
        known = {config.id: config for config in await self._registry.list()}
        configs = [self._checked(item.config, known.get(item.config.id)) for item in found]
        added = await self._store.write(rows.merge, configs)
        for item in found:
            for pattern, env in item.key_env.items():
                await self._registry.add_key(item.config.id, env=env, pattern=pattern)
        for config in configs:
            self._registry.tell(config.id)
        changed = tuple(config.id for config in configs if config.id not in added)
        bare = [config.id for config in configs if await self._registry.lacks_key(config)]
        return Imported(tuple(added), changed, tuple(bare))

    def _checked(self, config: ProviderConfig, known: ProviderConfig | None) -> ProviderConfig:
        if known is not None and known.kind != config.kind:
            raise UsageError(
                f"The provider “{known.id}” is here of the kind {known.kind}, not {config.kind}.",
                remedy="Give it another id in the text, or remove the one that is here.",
            )
        if config.kind == rows.BUILTIN.kind and (config.id != rows.BUILTIN.id or config.url):
            raise UsageError("There is one built-in engine, and it has no address.", remedy="Leave it out of the text.")
        return self._maker.make(
            config.kind,
            url=config.url,
            provider=config.id,
            name=config.name,
            settings=config.settings,
            enabled=config.enabled,
        )
