"""How everything plays together: which providers are well, which have models, and what to do next."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from modelshelf.compat.types import RECOMMENDED_FROM
from modelshelf.errors import ModelshelfError
from modelshelf.events import CatalogChanged, EventBus, LibraryChanged, ProviderChanged, StatusChanged
from modelshelf.providers.rows import BUILTIN
from modelshelf.providers.spec import HealthStatus, ProviderConfig, ServedModel

if TYPE_CHECKING:
    from modelshelf.catalog import CatalogService
    from modelshelf.catalog.types import RepoCard
    from modelshelf.compat import CompatibilityService
    from modelshelf.library import ModelLibrary
    from modelshelf.providers import HealthMonitor, ProviderRegistry

LOOKED_AT = 200
ADVISED = 3
AT_ONCE = 25  # cards that are judged before others have their turn
AGED_SECONDS = 600.0  # how long what sources offer counts as known
KEPT_SECONDS = 60.0  # how long a status holds though nothing happened: free memory moves without a word
ANSWERING = frozenset({HealthStatus.WELL, HealthStatus.SLOW})
FAILING = frozenset({HealthStatus.DOWN, HealthStatus.REFUSED})


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """One provider: status is healthy | needs_models | unknown | error.

    `local_models_count` is what it offers now, `available_for_download` what the catalogue shows that would run on it
    well and is not installed, `total_compatible` both together.
    """

    name: str
    healthy: bool
    has_compatible_models: bool
    has_local_models: bool
    local_models_count: int
    available_for_download: int
    total_compatible: int
    status: str
    recommendations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IntegrationStatus:
    """All enabled providers. `overall_status` is healthy as soon as one of them is; else the best of the others."""

    providers: Mapping[str, ProviderStatus]
    overall_status: str
    total_providers: int
    healthy_providers: int
    providers_with_models: int
    total_compatible_models: int
    recommendations: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


class IntegrationService:
    """Computes the status from what the other services know, once for a process and anew when something happened."""

    def __init__(
        self,
        events: EventBus,
        catalog: "CatalogService",
        library: "ModelLibrary",
        providers: "ProviderRegistry",
        health: "HealthMonitor",
        compatibility: "CompatibilityService",
    ) -> None:
        self._events = events
        self._catalog = catalog
        self._library = library
        self._providers = providers
        self._health = health
        self._compatibility = compatibility
        self._happened = events.mark(ProviderChanged, LibraryChanged, CatalogChanged, StatusChanged)
        self._cards: tuple[float, Sequence[RepoCard]] = (-AGED_SECONDS, ())
        self._kept: tuple[float, IntegrationStatus | None] = (0.0, None)
        self._fits: dict[str, tuple[float, object, list[tuple[int, str]]]] = {}
        self._lock = asyncio.Lock()
        self.best: Mapping[str, str] = {}  # for each provider the model that could be had and does best on it

    async def status(self) -> IntegrationStatus:
        """The status of every enabled provider and of the whole; sources are asked for what could be had."""
        if time.monotonic() - self._cards[0] > AGED_SECONDS:
            before = self._cards[1]
            cards = (await self._catalog.find(limit=LOOKED_AT)).rows
            # A source that was too slow is asked again by the next who looks.
            self._cards = (time.monotonic() if cards else -AGED_SECONDS), cards
            if cards != before:
                self._events.publish(StatusChanged())
        return await self.glance()

    async def glance(self) -> IntegrationStatus:
        """As `status`, from what is known: nobody is asked who was asked before, and no source at all."""
        async with self._lock:
            at, kept = self._kept
            # The mark first: what happens while it is computed counts for the next time.
            if self._happened.happened() or kept is None or time.monotonic() - at > KEPT_SECONDS:
                kept = await self._compute()
                self._kept = time.monotonic(), kept
        return kept

    async def _compute(self) -> IntegrationStatus:
        configs = [config for config in await self._providers.list() if config.enabled]
        installed = {model.repo for model in await self._library.models() if model.complete}
        cards = [card for card in self._cards[1] if card.repo not in installed]
        found = await asyncio.gather(*(self._provider(config, cards) for config in configs))
        return _whole({config.id: status for config, status in zip(configs, found, strict=True)})

    async def _provider(self, config: ProviderConfig, cards: "Sequence[RepoCard]") -> ProviderStatus:
        look = self._health.latest.get(config.id)
        state = look.status if look else HealthStatus.UNKNOWN
        served = await self._served(config)
        fitting = sorted(await self._fitting(config, cards), reverse=True)
        self.best = {**self.best, config.id: fitting[0][1] if fitting else ""}
        return _provider_status(config, state, len(served), [repo for _, repo in fitting], look.remedy if look else "")

    async def _served(self, config: ProviderConfig) -> Sequence[ServedModel]:
        listed = self._health.listed.get(config.id)
        if listed is not None and config.id != BUILTIN.id:
            return listed.models
        try:
            return await self._providers.models(config.id)
        except ModelshelfError:
            return ()  # its health says why

    async def _fitting(self, config: ProviderConfig, cards: "Sequence[RepoCard]") -> list[tuple[int, str]]:
        """What would do well on it; a provider that comes or goes changes nothing of that."""
        at, about, kept = self._fits.get(config.id, (-KEPT_SECONDS, None, []))
        if about == (config, cards) and time.monotonic() - at < KEPT_SECONDS:
            return kept
        found = await self._judge(config, cards)
        self._fits[config.id] = time.monotonic(), (config, cards), found
        return found

    async def _judge(self, config: ProviderConfig, cards: "Sequence[RepoCard]") -> list[tuple[int, str]]:
        found: list[tuple[int, str]] = []
        for place, card in enumerate(cards):
            if place % AT_ONCE == 0:
                await asyncio.sleep(0)
            score = self._compatibility.quick(card, config.id).score
            if score is not None and score >= RECOMMENDED_FROM:
                found.append((score, card.repo))
        return found


def _provider_status(
    config: ProviderConfig, state: HealthStatus, local: int, fitting: Sequence[str], remedy: str
) -> ProviderStatus:
    healthy = state in ANSWERING
    status = "error" if state in FAILING else "unknown" if not healthy else "healthy" if local else "needs_models"
    advice: tuple[str, ...] = ()
    if status == "error":
        advice = (f"{config.name}: {remedy or 'check that it runs and that its address is right.'}",)
    elif status == "needs_models":
        advice = tuple(f"Download {repo} for {config.name}." for repo in fitting[:ADVISED])
    return ProviderStatus(
        name=config.name,
        healthy=healthy,
        has_compatible_models=bool(local or fitting),
        has_local_models=bool(local),
        local_models_count=local,
        available_for_download=len(fitting),
        total_compatible=local + len(fitting),
        status=status,
        recommendations=advice,
    )


def _whole(providers: Mapping[str, ProviderStatus]) -> IntegrationStatus:
    states = [item.status for item in providers.values()]
    overall = next((state for state in ("healthy", "needs_models", "unknown", "error") if state in states), "unknown")
    advice = [line for item in providers.values() for line in item.recommendations]
    if not providers:
        advice.append("Switch a provider on in LLM Settings.")
    return IntegrationStatus(
        providers=providers,
        overall_status=overall,
        total_providers=len(providers),
        healthy_providers=sum(item.healthy for item in providers.values()),
        providers_with_models=sum(item.has_local_models for item in providers.values()),
        total_compatible_models=sum(item.total_compatible for item in providers.values()),
        recommendations=tuple(dict.fromkeys(advice)),
    )
