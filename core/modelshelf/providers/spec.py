"""The door for providers: whatever implements `Provider` and is named in the entry points `modelshelf.providers`."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from modelshelf.errors import Unsupported
from modelshelf.providers.chats import ChatChunk, ChatMessage, ChatReply, ChatRequest, Embeddings, Progress
from modelshelf.providers.served import LoadSettings, Price, ServedModel, check_load_settings

if TYPE_CHECKING:
    from modelshelf.config import ConfigManager
    from modelshelf.library import ModelLibrary
    from modelshelf.vault import Secret


__all__ = [
    "MODELS_FIELD",
    "Ability",
    "ChatChunk",
    "ChatMessage",
    "ChatReply",
    "ChatRequest",
    "Embeddings",
    "Field",
    "FieldKind",
    "Health",
    "HealthStatus",
    "KeyUse",
    "LoadSettings",
    "Price",
    "Progress",
    "Provider",
    "ProviderConfig",
    "ProviderContext",
    "ProviderFactory",
    "ServedModel",
    "check_load_settings",
    "needs_key",
    "no_key",
    "no_settings",
    "unsupported",
]


class Ability(StrEnum):
    """What a provider can be asked to do."""

    LIST = "list"
    DETAIL = "detail"
    HEALTH = "health"
    LOADED = "loaded"
    LOAD = "load"
    UNLOAD = "unload"
    PULL = "pull"
    REGISTER_PATH = "register by path"
    REGISTER_LINK = "register by link"
    REGISTER_UPLOAD = "register by upload"
    DELETE = "delete"
    CHAT = "chat"
    EMBED = "embed"
    ESTIMATE = "estimate"


class KeyUse(StrEnum):
    """Whether a provider wants a key."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


class FieldKind(StrEnum):
    """How a setting of a provider is asked for."""

    TEXT = "text"
    NUMBER = "number"
    SWITCH = "switch"
    CHOICE = "choice"
    NAMES = "names"  # a list of model names typed by hand


@dataclass(frozen=True, slots=True)
class Field:
    """A setting of a kind of provider beside address and key: what the dialog asks for and the registry keeps."""

    key: str
    label: str
    kind: FieldKind = FieldKind.TEXT
    help: str = ""
    default: Any = None
    choices: tuple[str, ...] = ()


MODELS_FIELD = Field(
    "models",
    "Models by name",
    FieldKind.NAMES,
    "For a provider that lists none of its models: their names, one a line.",
)


class HealthStatus(StrEnum):
    """How a provider is."""

    WELL = "well"
    SLOW = "slow"
    DOWN = "down"
    REFUSED = "refused"  # it answers, but not to us: key or permission
    UNKNOWN = "unknown"  # not looked at yet


@dataclass(frozen=True, slots=True)
class Health:
    """One look at a provider."""

    status: HealthStatus
    at: datetime
    latency_ms: float | None = None
    detail: str = ""
    remedy: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """A configured provider, as the registry keeps it."""

    id: str
    kind: str
    name: str
    url: str = ""
    enabled: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)


async def no_key(_config: ProviderConfig, _model: str) -> "Secret | None":
    """For a provider that needs none."""
    return None


async def no_settings(_provider: str, _model: str) -> LoadSettings:
    """All is left to the provider."""
    return LoadSettings()


@dataclass(frozen=True, slots=True)
class ProviderContext:
    """What every adapter may use. `changed(id)` tells that a provider's models are others now, or loaded or not.

    `key(config, model)` finds the key for a model of a provider, or for its other routes where model is empty; None if
    there is none. `load_settings(provider, model)` is how a person wants a model loaded. `loaded(model, seconds)` tells
    that `provider/model` came into memory, and how long that took.
    """

    config: "ConfigManager"
    library: "ModelLibrary"
    changed: Callable[[str], None] = field(default=lambda _: None)
    key: Callable[[ProviderConfig, str], Awaitable["Secret | None"]] = no_key
    load_settings: Callable[[str, str], Awaitable[LoadSettings]] = no_settings
    loaded: Callable[[str, float], None] = field(default=lambda _model, _seconds: None)


class Provider(Protocol):
    """Something that serves models. Methods behind an ability that is not declared raise `Unsupported`.

    `abilities` is what this one can do; its kind's may be more, since versions and modes differ: then `missing` says
    why not. `modelshelf.providers.adapter.Adapter` is a good root for one of your own.
    """

    config: ProviderConfig
    abilities: frozenset[Ability]

    @property
    def missing(self) -> Mapping[Ability, str]:
        """For every ability it has not, a sentence why, and what to do instead where there is something."""
        ...

    async def health(self) -> Health:
        """One look; never raises for a provider that is down."""
        ...

    async def check_key(self) -> str:
        """Ask a route that needs the key; what the provider tells of it (credit, owner), which may be nothing.

        Raises:
            NotSignedIn, NoPermission, NoCredit, RateLimited: what is wrong with the key.
            KeyUnproven: every route that costs nothing is open to all, so that none proves a key.
            Unreachable, ProviderError.
        """
        ...

    async def models(self) -> Sequence[ServedModel]:
        """What it offers.

        Raises:
            Unreachable, NotSignedIn, ProviderError.
        """
        ...

    async def detail(self, model: str) -> Mapping[str, Any]:
        """What the provider tells of a model, in its own words."""
        ...

    def chat(self, model: str, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        """Stream an answer; closing the generator stops the provider's work."""
        ...

    async def ping(self, model: str) -> str:
        """Ask a model for one token, the cheapest proof that a key is good for it; what it said, maybe nothing.

        Raises:
            As `chat`.
        """
        ...

    async def embed(self, model: str, texts: Sequence[str]) -> Embeddings:
        """A vector for each text."""
        ...

    async def load(self, model: str, settings: LoadSettings | None = None) -> None:
        """Bring a model into memory."""
        ...

    async def unload(self, model: str) -> None:
        """Give its memory back."""
        ...

    def pull(self, model: str) -> AsyncGenerator[Progress, None]:
        """Have it fetch a model by its own name for it; closing the generator stops that."""
        ...

    def register(self, file: Path, name: str) -> AsyncGenerator[Progress, None]:
        """Give it a file to serve under a name, by the way that its abilities tell: path, link or upload."""
        ...

    async def delete(self, model: str) -> None:
        """Have it forget a model and free its disk."""
        ...

    async def estimate(self, model: str, settings: LoadSettings | None = None) -> Mapping[str, int]:
        """The bytes that a model would take, by the provider's own reckoning: `total` at least."""
        ...

    async def aclose(self) -> None:
        """Let go of connections and children."""
        ...


class ProviderFactory(Protocol):
    """What an entry point names: usually the adapter's class.

    `about` is one sentence for who chooses a kind. `env_names` are the environment variables that usually hold its
    key; such a key goes to `default_url`'s origin only. `load_options` names the `LoadSettings` that it heeds.
    """

    kind: str
    label: str
    about: str
    default_url: str
    abilities: frozenset[Ability]
    fields: tuple[Field, ...]
    key_use: KeyUse
    env_names: tuple[str, ...]
    load_options: frozenset[str]

    def __call__(self, config: ProviderConfig, context: ProviderContext) -> Provider:
        """An adapter for one configured provider."""
        ...


def needs_key(factory: ProviderFactory | None) -> bool:
    """Whether a provider of this kind answers nothing without a key."""
    return factory is not None and factory.key_use is KeyUse.REQUIRED


def unsupported(provider: str, ability: Ability, why: str = "") -> Unsupported:
    """The error of a method behind an ability that is not declared."""
    return Unsupported(f"{provider} cannot {ability.value}.{' ' + why if why else ''}")
