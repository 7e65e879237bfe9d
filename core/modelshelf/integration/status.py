"""How everything plays together: which providers are well, which have models, and what to do next."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from modelshelf.compat.types import RECOMMENDED_FROM
from modelshelf.errors import ModelshelfError
from modelshelf.providers.spec import HealthStatus, ProviderConfig, ServedModel

if TYPE_CHECKING:
    from modelshelf.catalog import CatalogService
    from modelshelf.catalog.types import RepoCard
    from modelshelf.compat import CompatibilityService
    from modelshelf.library import ModelLibrary
    from modelshelf.providers import HealthMonitor, ProviderRegistry

LOOKED_AT = 200
ADVISED = 3
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
    """Computes the status from what the other services know; it asks providers and sources as they would anyway."""

    def __init__(
        self,
        catalog: "CatalogService",
        library: "ModelLibrary",
        providers: "ProviderRegistry",
        health: "HealthMonitor",
        compatibility: "CompatibilityService",
    ) -> None:
        self._catalog = catalog
        self._library = library
        self._providers = providers
        self._health = health
        self._compatibility = compatibility

    async def status(self) -> IntegrationStatus:
        """The status of every enabled provider and of the whole."""
        configs = [config for config in await self._providers.list() if config.enabled]
        installed = {model.repo for model in await self._library.models() if model.complete}
        cards = [card for card in (await self._catalog.find(limit=LOOKED_AT)).rows if card.repo not in installed]
        found = await asyncio.gather(*(self._provider(config, cards) for config in configs))
        return _whole({config.id: status for config, status in zip(configs, found, strict=True)})

    async def _provider(self, config: ProviderConfig, cards: "Sequence[RepoCard]") -> ProviderStatus:
        look = self._health.latest.get(config.id)
        state = look.status if look else HealthStatus.UNKNOWN
        served = await self._served(config)
        fitting = sorted(self._fitting(config, cards), reverse=True)
        return _provider_status(config, state, len(served), [repo for _, repo in fitting], look.remedy if look else "")

    async def _served(self, config: ProviderConfig) -> tuple[ServedModel, ...]:
        try:
            return tuple(await self._providers.models(config.id))
        except ModelshelfError:
            return ()  # its health says why

    def _fitting(self, config: ProviderConfig, cards: "Sequence[RepoCard]") -> list[tuple[int, str]]:
        answers = ((self._compatibility.quick(card, config.id), card.repo) for card in cards)
        return [(fit.score, repo) for fit, repo in answers if fit.score is not None and fit.score >= RECOMMENDED_FROM]


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
