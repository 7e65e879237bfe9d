"""What is drawn from a model's facts once, for all settings that it is judged with."""

from collections.abc import Iterable
from dataclasses import dataclass

from modelshelf.compat.architectures import Traits, traits
from modelshelf.compat.shape import Shape, shape_of
from modelshelf.metadata.facts import ModelFacts, TensorInfo

ALIGNMENT = 32
EXPERT_TENSORS = ("ffn_gate_exps", "ffn_up_exps", "ffn_down_exps", "ffn_gate_up_exps")
# Types whose matrices llama.cpp keeps a second time on a processor with AVX2, eight rows woven into one; measured.
REPACKED_TYPES = frozenset({"Q4_0", "Q4_K", "IQ4_NL", "MXFP4"})
WOVEN = 8
# Of a file of which only the first bytes were read, the share that such tensors have.
REPACKED_SHARES = {"Q4_0": 0.9, "IQ4_NL": 0.9, "MXFP4": 0.9, "Q4_K_S": 0.85, "Q4_K_M": 0.65}
OUTPUTS = ("output.weight", "output.bias", "output_norm.weight", "output_norm.bias")


@dataclass(frozen=True, slots=True)
class Measures:
    """A model's shape and traits; bytes of all its weights as the engine keeps them, and of those one token uses.

    `layers` are the bytes of each layer's weights, which go to a card one by one; `output` what follows the last layer
    and goes there as one more, `outside` what always stays beside the processor. Their sum is `weights`. When only the
    first bytes of the header were read, all layers count alike. `tied`: bytes of embeddings that serve as output too.
    `repacked`: bytes of the copy that the processor makes for itself, beyond `weights`.
    """

    shape: Shape
    traits: Traits
    weights: int
    active: int
    layers: tuple[int, ...] = ()
    outside: int = 0
    output: int = 0
    tied: int = 0
    repacked: int = 0


def measure(facts: ModelFacts) -> Measures:
    """Draw them; takes some tenths of a millisecond for hundreds of tensors."""
    shape, kind = shape_of(facts), traits(facts.architecture)
    if not (facts.tensors and facts.tier == 2):
        weights = facts.weights if facts.weights is not None else facts.size
        outside, layers, output = _shared_out(facts, shape, weights)
        repacked = round(weights * REPACKED_SHARES.get(facts.quantisation or "", 0.0))
        return Measures(shape, kind, weights, weights, layers, outside, output, repacked=repacked)
    outside, layers, output = _by_layer(facts.tensors, shape.layers)
    tied = 0
    if not any(tensor.name == "output.weight" for tensor in facts.tensors):
        tied = sum(_padded(tensor) for tensor in facts.tensors if tensor.name == "token_embd.weight")
    output += tied if kind.twice_embedded else 0
    weights = outside + sum(layers) + output
    active = _active(facts, shape)
    repacked = sum(tensor.size for tensor in facts.tensors if _is_repacked(tensor, shape.layers, tied=bool(tied)))
    return Measures(shape, kind, weights, active, layers, outside, output, tied, repacked)


def _is_repacked(tensor: TensorInfo, layers: int, *, tied: bool) -> bool:
    if tensor.type not in REPACKED_TYPES or len(tensor.shape) < 2 or tensor.shape[1] % WOVEN:
        return False
    if tensor.name == "token_embd.weight":
        return tied
    layer = _layer_of(tensor.name)
    if layer is None:
        return tensor.name in {"output.weight", "per_layer_model_proj.weight"}
    return layer < layers and (len(tensor.shape) == 2 or "_exps" in tensor.name)


def _by_layer(tensors: Iterable[TensorInfo], count: int) -> tuple[int, tuple[int, ...], int]:
    outside = output = 0
    layers = [0] * count
    for tensor in tensors:
        size = _padded(tensor)
        layer = _layer_of(tensor.name)
        if layer is None:
            if tensor.name in OUTPUTS:
                output += size
            else:
                outside += size
        elif layer < count:  # those behind the last foretell more than the next token and are not loaded
            layers[layer] += size
    return outside, tuple(layers), output


def _layer_of(name: str) -> int | None:
    """The number of the layer that a tensor belongs to."""
    before, _, rest = name.partition("blk.")
    if before not in {"", "enc.", "dec."}:
        return None
    number = rest.partition(".")[0]
    return int(number) if number.isascii() and number.isdecimal() and len(number) < 6 else None


def _shared_out(facts: ModelFacts, shape: Shape, weights: int) -> tuple[int, tuple[int, ...], int]:
    """Without the tensors: the rows of the vocabulary take their share of the parameters, the layers the rest alike."""
    if not shape.layers:
        return weights, (), 0
    rows = shape.vocabulary * shape.embedding
    share = min(rows / facts.parameters, 0.5) if facts.parameters else 0.0
    outside = round(weights * share)
    each, left = divmod(weights - outside, shape.layers)
    return outside + left, (each,) * shape.layers, 0


def _padded(tensor: TensorInfo) -> int:
    return -(-tensor.size // ALIGNMENT) * ALIGNMENT


def _active(facts: ModelFacts, shape: Shape) -> int:
    """Of the experts only those that are chosen count, of the vocabulary one row."""
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
