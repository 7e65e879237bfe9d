"""The sources of a home: listed, added, changed, removed, and given their tokens."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError
from yarl import URL

from modelshelf.access import AccessService, Role, require
from modelshelf.catalog.registry import BUILT_IN, kinds
from modelshelf.catalog.sources.tokens import address_of, hub_endpoint, named_token, secret_name
from modelshelf.catalog.types import SourceReport
from modelshelf.config import ConfigManager, SourceConfig
from modelshelf.errors import ConfigError, NotFound, UnsafeAddress, UsageError
from modelshelf.events import EventBus, SourceChanged
from modelshelf.network.addresses import check_https
from modelshelf.vault import Secret, Vault

if TYPE_CHECKING:
    from modelshelf.catalog.service import CatalogService

_FOLDER = "folder"
_NO_ADDRESS = frozenset({_FOLDER, "samples"})
_NEED_ADDRESS = frozenset({"huggingface"})
_PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """A source as it is configured and how it fared; `token` says where its token is from, empty for none.

    Status is fresh | stale | failed | off, and `named` for one that is there by its name without being configured.
    """

    name: str
    kind: str
    label: str
    url: str
    path: str
    enabled: bool
    status: str
    error: str
    remedy: str
    token: str


class SourceManager:
    """Changes the setting `sources`; what is in force follows it at once."""

    def __init__(
        self, config: ConfigManager, vault: Vault, events: EventBus, access: AccessService, catalog: "CatalogService"
    ) -> None:
        self.access = access
        self._config = config
        self._vault = vault
        self._events = events
        self._catalog = catalog

    @property
    def kinds(self) -> Sequence[str]:
        """What can be added."""
        return kinds()

    async def list(self) -> tuple[SourceEntry, ...]:
        """Every source, in the order in which they are asked; last those that are there by their name alone."""
        reports = {report.source: report for report in self._catalog.reports()}
        saved = {info.name for info in await self._vault.info("source/")}
        configured = self._config.config.sources
        names = {settings.name for settings in configured}
        ours = [settings for name, settings in BUILT_IN.items() if name not in names]
        return tuple(self._entry(settings, reports.get(settings.name), saved) for settings in [*configured, *ours])

    @require(Role.ADMIN, "source.add")
    async def add(
        self,
        name: str,
        kind: str,
        *,
        url: str = "",
        path: str = "",
        label: str = "",
        token_env: str = "",
        owner: str = "",
        hosts: Sequence[str] = (),
    ) -> None:
        """Add a source behind the others. It is not asked yet. `owner` narrows a hub to one organisation.

        Raises:
            UsageError: there is one of that name, no such kind, or an address or folder is missing or wrong.
            ConfigError: the settings cannot be written.
        """
        if any(settings.name == name for settings in self._config.config.sources):
            raise UsageError(f"There is a source “{name}” already.", remedy="Choose another name, or remove that one.")
        if kind not in kinds():
            raise UsageError(f"There is no kind of source “{kind}”.", remedy=f"Choose one of: {', '.join(kinds())}.")
        try:
            settings = SourceConfig(
                name=name,
                kind=kind,
                url=url.strip().rstrip("/"),
                path=path,
                label=label,
                token_env=token_env,
                owner=owner,
                hosts=tuple(hosts),
            )
        except ValidationError:
            raise UsageError(
                f"“{name[:60]}” cannot be a source's name.",
                remedy="Use up to 40 small letters, digits and ._-, a letter or digit first.",
            ) from None
        await asyncio.to_thread(_check, settings)
        await self._save(name, [*self._config.config.sources, settings])

    @require(Role.ADMIN, "source.remove")
    async def remove(self, name: str) -> None:
        """Take a source away, and its saved token; what was downloaded from it stays.

        Raises:
            NotFound: there is no such source.
        """
        self._configured(name)
        with suppress(NotFound):
            await self._vault.delete(f"source/{name}/token")
        await self._save(name, [settings for settings in self._config.config.sources if settings.name != name])

    @require(Role.ADMIN, "source.change")
    async def enable(self, name: str, enabled: bool = True) -> None:
        """Ask a source, or leave it alone.

        Raises:
            NotFound: there is no such source.
        """
        self._configured(name)
        changed = [
            settings.model_copy(update={"enabled": enabled}) if settings.name == name else settings
            for settings in self._config.config.sources
        ]
        await self._save(name, changed)

    @require(Role.ADMIN, "source.token")
    async def save_token(self, name: str, token: Secret) -> None:
        """Keep a token for a source, encrypted, and for its present address only.

        Raises:
            NotFound: there is no such source.
            UsageError: the token makes no sense, or the source has no address that it could belong to.
            VaultError: it cannot be saved.
        """
        settings = self._settings(name)
        if settings.kind in _NO_ADDRESS or (settings.kind == "web" and not settings.url):
            raise UsageError(
                f"{name} has no address that a token could belong to.",
                remedy="Add a source for the host: modelshelf sources add NAME --kind web --url https://host.",
            )
        text = token.reveal().strip()
        if not text.isascii() or not text.isprintable() or " " in text:
            raise UsageError("That is no token.", remedy="Copy the whole token, without quotes or spaces.")
        await self._vault.put(secret_name(settings), Secret(text), bound_to=address_of(settings, self._config))
        self._events.publish(SourceChanged(source=name))

    @require(Role.ADMIN, "source.token")
    async def forget_token(self, name: str) -> None:
        """Forget the saved token of a source.

        Raises:
            NotFound: there is no such source, or no token was saved for it.
        """
        await self._vault.delete(secret_name(self._settings(name)))
        self._events.publish(SourceChanged(source=name))

    def _settings(self, name: str) -> SourceConfig:
        found = next((settings for settings in self._config.config.sources if settings.name == name), None)
        return found or BUILT_IN.get(name) or self._configured(name)

    def _configured(self, name: str) -> SourceConfig:
        sources = self._config.config.sources
        found = next((settings for settings in sources if settings.name == name), None)
        if found is None:
            known = ", ".join(settings.name for settings in sources) or "none"
            raise NotFound(f"There is no source “{name}” in the settings.", remedy=f"Sources there: {known}.")
        return found

    async def _save(self, name: str, sources: Sequence[SourceConfig]) -> None:
        plain = [settings.model_dump(mode="json", exclude_defaults=True) for settings in sources]
        await asyncio.to_thread(self._config.set, "sources", plain)
        kept = [settings.model_dump(mode="json", exclude_defaults=True) for settings in self._config.config.sources]
        if kept != plain:
            raise ConfigError("The sources were not changed: a variable of the environment names them.")
        self._events.publish(SourceChanged(source=name))

    def _entry(self, settings: SourceConfig, report: SourceReport | None, saved: set[str]) -> SourceEntry:
        url = hub_endpoint(settings, self._config) if settings.kind in _NEED_ADDRESS else settings.url
        token = "environment" if named_token(settings, self._config) else ""
        return SourceEntry(
            settings.name,
            settings.kind,
            settings.label or settings.name,
            url,
            settings.path,
            settings.enabled,
            report.status if report else "named",
            report.error if report else "",
            report.remedy if report else "",
            token or ("saved" if secret_name(settings) in saved else ""),
        )


def _check(settings: SourceConfig) -> None:
    """Raises UsageError if an address or a folder is missing or wrong. For threads."""
    if settings.kind == _FOLDER and not (settings.path and Path(settings.path).expanduser().is_dir()):
        raise UsageError(f"{settings.path or 'Nothing'} is no folder.", remedy="Name a folder of models with --path.")
    if settings.kind == _PARQUET and not (settings.url or Path(settings.path or ".").expanduser().is_file()):
        raise UsageError("Where is the Parquet file?", remedy="Give its address with --url, or the file with --path.")
    if settings.kind in _NEED_ADDRESS and not settings.url:
        raise UsageError("A hub needs its address.", remedy="Give it with --url, for example https://hub.example.org.")
    for address in filter(None, [settings.url, *settings.hosts]):
        try:
            url = URL(address)
            check_https(url)
        except (UnsafeAddress, ValueError):
            raise UsageError(
                "The address is not https, or holds a name and password.",
                remedy="Write it as https://host; a token is saved apart.",
            ) from None
        if url.query_string or url.fragment:
            raise UsageError("The address of a source has no “?” or “#”.", remedy="Write it as https://host.")
