"""What giving a model to each provider would mean: the way, what it copies, and whether it is done by itself."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from modelshelf.compat.engines import engine
from modelshelf.compat.types import RECOMMENDED_FROM
from modelshelf.errors import ModelshelfError, Unreachable
from modelshelf.library.types import InstalledModel
from modelshelf.providers.boundary import contained
from modelshelf.providers.launch import commands
from modelshelf.providers.rows import BUILTIN
from modelshelf.providers.spec import Ability, ProviderConfig
from modelshelf.providers.taking import Goods, Taker, Taking
from modelshelf.registration.goods import goods_of, path_of, unfit
from modelshelf.registration.types import HELD, SETTING, Offer, Plan, Policy, Registration

if TYPE_CHECKING:
    from modelshelf.compat import CompatibilityService
    from modelshelf.library import ModelLibrary
    from modelshelf.metadata import MetadataService
    from modelshelf.providers import ProviderRegistry

TAKES = frozenset({Ability.REGISTER_PATH, Ability.REGISTER_LINK, Ability.REGISTER_UPLOAD})


Known = Mapping[tuple[str, str], Registration]  # by provider and path


@dataclass(frozen=True, slots=True)
class Planner:
    """Asks every provider that takes files how it would take a model."""

    library: "ModelLibrary"
    metadata: "MetadataService"
    providers: "ProviderRegistry"
    compatibility: "CompatibilityService"

    async def plan(self, model: InstalledModel, known: Known, *, path: str = "", provider: str = "") -> Plan:
        """The offers of all providers that are switched on, or of the one named.

        Raises:
            NotFound: there is no such provider.
            ProviderError: it is switched off.
        """
        goods = await goods_of(self.library, self.metadata, model, path)
        configs = await self.takers(provider)
        pairs = [(config, one) for one in goods for config in configs]
        offers = await asyncio.gather(*(self._offer(model, config, one, known) for config, one in pairs))
        return Plan(model.repo, model.commit, tuple(offers), commands(goods[0]) if goods else {})

    async def takers(self, provider: str = "") -> Sequence[ProviderConfig]:
        """The providers that are switched on and could be given files.

        Raises:
            NotFound, ProviderError: as `plan`.
        """
        if provider:
            await self.providers.get(provider)
        every = [config for config in await self.providers.list() if config.enabled]
        return [config for config in every if self._takes_files(config) and provider in {"", config.id}]

    def _takes_files(self, config: ProviderConfig) -> bool:
        factory = self.providers.kind(config.kind)
        return engine(config.kind) is not None or (factory is not None and bool(factory.abilities & TAKES))

    async def _offer(self, model: InstalledModel, config: ProviderConfig, goods: Goods, known: Known) -> Offer:
        path = path_of(goods)
        before = known.get((config.id, path))
        if before is not None and before.status in HELD and before.name:
            goods = replace(goods, given=before.name)
        taking, waiting = await self._taking(config, goods)
        policy = policy_of(config, taking)
        offer = Offer(
            config.id, config.name, path, goods.size, None, taking, policy, waiting=waiting, goods=goods,
            registration=before,
        )  # fmt: skip
        if not offer.possible:
            return offer
        score = await self._score(model, config, path)
        offer = replace(offer, score=score)
        why = self._why_not(model, config, offer)
        return replace(offer, why=why, automatic=not why)

    async def _taking(self, config: ProviderConfig, goods: Goods) -> tuple[Taking, bool]:
        """How it would take it; whether that is not known because it does not answer."""
        try:
            adapter = await self.providers.get(config.id)
            if not isinstance(adapter, Taker):
                return Taking(goods.name, refused=f"{config.name} has no way to be given models."), False
            with contained(config):
                return await adapter.taking(goods), False
        except Unreachable:
            return Taking(goods.name), True
        except ModelshelfError as error:
            return Taking(goods.name, refused=error.message, remedy=error.remedy), False

    async def _score(self, model: InstalledModel, config: ProviderConfig, path: str) -> int | None:
        name = f"{model.id}/{path}" if path else str(model.id)
        try:
            return (await self.compatibility.check_model_compatibility(name, config.id)).score
        except ModelshelfError:
            return None

    def _why_not(self, model: InstalledModel, config: ProviderConfig, offer: Offer) -> str:
        """Why it is not given by itself, empty if it is."""
        if told := unfit(model):
            return told
        if offer.policy is Policy.NEVER:
            return f"{config.name} is given no models by itself: its setting says so."
        if offer.score is None:
            return f"How well it would do with {config.name} is not known."
        if offer.score < RECOMMENDED_FROM and config.kind != BUILTIN.kind:
            return f"It does not do well with {config.name}: {offer.score} of 100, and {RECOMMENDED_FROM} are wanted."
        if offer.policy is Policy.ASK:
            copies = f"that copies {_size(offer.taking.copies)}" if offer.taking.copies else "its setting says so"
            return f"{config.name} is given models only when you ask: {copies}."
        return ""


def policy_of(config: ProviderConfig, taking: Taking) -> Policy:
    """What a provider's setting says, else what its way costs."""
    told = config.settings.get(SETTING)
    if told in set(Policy):
        return Policy(told)
    return Policy.ASK if taking.copies else Policy.AUTOMATIC


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 10**9 else f"{count / 1e6:.1f} MB"
