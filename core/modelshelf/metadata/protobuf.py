"""Walks a protocol-buffer message field by field, reading only what is asked for.

The bytes are hostile: nothing recurses, every length must lie within its message, and both the bytes read and the
fields seen are limited.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from modelshelf.errors import FormatError
from modelshelf.metadata.source import ByteSource

MAX_READ = 16 << 20
MAX_FIELDS = 500_000
FIRST, NEXT, JUMPED = 65_536, 65_536, 4096
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_FIXED = {FIXED64: 8, FIXED32: 4}


class EnoughError(Exception):
    """More would have to be read than a header is worth."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a message: a number (`kind` VARINT, else `value` is 0), or `length` bytes from `start`."""

    number: int
    kind: int
    value: int
    start: int
    length: int

    @property
    def end(self) -> int:
        """Where the next one begins."""
        return self.start + self.length


class Message:
    """A file as one message. `fields` walks any part of it; the caller may read within a field before going on."""

    def __init__(self, source: ByteSource) -> None:
        self.source = source
        self.where = "the message"  # for errors
        self.fetched = 0
        self._seen = 0
        self._data, self._base = b"", 0

    def fail(self, why: str) -> FormatError:
        """The error for the part at hand."""
        return FormatError(f"{self.source.name}: {self.where} {why}.", field=self.where)

    def fields(self, start: int, end: int) -> Iterator[Field]:
        """The fields between two places.

        Raises:
            FormatError: they do not fill the room exactly.
            EnoughError: there are more than anybody needs.
            ShortError: the bytes are not at hand.
        """
        while start < end:
            self._seen += 1
            if self._seen > MAX_FIELDS:
                raise EnoughError
            tag, place = self._varint(start, end)
            number, kind = tag >> 3, tag & 7
            if not 1 <= number < 1 << 29:
                raise self.fail(f"holds a field with the impossible number {number:,}")
            if kind == VARINT:
                value, after = self._varint(place, end)
                yield Field(number, kind, value, place, after - place)
            else:
                length, place = self._length(kind, place, end)
                if length > end - place:
                    raise self.fail(f"ends before its field {number}, which has {length:,} bytes")
                yield Field(number, kind, 0, place, length)
                after = place + length
            start = after

    def text(self, field: Field, limit: int) -> str:
        """A field as text of at most `limit` bytes.

        Raises:
            FormatError: it is longer, or no text.
        """
        if field.kind != BYTES or field.length > limit:
            raise self.fail(f"holds a text of {field.length:,} bytes, more than {limit:,}")
        try:
            return self.read(field.start, field.length).decode()
        except UnicodeDecodeError:
            raise self.fail("holds a text that is not UTF-8") from None

    def numbers(self, field: Field, limit: int) -> Iterator[int]:
        """A repeated number, whether packed or one by one."""
        if field.kind == VARINT:
            yield field.value
        elif field.kind == BYTES:
            start = field.start
            for _ in range(limit + 1):
                if start == field.end:
                    return
                value, start = self._varint(start, field.end)
                yield value

    def read(self, start: int, length: int) -> bytes:
        """Some bytes."""
        offset = start - self._base
        if not (offset >= 0 and offset + length <= len(self._data)):
            self._fetch(start, length)
            offset = 0
        return self._data[offset : offset + length]

    def _fetch(self, start: int, length: int) -> None:
        near = start <= self._base + len(self._data)
        ahead = NEXT if near else JUMPED
        data = b""
        while len(data) < length:
            more = self.source.read(start + len(data), max(length - len(data), ahead))
            self.fetched += len(more)
            if self.fetched > MAX_READ:
                raise EnoughError
            if not more:
                raise self.fail("ends beyond the file's end")
            data += more
        self._data, self._base = data, start

    def _length(self, kind: int, place: int, end: int) -> tuple[int, int]:
        if kind == BYTES:
            return self._varint(place, end)
        if kind not in _FIXED:
            raise self.fail(f"holds a field of the unknown kind {kind}")
        return _FIXED[kind], place

    def _varint(self, start: int, end: int) -> tuple[int, int]:
        value = 0
        offset = start - self._base
        data = self._data
        if not 0 <= offset < len(data) - 10:
            data = self.read(start, min(10, end - start))
            offset = 0
        for index in range(min(10, end - start)):
            byte = data[offset + index]
            value |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:
                return value, start + index + 1
        raise self.fail("holds a number that does not end")
