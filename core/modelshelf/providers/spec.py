"""The door for providers: whatever implements `Provider` and is named in the entry points `modelshelf.providers`."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from modelshelf.errors import Unsupported

if TYPE_CHECKING:
    from modelshelf.config import ConfigManager
    from modelshelf.library import ModelLibrary


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
class ServedModel:
    """A model as a provider offers it. `loaded` is None where the provider does not say."""

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
    """What to ask. `extra` goes to the provider as it is."""

    messages: tuple[ChatMessage, ...]
    max_tokens: int | None = 512
    temperature: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChatChunk:
    """A piece of an answer. The last one carries `finish`, `usage` and `timings`.

    usage: prompt_tokens, completion_tokens, total_tokens. timings: seconds_to_first_token, tokens_per_second.
    """

    text: str = ""
    finish: str | None = None
    usage: Mapping[str, int] | None = None
    timings: Mapping[str, float] | None = None


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


@dataclass(frozen=True, slots=True)
class ProviderContext:
    """What every adapter may use. `changed(id)` tells that a provider's models are others now, or loaded or not."""

    config: "ConfigManager"
    library: "ModelLibrary"
    changed: Callable[[str], None] = field(default=lambda _: None)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a pull or an upload is: `total` in bytes, None while it is not known."""

    status: str
    done: int = 0
    total: int | None = None


class Provider(Protocol):
    """Something that serves models. Methods behind an ability that is not declared raise `Unsupported`."""

    kind: ClassVar[str]
    label: ClassVar[str]
    default_url: ClassVar[str]
    abilities: ClassVar[frozenset[Ability]]
    config: ProviderConfig

    async def health(self) -> Health:
        """One look; never raises for a provider that is down."""
        ...

    async def models(self) -> Sequence[ServedModel]:
        """What it offers.

        Raises:
            Unreachable, NotSignedIn, ProviderError.
        """
        ...

    def chat(self, model: str, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        """Stream an answer; closing the generator stops the provider's work."""
        ...

    async def load(self, model: str) -> None:
        """Bring a model into memory."""
        ...

    async def unload(self, model: str) -> None:
        """Give its memory back."""
        ...

    async def aclose(self) -> None:
        """Let go of connections and children."""
        ...


class ProviderFactory(Protocol):
    """What an entry point names."""

    kind: str
    label: str
    default_url: str
    abilities: frozenset[Ability]

    def __call__(self, config: ProviderConfig, context: ProviderContext) -> Provider:
        """An adapter for one configured provider."""
        ...


class Pulls(Protocol):
    """A provider with `Ability.PULL`."""

    def pull(self, model: str) -> AsyncGenerator[Progress, None]:
        """Have it fetch a model by its own name for it; closing the generator stops that."""
        ...


class Registers(Protocol):
    """A provider with `Ability.REGISTER_UPLOAD`."""

    def register(self, file: Path, name: str) -> AsyncGenerator[Progress, None]:
        """Give it a copy of a file, to serve under a name."""
        ...


class Deletes(Protocol):
    """A provider with `Ability.DELETE`."""

    async def delete(self, model: str) -> None:
        """Have it forget a model and free its disk."""
        ...


def unsupported(provider: str, ability: Ability) -> Unsupported:
    """The error of a method behind an ability that is not declared."""
    return Unsupported(f"{provider} cannot {ability.value}.")
