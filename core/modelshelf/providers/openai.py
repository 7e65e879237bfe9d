"""Chat and embeddings as OpenAI's API has them, which most engines speak, each a little differently."""

import re
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from modelshelf.errors import ModelshelfError, NotFound, ProviderError
from modelshelf.providers.answers import count, mapping, number, objects, text, vectors
from modelshelf.providers.http import Endpoint
from modelshelf.providers.spec import ChatChunk, ChatRequest, Embeddings

_THINKS = re.compile(r"^(openai/)?(gpt-5|o[134])([-.]|$)")
_TOO_LONG = frozenset({"exceed_context_size_error", "context_length_exceeded"})
_NO_MODEL = frozenset({"model_not_found", "invalid_model", "model_not_supported"})
_DISPENSABLE = ("stream_options", "temperature", "top_p")


def chat_body(model: str, request: ChatRequest) -> dict[str, Any]:
    """The body of POST /chat/completions."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": turn.role, "content": turn.content} for turn in request.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if request.max_tokens is not None:
        body["max_completion_tokens" if thinks(model) else "max_tokens"] = request.max_tokens
    if request.temperature is not None:
        body["temperature"] = request.temperature
    more = {"top_p": request.top_p, "seed": request.seed, "stop": list(request.stop) or None}
    return {**body, **{name: value for name, value in more.items() if value is not None}, **request.extra}


def thinks(model: str) -> bool:
    """Whether a name is that of one of OpenAI's models that think before they answer, which limit tokens otherwise."""
    return _THINKS.match(model) is not None


async def stream_chat(
    endpoint: Endpoint, path: str, model: str, request: ChatRequest
) -> AsyncGenerator[ChatChunk, None]:
    """An answer piece by piece; the last piece has `finish`, `usage` and `timings`. What a model thinks is left out.

    Raises:
        Unreachable, NotSignedIn, NotFound, ProviderError; also when the answer ends before its end was said.
    """
    clock = Stopwatch()
    answer = _Answer()
    async with aclosing(_events(endpoint, path, model, chat_body(model, request))) as events:
        async for event in events:
            if said := answer.take(event):
                clock.token()
                yield ChatChunk(said)
    if answer.finish is None:
        raise ProviderError(f"{endpoint.who} broke the answer off.", remedy="Ask again.", broken=True)
    yield ChatChunk(finish=answer.finish, usage=answer.usage, timings=clock.timings(answer.rate, answer.usage))


async def embeddings(
    endpoint: Endpoint, path: str, model: str, texts: Sequence[str], provider: str, *,
    more: Mapping[str, Any] | None = None, seconds: float | None = None,
) -> Embeddings:  # fmt: skip
    """A vector for each text, in their order; `provider` is its id, `more` goes into the body.

    `seconds` bounds the wait where a model may have to be loaded first.

    Raises:
        Unreachable, NotSignedIn, NotFound, ProviderError; also when the vectors are not one for each text.
    """
    body = {"model": model, "input": list(texts), **(more or {})}
    try:
        found = mapping(await endpoint.json("POST", path, body, model=model, seconds=seconds))
    except ModelshelfError as error:
        plain = _plainly(error, endpoint.who, path, model)
        raise plain from (error.__cause__ if plain is error else error)  # none is its own cause
    items = objects(found.get("data"))
    places = [count(item.get("index")) for item in items]
    if sorted(place for place in places if place is not None) == list(range(len(texts))):
        items = [item for _, item in sorted(zip(places, items, strict=True), key=lambda pair: pair[0] or 0)]
    made = vectors([item.get("embedding") for item in items])
    if len(made) != len(texts) or len({len(vector) for vector in made}) > 1 or not all(made):
        raise ProviderError(f"{endpoint.who} did not answer with one vector for each text.", remedy="Try again.")
    return Embeddings(made, model, provider, _counts(found.get("usage")))


async def _events(
    endpoint: Endpoint, path: str, model: str, body: dict[str, Any]
) -> AsyncGenerator[dict[str, Any], None]:
    """The events of an answer; what the provider does not know and an answer can do without is not asked for again."""
    while True:
        try:
            async with aclosing(endpoint.sse(path, body, model=model, told_end=True)) as events:
                async for event in events:
                    yield event
        except ModelshelfError as error:
            milder = _without_refused(body, error)
            if milder is None:
                plain = _plainly(error, endpoint.who, path, model)
                raise plain from (error.__cause__ if plain is error else error)
            body = milder
        else:
            return


def _without_refused(body: Mapping[str, Any], error: ModelshelfError) -> dict[str, Any] | None:
    """The question without what was refused; None if that was something that it cannot do without."""
    if error.facts.get("status") not in {400, 422}:
        return None
    said = error.message.lower()
    if "max_completion_tokens" in said and "max_tokens" in body:
        rest = {name: value for name, value in body.items() if name != "max_tokens"}
        return {**rest, "max_completion_tokens": body["max_tokens"]}
    unknown = str(error.facts.get("kind")).startswith("unsupported_") or re.search(
        r"unsupported|not support|not permitted|unknown|unrecogni[sz]ed|extra", said
    )
    refused = next((name for name in _DISPENSABLE if name in body and name in said), None)
    if refused is None or not unknown:
        return None
    return {name: value for name, value in body.items() if name != refused}


def _plainly(error: ModelshelfError, who: str, path: str, model: str) -> ModelshelfError:
    """The error with a sentence of ours where the provider's does not say what is wrong."""
    kind = error.facts.get("kind")
    if kind in _TOO_LONG:
        return ProviderError(
            f"The conversation is longer than {model} can take in.",
            remedy="Start a new one, or give the model a longer context.",
            **error.facts,
        )
    if kind in _NO_MODEL or (isinstance(error, NotFound) and model not in error.message):
        either = "" if kind in _NO_MODEL else f", or no {path}"
        return NotFound(f"{who} has no model “{model}”{either}.", remedy="Check the model's name.", **error.facts)
    return error


@dataclass(slots=True)
class _Answer:
    """What is known of an answer so far."""

    finish: str | None = None
    usage: dict[str, int] = field(default_factory=dict)
    rate: float | None = None

    def take(self, event: Mapping[str, Any]) -> str:
        """Note what an event tells, and give the text in it. An empty event is the end."""
        if not event:
            self.finish = self.finish or "stop"
            return ""
        choice = next(iter(objects(event.get("choices"))), {})
        self.usage = _counts(event.get("usage") or choice.get("usage")) or self.usage
        self.rate = number(mapping(event.get("timings")).get("predicted_per_second")) or self.rate
        self.finish = text(choice.get("finish_reason")) or self.finish
        if "message" in choice and "delta" not in choice:  # a whole answer, whatever was asked for
            self.finish = self.finish or "stop"
        return _said(mapping(choice.get("delta") or choice.get("message")).get("content"))


def _said(content: Any) -> str:
    """The text in a content, which may be parts of several kinds."""
    if isinstance(content, str):
        return content
    parts = (part.get("text") for part in objects(content) if part.get("type") == "text")
    return "".join(part for part in parts if isinstance(part, str))


def _counts(found: Any) -> dict[str, int]:
    told = {name: value for name, item in mapping(found).items() if (value := count(item)) is not None}
    if "total_tokens" not in told and "prompt_tokens" in told:
        told["total_tokens"] = told["prompt_tokens"] + told.get("completion_tokens", 0)
    return told


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
            tokens = usage.get("completion_tokens") or self._pieces
            rate = (tokens - 1) / (self._last - self._first)
        return found | ({"tokens_per_second": float(rate)} if rate else {})
