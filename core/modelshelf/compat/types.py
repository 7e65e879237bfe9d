"""What compatibility answers are made of. Memory in bytes, speed in tokens per second."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

RECOMMENDED_FROM = 60  # from this score a model is recommended, and registered by itself


class Confidence(StrEnum):
    """How an answer was come by."""

    EXACT = "exact"  # from the whole header
    HEADER = "header"  # from the first bytes of the header and the file's size
    BOUNDED = "bounded"  # an interval: the architecture is not known in detail
    ESTIMATE = "estimate"  # from sizes alone
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Settings:
    """How an engine would load a model; the defaults are llama-server's, whose outputs equal its slots.

    `kv` is the type of the cache's keys, `kv_values` that of its values where it is another. `gpu_layers` None: as many
    as fit. `tensor_split`: shares of the cards, empty for shares of their free memory. `repack`: the processor keeps
    tensors a second time in an order it likes. `gpu_share` is the part of a card that vLLM and SGLang take.
    """

    context: int = 4096
    kv: str = "f16"
    slots: int = 1
    ubatch: int = 512
    flash_attention: bool = True
    unified_kv: bool = True
    gpu_layers: int | None = None
    kv_values: str | None = None
    tensor_split: tuple[float, ...] = ()
    repack: bool = True
    gpu_share: float = 0.9

    def as_dict(self) -> dict[str, Any]:
        """As JSON, by the names of the fields."""
        return {item.name: getattr(self, item.name) for item in fields(self)} | {"tensor_split": [*self.tensor_split]}


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes an engine will hold. `total` is what the device holds; `host` stands apart."""

    weights: int
    kv: int
    recurrent: int
    compute: int
    output: int
    host: int

    @property
    def total(self) -> int:
        """weights + kv + recurrent + compute + output."""
        return self.weights + self.kv + self.recurrent + self.compute + self.output

    def as_dict(self) -> dict[str, int]:
        """As JSON."""
        names = ("weights", "kv", "recurrent", "compute", "output", "host", "total")
        return {name: int(getattr(self, name)) for name in names}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: a stable code, a sentence, and the figures in it."""

    code: str
    detail: str
    figures: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"code": self.code, "detail": self.detail, "figures": dict(self.figures)}


@dataclass(frozen=True, slots=True)
class Fix:
    """A change that raises the score, and the score it would give. `apply` names the changed settings."""

    code: str
    detail: str
    score: int
    apply: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"code": self.code, "detail": self.detail, "score": self.score, "apply": dict(self.apply)}


@dataclass(frozen=True, slots=True)
class Quality:
    """What speaks for a model whatever it runs on: shown beside the score and never mixed into it.

    `parameters` in all and `active` for one token; `fidelity` is the part, 0 to 1, that its quantisation leaves.
    """

    parameters: int | None
    active: int | None
    fidelity: float | None
    detail: str

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "parameters": self.parameters,
            "active": self.active,
            "fidelity": self.fidelity,
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True)
class Compatibility:
    """Model x provider: `score` 0-100, or None where the question makes no sense.

    `budget` is the memory in bytes that `memory.total` has to fit into, `speed` the least and the most tokens per
    second to expect: `measured` says that this machine was timed with that model. `values` are the five that make the
    score, 0 to 1 each; empty where something else decided.
    """

    model: str
    provider: str
    score: int | None
    available: bool
    confidence: Confidence
    memory: Memory | None = None
    budget: int | None = None
    speed: tuple[float, float] | None = None
    settings: Settings | None = None
    reasons: tuple[Reason, ...] = ()
    fixes: tuple[Fix, ...] = ()
    summary: str = ""
    values: Mapping[str, float] = field(default_factory=dict)
    measured: bool = False
    quality: Quality | None = None

    def as_dict(self) -> dict[str, Any]:
        """As JSON, the shape that `modelshelf fit --json` prints."""
        return {
            "model": self.model,
            "provider": self.provider,
            "score": self.score,
            "available": self.available,
            "confidence": self.confidence.value,
            "memory": self.memory.as_dict() if self.memory else None,
            "budget": self.budget,
            "speed": list(self.speed) if self.speed else None,
            "measured": self.measured,
            "settings": self.settings.as_dict() if self.settings else None,
            "values": {name: round(value, 3) for name, value in self.values.items()},
            "quality": self.quality.as_dict() if self.quality else None,
            "summary": self.summary,
            "reasons": [reason.as_dict() for reason in self.reasons],
            "fixes": [fix.as_dict() for fix in self.fixes],
        }


@dataclass(frozen=True, slots=True)
class RankedFile:
    """One way to have a repository: a file or the parts of a split one, with how well it does here."""

    files: tuple[str, ...]
    size: int
    quantisation: str | None
    compatibility: Compatibility
