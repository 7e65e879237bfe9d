"""Writes GGUF files (version 3): metadata, tensor infos and tensors, byte for byte the same for the same input."""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ALIGNMENT = 32

_UINT32, _INT32, _FLOAT32, _BOOL, _STRING, _ARRAY = 4, 5, 6, 7, 8, 9


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor as it lies in the file: `shape` in ggml's order (innermost first), `kind` ggml's number of the type."""

    name: str
    shape: tuple[int, ...]
    kind: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Uint32:
    """A number that the format wants as an unsigned 32-bit integer; a plain int is written as a signed one."""

    value: int


def write(path: Path, metadata: Mapping[str, Any], tensors: Sequence[Tensor]) -> None:
    """Write the file.

    Raises:
        OSError: the path cannot be written.
        TypeError: a metadata value is of no type that GGUF knows.
    """
    head = [b"GGUF", struct.pack("<IQQ", 3, len(tensors), len(metadata))]
    head += [_string(key) + _value(value) for key, value in metadata.items()]
    offset = 0
    for tensor in tensors:
        shape = struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *tensor.shape)
        head.append(_string(tensor.name) + shape + struct.pack("<IQ", tensor.kind, offset))
        offset += len(tensor.data) + _padding(len(tensor.data))
    start = b"".join(head)
    with path.open("wb") as handle:
        handle.write(start + bytes(_padding(len(start))))
        for tensor in tensors:
            handle.write(tensor.data + bytes(_padding(len(tensor.data))))


def _padding(length: int) -> int:
    return -length % ALIGNMENT


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _value(value: object) -> bytes:
    match value:
        case bool():
            return struct.pack("<I?", _BOOL, value)
        case Uint32():
            return struct.pack("<II", _UINT32, value.value)
        case int():
            return struct.pack("<Ii", _INT32, value)
        case float():
            return struct.pack("<If", _FLOAT32, value)
        case str():
            return struct.pack("<I", _STRING) + _string(value)
        case list() | tuple():
            return struct.pack("<I", _ARRAY) + _array(value)
    raise TypeError(f"GGUF knows no {type(value).__name__}")


def _array(values: Iterable[object]) -> bytes:
    """An array of one type, after its first value."""
    coded = [_value(value) for value in values]
    kind = coded[0][:4]
    return kind + struct.pack("<Q", len(coded)) + b"".join(value[4:] for value in coded)
