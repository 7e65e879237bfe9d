"""Reads the header of a GGUF file, version 2 or 3: keys, values and tensor infos, never the tensors' data.

The bytes are hostile: every count and length is checked before it is used, nothing nests, and what is kept stays below
a fixed number of bytes. Long arrays (a vocabulary, its merges and scores) are counted and skipped, not kept.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from modelshelf.errors import FormatError
from modelshelf.metadata.facts import TensorInfo
from modelshelf.metadata.ggml import TYPES
from modelshelf.metadata.source import ByteSource, Cursor, ShortError

MAX_HEADER = 64 << 20
MAX_COUNT = 65_536  # keys, and tensors
MAX_STRING = 8 << 20
MAX_KEY = 1024
MAX_NAME = 256
MAX_ARRAY = 16_000_000
MAX_KEPT_BYTES = 32 << 20  # of memory, for keys, values and tensors together
KEY_BYTES, NUMBER_BYTES, TENSOR_BYTES = 120, 40, 400  # which one of each takes, beside its name
KEPT_ARRAY = 8192  # numbers; longer arrays are only counted
KEPT_STRINGS = 64
MAX_SIZE = 1 << 62

STRING, ARRAY = 8, 9
_CODES = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_NUMBERS = {kind: struct.Struct("<" + code) for kind, code in _CODES.items()}
TYPE_NAMES = ("u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64")
_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class Skipped:
    """A value that was not kept: a long array of `count` elements, or a string of `count` bytes (type `string`)."""

    type: str
    count: int


type Value = int | float | bool | str | tuple[int | float | bool | str, ...] | Skipped


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What a header says. `types` are the value types as written, for an array `array:` and its element's type.

    `complete` is False when the bytes at hand ended first: then `metadata` holds the keys up to there, `reached` is how
    far they went and `wanted` a guess at how many bytes the whole header takes. `data_start` is 0 until it is known.
    """

    version: int
    size: int
    tensor_count: int
    key_count: int
    metadata: Mapping[str, Value] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    tensors: tuple[TensorInfo, ...] = ()
    alignment: int = 32
    data_start: int = 0
    complete: bool = True
    reached: int = 0
    wanted: int = 0

    def count(self, key: str) -> int | None:
        """How many elements the array under `key` has; None if there is none."""
        value = self.metadata.get(key)
        if isinstance(value, tuple):
            return len(value)
        return value.count if isinstance(value, Skipped) and value.type != "string" else None


def read_header(source: ByteSource, *, partial: bool = False) -> GgufHeader:
    """Read a GGUF header.

    With `partial`, bytes that are not at hand end the reading early instead of failing.

    Raises:
        FormatError: the bytes are no GGUF header; the message names the field.
        ShortError: without `partial`, the bytes at hand end before the header does.
    """
    parser = _Parser(source)
    try:
        parser.run()
    except ShortError:
        if not partial or not parser.started:
            raise
        return parser.header(complete=False)
    return parser.header(complete=True)


class _Parser:
    def __init__(self, source: ByteSource) -> None:
        self.cursor = Cursor(source, MAX_HEADER)
        self.source = source
        self.started = False
        self.version = self.tensor_count = self.key_count = 0
        self.metadata: dict[str, Value] = {}
        self.types: dict[str, str] = {}
        self.tensors: list[TensorInfo] = []
        self.alignment = 32
        self.data_start = 0
        self.kept = 0
        self.array_end = 0  # where the string array being walked probably ends

    def run(self) -> None:
        cursor = self.cursor
        if cursor.take(4) != b"GGUF":
            raise cursor.fail("is not GGUF")
        self.version = self._version()
        cursor.field = "tensor_count"
        tensor_count = self._u64()
        cursor.field = "metadata_kv_count"
        self.key_count = self._u64()
        if self.key_count > MAX_COUNT:
            raise cursor.fail(f"is {self.key_count:,}, more than {MAX_COUNT:,}")
        cursor.field = "tensor_count"
        if tensor_count > MAX_COUNT:
            raise cursor.fail(f"is {tensor_count:,}, more than {MAX_COUNT:,}")
        self.tensor_count = tensor_count
        self.started = True
        for _ in range(self.key_count):
            self._pair()
        self.alignment = self._alignment()
        names: set[str] = set()
        for index in range(self.tensor_count):
            self._tensor(index, names)
        self.data_start = -(-cursor.offset // self.alignment) * self.alignment

    def header(self, *, complete: bool) -> GgufHeader:
        reached = self.cursor.offset
        return GgufHeader(
            self.version,
            self.source.size,
            self.tensor_count,
            self.key_count,
            self.metadata,
            self.types,
            tuple(self.tensors),
            self.alignment,
            self.data_start,
            complete,
            reached,
            reached if complete else self._wanted(reached),
        )

    def _version(self) -> int:
        self.cursor.field = "version"
        version = int(_U32.unpack(self.cursor.take(4))[0])
        if version in (2, 3):
            return version
        if version in (2 << 24, 3 << 24):
            raise self.cursor.fail("is in big-endian order, which no common engine reads")
        raise self.cursor.fail(f"is {version}; versions 2 and 3 are known")

    def _u64(self) -> int:
        return int(_U64.unpack(self.cursor.take(8))[0])

    def _string(self, limit: int) -> str:
        length = self._u64()
        if length > limit:
            raise self.cursor.fail(f"is {length:,} bytes long, more than {limit:,}")
        self._keep(length)
        data = self.cursor.take(length)
        if not data.isascii():
            # One letter beyond the first 255 makes every letter of a text take two bytes, an emoji four.
            self._keep(length * (3 if max(data) >= 0xF0 else 1))
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise self.cursor.fail("is not UTF-8") from None

    def _keep(self, size: int) -> None:
        self.kept += size
        if self.kept > MAX_KEPT_BYTES:
            raise self.cursor.fail(f"brings the header's texts and numbers to more than {MAX_KEPT_BYTES:,} bytes")

    def _pair(self) -> None:
        cursor = self.cursor
        cursor.field = f"key {len(self.metadata)}"
        self._keep(KEY_BYTES)
        key = self._string(MAX_KEY)
        cursor.field = f"“{key[:80]}”"
        if key in self.metadata:
            raise cursor.fail("is there twice")
        kind = _U32.unpack(cursor.take(4))[0]
        if kind == ARRAY:
            self.types[key], value = self._array(key)
        elif kind == STRING:
            self.types[key], value = "string", self._string(MAX_STRING)
        elif kind in _NUMBERS:
            self.types[key], value = TYPE_NAMES[kind], self._number(kind)
        else:
            raise cursor.fail(f"has the unknown value type {kind}")
        self.metadata[key] = value

    def _number(self, kind: int) -> int | float | bool:
        raw = self.cursor.take(_NUMBERS[kind].size)
        if kind == 7 and raw[0] > 1:
            raise self.cursor.fail(f"is a truth value of {raw[0]}")
        number: int | float | bool = _NUMBERS[kind].unpack(raw)[0]
        return number

    def _array(self, key: str) -> tuple[str, Value]:
        cursor = self.cursor
        kind = _U32.unpack(cursor.take(4))[0]
        count = self._u64()
        if kind == ARRAY:
            raise cursor.fail("is an array of arrays")
        if count > MAX_ARRAY:
            raise cursor.fail(f"has {count:,} elements, more than {MAX_ARRAY:,}")
        if kind == STRING:
            return "array:string", self._strings(key, count)
        if kind not in _NUMBERS:
            raise cursor.fail(f"is an array of the unknown type {kind}")
        name, size = TYPE_NAMES[kind], _NUMBERS[kind].size
        if count > KEPT_ARRAY:
            cursor.skip(count * size)
            return f"array:{name}", Skipped(name, count)
        self._keep(count * NUMBER_BYTES)
        return f"array:{name}", struct.unpack(f"<{count}{_CODES[kind]}", cursor.take(count * size))

    def _strings(self, key: str, count: int) -> Value:
        if count <= KEPT_STRINGS:
            return tuple(self._string(MAX_STRING) for _ in range(count))
        # Noted before it is walked: the first bytes of a file tell how large its vocabulary is.
        self.metadata[key] = Skipped("array", count)
        cursor, start, left = self.cursor, self.cursor.offset, count
        while left:
            done = count - left
            self.array_end = start + (cursor.offset - start) * count // done if done else start + 16 * count
            cursor.ensure(8)
            left -= self._walk(left)
        return Skipped("array", count)

    def _walk(self, count: int) -> int:
        """Go past at most `count` strings, as far as the buffer goes; how many were passed.

        A vocabulary has a quarter of a million: the loop does nothing but add up lengths.
        """
        cursor, unpack = self.cursor, _U64.unpack_from
        buffer, pos, passed = cursor.buffer, cursor.pos, 0
        last = len(buffer) - 8
        for passed in range(1, count + 1):  # noqa: B007 - the count is what is wanted
            pos += 8 + unpack(buffer, pos)[0]
            if pos > last:
                break
        beyond = pos - len(buffer)
        if beyond > MAX_STRING:
            raise cursor.fail(f"holds a string of more than {MAX_STRING:,} bytes")
        cursor.pos = min(pos, len(buffer))
        if beyond > 0:
            cursor.skip(beyond)
        return passed

    def _alignment(self) -> int:
        value = self.metadata.get("general.alignment", 32)
        if not isinstance(value, int) or isinstance(value, bool) or not 8 <= value <= 65_536 or value & (value - 1):
            self.cursor.field = "“general.alignment”"
            raise self.cursor.fail(f"is {str(value)[:40]}, not a power of two from 8 to 65,536")
        return value

    def _tensor(self, index: int, names: set[str]) -> None:
        cursor = self.cursor
        cursor.field = f"tensor {index}"
        self._keep(TENSOR_BYTES)
        name = self._string(MAX_NAME)
        cursor.field = f"tensor “{name[:80]}”"
        if name in names:
            raise cursor.fail("is there twice")
        names.add(name)
        dimensions = _U32.unpack(cursor.take(4))[0]
        if not 1 <= dimensions <= 4:
            raise cursor.fail(f"has {dimensions:,} dimensions instead of 1 to 4")
        shape: tuple[int, ...] = struct.unpack(f"<{dimensions}Q", cursor.take(8 * dimensions))
        kind, offset = struct.unpack("<IQ", cursor.take(12))
        block = TYPES.get(kind)
        if block is None:
            raise cursor.fail(f"has the unknown type {kind}")
        values = 1
        for extent in shape:
            values *= extent
            if not 0 < values < MAX_SIZE:
                raise cursor.fail(f"has the impossible shape {shape}")
        if shape[0] % block.values:
            raise cursor.fail(f"has rows of {shape[0]:,} values, no multiple of {block.values} as {block.name} needs")
        if offset >= MAX_SIZE:
            raise cursor.fail(f"lies at the impossible offset {offset:,}")
        size = values // block.values * block.size
        self.tensors.append(TensorInfo(name, block.name, shape, size, offset))

    def _wanted(self, reached: int) -> int:
        """A guess at the header's length: the array at hand, as much again for what follows it, and the tensors."""
        vocabulary = max((v.count for v in self.metadata.values() if isinstance(v, Skipped)), default=0)
        strings = max(reached, self.array_end)
        numbers = 0 if "tokenizer.ggml.scores" in self.metadata else 8 * max(vocabulary, strings // 16)
        return min(MAX_HEADER, int(strings * 1.1) + numbers + 96 * self.tensor_count + 65_536)


def check(source: ByteSource) -> GgufHeader:
    """As `read_header`, and the tensors' data must fill the file exactly, in order, without gap or overlap.

    Raises:
        FormatError: the message names the field.
    """
    header = read_header(source)
    check_layout(header, source.name)
    return header


def check_layout(header: GgufHeader, name: str, *, trailing: bool = False) -> None:
    """Whether the tensors' data fill the file exactly; `trailing`: more may follow them.

    Raises:
        FormatError: the message names the file and the field.
    """
    expected = 0
    for tensor in header.tensors:
        if tensor.offset != expected:
            raise FormatError(
                f"{name}: tensor “{tensor.name[:80]}” lies at {tensor.offset:,} instead of {expected:,}.",
                field=tensor.name,
            )
        expected += -(-tensor.size // header.alignment) * header.alignment
    end = header.data_start + expected
    padding = expected - header.tensors[-1].offset - header.tensors[-1].size if header.tensors else 0
    # Old writers leave out the padding after the last tensor, and files without tensors that of the header.
    shortest = min(header.reached, header.size) if not header.tensors else end - padding
    if not shortest <= header.size or (header.size > end and not trailing):
        what = "is truncated: it" if header.size < shortest else "goes on after its last tensor: it"
        raise FormatError(f"{name} {what} has {header.size:,} bytes instead of {end:,}.", field="size")
