"""Makes a provider's configuration out of what a person filled in; what makes no sense is refused."""

import re
from collections.abc import Collection, Iterator, Mapping
from itertools import count
from typing import Any

from yarl import URL

from modelshelf.config import ConfigManager
from modelshelf.errors import UnsafeAddress, UsageError
from modelshelf.network.addresses import is_loopback
from modelshelf.providers.addresses import clean_url
from modelshelf.providers.kinds import Kinds
from modelshelf.providers.spec import Field, FieldKind, ProviderConfig, ProviderFactory

PLAIN_HTTP = "plain_http"
REGISTER = "register"  # when the provider is given models that land
REGISTER_CHOICES = ("automatic", "ask", "never")
_OURS = frozenset({PLAIN_HTTP, "found"})
_ID = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_RESERVED = frozenset({"discover", "export", "import", "integration", "kinds", "order", "try"})  # words of the routes
_TEXT_LIMIT, _NAMES_LIMIT = 500, 5000
_ID_LIMIT = 40
_TYPES: Mapping[FieldKind, type | tuple[type, ...]] = {
    FieldKind.TEXT: str,
    FieldKind.CHOICE: str,
    FieldKind.SWITCH: bool,
    FieldKind.NUMBER: (int, float),
    FieldKind.NAMES: list,
}


class Maker:
    """Checks every part of a configuration; nothing is saved here."""

    def __init__(self, config: ConfigManager, kinds: Kinds) -> None:
        self._config = config
        self._kinds = kinds

    def make(
        self,
        kind: str,
        *,
        url: str = "",
        provider: str = "",
        name: str = "",
        settings: Mapping[str, Any] | None = None,
        taken: Collection[str] = (),
        enabled: bool = True,
    ) -> ProviderConfig:
        """A configuration; without an id it gets its kind's name, numbered if that is `taken`.

        Raises:
            UsageError: no such kind, or an id, name, address or setting that makes no sense.
            UnsafeAddress: an address that no provider may have.
        """
        factory = self._kinds.get(kind)
        chosen = provider or next(name for name in _numbered(kind) if name not in taken)
        if not _ID.fullmatch(chosen) or len(chosen) > _ID_LIMIT or chosen in _RESERVED:
            shown = "".join(character for character in chosen[:60] if character.isprintable())
            raise UsageError(
                f"“{shown}” is no id of a provider.",
                remedy="Use small letters, digits, dots and dashes, 40 at most.",
            )
        if chosen in taken:
            raise UsageError(f"There is a provider “{chosen}” already.", remedy="Choose another name.")
        told = self.settings(factory, settings or {})
        address = self.url(url or factory.default_url, told)
        return ProviderConfig(chosen, kind, self.name(name or factory.label), address, enabled, told)

    def name(self, text: str) -> str:
        """A name in one line."""
        cleaned = " ".join(text.split())
        if not cleaned or len(cleaned) > 100 or not cleaned.isprintable():
            raise UsageError("A provider's name has 1 to 100 characters.", remedy="Choose a short name.")
        return cleaned

    def url(self, url: str, settings: Mapping[str, Any]) -> str:
        """An address in its usual form; ours is refused."""
        if not url:
            return ""
        if len(url) > _TEXT_LIMIT:
            raise UsageError(
                "The address is too long.", remedy=f"Give the base address, {_TEXT_LIMIT} characters at most."
            )
        cleaned = clean_url(url, plain_http=settings.get(PLAIN_HTTP) is True)
        server, address = self._config.config.server, URL(cleaned)
        if address.port == server.port and (is_loopback(address.host or "") or address.host == server.host):
            raise UnsafeAddress("That is the address of this Modelshelf itself.", remedy="Name the provider's port.")
        return cleaned

    def settings(self, factory: ProviderFactory, given: Mapping[str, Any]) -> dict[str, Any]:
        """What was set, each of the form that the kind declares; what is empty is left out."""
        known = {field.key: field for field in factory.fields}
        told: dict[str, Any] = {}
        for key, value in given.items():
            if key in _OURS and isinstance(value, bool):
                told[key] = value
                continue
            if key == REGISTER:
                told |= _policy(value)
                continue
            field = known.get(key)
            if field is None:
                allowed = ", ".join([*known, PLAIN_HTTP])
                raise UsageError(f"{factory.label} has no setting “{key}”.", remedy=f"It has: {allowed}.")
            if value in (None, "", []):
                continue
            told[key] = _checked(field, value)
        return told


def _policy(value: Any) -> dict[str, str]:
    """When it is given models; nothing set leaves that to what it costs."""
    if value in (None, ""):
        return {}
    if value not in REGISTER_CHOICES:
        raise UsageError(f"“{REGISTER}” has a value that makes no sense.", remedy="It is automatic, ask or never.")
    return {REGISTER: str(value)}


def _checked(field: Field, value: Any) -> Any:
    fits = isinstance(value, _TYPES[field.kind]) and (not field.choices or value in field.choices)
    if isinstance(value, str):
        fits = fits and value.isprintable() and len(value) <= _TEXT_LIMIT
    if field.kind is FieldKind.NAMES and fits:
        fits = len(value) <= _NAMES_LIMIT and all(_is_name(name) for name in value)
        value = [name.strip() for name in value if name.strip()] if fits else value
    if not fits:
        raise UsageError(f"“{field.label}” has a value that makes no sense.", remedy=field.help or "Correct it.")
    return value


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and name.isprintable() and len(name) <= _TEXT_LIMIT


def _numbered(kind: str) -> Iterator[str]:
    yield kind
    yield from (f"{kind}-{number}" for number in count(2))
