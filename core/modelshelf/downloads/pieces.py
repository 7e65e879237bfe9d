"""Which bytes of a file have arrived: per piece, how many were written from its start and their CRC-32."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

MIB = 2**20
PIECE = 8 * MIB
LARGE_PIECE = 16 * MIB
_LARGE = 64 * 2**30


def piece_size(size: int) -> int:
    """How long the pieces of a file of this size are, in bytes."""
    return LARGE_PIECE if size > _LARGE else PIECE


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes from `start` to before `end` that one request fetches."""

    start: int
    end: int


class Pieces:
    """The state of one file. Inside a piece bytes arrive in order; pieces arrive in any order.

    A piece is taken by at most one request at a time.
    """

    def __init__(self, size: int, length: int | None = None) -> None:
        self.size = size
        self.length = length or piece_size(size)
        count = -(-size // self.length)
        self.written = [0] * count
        self.crc = [0] * count
        self.done = 0
        self._taken: set[int] = set()
        self._full_before = 0

    def extent(self, index: int) -> int:
        """How many bytes the piece holds when it is full."""
        return min(self.length, self.size - index * self.length)

    def is_full(self, index: int) -> bool:
        """Whether the whole piece has arrived."""
        return self.written[index] == self.extent(index)

    @property
    def complete(self) -> bool:
        """Whether the whole file has arrived."""
        return self.done == self.size

    def contiguous(self) -> int:
        """How many bytes have arrived without a gap from the start of the file."""
        while self._full_before < len(self.written) and self.is_full(self._full_before):
            self._full_before += 1
        if self._full_before == len(self.written):
            return self.size
        return self._full_before * self.length + self.written[self._full_before]

    def take(self, limit: int) -> Span | None:
        """Set aside the first bytes that are missing and that nobody fetches, `limit` of them or a little more."""
        self.contiguous()
        index = self._full_before
        while index < len(self.written) and (index in self._taken or self.is_full(index)):
            index += 1
        if index == len(self.written):
            return None
        start, last = index * self.length + self.written[index], index
        self._taken.add(index)
        while self._end(last) - start < limit and self._is_free(last + 1):
            last += 1
            self._taken.add(last)
        return Span(start, self._end(last))

    def release(self, span: Span) -> None:
        """Give back what was taken; what is still missing of it can be taken again."""
        self._taken.difference_update(range(span.start // self.length, -(-span.end // self.length)))

    def missing(
        self, offset: int, count: int, ahead: Mapping[int, tuple[int, int]] = MappingProxyType({})
    ) -> Iterator[tuple[int, int, int]]:
        """Of `count` bytes from `offset`, those to write: (piece, offset in the file, count), in order.

        Bytes that have arrived before are left out, and so is everything after a gap in a piece. `ahead` says of pieces
        how many bytes were written, and their CRC-32, where that is not recorded yet.
        """
        end = min(offset + count, self.size)
        while offset < end:
            index = offset // self.length
            stop = min(end, self._end(index))
            start = index * self.length + (ahead[index][0] if index in ahead else self.written[index])
            if offset <= start < stop:
                yield index, start, stop - start
            offset = stop

    def record(self, index: int, count: int, crc: int) -> None:
        """The next `count` bytes of a piece are written; `crc` is that of the whole piece so far."""
        if count <= 0 or self.written[index] + count > self.extent(index):
            raise ValueError(f"piece {index} cannot grow by {count} bytes")
        self.written[index] += count
        self.crc[index] = crc
        self.done += count

    def reset(self, index: int) -> None:
        """Forget a piece: its bytes on the disk are not what was written."""
        self.done -= self.written[index]
        self.written[index] = self.crc[index] = 0
        self._full_before = min(self._full_before, index)

    def _end(self, index: int) -> int:
        return min((index + 1) * self.length, self.size)

    def _is_free(self, index: int) -> bool:
        return index < len(self.written) and index not in self._taken and not self.written[index]
