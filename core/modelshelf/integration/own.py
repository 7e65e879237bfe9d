"""The second half of the self-test: each provider that a person has is reached, let in, listed and asked."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from yarl import URL

from modelshelf.errors import AccessError, NoCredit, ProviderError, Unreachable
from modelshelf.integration.steps import FAILED, NotRun, Step, skipped, take
from modelshelf.network.addresses import is_loopback
from modelshelf.providers.spec import (
    Ability,
    ChatMessage,
    ChatRequest,
    HealthStatus,
    Provider,
    ProviderConfig,
    ServedModel,
)
from modelshelf.providers.validation import APIValidation, Outcome

if TYPE_CHECKING:
    from modelshelf.providers import HealthMonitor, ProviderRegistry

STEPS = ("reachable", "key valid", "lists models", "answers")
MEND = "providers"
TOKENS = 8
SHOWN = 3
ANSWER_SECONDS = 60.0

_NO_KEY = "It needs no key."


@dataclass(frozen=True, slots=True)
class Wish:
    """What may be asked: models that cost money (`paid`), and local ones that would have to be loaded (`load`)."""

    paid: bool = False
    load: bool = False


async def look(
    registry: "ProviderRegistry", health: "HealthMonitor", wish: Wish, *, seconds: float
) -> AsyncGenerator[Step, None]:
    """Every step of every provider that is switched on, in their order; all are looked at at the same time."""
    configs = [config for config in await registry.list() if config.enabled]
    looks = [
        asyncio.create_task(Look(registry, health, config, wish, seconds).run(), name=f"selftest.{config.id}")
        for config in configs
    ]
    try:
        for task in looks:
            for step in await task:
                yield step
    finally:
        for task in looks:
            task.cancel()
        await asyncio.gather(*looks, return_exceptions=True)


class Look:
    """One provider."""

    def __init__(
        self,
        registry: "ProviderRegistry",
        health: "HealthMonitor",
        config: ProviderConfig,
        wish: Wish,
        seconds: float,
    ) -> None:
        self._registry, self._health, self._config = registry, health, config
        self._wish, self._seconds = wish, seconds
        self._models: Sequence[ServedModel] = ()

    async def run(self) -> list[Step]:
        """Its steps; what needs one that is red does not run."""
        works = dict(zip(STEPS, (self._reach, self._key, self._list, self._answer), strict=True))
        steps: list[Step] = []
        for number, (name, work) in enumerate(works.items()):
            seconds = max(self._seconds, ANSWER_SECONDS if name == "answers" else 0.0)
            step = await take(name, work, seconds=seconds, group=self._config.id, mend=MEND)
            steps.append(step)
            if step.status == FAILED:
                return steps + skipped(STEPS[number + 1 :], name, group=self._config.id)
        return steps

    async def _provider(self) -> Provider:
        return await self._registry.get(self._config.id)

    async def _reach(self) -> str:
        found = await self._health.check(self._config.id)
        where = self._config.url or "in this program"
        if found.status is HealthStatus.DOWN:
            raise Unreachable(found.detail or f"{self._config.name} does not answer.", remedy=found.remedy or None)
        took = "" if found.latency_ms is None else f" in {found.latency_ms:.0f} ms"
        return f"{where} answers{took} {found.version}".strip()

    async def _key(self) -> str:
        provider = await self._provider()
        if self._config.kind == "builtin":
            raise NotRun(_NO_KEY)
        keys = [key for key in await self._registry.keys_of(self._config.id) if key.present]
        found = await APIValidation(self._seconds).check(provider)
        if found.outcome is Outcome.VALID:
            if not keys:
                raise NotRun("It has no key, and asks for none.")
            return f"the key that ends in …{keys[0].last4} is accepted {found.told}".strip()
        if found.outcome is Outcome.UNPROVEN:
            raise NotRun(f"{found.message} An answer proves it: use --paid.")
        wrong = {Outcome.NO_CREDIT: NoCredit, Outcome.UNREACHABLE: Unreachable, Outcome.OTHER: ProviderError}
        raise wrong.get(found.outcome, AccessError)(found.message, remedy=found.remedy or None)

    async def _list(self) -> str:
        provider = await self._provider()
        if Ability.LIST not in provider.abilities:
            raise NotRun(provider.missing.get(Ability.LIST) or "It cannot list its models.")
        self._models = await self._registry.models(self._config.id)
        names = ", ".join(model.name for model in self._models[:SHOWN])
        more = " …" if len(self._models) > SHOWN else ""
        return f"{len(self._models):,} models{f': {names}{more}' if names else ''}"

    async def _answer(self) -> str:
        provider = await self._provider()
        if Ability.CHAT not in provider.abilities:
            raise NotRun("It does not chat.")
        model = self._chosen()
        said, request = "", ChatRequest((ChatMessage("user", "Say hello."),), max_tokens=TOKENS, temperature=0)
        async with aclosing(provider.chat(model, request)) as chunks:
            async for chunk in chunks:
                said += chunk.text
        if not said.strip():
            raise NotRun(f"{model} was asked and took it, but said nothing in {TOKENS} tokens.")
        return f"{model}: “{' '.join(said.split())[:60]}”"

    def _chosen(self) -> str:
        """The model to ask, the one that costs least."""
        able = [model for model in self._models if "chat" in model.abilities or not model.abilities]
        if not able:
            raise NotRun("It has no model that chats.")
        if not _local(self._config):
            if not self._wish.paid:
                raise NotRun("An answer may cost money: use --paid, or tick “ask paid providers too”.")
            return _cheapest(able).name
        held = [model for model in able if model.loaded]
        if held:
            return held[0].name
        if not self._wish.load:
            raise NotRun("No model is loaded: use --load, or tick “load local models for it”.")
        return min(able, key=lambda model: model.size or 0).name


def _local(config: ProviderConfig) -> bool:
    """Whether an answer costs nothing: it runs on this machine."""
    return not config.url or is_loopback(URL(config.url).host or "")


def _cheapest(models: Sequence[ServedModel]) -> ServedModel:
    def cost(model: ServedModel) -> float:
        price = model.price
        return price.output if price and price.output is not None else float("inf")

    usable = [model for model in models if not model.deprecated] or list(models)
    return min(usable, key=cost)
