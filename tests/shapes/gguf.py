"""Writes a shape as a sparse GGUF file: gigabytes long, megabytes on the disk, and loaded by the real engine."""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

from modelshelf.metadata.facts import TensorInfo
from modelshelf.metadata.ggml import TYPES
from tests.shapes.shape import Shape, Value

ALIGNMENT = 32
U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
NUMBERS = {block.name: number for number, block in TYPES.items()}
SPECIAL = 3  # <unk>, <s>, </s>


def write(shape: Shape, path: Path, mix: str = "", *, merges: int = 0) -> Path:
    """Write the file; `merges` of a byte-pair tokenizer make the header as long as real ones are."""
    tensors = tuple(shape.tensors(mix))
    keys = {f"{shape.architecture}.{name}": value for name, value in shape.keys.items()}
    pairs = [
        _pair("general.architecture", shape.architecture),
        _pair("general.name", "synthetic"),
        _pair("general.alignment", ALIGNMENT),
        *(_pair(name, value) for name, value in (keys | dict(shape.extra)).items()),
        *_tokenizer(shape.vocabulary, merges),
    ]
    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs)) + b"".join(pairs)
    header += b"".join(_info(tensor) for tensor in tensors)
    header += bytes(-len(header) % ALIGNMENT)
    last = tensors[-1]
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + last.offset + -(-last.size // ALIGNMENT) * ALIGNMENT)
    return path


def _tokenizer(words: int, merges: int) -> Iterator[bytes]:
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    plain = range(words - SPECIAL - len(bytes_))
    yield _pair("tokenizer.ggml.model", "llama")
    yield _pair("tokenizer.ggml.pre", "default")
    yield _strings("tokenizer.ggml.tokens", ["<unk>", "<s>", "</s>", *bytes_, *(f"\u2581tok{i}" for i in plain)])
    yield _numbers("tokenizer.ggml.scores", F32, "f", [0.0] * (SPECIAL + 256) + [-float(i) for i in plain])
    yield _numbers("tokenizer.ggml.token_type", I32, "i", [2, 3, 3] + [6] * 256 + [1] * len(plain))
    yield _pair("tokenizer.ggml.bos_token_id", 1)
    yield _pair("tokenizer.ggml.eos_token_id", 2)
    if merges:
        yield _strings("tokenizer.ggml.merges", [f"tok{i} en{i}" for i in range(merges)])


def _pair(key: str, value: Value) -> bytes:
    if isinstance(value, tuple):
        return _numbers(key, *_kind(value), value)
    head = _string(key)
    if isinstance(value, bool):
        return head + struct.pack("<I?", BOOL, value)
    if isinstance(value, int):
        return head + struct.pack("<II", U32, value)
    if isinstance(value, float):
        return head + struct.pack("<If", F32, value)
    return head + struct.pack("<I", STRING) + _string(value)


def _kind(values: tuple[float, ...]) -> tuple[int, str]:
    if all(isinstance(value, bool) for value in values):
        return BOOL, "?"
    return (U32, "I") if all(isinstance(value, int) for value in values) else (F32, "f")


def _numbers(key: str, kind: int, code: str, values: Sequence[float]) -> bytes:
    head = _string(key) + struct.pack("<IIQ", ARRAY, kind, len(values))
    return head + struct.pack(f"<{len(values)}{code}", *values)


def _strings(key: str, values: Sequence[str]) -> bytes:
    return _string(key) + struct.pack("<IIQ", ARRAY, STRING, len(values)) + b"".join(map(_string, values))


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _info(tensor: TensorInfo) -> bytes:
    count = len(tensor.shape)
    head = _string(tensor.name) + struct.pack(f"<I{count}Q", count, *tensor.shape)
    return head + struct.pack("<IQ", NUMBERS[tensor.type], tensor.offset)
