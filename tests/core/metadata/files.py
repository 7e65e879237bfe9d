"""Model folders in small: safetensors by the shapes of their tensors, ONNX graphs field by field, configurations."""

import json
from collections.abc import Iterable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

from modelshelf.metadata.safetensors import BITS
from tests.core.vetting import ggufs, safe

LLAMA: Mapping[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "num_hidden_layers": 2,
    "hidden_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 128,
    "vocab_size": 100,
    "max_position_embeddings": 512,
}
TOOLS = "{% for tool in tools %}{{ tool | tojson }}{% endfor %}{{ messages }}"
THINKS = "{% if enable_thinking %}<think>{% endif %}{{ messages }}"
PLAIN = "{% for m in messages %}Use your tools.{{ m['content'] }}{% endfor %}"

type Shapes = Mapping[str, tuple[str, Sequence[int]]]


def tensors(shapes: Shapes, metadata: Mapping[str, str] | None = None) -> bytes:
    """A safetensors file with these tensors, their data all zero."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    place = 0
    for name, (dtype, shape) in shapes.items():
        size = prod(shape) * BITS[dtype] // 8
        header[name] = safe.entry(dtype, [*shape], place, place + size)
        place += size
    return safe.build(header, place)


def write(folder: Path, files: Mapping[str, Any]) -> Path:
    """Write files: bytes and texts as they are, everything else as JSON."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(content))
    return folder


def encoded(content: Any) -> bytes:
    if isinstance(content, str):
        return content.encode()
    return content if isinstance(content, bytes) else json.dumps(content).encode()


def projector(length: int = 32, *, hears: bool = False) -> bytes:
    """A file that lets a model with vectors of that length see, or hear."""
    part = "audio" if hears else "vision"
    keys = [
        ("general.architecture", ggufs.STRING, "clip"),
        ("general.type", ggufs.STRING, "mmproj"),
        (f"clip.has_{part}_encoder", ggufs.BOOL, True),
        (f"clip.{part}.projection_dim", ggufs.U32, length),
    ]
    return ggufs.build(keys, [("v.patch_embd.weight", ggufs.F32_TENSOR, (32, 4))])


def varint(value: int) -> bytes:
    """A number in the way of protocol buffers."""
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def field(number: int, content: int | str | bytes) -> bytes:
    """A field of a message: a number, or bytes with their length."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    data = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(data)) + data


def initialiser(
    name: str,
    shape: Sequence[int],
    kind: int = 1,
    *,
    raw: bytes | None = None,
    outside: Mapping[str, str] | None = None,
) -> bytes:
    """A tensor of a graph, with its data or the place where they lie."""
    parts = [field(1, b"".join(map(varint, shape))), field(2, kind), field(8, name)]
    if raw is not None:
        parts.append(field(9, raw))
    for key, value in (outside or {}).items():
        parts.append(field(13, field(1, key) + field(2, value)))
    return field(5, b"".join(parts) + (field(14, 1) if outside else b""))


def node(operator: str, **attributes: int) -> bytes:
    """A node of a graph."""
    made = b"".join(field(5, field(1, name) + field(3, value)) for name, value in attributes.items())
    return field(1, field(1, "in") + field(2, "out") + field(4, operator) + made)


def onnx(parts: Iterable[bytes], *, version: int = 8, opset: int = 17, tail: bytes = b"") -> bytes:
    """A model of these nodes and initialisers, in the order that writers keep."""
    graph = b"".join(parts) + field(2, "main")
    head = field(1, version) + field(2, "pytorch") + field(3, "2.4")
    return head + field(7, graph) + field(8, field(2, opset)) + tail
