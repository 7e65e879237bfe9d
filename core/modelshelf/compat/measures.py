"""What is drawn from a model's facts once, for all settings that it is judged with."""

from dataclasses import dataclass

from modelshelf.compat.architectures import Traits, traits
from modelshelf.compat.shape import Shape, shape_of
from modelshelf.metadata.facts import ModelFacts

ALIGNMENT = 32
EXPERT_TENSORS = ("ffn_gate_exps", "ffn_up_exps", "ffn_down_exps", "ffn_gate_up_exps")


@dataclass(frozen=True, slots=True)
class Measures:
    """A model's shape and traits; bytes of all its weights as the engine keeps them, and of those one token uses."""

    shape: Shape
    traits: Traits
    weights: int
    active: int


def measure(facts: ModelFacts) -> Measures:
    """Draw them; takes some tenths of a millisecond for hundreds of tensors."""
    shape = shape_of(facts)
    weights = _weights(facts)
    return Measures(shape, traits(facts.architecture), weights, _active(facts, shape, weights))


def _weights(facts: ModelFacts) -> int:
    if facts.tensors and facts.tier == 2:
        return sum(-(-tensor.size // ALIGNMENT) * ALIGNMENT for tensor in facts.tensors)
    return facts.weights if facts.weights is not None else facts.size


def _active(facts: ModelFacts, shape: Shape, weights: int) -> int:
    """Of the experts only those that are chosen count, of the vocabulary one row."""
    if not facts.tensors:
        return weights
    count = facts.keys.get("expert_count")
    part = min(shape.experts_used / count, 1.0) if isinstance(count, int) and count > 0 else 1.0
    tied = all(tensor.name != "output.weight" for tensor in facts.tensors)
    total = 0.0
    for tensor in facts.tensors:
        if any(name in tensor.name for name in EXPERT_TENSORS):
            total += tensor.size * part
        elif tensor.name != "token_embd.weight" or tied:
            total += tensor.size
    return round(total)
