"""Any server that speaks OpenAI's shape, at whatever address, with or without a key, a list, or `/v1` in its path."""

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict
from typing import Any, ClassVar

from yarl import URL

from modelshelf.errors import (
    AccessError,
    KeyUnproven,
    ModelshelfError,
    NotFound,
    NotSignedIn,
    RateLimited,
    TimedOut,
    Unreachable,
    UsageError,
    WrongAddress,
)
from modelshelf.providers import listing
from modelshelf.providers.adapter import HttpAdapter
from modelshelf.providers.answers import MOST_MODELS, texts
from modelshelf.providers.openai import embeddings, stream_chat, thinks
from modelshelf.providers.spec import (
    MODELS_FIELD,
    Ability,
    ChatChunk,
    ChatMessage,
    ChatRequest,
    Embeddings,
    Field,
    KeyUse,
    ProviderConfig,
    ProviderContext,
    ServedModel,
)

PAGES = 200
PAGED_SECONDS = 60.0
THINKING_TOKENS = 16
_FULL = re.compile(r"/(chat/completions|completions|models|embeddings)/?$")
_VERSION = re.compile(r"^v\d+[a-z0-9]*$")
_REFUSED_ROUTE = frozenset({404, 405, 501})

Items = dict[str, Mapping[str, Any]]


class CompatibleProvider(HttpAdapter):
    """A server with OpenAI's routes. Where they are is tried out once: at the address as given, then below `v1`."""

    kind = "openai-compatible"
    label = "OpenAI-compatible server"
    about = "Any server or service with OpenAI's routes: name its address, and a key if it wants one."
    fields: ClassVar[tuple[Field, ...]] = (MODELS_FIELD,)
    key_use = KeyUse.OPTIONAL
    reasons: ClassVar[Mapping[Ability, str]] = {
        Ability.LOAD: "OpenAI's API has no route for that; the server decides what is in memory."
    }
    abilities = frozenset({Ability.LIST, Ability.DETAIL, Ability.HEALTH, Ability.CHAT, Ability.EMBED})

    def __init__(self, config: ProviderConfig, context: ProviderContext) -> None:
        super().__init__(config, context)
        self._prefix = self.prefix()

    def base(self) -> str:
        """The address without a route at its end, as some paste it.

        Raises:
            UsageError: there is none.
        """
        url = super().base()
        if not url:
            raise UsageError(f"{self.name} has no address.", remedy="Give the base address of its API.")
        return _FULL.sub("", url.rstrip("/"))

    def prefix(self) -> str | None:
        """What every route begins with; None until it was found out."""
        return "" if any(_VERSION.match(part) for part in URL(self.base()).parts) else None

    async def known(self) -> Mapping[str, ServedModel]:
        """What is known of its models by name without asking it."""
        return {}

    async def look(self) -> str:
        """Ask for the first page of its models. Without such a list it is well if its models are known otherwise."""
        try:
            await self._first()
        except NotFound:
            if not self._typed() and not await self.known():
                raise
        return ""

    async def check_key(self) -> str:
        """Ask for its models with the key, and without it: only if that is refused the key is proven."""
        signed = bool(await self.context.key(self.config, ""))
        if not signed and self.key_use is KeyUse.REQUIRED:
            raise NotSignedIn(f"{self.name} needs a key and has none.", remedy="Give it a key.")
        try:
            await self._first()
        except NotFound as error:
            if not self._typed() and not await self.known():
                raise
            raise KeyUnproven(f"{self.name} has no list of models that a key could be tested with.") from error
        if not signed:
            return "It answers without a key."
        if await self._open_to_all():
            raise KeyUnproven(f"{self.name} lists its models without a key too: that proves none.")
        return ""

    async def models(self) -> Sequence[ServedModel]:
        """What it lists and what was typed by hand; without a list, what is known otherwise."""
        known, typed = await self.known(), self._typed()
        try:
            items = await self._items()
        except NotFound:
            if not typed and not known:
                raise
            items = {name: {"id": name} for name in known}
        items |= {name: {"id": name} for name in typed if name not in items}
        return await asyncio.to_thread(self._described, items, known)

    async def detail(self, model: str) -> Mapping[str, Any]:
        """The entry of its list as it is."""
        try:
            items = await self._items()
        except NotFound:
            items = {}
        if found := items.get(model):
            return found
        known = (await self.known()).get(model)
        if known is None and model not in self._typed():
            raise NotFound(f"{self.name} has no model “{model}”.", remedy="Check the model's name.")
        return {"id": model} | (asdict(known) if known else {})

    async def chat(self, model: str, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        """Stream an answer; closing the generator stops the server's work.

        Raises:
            Unreachable, NotSignedIn, NotFound, ProviderError; also when the answer ends before its end was said.
        """
        failures: list[ModelshelfError] = []
        begun = False
        for prefix in await self._prefixes():
            try:
                async with aclosing(stream_chat(self.http, prefix + "chat/completions", model, request)) as chunks:
                    async for chunk in chunks:
                        begun, self._prefix = True, prefix
                        yield chunk
            except ModelshelfError as error:
                if begun:
                    raise
                failures.append(_elsewhere(error))
            else:
                return
        raise _telling(failures)

    async def ping(self, model: str) -> str:
        """Ask for one token, of a model that thinks for a few more: one leaves it no room to answer."""
        if not thinks(model):
            return await super().ping(model)
        request = ChatRequest((ChatMessage("user", "Hi"),), max_tokens=THINKING_TOKENS)
        async with aclosing(self.chat(model, request)) as chunks:
            return (await anext(chunks)).text

    async def embed(self, model: str, texts: Sequence[str]) -> Embeddings:
        """A vector for each text."""
        failures: list[ModelshelfError] = []
        for prefix in await self._prefixes():
            try:
                found = await embeddings(self.http, prefix + "embeddings", model, texts, self.config.id)
            except ModelshelfError as error:
                failures.append(_elsewhere(error))
            else:
                self._prefix = prefix
                return found
        raise _telling(failures)

    def _typed(self) -> tuple[str, ...]:
        """The names that a person typed."""
        names = dict.fromkeys(name.strip() for name in texts(self.config.settings.get(MODELS_FIELD.key)))
        return tuple(name for name in names if name)

    def _described(self, items: Items, known: Mapping[str, ServedModel]) -> tuple[ServedModel, ...]:
        told = (listing.describe(self.config.id, item) for item in items.values())
        return tuple(listing.over(model, known.get(model.name)) for model in told)

    async def _prefixes(self) -> Sequence[str]:
        """Where a route may be. The list is asked first, since a wrong question costs nothing there."""
        if self._prefix is None:
            try:
                await self._first()
            except (AccessError, NotFound, WrongAddress):
                return ("", "v1/")
        return (self._prefix or "",)

    async def _first(self, *, signed: bool = True) -> Any:
        """The first page of the list.

        Raises:
            NotFound: there is no such route.
            Unreachable, NotSignedIn, ProviderError.
        """
        failures: list[ModelshelfError] = []
        for prefix in ("", "v1/") if self._prefix is None else (self._prefix,):
            try:
                found = await self.http.json("GET", prefix + "models", signed=signed)
                listing.items(found, self.name)
            except ModelshelfError as error:
                failures.append(_elsewhere(error))
            else:
                self._prefix = prefix
                return found
        raise self._no_list(failures)

    async def _items(self) -> Items:
        """Every entry of the list by its name, page by page."""
        found = await self._first()
        items = _by_name(found, self.name)
        try:
            async with asyncio.timeout(PAGED_SECONDS):
                for _ in range(PAGES):
                    query = listing.following(found, next(reversed(items), ""))
                    if query is None or len(items) >= MOST_MODELS:
                        break
                    found = await self.http.json("GET", f"{self._prefix or ''}models", query=query)
                    held = len(items)
                    items = _by_name(found, self.name, items)
                    if len(items) == held:
                        break
        except TimeoutError as error:
            raise TimedOut(f"{self.name} does not come to the end of its list of models.") from error
        return items

    async def _open_to_all(self) -> bool:
        """Whether the list comes without a key, or it could not be seen that it does not."""
        try:
            await self._first(signed=False)
        except (RateLimited, Unreachable):
            return True
        except ModelshelfError:
            return False
        return True

    def _no_list(self, failures: Sequence[ModelshelfError]) -> ModelshelfError:
        self._prefix = self.prefix()  # another server may answer there by now
        if not all(error.facts.get("status") in _REFUSED_ROUTE for error in failures):
            return _telling(failures)
        return NotFound(
            f"{self.name} has no list of models at {self.http.url}.",
            remedy="Check the address; if it is right, type the names of its models in the provider's settings.",
            **failures[0].facts,
        )


def _by_name(found: Any, who: str, earlier: Items | None = None) -> Items:
    items = dict(earlier or {})
    for item in listing.items(found, who):
        if len(items) >= MOST_MODELS:
            break
        items.setdefault(listing.name_of(item), item)
    return items


def _elsewhere(error: ModelshelfError) -> ModelshelfError:
    """The error, if the route may be elsewhere; any other is raised."""
    if isinstance(error, WrongAddress) or error.facts.get("status") in _REFUSED_ROUTE:
        return error
    raise error


def _telling(failures: Sequence[ModelshelfError]) -> ModelshelfError:
    """Of several failures the one that tells most: what the provider itself calls by a name, or has no route for."""
    named = [error for error in failures if error.facts.get("kind")]
    other = [error for error in failures if error.facts.get("status") not in _REFUSED_ROUTE]
    return (named or other or list(failures))[0]
