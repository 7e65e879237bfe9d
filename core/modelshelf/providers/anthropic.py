"""Chat as Anthropic's Messages API streams it."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from modelshelf.errors import ProviderError, WrongAddress
from modelshelf.providers.answers import count, mapping, text
from modelshelf.providers.http import Endpoint
from modelshelf.providers.openai import Stopwatch
from modelshelf.providers.spec import ChatChunk, ChatMessage, ChatRequest

MAX_TOKENS = 4096
HOTTEST = 1.0
SAMPLING = ("temperature", "top_p", "top_k")
_LENGTH = frozenset({"max_tokens", "model_context_window_exceeded"})


def chat_body(model: str, request: ChatRequest) -> dict[str, Any]:
    """The body of POST /v1/messages.

    System turns go to a place of their own, blank turns are left out and neighbours of one role become one, since the
    API wants user and assistant by turns. A limit is mandatory there: 4096 where none is set. Temperatures end at 1;
    where there is one, `top_p` is left out, since the API takes only one of the two. It has no seed.
    """
    system = "\n\n".join(turn.content for turn in request.messages if turn.role == "system" and turn.content.strip())
    sampling: dict[str, Any] = {"temperature": None, "top_p": request.top_p}
    if request.temperature is not None:
        sampling = {"temperature": min(request.temperature, HOTTEST)}
    body = {
        "model": model,
        "messages": _turns(request.messages),
        "max_tokens": request.max_tokens or MAX_TOKENS,
        "stream": True,
        "system": system or None,
        "stop_sequences": list(request.stop) or None,
        **sampling,
    }
    return {**{name: value for name, value in body.items() if value is not None}, **request.extra}


async def stream_chat(endpoint: Endpoint, body: Mapping[str, Any]) -> AsyncGenerator[ChatChunk, None]:
    """An answer piece by piece; the last piece has `finish`, `usage` and `timings`.

    Raises:
        Unreachable, NotSignedIn, NotFound, ProviderError; also when the answer ends before its end was said.
    """
    clock, usage, finish = Stopwatch(), dict[str, int](), ""
    async with aclosing(endpoint.sse("v1/messages", body, model=text(body.get("model")))) as events:
        async for event in events:
            usage |= tokens(event)
            finish = text(mapping(event.get("delta")).get("stop_reason")) or finish
            if said := delta(event):
                clock.token()
                yield ChatChunk(said)
            if event.get("type") == "message_stop":
                told = _totals(usage)
                ending = "length" if finish in _LENGTH else "stop"
                yield ChatChunk(finish=ending, usage=told, timings=clock.timings(None, told))
                return
    if not usage:
        raise WrongAddress(f"{endpoint.who} answers with something else than a stream of events.")
    raise ProviderError(f"{endpoint.who} broke the answer off.", remedy="Ask again.", broken=True)


def delta(event: Mapping[str, Any]) -> str:
    """The piece of text in an event; nothing where it carries something else."""
    if event.get("type") != "content_block_delta":
        return ""
    said = mapping(event.get("delta")).get("text")
    return said if isinstance(said, str) else ""


def tokens(event: Mapping[str, Any]) -> dict[str, int]:
    """The counts in an event, by Anthropic's names for them; each replaces what was counted before."""
    told = mapping(event.get("message")).get("usage") if event.get("type") == "message_start" else event.get("usage")
    counts = {name: count(value) for name, value in mapping(told).items()}
    return {name: value for name, value in counts.items() if value is not None}


def _turns(messages: Sequence[ChatMessage]) -> list[dict[str, str]]:
    turns: list[dict[str, str]] = []
    for turn in messages:
        if turn.role == "system" or not turn.content.strip():
            continue
        if turns and turns[-1]["role"] == turn.role:
            turns[-1]["content"] += "\n\n" + turn.content
        else:
            turns.append({"role": turn.role, "content": turn.content})
    return turns


def _totals(usage: Mapping[str, int]) -> dict[str, int]:
    read = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    prompt, answer = sum(usage.get(name, 0) for name in read), usage.get("output_tokens", 0)
    return {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}
