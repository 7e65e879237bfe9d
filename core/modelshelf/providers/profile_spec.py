"""Profiles: a name for a model together with how it is asked, and how such a profile is at the moment."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, TypedDict

from modelshelf.providers.spec import ChatMessage, ChatRequest

PURPOSES = ("chat", "coding", "writing", "reasoning", "vision", "embedding")


class Limits(TypedDict, total=False):
    """What a question may say of its own; it goes before what a profile says."""

    max_tokens: int | None
    temperature: float | None


@dataclass(frozen=True, slots=True)
class Parameters:
    """How a model is asked; None leaves it to the provider. `extra` is for the provider alone and goes there as is."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """What is set, ready for JSON and TOML."""
        told = {item.name: getattr(self, item.name) for item in fields(self)}
        told |= {"stop": list(self.stop), "extra": dict(self.extra)}
        return {name: value for name, value in told.items() if value not in (None, [], {})}


PARAMETERS = tuple(item.name for item in fields(Parameters))


@dataclass(frozen=True, slots=True)
class Profile:
    """A model under a name of one's own. `fallbacks` are asked in their order while `model` cannot answer.

    `default` marks the one that is meant where only its purpose is named.
    """

    name: str
    model: str
    purpose: str = "chat"
    parameters: Parameters = Parameters()
    system: str = ""
    fallbacks: tuple[str, ...] = ()
    default: bool = False

    @property
    def candidates(self) -> tuple[str, ...]:
        """The model and its fallbacks."""
        return self.model, *self.fallbacks

    def request(self, messages: Sequence[ChatMessage]) -> ChatRequest:
        """The question as this profile asks it. A system message of the conversation's own goes before its prompt."""
        turns = tuple(messages)
        if self.system and not any(turn.role == "system" for turn in turns):
            turns = (ChatMessage("system", self.system), *turns)
        told = self.parameters
        request = ChatRequest(turns, temperature=told.temperature, top_p=told.top_p, seed=told.seed, stop=told.stop)
        request = replace(request, extra=dict(told.extra))
        return request if told.max_tokens is None else replace(request, max_tokens=told.max_tokens)

    def as_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        told = {item.name: getattr(self, item.name) for item in fields(self)}
        return told | {"parameters": self.parameters.as_dict(), "fallbacks": list(self.fallbacks)}

    def __str__(self) -> str:
        return self.name


class ProfileStatus(StrEnum):
    """Whether a profile can answer."""

    OK = "ok"  # by its own model
    FALLBACK = "fallback"  # by one of its fallbacks
    BROKEN = "broken"


class Cause(StrEnum):
    """What is the matter with a profile's model."""

    NONE = ""
    REMOVED = "removed"  # its provider is
    OFF = "off"  # its provider is
    DOWN = "down"  # its provider does not answer, or refuses us
    MISSING = "missing"
    RETIRED = "retired"
    DEPRECATED = "deprecated"  # it still answers


@dataclass(frozen=True, slots=True)
class ProfileState:
    """How a profile is. `uses` is what would answer, empty if nothing; `nearest` what could stand in for its model."""

    name: str
    status: ProfileStatus
    uses: str
    problem: str = ""
    nearest: tuple[str, ...] = ()
    cause: Cause = Cause.NONE

    def as_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        told = {item.name: getattr(self, item.name) for item in fields(self)}
        return told | {"status": self.status.value, "cause": self.cause.value, "nearest": list(self.nearest)}


def known_names(profiles: Iterable[Profile]) -> str:
    """The names of profiles in a sentence that helps who mistyped one."""
    names = [profile.name for profile in profiles][:20]
    return f"Known: {', '.join(names)}." if names else "There are none yet; `modelshelf profiles save` makes one."
