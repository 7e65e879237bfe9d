"""The shapes of what the routes about providers take and answer."""

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from modelshelf.api.needs import Answer


class Order(BaseModel):
    """What is asked for; a field that does not exist is an error, not nothing."""

    model_config = ConfigDict(extra="forbid")


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
    settings: dict[str, Any]
    abilities: list[str]
    missing: dict[str, str] = Field(description="for each ability it has not, a sentence why")
    health: HealthAnswer | None
    availability: float | None = Field(description="0 to 1, over the last hour")
    median_ms: float | None = Field(description="of its answers in the last hour")


class KindAnswer(BaseModel):
    """What can be added: a kind of server, or a cloud service by name."""

    kind: str
    label: str
    about: str
    url: str
    key: str
    env: list[str]
    cloud: bool
    abilities: list[str]
    settings: list[dict[str, Any]]
    load_options: list[str]


class PriceAnswer(Answer):
    """US dollars per million tokens."""

    input: float | None
    output: float | None


class ServedAnswer(Answer):
    """A model as a provider offers it; `id` is what to ask in /api/chat. Sizes in bytes."""

    id: str
    provider: str
    name: str
    title: str
    size: int | None
    context: int | None
    max_output: int | None
    quantisation: str | None
    architecture: str | None
    repo: str | None
    commit: str | None
    loaded: bool | None
    memory: int | None
    abilities: list[str]
    price: PriceAnswer | None
    deprecated: bool
    retires: date | None


class KeyAnswer(Answer):
    """A key as it may be shown: where it comes from, for which models, and its last four characters."""

    id: str
    pattern: str
    label: str
    origin: str
    env: str
    present: bool
    last4: str
    fingerprint: str


class ValidationAnswer(Answer):
    """What a test found, and what to do about it."""

    good: bool
    outcome: str
    message: str
    remedy: str
    latency_ms: float | None
    models: int | None
    told: str


class DiscoveredAnswer(Answer):
    """An engine that runs on this machine and is not among the providers."""

    kind: str
    url: str
    version: str
    label: str


class KeyOrder(Order):
    """A key, or the environment variable that holds it; it can be set, and never be read again."""

    key: SecretStr | None = Field(default=None, max_length=8192)
    key_env: str = Field(default="", max_length=100)
    pattern: str = Field(default="*", max_length=200)
    label: str = Field(default="", max_length=100)


class ProviderOrder(Order):
    """A provider to add. It is tested first and saved only if that went well, or with `insist`."""

    kind: str = Field(max_length=60)
    id: str = Field(default="", max_length=40)
    name: str = Field(default="", max_length=100)
    url: str = Field(default="", max_length=500)
    settings: dict[str, Any] | None = None
    key: SecretStr | None = Field(default=None, max_length=8192)
    key_env: str = Field(default="", max_length=100)
    ping: bool = False
    insist: bool = False


class ProviderChange(Order):
    """What is to be other about a provider; what is left out stays."""

    name: str = Field(default="", max_length=100)
    url: str = Field(default="", max_length=500)
    settings: dict[str, Any] | None = None
    enabled: bool | None = None
    key: SecretStr | None = Field(default=None, max_length=8192)
    key_env: str = Field(default="", max_length=100)
    insist: bool = False


class SavedAnswer(BaseModel):
    """A saved provider, and what its test said."""

    provider: ProviderAnswer
    validation: ValidationAnswer | None


class LoadOrder(Order):
    """How to load a model; what is left out is as it was settled, else the provider's own choice."""

    context: int | None = None
    kv: str | None = None
    gpu_layers: int | None = None
    slots: int | None = None
    flash_attention: bool | None = None
    idle_seconds: int | None = None
    keep: bool = Field(default=False, description="load it so from now on")


class TextOrder(Order):
    """A text to import."""

    text: str = Field(max_length=1_000_000)


class ImportAnswer(Answer):
    """What an import did, by ids."""

    added: list[str]
    changed: list[str]
    without_key: list[str]


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
