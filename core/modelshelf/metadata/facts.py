"""What a model is, and where each fact came from."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A tensor as a header describes it: `type` is the ggml or safetensors name, `shape` as stored.

    `size` is in bytes, `offset` counts from the start of the tensors' data.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    size: int
    offset: int = 0


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the files of a model say. None means that they do not say.

    format: gguf | safetensors | mlx | exl2 | exl3 | onnx, by the bytes and not by the name. `heads_kv` has an entry per
    layer. `keys` are the architecture keys without their prefix (`block_count`, `attention.head_count`, …). `tier` is 2
    when every tensor was read, 1 when only the first bytes were, and `weights` is estimated from the file's size, 0
    when all is from what a source tells. `role` is model, projector or adapter; the latter two go with a model, an
    adapter with the one that `base` names. `active` are the parameters that one token uses, `window` the tokens that
    sliding layers see. `abilities` are words such as chat, embed, tools, vision, audio, reasoning. `generation` holds
    what the publisher advises (temperature, top_p, …). `origins` tells for each fact where it came from.
    """

    format: str
    size: int
    architecture: str | None = None
    name: str | None = None
    parameters: int | None = None
    active: int | None = None
    layers: int | None = None
    embedding: int | None = None
    feed_forward: int | None = None
    heads: int | None = None
    heads_kv: tuple[int, ...] = ()
    key_length: int | None = None
    value_length: int | None = None
    vocabulary: int | None = None
    context: int | None = None
    window: int | None = None
    quantisation: str | None = None
    licence: str | None = None
    gated: bool | None = None
    role: str = "model"
    base: str | None = None
    abilities: frozenset[str] = frozenset()
    generation: Mapping[str, float | int | bool] = field(default_factory=dict)
    chat_template: str | None = None
    weights: int | None = None
    tensors: tuple[TensorInfo, ...] = ()
    keys: Mapping[str, Any] = field(default_factory=dict)
    tier: int = 2
    origins: Mapping[str, str] = field(default_factory=dict)

    @property
    def bytes_by_type(self) -> Mapping[str, int]:
        """Bytes of the tensors of each type, the most first; empty where the tensors were not read."""
        found: Counter[str] = Counter()
        for tensor in self.tensors:
            found[tensor.type] += tensor.size
        return dict(found.most_common())
