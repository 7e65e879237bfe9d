"""What serves models: the door for adapters, the registry, the built-in engine, health. Loaded on first use."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from modelshelf.providers.spec import (
    Ability,
    ChatChunk,
    ChatMessage,
    ChatReply,
    ChatRequest,
    Health,
    HealthStatus,
    Progress,
    Provider,
    ProviderConfig,
    ProviderContext,
    ProviderFactory,
    ServedModel,
)

if TYPE_CHECKING:
    from modelshelf.providers.health import HealthMonitor
    from modelshelf.providers.profile_spec import Profile, ProfileState
    from modelshelf.providers.profiles import ProfileManager
    from modelshelf.providers.registry import Offer, ProviderRegistry

__all__ = [
    "Ability",
    "ChatChunk",
    "ChatMessage",
    "ChatReply",
    "ChatRequest",
    "Health",
    "HealthMonitor",
    "HealthStatus",
    "Offer",
    "Profile",
    "ProfileManager",
    "ProfileState",
    "Progress",
    "Provider",
    "ProviderConfig",
    "ProviderContext",
    "ProviderFactory",
    "ProviderRegistry",
    "ServedModel",
]

_WHERE = {
    "HealthMonitor": "health", "Offer": "registry", "Profile": "profile_spec", "ProfileManager": "profiles",
    "ProfileState": "profile_spec", "ProviderRegistry": "registry",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(f"modelshelf.providers.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
