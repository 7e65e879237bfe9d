"""What is drawn from a model's facts once, for all settings that it is judged with."""

from dataclasses import dataclass

from modelshelf.compat.architectures import Traits, traits
from modelshelf.compat.shape import Shape, shape_of
from modelshelf.metadata.facts import ModelFacts, TensorInfo

ALIGNMENT = 32
EMBEDDINGS = "token_embd.weight"
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
    """Draw them; takes a millisecond for hundreds of tensors."""
    shape, kind = shape_of(facts), traits(facts.architecture)
    if facts.tensors and facts.tier == 2:
        return _summed(facts, shape, kind)
    weights = facts.weights if facts.weights is not None else facts.size
    outside, layers, output = _shared_out(facts, shape, weights)
    repacked = round(weights * REPACKED_SHARES.get(facts.quantisation or "", 0.0))
    return Measures(shape, kind, weights, weights, layers, outside, output, repacked=repacked)


def _summed(facts: ModelFacts, shape: Shape, kind: Traits) -> Measures:
    """Of the experts only those that are chosen are active, of the vocabulary one row."""
    count = facts.keys.get("expert_count")
    part = min(shape.experts_used / count, 1.0) if isinstance(count, int) and count > 0 else 1.0
    tied = all(tensor.name != "output.weight" for tensor in facts.tensors)
    layers = [0] * shape.layers
    outside = output = embedded = repacked = 0
    active = 0.0
    for tensor in facts.tensors:
        name, size = tensor.name, -(-tensor.size // ALIGNMENT) * ALIGNMENT
        layer = _layer_of(name)
        if layer is None:
            output += size if name in OUTPUTS else 0
            outside += 0 if name in OUTPUTS else size
            embedded += size if name == EMBEDDINGS else 0
        elif layer < shape.layers:
            layers[layer] += size
        else:
            continue  # layers behind the last foretell more than the next token and are not loaded
        if name != EMBEDDINGS or tied:
            active += tensor.size * part if "_exps" in name else tensor.size
        repacked += tensor.size if _is_repacked(tensor, inside=layer is not None, tied=tied) else 0
    output += embedded if tied and kind.twice_embedded else 0
    weights = outside + sum(layers) + output
    return Measures(
        shape, kind, weights, round(active), tuple(layers), outside, output, embedded if tied else 0, repacked
    )


def _is_repacked(tensor: TensorInfo, *, inside: bool, tied: bool) -> bool:
    if tensor.type not in REPACKED_TYPES or len(tensor.shape) < 2 or tensor.shape[1] % WOVEN:
        return False
    if inside:
        return len(tensor.shape) == 2 or "_exps" in tensor.name
    return tied if tensor.name == EMBEDDINGS else tensor.name in {"output.weight", "per_layer_model_proj.weight"}


def _layer_of(name: str) -> int | None:
    """The number of the layer that a tensor belongs to."""
    if name[:4] in {"enc.", "dec."}:
        name = name[4:]
    if name[:4] != "blk.":
        return None
    number = name[4 : name.find(".", 4)]
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
