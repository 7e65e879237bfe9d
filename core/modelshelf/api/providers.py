"""What serves models: providers, their health, keys and models, and the status of the whole."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import SecretStr

from modelshelf.api.needs import AdminOnly, OperatorOnly, TheShelf
from modelshelf.api.provider_shapes import (
    DiscoveredAnswer,
    HealthAnswer,
    ImportAnswer,
    IntegrationAnswer,
    KeyAnswer,
    KeyOrder,
    KindAnswer,
    LoadOrder,
    ProviderAnswer,
    ProviderChange,
    ProviderOrder,
    SavedAnswer,
    ServedAnswer,
    TextOrder,
    ValidationAnswer,
)
from modelshelf.providers.drafts import Draft
from modelshelf.providers.spec import Health, LoadSettings, ProviderConfig, ProviderFactory
from modelshelf.providers.validation import clean_key
from modelshelf.vault import Secret

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

router = APIRouter(prefix="/providers", tags=["providers"])

ProviderId = Annotated[str, Path(max_length=40)]
KeyId = Annotated[str, Path(max_length=40)]
ModelName = Annotated[str, Query(max_length=300, description="the model's name at the provider")]


@router.get("")
async def providers(shelf: TheShelf) -> list[ProviderAnswer]:
    """All providers in their order."""
    return [_answer(shelf, config) for config in await shelf.providers.list()]


@router.post("", status_code=201, dependencies=[AdminOnly])
async def add(shelf: TheShelf, order: ProviderOrder) -> SavedAnswer:
    """Test a provider and add it."""
    draft = Draft(order.kind, order.url, order.name, order.id, order.settings, _secret(order.key), order.key_env)
    saved = await shelf.providers.drafts.save(draft, insist=order.insist, ping=order.ping)
    return _saved(shelf, saved.provider, saved.validation)


@router.post("/try", dependencies=[AdminOnly])
async def try_out(shelf: TheShelf, order: ProviderOrder) -> ValidationAnswer:
    """Test a provider as it is filled in; nothing is saved."""
    draft = Draft(order.kind, order.url, order.name, order.id, order.settings, _secret(order.key), order.key_env)
    return ValidationAnswer.model_validate(await shelf.providers.drafts.try_out(draft, ping=order.ping))


@router.get("/kinds")
async def kinds(shelf: TheShelf) -> list[KindAnswer]:
    """What can be added: kinds of servers first, then cloud services by name."""
    plugged = shelf.providers.kinds()
    found = {**plugged, **await shelf.providers.cloud_kinds()}
    return [_kind(kind, factory, kind not in plugged) for kind, factory in found.items()]


@router.get("/discover")
async def discover(shelf: TheShelf) -> list[DiscoveredAnswer]:
    """The engines that run on this machine and are not among the providers."""
    return [DiscoveredAnswer.model_validate(item) for item in await shelf.providers.discover()]


@router.get("/export")
async def export(shelf: TheShelf) -> Response:
    """The providers as TOML, without any secret."""
    return Response(await shelf.providers.exchange.export(), media_type="application/toml")


@router.post("/import", dependencies=[AdminOnly])
async def import_(shelf: TheShelf, order: TextOrder) -> ImportAnswer:
    """Add the providers of an export and change those that are known: all or nothing."""
    return ImportAnswer.model_validate(await shelf.providers.exchange.import_(order.text))


@router.put("/order", dependencies=[AdminOnly])
async def reorder(shelf: TheShelf, ids: list[str]) -> list[str]:
    """Put providers first; the ids in their new order."""
    await shelf.providers.reorder(ids)
    return [config.id for config in await shelf.providers.list()]


@router.get("/integration/status")
async def integration(shelf: TheShelf) -> IntegrationAnswer:
    """Which providers are well, which have models, and what to do next."""
    return IntegrationAnswer.model_validate(await shelf.integration.status())


@router.get("/{provider}")
async def one(shelf: TheShelf, provider: ProviderId) -> ProviderAnswer:
    """One provider."""
    return _answer(shelf, await shelf.providers.config(provider))


@router.patch("/{provider}", dependencies=[AdminOnly])
async def change(shelf: TheShelf, provider: ProviderId, order: ProviderChange) -> SavedAnswer:
    """Test a provider with what is new about it and keep that; switching on or off alone needs no test."""
    config = await shelf.providers.config(provider)
    seen = None
    if order.name or order.url or order.settings is not None or order.key or order.key_env:
        key = _secret(order.key)
        draft = Draft(config.kind, order.url, order.name, provider, order.settings, key, order.key_env, existing=True)
        saved = await shelf.providers.drafts.save(draft, insist=order.insist)
        config, seen = saved.provider, saved.validation
    if order.enabled is not None:
        config = await shelf.providers.enable(provider, order.enabled)
    return _saved(shelf, config, seen)


@router.delete("/{provider}", status_code=204, dependencies=[AdminOnly])
async def remove(shelf: TheShelf, provider: ProviderId) -> None:
    """Remove a provider with its keys."""
    await shelf.providers.remove(provider)


@router.get("/{provider}/models")
async def models(shelf: TheShelf, provider: ProviderId) -> list[ServedAnswer]:
    """What a provider offers."""
    return [ServedAnswer.model_validate(model) for model in await shelf.providers.models(provider)]


@router.post("/{provider}/test")
async def test(shelf: TheShelf, provider: ProviderId) -> HealthAnswer:
    """Look at a provider now."""
    return HealthAnswer.model_validate(await shelf.health.check(provider))


@router.post("/{provider}/validate", dependencies=[OperatorOnly])
async def validate(shelf: TheShelf, provider: ProviderId, ping: bool = False) -> ValidationAnswer:
    """Test a provider and its key; `ping` asks a model for one token, for which a cloud service may charge."""
    return ValidationAnswer.model_validate(await shelf.providers.drafts.test(provider, ping=ping))


@router.get("/{provider}/history")
async def history(shelf: TheShelf, provider: ProviderId) -> list[HealthAnswer]:
    """The looks at a provider in the last hour, the oldest first."""
    return [HealthAnswer.model_validate(look) for look in await shelf.health.history(provider)]


@router.post("/{provider}/load", status_code=204, dependencies=[OperatorOnly])
async def load(shelf: TheShelf, provider: ProviderId, model: ModelName, order: LoadOrder) -> None:
    """Bring a model into memory."""
    how = LoadSettings(**order.model_dump(exclude={"keep"}))
    await shelf.providers.load(f"{provider}/{model}", how)
    if order.keep:
        await shelf.providers.set_load_settings(f"{provider}/{model}", how)


@router.post("/{provider}/unload", status_code=204, dependencies=[OperatorOnly])
async def unload(shelf: TheShelf, provider: ProviderId, model: ModelName) -> None:
    """Give a model's memory back."""
    await shelf.providers.unload(f"{provider}/{model}")


@router.get("/{provider}/keys")
async def keys(shelf: TheShelf, provider: ProviderId) -> list[KeyAnswer]:
    """A provider's keys, as they may be shown."""
    return [KeyAnswer.model_validate(key) for key in await shelf.providers.keys_of(provider)]


@router.post("/{provider}/keys", status_code=201, dependencies=[AdminOnly])
async def add_key(shelf: TheShelf, provider: ProviderId, order: KeyOrder) -> list[KeyAnswer]:
    """Give a provider another key, for all its models or for those of a pattern; its keys then."""
    await shelf.providers.add_key(
        provider, secret=_secret(order.key), env=order.key_env, pattern=order.pattern, label=order.label
    )
    return await keys(shelf, provider)


@router.delete("/{provider}/keys/{key}", status_code=204, dependencies=[AdminOnly])
async def remove_key(shelf: TheShelf, provider: ProviderId, key: KeyId) -> None:
    """Forget a key."""
    await shelf.providers.keys.remove(provider, key)


def _answer(shelf: "Shelf", config: ProviderConfig) -> ProviderAnswer:
    kind, listed = shelf.providers.kind(config.kind), shelf.health.listed.get(config.id)
    look, pulse = shelf.health.latest.get(config.id), shelf.health.pulse(config.id)
    able = (listed and listed.abilities) or (kind.abilities if kind else ())
    return ProviderAnswer(
        id=config.id,
        kind=config.kind,
        name=config.name,
        url=config.url,
        enabled=config.enabled,
        settings=dict(config.settings),
        abilities=sorted(ability.value for ability in able),
        missing={ability.value: why for ability, why in listed.missing.items()} if listed else {},
        health=_health(look),
        availability=pulse.availability,
        median_ms=pulse.median_ms,
    )


def _health(look: Health | None) -> HealthAnswer | None:
    return HealthAnswer.model_validate(look) if look else None


def _saved(shelf: "Shelf", config: ProviderConfig, seen: object) -> SavedAnswer:
    told = ValidationAnswer.model_validate(seen) if seen is not None else None
    return SavedAnswer(provider=_answer(shelf, config), validation=told)


def _secret(given: SecretStr | None) -> Secret | None:
    return clean_key(given.get_secret_value()) if given is not None and given.get_secret_value() else None


def _kind(kind: str, factory: ProviderFactory, cloud: bool) -> KindAnswer:
    return KindAnswer(
        kind=kind,
        label=factory.label,
        about=factory.about,
        url=factory.default_url,
        key=factory.key_use.value,
        env=list(factory.env_names),
        cloud=cloud,
        abilities=sorted(ability.value for ability in factory.abilities),
        settings=[{**asdict(field), "kind": field.kind.value} for field in factory.fields],
        load_options=sorted(factory.load_options),
    )
