"""Chat as OpenAI's API streams it, which most engines speak."""

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from modelshelf.errors import ProviderError
from modelshelf.providers.http import Endpoint
from modelshelf.providers.spec import ChatChunk, ChatRequest

_TOO_LONG = frozenset({"exceed_context_size_error", "context_length_exceeded"})


def chat_body(model: str, request: ChatRequest) -> dict[str, Any]:
    """The body of POST /chat/completions."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": turn.role, "content": turn.content} for turn in request.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if request.max_tokens is not None:
        body["max_tokens"] = request.max_tokens
    if request.temperature is not None:
        body["temperature"] = request.temperature
    more = {"top_p": request.top_p, "seed": request.seed, "stop": list(request.stop) or None}
    return {**body, **{name: value for name, value in more.items() if value is not None}, **request.extra}


async def stream_chat(
    endpoint: Endpoint, path: str, model: str, request: ChatRequest
) -> AsyncGenerator[ChatChunk, None]:
    """An answer piece by piece; the last piece has `finish`, `usage` and `timings`.

    Raises:
        Unreachable, NotSignedIn, NotFound, ProviderError; also when the answer ends before its end was said.
    """
    clock = Stopwatch()
    finish: Any = None
    usage: dict[str, Any] = {}
    said: dict[str, Any] = {}
    async with aclosing(_events(endpoint, path, model, request)) as events:
        async for event in events:
            choices = event.get("choices")
            choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
            delta = choice.get("delta")
            text = delta.get("content") if isinstance(delta, dict) else None
            finish = choice.get("finish_reason") or finish
            usage = _numbers(event.get("usage")) or usage
            said = _numbers(event.get("timings")) or said
            if isinstance(text, str) and text:
                clock.token()
                yield ChatChunk(text)
    if finish is None:
        raise ProviderError(f"{endpoint.who} broke the answer off.", remedy="Ask again.", broken=True)
    yield ChatChunk(finish=str(finish), usage=usage, timings=clock.timings(said.get("predicted_per_second"), usage))


async def _events(
    endpoint: Endpoint, path: str, model: str, request: ChatRequest
) -> AsyncGenerator[dict[str, Any], None]:
    try:
        async with aclosing(endpoint.sse(path, chat_body(model, request))) as events:
            async for event in events:
                yield event
    except ProviderError as error:
        if error.facts.get("kind") in _TOO_LONG:
            raise ProviderError(
                f"The conversation is longer than {model} can take in.",
                remedy="Start a new one, or give the model a longer context.",
                **error.facts,
            ) from error
        raise


class Stopwatch:
    """Measures an answer as the reader sees it."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._first: float | None = None
        self._last = self._started
        self._pieces = 0

    def token(self) -> None:
        """A piece arrived."""
        self._last = time.monotonic()
        self._first = self._first or self._last
        self._pieces += 1

    def timings(self, rate: float | None, usage: Mapping[str, Any]) -> dict[str, float]:
        """`seconds_to_first_token` and `tokens_per_second`: the engine's own rate where it tells one."""
        found = {} if self._first is None else {"seconds_to_first_token": self._first - self._started}
        if rate is None and self._first is not None and self._last > self._first:
            count = usage.get("completion_tokens") or self._pieces
            rate = (count - 1) / (self._last - self._first)
        return found | ({"tokens_per_second": float(rate)} if rate else {})


def _numbers(found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, int | float)}
