"""How architectures differ in the memory they need: a table, so that a new one is a line and not a branch.

Measured on llama.cpp b11434 with the shapes in `tests/shapes`; what is not listed is taken to be like llama and marked
as bounded. `E` is the embedding length.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Traits:
    """What the engine does differently for an architecture.

    sliding_period: of so many layers all but the last see a sliding window only; 0: the engine ignores the window key.
    residuals: rows of E alive beside a feed-forward block. expert_residuals: the same beside the experts' outputs;
    None: the engine never holds those outputs twice. gated: the feed-forward block has a gate.
    plain_attention: rows of E, of all heads and of the keys alive in attention without flash attention.
    states: how often the recurrent state is alive at once. measured: compared with the engine's own figures.
    """

    sliding_period: int = 0
    residuals: float = 5.0
    expert_residuals: float | None = 5.0
    gated: bool = True
    plain_attention: tuple[float, float, float] = (2.0, 4.0, 2.0)
    states: int = 1
    measured: bool = True


UNMEASURED = Traits(measured=False)
_LLAMA = Traits()
_GEMMA = (3.0, 6.0, 0.0)
_OLMO = (1.0, 4.0, 2.0)

TRAITS: Mapping[str, Traits] = {
    "llama": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "phi3": _LLAMA,
    "lfm2": _LLAMA,
    "mamba": _LLAMA,
    "mamba2": _LLAMA,
    "deepseek2": _LLAMA,
    "olmo2": Traits(plain_attention=_OLMO),
    "olmoe": Traits(expert_residuals=None, plain_attention=_OLMO),
    "qwen3moe": Traits(expert_residuals=6.0),
    "qwen3next": Traits(expert_residuals=2.5),
    "gpt-oss": Traits(sliding_period=2),
    "cohere2": Traits(sliding_period=4, residuals=6.0),
    "gemma2": Traits(sliding_period=2, plain_attention=_GEMMA),
    "gemma3": Traits(sliding_period=6, plain_attention=_GEMMA),
    "granitehybrid": Traits(residuals=6.0),
    "falcon-h1": Traits(states=2),
    "exaone4": Traits(sliding_period=4, measured=False),
}


def traits(architecture: str | None) -> Traits:
    """The line for an architecture, or the one for those that were never measured."""
    return TRAITS.get(architecture or "", UNMEASURED)
