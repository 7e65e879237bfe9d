"""What a model is, and where each fact came from."""

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
    """What the header bytes of a model say. None means that they do not say.

    format: gguf | safetensors. `heads_kv` has an entry per layer. `keys` are the architecture keys without their
    prefix (`block_count`, `attention.head_count`, …). `tier` is 2 when every tensor was read, 1 when only the first
    bytes were; `weights` is then estimated from the file's size. `origins` tells for each fact where it came from.
    """

    format: str
    size: int
    architecture: str | None = None
    name: str | None = None
    parameters: int | None = None
    layers: int | None = None
    embedding: int | None = None
    feed_forward: int | None = None
    heads: int | None = None
    heads_kv: tuple[int, ...] = ()
    key_length: int | None = None
    value_length: int | None = None
    vocabulary: int | None = None
    context: int | None = None
    quantisation: str | None = None
    licence: str | None = None
    chat_template: str | None = None
    weights: int | None = None
    tensors: tuple[TensorInfo, ...] = ()
    keys: Mapping[str, Any] = field(default_factory=dict)
    tier: int = 2
    origins: Mapping[str, str] = field(default_factory=dict)
