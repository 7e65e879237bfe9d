"""Roots for adapters: `Adapter` refuses what is not declared, `HttpAdapter` speaks to one origin with the right key."""

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from modelshelf.errors import ModelshelfError, NoCredit, NoPermission, NotSignedIn, RateLimited
from modelshelf.providers.http import Endpoint
from modelshelf.providers.spec import (
    Ability,
    ChatChunk,
    ChatMessage,
    ChatRequest,
    Embeddings,
    Field,
    Health,
    HealthStatus,
    KeyUse,
    LoadSettings,
    Progress,
    ProviderConfig,
    ProviderContext,
    ServedModel,
    unsupported,
)
from modelshelf.providers.taking import Goods, Taking, Way

SLOW_MS = 1000.0


class Adapter:
    """An adapter that can do nothing yet: declare `kind`, `label` and `abilities`, and write their methods."""

    kind: ClassVar[str]
    label: ClassVar[str]
    about: ClassVar[str] = ""
    default_url: ClassVar[str] = ""
    fields: ClassVar[tuple[Field, ...]] = ()
    key_use: ClassVar[KeyUse] = KeyUse.NONE
    env_names: ClassVar[tuple[str, ...]] = ()
    load_options: ClassVar[frozenset[str]] = frozenset()
    reasons: ClassVar[Mapping[Ability, str]] = {}
    """Why this kind lacks an ability, in a sentence, where there is more to say than that it does."""

    abilities: frozenset[Ability] = frozenset()

    def __init__(self, config: ProviderConfig, context: ProviderContext) -> None:
        self.config = config
        self.context = context

    @property
    def name(self) -> str:
        """What people call this provider."""
        return self.config.name or self.label

    @property
    def missing(self) -> Mapping[Ability, str]:
        """For every ability it has not, a sentence why."""
        return {
            item: self.reasons.get(item, f"{self.label} has no way to do that.")
            for item in Ability
            if item not in self.abilities
        }

    async def health(self) -> Health:
        """Well, as long as nothing says otherwise."""
        return Health(HealthStatus.WELL, datetime.now(UTC))

    async def check_key(self) -> str:
        """Without a better route: to list its models needs the key."""
        await self.models()
        return ""

    async def models(self) -> Sequence[ServedModel]:
        """Nothing."""
        raise self._cannot(Ability.LIST)

    async def detail(self, model: str) -> Mapping[str, Any]:
        """Nothing."""
        raise self._cannot(Ability.DETAIL)

    async def chat(self, model: str, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        """Nothing."""
        raise self._cannot(Ability.CHAT)
        yield  # makes it a generator

    async def ping(self, model: str) -> str:
        """Ask for one token and stop with the first piece of the answer."""
        request = ChatRequest((ChatMessage("user", "Hi"),), max_tokens=1)
        async with aclosing(self.chat(model, request)) as chunks:
            async for chunk in chunks:
                return chunk.text
        return ""

    async def embed(self, model: str, texts: Sequence[str]) -> Embeddings:
        """Nothing."""
        raise self._cannot(Ability.EMBED)

    async def load(self, model: str, settings: LoadSettings | None = None) -> None:
        """Nothing."""
        raise self._cannot(Ability.LOAD)

    async def unload(self, model: str) -> None:
        """Nothing."""
        raise self._cannot(Ability.UNLOAD)

    async def pull(self, model: str) -> AsyncGenerator[Progress, None]:
        """Nothing."""
        raise self._cannot(Ability.PULL)
        yield

    async def register(self, file: Path, name: str) -> AsyncGenerator[Progress, None]:
        """Nothing."""
        raise self._cannot(Ability.REGISTER_PATH)
        yield

    async def taking(self, goods: Goods) -> Taking:
        """By the cheapest way that is declared: a path, a link, an upload, which copies."""
        if Ability.REGISTER_PATH in self.abilities:
            return Taking(goods.name, Way.PATH, place=str(goods.first))
        if Ability.REGISTER_LINK in self.abilities:
            return Taking(goods.name, Way.HARD_LINK)
        if Ability.REGISTER_UPLOAD in self.abilities:
            return Taking(goods.name, Way.UPLOAD, goods.size, place=self.config.url)
        return Taking(goods.name, refused=self.missing[Ability.REGISTER_PATH])

    async def take(self, goods: Goods, taking: Taking) -> AsyncGenerator[Progress, None]:
        """By `register`."""
        async with aclosing(self.register(goods.first, taking.name)) as steps:
            async for step in steps:
                yield step

    def shows(self, name: str, served: ServedModel) -> bool:
        """By its name, in small or capital letters."""
        return served.name.lower() == name.lower()

    async def let_go(self, name: str) -> None:
        """By `delete`, where that is declared; names in a folder are gone already."""
        if Ability.DELETE in self.abilities:
            await self.delete(name)

    async def delete(self, model: str) -> None:
        """Nothing."""
        raise self._cannot(Ability.DELETE)

    async def estimate(self, model: str, settings: LoadSettings | None = None) -> Mapping[str, int]:
        """Nothing."""
        raise self._cannot(Ability.ESTIMATE)

    async def aclose(self) -> None:
        """Nothing is held."""

    def _cannot(self, ability: Ability) -> ModelshelfError:
        return unsupported(self.name, ability, self.missing.get(ability, ""))


class HttpAdapter(Adapter):
    """An adapter to an API over HTTP: `self.http` signs every request with the provider's key."""

    def __init__(self, config: ProviderConfig, context: ProviderContext) -> None:
        super().__init__(config, context)
        self.http = Endpoint(
            self.name,
            self.base(),
            seconds=context.config.config.providers.timeout_seconds,
            headers=self.headers(),
            settings=context.config,
            sign=self.sign,
        )

    def base(self) -> str:
        """The address that every route follows."""
        return self.config.url or self.default_url

    def headers(self) -> Mapping[str, str]:
        """What every request carries beside the key."""
        return {}

    async def sign(self, model: str) -> Mapping[str, str]:
        """The headers that carry the key for a model, or for other routes where `model` is empty."""
        key = await self.context.key(self.config, model)
        return self.authorisation(key.reveal()) if key else {}

    def authorisation(self, key: str) -> Mapping[str, str]:
        """How this API wants its key."""
        return {"Authorization": f"Bearer {key}"}

    async def look(self) -> str:
        """The cheapest route that tells that this is the right API and that the key is accepted; its version.

        Raises:
            Unreachable, NotSignedIn, ProviderError.
        """
        await self.models()
        return ""

    async def health(self) -> Health:
        """One `look`, timed; its error becomes the provider's health."""
        started = time.monotonic()
        try:
            version = await self.look()
        except ModelshelfError as error:
            return Health(_status(error), datetime.now(UTC), None, error.message, error.remedy)
        latency = (time.monotonic() - started) * 1000
        status = HealthStatus.SLOW if latency > SLOW_MS else HealthStatus.WELL
        return Health(status, datetime.now(UTC), latency, version=version)

    async def aclose(self) -> None:
        """Close every connection."""
        await self.http.aclose()


def _status(error: ModelshelfError) -> HealthStatus:
    """What an error of a look says of the provider: one that limits us is well enough to say so."""
    if isinstance(error, NotSignedIn | NoPermission | NoCredit):
        return HealthStatus.REFUSED
    return HealthStatus.SLOW if isinstance(error, RateLimited) else HealthStatus.DOWN
