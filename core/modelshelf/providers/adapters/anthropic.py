"""Anthropic: its own Messages API, which has another shape than OpenAI's."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from typing import Any, ClassVar
from urllib.parse import quote

from modelshelf.errors import ModelshelfError, NoCredit, NotFound, ProviderError, WrongAddress
from modelshelf.providers import cloud_data, listing
from modelshelf.providers.adapter import HttpAdapter
from modelshelf.providers.answers import MOST_MODELS, count, day, mapping, objects, text
from modelshelf.providers.anthropic import SAMPLING, chat_body, stream_chat
from modelshelf.providers.spec import (
    Ability,
    ChatChunk,
    ChatRequest,
    KeyUse,
    ProviderConfig,
    ProviderContext,
    ServedModel,
)

VERSION = "2023-06-01"  # the later 2026-10-21 takes no temperature for any model
PAGE = 1000
MOST_PAGES = 100
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

    def __init__(self, config: ProviderConfig, context: ProviderContext) -> None:
        super().__init__(config, context)
        self._samples_itself: set[str] = set()

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
        """What this key may use, without the models that were retired; their prices are those of models.dev.

        Raises:
            Unreachable, NotSignedIn, ProviderError; also for a list that never ends.
        """
        services = await asyncio.to_thread(cloud_data.load, self.context.config.home)
        models = services[self.kind].models if self.kind in services else {}
        known = {name: model.served(self.config.id) for name, model in models.items()}
        found: list[ServedModel] = []
        seen = {""}
        last = ""
        for _ in range(MOST_PAGES):
            page = await self._page(limit=PAGE, **({"after_id": last} if last else {}))
            told = [self._describe(item) for item in objects(page["data"]) if _served(item)]
            found += [listing.over(item, known.get(item.name)) for item in told]
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
        body = chat_body(model, request)
        if model in self._samples_itself:
            body = _without_sampling(body)
        try:
            async with aclosing(self._answer(model, body)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except ProviderError as error:
            if not _unwanted(error, body):
                raise
        else:
            return
        # Newer models choose their words themselves and refuse to be told how, before they say anything.
        self._samples_itself.add(model)
        async with aclosing(self._answer(model, _without_sampling(body))) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _answer(self, model: str, body: Mapping[str, Any]) -> AsyncGenerator[ChatChunk, None]:
        with self._explained(model):
            async with aclosing(stream_chat(self.http, body)) as chunks:
                async for chunk in chunks:
                    yield chunk

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


def _unwanted(error: ModelshelfError, body: Mapping[str, Any]) -> bool:
    """Whether a question was refused for how the answer should be sampled."""
    return error.facts.get("status") == 400 and any(name in body and name in error.message for name in SAMPLING)


def _without_sampling(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in SAMPLING}


def _served(item: Mapping[str, Any]) -> bool:
    return bool(text(item.get("id"))) and item.get("lifecycle") != "retired"


def _abilities(told: Mapping[str, Any]) -> tuple[str, ...]:
    names = {"image_input": "vision", "thinking": "reasoning"}
    more = (word for name, word in names.items() if mapping(told.get(name)).get("supported") is True)
    return ("chat", "tools", *more)


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
    if kind == "invalid_request_error":
        return ProviderError(error.message, remedy="Change what is asked for, as the sentence says.", **error.facts)
    return None
