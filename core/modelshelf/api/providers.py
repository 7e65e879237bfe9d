"""What serves models: providers, their health, their models, and the status of the whole."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path

from modelshelf.api.needs import Answer, TheShelf
from modelshelf.providers.spec import Health, ProviderConfig

router = APIRouter(prefix="/providers", tags=["providers"])

ProviderId = Annotated[str, Path(max_length=40)]


class HealthAnswer(Answer):
    """One look at a provider: status is well, slow, down, refused or unknown."""

    status: str
    at: datetime
    latency_ms: float | None
    detail: str
    remedy: str
    version: str


class ProviderAnswer(Answer):
    """A configured provider with the last look at it; its secrets are not shown."""

    id: str
    kind: str
    name: str
    url: str
    enabled: bool
    abilities: list[str]
    health: HealthAnswer | None


class ServedAnswer(Answer):
    """A model as a provider offers it; `id` is what to ask in /api/chat. Sizes in bytes."""

    id: str
    provider: str
    name: str
    size: int | None
    context: int | None
    quantisation: str | None
    architecture: str | None
    repo: str | None
    commit: str | None
    loaded: bool | None
    memory: int | None


class ProviderStatusAnswer(Answer):
    """How far a provider is from being used."""

    name: str
    healthy: bool
    has_compatible_models: bool
    has_local_models: bool
    local_models_count: int
    available_for_download: int
    total_compatible: int
    status: str
    recommendations: list[str]


class IntegrationAnswer(Answer):
    """How everything plays together."""

    providers: dict[str, ProviderStatusAnswer]
    overall_status: str
    total_providers: int
    healthy_providers: int
    providers_with_models: int
    total_compatible_models: int
    recommendations: list[str]


@router.get("")
async def providers(shelf: TheShelf) -> list[ProviderAnswer]:
    """All providers in their order."""
    kinds = shelf.providers.kinds()

    def answer(config: ProviderConfig, look: Health | None) -> ProviderAnswer:
        kind = kinds.get(config.kind)
        return ProviderAnswer(
            id=config.id,
            kind=config.kind,
            name=config.name,
            url=config.url,
            enabled=config.enabled,
            abilities=sorted(ability.value for ability in kind.abilities) if kind else [],
            health=HealthAnswer.model_validate(look) if look else None,
        )

    return [answer(config, shelf.health.latest.get(config.id)) for config in await shelf.providers.list()]


@router.get("/integration/status")
async def integration(shelf: TheShelf) -> IntegrationAnswer:
    """Which providers are well, which have models, and what to do next."""
    return IntegrationAnswer.model_validate(await shelf.integration.status())


@router.get("/{provider}/models")
async def models(shelf: TheShelf, provider: ProviderId) -> list[ServedAnswer]:
    """What a provider offers."""
    return [ServedAnswer.model_validate(model) for model in await shelf.providers.models(provider)]


@router.post("/{provider}/test")
async def test(shelf: TheShelf, provider: ProviderId) -> HealthAnswer:
    """Look at a provider now."""
    return HealthAnswer.model_validate(await shelf.health.check(provider))
