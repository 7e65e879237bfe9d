"""What is asked of models and what they answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


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
class Embeddings:
    """A vector for each text, in their order."""

    vectors: tuple[tuple[float, ...], ...]
    model: str
    provider: str
    usage: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a pull or an upload is: `total` in bytes, None while it is not known."""

    status: str
    done: int = 0
    total: int | None = None
