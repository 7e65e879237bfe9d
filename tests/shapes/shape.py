"""What a shape is, and how a mix of quantisations gives each tensor its type."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod

from modelshelf.metadata.facts import ModelFacts, TensorInfo
from modelshelf.metadata.ggml import BY_NAME

type Value = int | float | bool | str | tuple[int, ...] | tuple[float, ...]
type Tensor = tuple[str, tuple[int, ...]]
type Layer = Callable[[int], Iterator[Tensor]]

EXACT = ("ffn_gate_inp", "ssm_conv1d", "ssm_a", "ssm_d", "ssm_dt", "shortconv.conv", "sinks", "norm")


@dataclass(frozen=True)
class Shape:
    """An architecture's keys, and its tensors: those outside the layers and those of each layer.

    `extra` are keys without the architecture's prefix.
    """

    architecture: str
    vocabulary: int
    embedding: int
    layers: int
    layer: Layer
    keys: Mapping[str, Value]
    outside: tuple[Tensor, ...]
    mix: str = "Q4_K_M"
    extra: Mapping[str, Value] = field(default_factory=dict)

    def tensors(self, mix: str = "") -> Iterator[TensorInfo]:
        """Every tensor, in the order of the file."""
        offset = 0
        for name, shape, index in self._all():
            kind = tensor_type(mix or self.mix, name, shape, index, self.layers)
            size = size_of(kind, shape)
            yield TensorInfo(name, kind, shape, size, offset)
            offset += -(-size // 32) * 32

    def _all(self) -> Iterator[tuple[str, tuple[int, ...], int]]:
        for name, shape in self.outside:
            yield name, shape, 0
        for index in range(self.layers):
            for name, shape in self.layer(index):
                yield f"blk.{index}.{name}", shape, index


def facts(shape: Shape, mix: str = "") -> ModelFacts:
    """The facts that the header of such a file gives."""
    tensors = tuple(shape.tensors(mix))
    keys = dict(shape.keys)
    size = sum(tensor.size for tensor in tensors)
    context = keys["context_length"]
    return ModelFacts(
        format="gguf",
        size=size,
        architecture=shape.architecture,
        layers=shape.layers,
        embedding=shape.embedding,
        vocabulary=shape.vocabulary,
        context=context if isinstance(context, int) else None,
        quantisation=mix or shape.mix,
        chat_template="{{ messages }}",
        weights=size,
        tensors=tensors,
        keys=keys,
    )


def size_of(kind: str, shape: tuple[int, ...]) -> int:
    """Bytes of a tensor of that type."""
    block = BY_NAME[kind]
    assert shape[0] % block.values == 0, (kind, shape)
    return prod(shape) // block.values * block.size


def tensor_type(mix: str, name: str, shape: tuple[int, ...], layer: int, layers: int) -> str:
    """The type that llama.cpp's quantize gives a tensor in a mix; a finer one where a row does not fill its blocks."""
    if len(shape) == 1 or name.endswith("bias") or any(part in name for part in EXACT):
        return "F32"
    kind = _wanted(mix, name, layer, layers)
    if shape[0] % BY_NAME[kind].values == 0:
        return kind
    return "Q8_0" if shape[0] % 32 == 0 else "F16"


def _wanted(mix: str, name: str, layer: int, layers: int) -> str:
    if mix == "MXFP4":
        return "MXFP4" if "_exps" in name else "Q8_0"
    if mix == "Q4_0":
        return "Q6_K" if name == "output.weight" else "Q4_0"
    if mix != "Q4_K_M":
        return mix
    eighth = layers // 8
    finer = layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2
    if name in {"output.weight", "token_embd.weight"}:
        return "Q6_K"
    if finer and "attn_qkv" in name:
        return "Q5_K"
    return "Q6_K" if finer and ("attn_v" in name or "ffn_down" in name) else "Q4_K"
