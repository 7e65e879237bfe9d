"""The door for providers: whatever implements `Provider` and is named in the entry points `modelshelf.providers`."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from modelshelf.errors import Unsupported, UsageError

if TYPE_CHECKING:
    from modelshelf.config import ConfigManager
    from modelshelf.library import ModelLibrary
    from modelshelf.vault import Secret


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
class Price:
    """US dollars per million tokens; None where it is not known."""

    input: float | None = None
    output: float | None = None


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """How a model is brought into memory; None leaves it to the provider.

    `context` in tokens; `kv` is f16, q8_0 or q4_0; `gpu_layers` counts layers, -1 for all; `idle_seconds` until it is
    unloaded by itself, 0 for never. A provider heeds those that its `load_options` names.
    """

    context: int | None = None
    kv: str | None = None
    gpu_layers: int | None = None
    slots: int | None = None
    flash_attention: bool | None = None
    idle_seconds: int | None = None

    def over(self, other: "LoadSettings") -> "LoadSettings":
        """These settings, and the other's where these leave something open."""
        mine = {item.name: getattr(self, item.name) for item in fields(self)}
        return replace(other, **{name: value for name, value in mine.items() if value is not None})

    def as_dict(self) -> dict[str, Any]:
        """What is set, ready for JSON."""
        told = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value for name, value in told.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Embeddings:
    """A vector for each text, in their order."""

    vectors: tuple[tuple[float, ...], ...]
    model: str
    provider: str
    usage: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model as a provider offers it. `loaded` is None where the provider does not say.

    `size` and `memory` in bytes, `context` and `max_output` in tokens. `abilities` are words such as chat, embed,
    tools, vision, reasoning. `retires` is the day after which the provider no longer serves it; `deprecated` says that
    it should no longer be chosen. `instances` are the provider's own names for what is in memory.
    """

    provider: str
    name: str
    size: int | None = None
    context: int | None = None
    quantisation: str | None = None
    architecture: str | None = None
    repo: str | None = None
    commit: str | None = None
    loaded: bool | None = None
    memory: int | None = None
    abilities: tuple[str, ...] = ()
    title: str = ""
    max_output: int | None = None
    price: Price | None = None
    deprecated: bool = False
    retires: date | None = None
    instances: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """`provider/name`."""
        return f"{self.provider}/{self.name}"


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One turn: role is system | user | assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What to ask. `stop` are texts that end the answer; `extra` goes to the provider as it is."""

    messages: tuple[ChatMessage, ...]
    max_tokens: int | None = 512
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChatChunk:
    """A piece of an answer. The last one carries `finish`, `usage` and `timings`.

    usage: prompt_tokens, completion_tokens, total_tokens. timings: seconds_to_first_token, tokens_per_second.
    `model` is the `provider/name` that answers, where the shelf was asked.
    """

    text: str = ""
    finish: str | None = None
    usage: Mapping[str, int] | None = None
    timings: Mapping[str, float] | None = None
    model: str = ""


@dataclass(frozen=True, slots=True)
class ChatReply:
    """A whole answer."""

    text: str
    model: str
    provider: str
    usage: Mapping[str, int]
    timings: Mapping[str, float]
    finish: str | None = None

    def __str__(self) -> str:
        return self.text


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


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a pull or an upload is: `total` in bytes, None while it is not known."""

    status: str
    done: int = 0
    total: int | None = None


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


def check_load_settings(settings: LoadSettings) -> None:
    """Refuse what makes no sense on any engine.

    Raises:
        UsageError: names the setting and what is allowed.
    """
    ranges = {
        "context": (256, 1 << 24), "gpu_layers": (-1, 1000), "slots": (1, 256), "idle_seconds": (0, 30 * 86_400),
    }  # fmt: skip
    for name, (least, most) in ranges.items():
        value = getattr(settings, name)
        if value is not None and not least <= value <= most:
            raise UsageError(f"{name} = {value} is not allowed.", remedy=f"Choose from {least} to {most:,}.")
    if settings.kv not in {None, "f16", "q8_0", "q4_0"}:
        raise UsageError(f"kv = “{settings.kv}” is not allowed.", remedy="Choose f16, q8_0 or q4_0.")


def needs_key(factory: ProviderFactory | None) -> bool:
    """Whether a provider of this kind answers nothing without a key."""
    return factory is not None and factory.key_use is KeyUse.REQUIRED


def unsupported(provider: str, ability: Ability, why: str = "") -> Unsupported:
    """The error of a method behind an ability that is not declared."""
    return Unsupported(f"{provider} cannot {ability.value}.{' ' + why if why else ''}")
