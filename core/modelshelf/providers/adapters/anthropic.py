"""Anthropic: its own Messages API, which has another shape than OpenAI's."""

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from typing import Any, ClassVar
from urllib.parse import quote

from modelshelf.errors import ModelshelfError, NoCredit, NotFound, ProviderError, WrongAddress
from modelshelf.providers.adapter import HttpAdapter
from modelshelf.providers.answers import MOST_MODELS, count, day, mapping, objects, text
from modelshelf.providers.openai import Stopwatch
from modelshelf.providers.spec import (
    Ability,
    ChatChunk,
    ChatMessage,
    ChatRequest,
    KeyUse,
    ServedModel,
)

VERSION = "2023-06-01"
MAX_TOKENS = 4096
PAGE = 1000
MOST_PAGES = 100
HOTTEST = 1.0
_LENGTH = frozenset({"max_tokens", "model_context_window_exceeded"})
_CLOUD = "Anthropic runs its models itself: nothing is loaded, fetched or deleted there."
_FILES = "Anthropic serves its own models only; a local engine serves yours."


class AnthropicProvider(HttpAdapter):
    """Anthropic's API, or another server that speaks it."""

    kind = "anthropic"
    label = "Anthropic"
    about = "The Claude models, in Anthropic's cloud."
    default_url = "https://api.anthropic.com"
    key_use = KeyUse.REQUIRED
    env_names = ("ANTHROPIC_API_KEY",)
    abilities = frozenset({Ability.LIST, Ability.DETAIL, Ability.HEALTH, Ability.CHAT})
    reasons: ClassVar[Mapping[Ability, str]] = {
        Ability.EMBED: "Anthropic has no embeddings; use a provider with an embedding model.",
        Ability.LOADED: "Anthropic does not tell what is in memory: all its models are always there.",
        Ability.LOAD: _CLOUD,
        Ability.UNLOAD: _CLOUD,
        Ability.PULL: _CLOUD,
        Ability.DELETE: _CLOUD,
        Ability.REGISTER_PATH: _FILES,
        Ability.REGISTER_LINK: _FILES,
        Ability.REGISTER_UPLOAD: _FILES,
        Ability.ESTIMATE: "Anthropic's models take no memory of yours.",
    }

    def base(self) -> str:
        """People write the address with and without /v1."""
        return super().base().removesuffix("/v1")

    def headers(self) -> Mapping[str, str]:
        """The version of the API that is spoken."""
        return {"anthropic-version": VERSION}

    def authorisation(self, key: str) -> Mapping[str, str]:
        """Not as a bearer token."""
        return {"x-api-key": key}

    async def look(self) -> str:
        """List one model: that needs the key and costs nothing."""
        await self._page(limit=1)
        return ""

    async def check_key(self) -> str:
        """List one model."""
        return await self.look()

    async def models(self) -> Sequence[ServedModel]:
        """What this key may use, without the models that were retired.

        Raises:
            Unreachable, NotSignedIn, ProviderError; also for a list that never ends.
        """
        found: list[ServedModel] = []
        seen = {""}
        last = ""
        for _ in range(MOST_PAGES):
            page = await self._page(limit=PAGE, **({"after_id": last} if last else {}))
            found += [self._describe(item) for item in objects(page["data"]) if _served(item)]
            if page.get("has_more") is not True:
                return tuple(found)
            last = text(page.get("last_id"))
            if last in seen:
                raise ProviderError(
                    f"{self.name} sends the same page of its list again and again.",
                    remedy="Check that the address is Anthropic's API; the provider's names can be typed by hand.",
                )
            seen.add(last)
            if len(found) > MOST_MODELS:
                break
        raise ProviderError(
            f"{self.name} sends a list without end: {len(found):,} models in {len(seen) - 1} pages so far.",
            remedy="Check that the address is Anthropic's API.",
        )

    async def detail(self, model: str) -> Mapping[str, Any]:
        """What Anthropic tells of a model: `display_name`, `max_input_tokens`, `capabilities`, `lifecycle` and more."""
        with self._explained(model):
            return self._object(await self.http.json("GET", f"v1/models/{quote(model, safe='')}"))

    async def chat(self, model: str, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        """Stream an answer; closing the generator stops Anthropic's work.

        Raises:
            Unreachable, NotSignedIn, NotFound, ProviderError; also when the answer ends before its end was said.
        """
        clock, usage, finish = Stopwatch(), dict[str, int](), ""
        with self._explained(model):
            path, body = "v1/messages", chat_body(model, request)
            async with aclosing(self.http.sse(path, body, model=model)) as events:
                async for event in events:
                    said = delta(event)
                    usage |= tokens(event)
                    finish = text(mapping(event.get("delta")).get("stop_reason")) or finish
                    if said:
                        clock.token()
                        yield ChatChunk(said)
                    if event.get("type") == "message_stop":
                        told = _totals(usage)
                        ending = "length" if finish in _LENGTH else "stop"
                        yield ChatChunk(finish=ending, usage=told, timings=clock.timings(None, told))
                        return
        if not usage:
            raise WrongAddress(f"{self.name} answers with something else than a stream of events.")
        raise ProviderError(f"{self.name} broke the answer off.", remedy="Ask again.")

    async def _page(self, **query: str | int) -> Mapping[str, Any]:
        with self._explained(""):
            found = self._object(await self.http.json("GET", "v1/models", query=query))
        if not isinstance(found.get("data"), list):
            raise WrongAddress(f"{self.name} answers with no list of models.")
        return found

    def _object(self, found: Any) -> Mapping[str, Any]:
        if not isinstance(found, dict):
            raise WrongAddress(f"{self.name} answers in another form than Anthropic's.")
        return found

    def _describe(self, item: Mapping[str, Any]) -> ServedModel:
        lifecycle = text(item.get("lifecycle"))
        return ServedModel(
            self.config.id,
            text(item["id"]),
            title=text(item.get("display_name")),
            context=count(item.get("max_input_tokens")) or None,
            max_output=count(item.get("max_tokens")) or None,
            abilities=_abilities(mapping(item.get("capabilities"))),
            deprecated=lifecycle == "deprecated" or day(item.get("deprecated_at")) is not None,
            retires=day(item.get("retires_at")),
            extra={"created": text(item.get("created_at")), "line": text(item.get("line"))},
        )

    @contextmanager
    def _explained(self, model: str) -> Iterator[None]:
        """Say in plain words what Anthropic's errors mean where their status alone says something else."""
        try:
            yield
        except ModelshelfError as error:
            if better := _meaning(self.name, model, error):
                raise better from error
            raise


def chat_body(model: str, request: ChatRequest) -> dict[str, Any]:
    """The body of POST /v1/messages.

    System turns go to a place of their own, blank turns are left out and neighbours of one role become one, since the
    API wants user and assistant by turns. A limit is mandatory there: 4096 where none is set. Temperatures end at 1.
    There are no seeds.
    """
    system = "\n\n".join(turn.content for turn in request.messages if turn.role == "system" and turn.content.strip())
    body: dict[str, Any] = {
        "model": model,
        "messages": _turns(request.messages),
        "max_tokens": request.max_tokens or MAX_TOKENS,
        "stream": True,
    }
    if system:
        body["system"] = system
    if request.temperature is not None:
        body["temperature"] = min(request.temperature, HOTTEST)
    if request.top_p is not None:
        body["top_p"] = request.top_p
    if request.stop:
        body["stop_sequences"] = list(request.stop)
    return {**body, **request.extra}


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


def _served(item: Mapping[str, Any]) -> bool:
    return bool(text(item.get("id"))) and item.get("lifecycle") != "retired"


def _abilities(told: Mapping[str, Any]) -> tuple[str, ...]:
    names = {"image_input": "vision", "pdf_input": "pdf", "thinking": "reasoning", "structured_outputs": "json"}
    return (
        "chat",
        "tools",
        *(word for name, word in names.items() if mapping(told.get(name)).get("supported") is True),
    )


def _meaning(who: str, model: str, error: ModelshelfError) -> ModelshelfError | None:
    said, kind, status = error.message.lower(), error.facts.get("kind"), error.facts.get("status")
    if kind == "not_found_error" and model and isinstance(error, NotFound):
        return NotFound(f"{who} has no model {model}.", remedy="Check the model's name.", **error.facts)
    if not isinstance(error, ProviderError):
        return None
    if status == 400 and "credit balance is too low" in said:
        return NoCredit(f"The account behind the key of {who} has no credit left.", **error.facts)
    if status == 400 and "prompt is too long" in said:
        return ProviderError(
            f"The conversation is longer than {model} can take in.", remedy="Start a new one.", **error.facts
        )
    if status == 529 or kind == "overloaded_error" or "overloaded" in said:
        return ProviderError(f"{who} is overloaded.", remedy="Ask again in a minute.", **error.facts)
    return None
