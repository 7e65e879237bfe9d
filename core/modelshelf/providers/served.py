"""A model as a provider offers it, what it costs, and how it is brought into memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from typing import Any

from modelshelf.errors import UsageError


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens; None where it is not known."""

    input: float | None = None
    output: float | None = None


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """How a model is brought into memory; None leaves it to the provider.

    `context` in tokens; `kv` is f16, q8_0 or q4_0; `gpu_layers` counts layers, -1 for all; `idle_seconds` until it is
    unloaded by itself, 0 for never. A provider heeds those that its `load_options` names.
    """

    context: int | None = None
    kv: str | None = None
    gpu_layers: int | None = None
    slots: int | None = None
    flash_attention: bool | None = None
    idle_seconds: int | None = None

    def over(self, other: "LoadSettings") -> "LoadSettings":
        """These settings, and the other's where these leave something open."""
        mine = {item.name: getattr(self, item.name) for item in fields(self)}
        return replace(other, **{name: value for name, value in mine.items() if value is not None})

    def as_dict(self) -> dict[str, Any]:
        """What is set, ready for JSON."""
        told = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value for name, value in told.items() if value is not None}


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model as a provider offers it. `loaded` is None where the provider does not say.

    `size` and `memory` in bytes, `context` and `max_output` in tokens. `abilities` are words such as chat, embed,
    tools, vision, reasoning. `retires` is the day after which the provider no longer serves it; `deprecated` says that
    it should no longer be chosen. `instances` are the provider's own names for what is in memory.
    """

    provider: str
    name: str
    size: int | None = None
    context: int | None = None
    quantisation: str | None = None
    architecture: str | None = None
    repo: str | None = None
    commit: str | None = None
    loaded: bool | None = None
    memory: int | None = None
    abilities: tuple[str, ...] = ()
    title: str = ""
    max_output: int | None = None
    price: Price | None = None
    deprecated: bool = False
    retires: date | None = None
    instances: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """`provider/name`."""
        return f"{self.provider}/{self.name}"


def check_load_settings(settings: LoadSettings) -> None:
    """Refuse what makes no sense on any engine.

    Raises:
        UsageError: names the setting and what is allowed.
    """
    ranges = {
        "context": (256, 1 << 24), "gpu_layers": (-1, 1000), "slots": (1, 256), "idle_seconds": (0, 30 * 86_400),
    }  # fmt: skip
    for name, (least, most) in ranges.items():
        value = getattr(settings, name)
        if value is not None and not least <= value <= most:
            raise UsageError(f"{name} = {value} is not allowed.", remedy=f"Choose from {least} to {most:,}.")
    if settings.kv not in {None, "f16", "q8_0", "q4_0"}:
        raise UsageError(f"kv = “{settings.kv}” is not allowed.", remedy="Choose f16, q8_0 or q4_0.")
