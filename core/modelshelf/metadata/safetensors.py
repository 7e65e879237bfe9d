"""Reads the header of a safetensors file and the index of a split one."""

import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod

from modelshelf.errors import FormatError
from modelshelf.metadata.facts import TensorInfo
from modelshelf.metadata.json_pieces import Pieces, load
from modelshelf.metadata.source import ByteSource, Cursor

MAX_HEADER = 16 << 20  # real ones have 100 KB, the largest a few MB
MAX_WIDE = 4 << 20  # of a header with letters beyond ASCII, which take up to four times the memory
MAX_TENSORS = 65_536
MAX_NAMES, MAX_FILES = 500_000, 10_000  # in an index
MAX_INDEX = 16 << 20
_ENTRY = re.compile(r"\{[^{}]{0,1024}\}")
_KEYS = {"dtype", "shape", "data_offsets"}

# Bits of one value.
BITS: Mapping[str, int] = {
    "BOOL": 8,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "U8": 8,
    "I8": 8,
    "F8_E5M2": 8,
    "F8_E4M3": 8,
    "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "C64": 64,
    "F64": 64,
    "I64": 64,
    "U64": 64,
}


@dataclass(frozen=True, slots=True)
class SafetensorsHeader:
    """What a header says; `data_start` is where the tensors' data begin."""

    size: int
    data_start: int
    tensors: tuple[TensorInfo, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Index:
    """What `model.safetensors.index.json` says: the shards, sorted, and how many bytes their tensors have."""

    files: tuple[str, ...]
    total_size: int | None


def header_length(source: ByteSource) -> int:
    """How many bytes the header takes, its length field included.

    Raises:
        FormatError: that cannot be.
    """
    cursor = Cursor(source, MAX_HEADER + 8)
    cursor.field = "the header's length"
    length = int(struct.unpack("<Q", cursor.take(8))[0])
    if not 2 <= length <= MAX_HEADER:
        raise cursor.fail(f"is {length:,}, not between 2 and {MAX_HEADER:,}")
    if 8 + length > source.size:
        raise cursor.fail(f"is {length:,}, more than the file has")
    return 8 + length


def read_header(source: ByteSource) -> SafetensorsHeader:
    """Read a safetensors header and check it against the file's size.

    Raises:
        FormatError: the bytes are no such header; the message says what and where.
        ShortError: the bytes at hand end before the header does.
    """
    start = header_length(source)
    text = _text(source, start)
    if not text.startswith("{"):
        raise FormatError(f"{source.name}: the header does not start with a brace.", field="header")
    pieces = Pieces(text, source.name)
    tensors: list[TensorInfo] = []
    metadata: dict[str, str] = {}
    for key in pieces.keys(MAX_TENSORS):
        if key == "__metadata__":
            metadata = {name: pieces.string(MAX_HEADER) for name in pieces.keys(MAX_TENSORS)}
        else:
            tensors.append(_tensor(key, pieces))
    if pieces.peek():
        raise pieces.fail("more after the header's end")
    tensors.sort(key=lambda tensor: (tensor.offset, tensor.size))
    _contiguous(source, start, tensors)
    return SafetensorsHeader(source.size, start, tuple(tensors), metadata)


def _text(source: ByteSource, end: int) -> str:
    data = b"".join(_chunks(source, end))
    if len(data) > MAX_WIDE and not data.isascii():
        raise FormatError(f"{source.name}: the header has letters beyond ASCII and {end:,} bytes.", field="header")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise FormatError(f"{source.name}: the header is not UTF-8.", field="header") from None


def _chunks(source: ByteSource, end: int) -> Iterator[bytes]:
    """The header after its length; read whole into one buffer it would be in memory three times."""
    start = 8
    while start < end:
        data = source.read(start, min(end - start, 1 << 20))
        if not data:
            raise FormatError(f"{source.name}: the header ends early: the file shrank while it was read.")
        yield data
        start += len(data)


def read_index(data: bytes, name: str = "model.safetensors.index.json") -> Index:
    """Read the index of a split model.

    Raises:
        FormatError: it is no such index, or names a file outside its own folder.
    """
    if len(data) > MAX_INDEX:
        raise FormatError(f"{name} has {len(data):,} bytes, more than {MAX_INDEX:,}.")
    if len(data) > MAX_WIDE and not data.isascii():
        raise FormatError(f"{name} has letters beyond ASCII and {len(data):,} bytes.")
    try:
        pieces = Pieces(data.decode(), name)
    except UnicodeDecodeError:
        raise FormatError(f"{name} is not UTF-8.") from None
    files: set[str] = set()
    total: int | None = None
    for key in pieces.keys(64):
        if key == "weight_map":
            for _ in pieces.keys(MAX_NAMES, unique=False):
                files.add(_plain(pieces))
                if len(files) > MAX_FILES:
                    raise pieces.fail(f"more than {MAX_FILES:,} files")
        else:
            value = pieces.value(65_536)
            if key == "metadata" and isinstance(value, dict) and isinstance(value.get("total_size"), int | float):
                total = int(value["total_size"])
    if pieces.peek():
        raise pieces.fail("more after the index's end")
    return Index(tuple(sorted(files)), total)


def _plain(pieces: Pieces) -> str:
    file = pieces.string(255)
    if not file or file.startswith(".") or any(bad in file for bad in "/\\:\0"):
        raise pieces.fail(f"“{file[:80]}” is not a plain file name")
    return file


def _tensor(name: str, pieces: Pieces) -> TensorInfo:
    entry = load(pieces.match(_ENTRY), f"{pieces.name}: “{name[:80]}”")
    if set(entry) != _KEYS:
        raise pieces.fail(f"“{name[:80]}” needs exactly dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BITS:
        raise pieces.fail(f"“{name[:80]}” has the unknown type {str(dtype)[:20]}")
    if not _counts(shape) or len(shape) > 16 or not _counts(offsets) or len(offsets) != 2:
        raise pieces.fail(f"“{name[:80]}” has a shape or offsets that cannot be")
    bits = prod(shape) * BITS[dtype]
    begin, end = offsets
    if bits % 8 or end - begin != bits // 8:
        raise pieces.fail(f"“{name[:80]}” takes {bits // 8:,} bytes, not those from {begin:,} to {end:,}")
    return TensorInfo(name, dtype, tuple(shape), end - begin, begin)


def _counts(value: object) -> bool:
    return isinstance(value, list) and all(type(item) is int and 0 <= item < 1 << 62 for item in value)


def _contiguous(source: ByteSource, start: int, tensors: list[TensorInfo]) -> None:
    expected = 0
    for tensor in tensors:
        if tensor.offset != expected:
            raise FormatError(
                f"{source.name}: “{tensor.name[:80]}” lies at {tensor.offset:,} instead of {expected:,}.",
                field=tensor.name,
            )
        expected += tensor.size
    if start + expected != source.size:
        what = "is truncated: it has" if source.size < start + expected else "goes on after its last tensor: it has"
        raise FormatError(f"{source.name} {what} {source.size:,} bytes instead of {start + expected:,}.", field="size")
