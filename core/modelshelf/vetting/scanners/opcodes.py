"""Decodes pickle opcodes from content of any size; long byte strings are passed over, not read."""

import pickletools
from collections.abc import Iterator

from modelshelf.errors import FormatError
from modelshelf.vetting.spec import Content

MAX_OPCODES = 2_000_000
MAX_LINE = 65_536
KEPT = 4096  # a longer argument is passed over: no name, key or encoding is longer
_CHUNK = 1 << 18

# Opcode byte -> (name, how its argument is written): n >= 0 bytes, or a length field of 1, 4 or 8 bytes, or lines.
_LINES = {"GLOBAL": 2, "INST": 2}
_LENGTHS = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
_OPCODES: dict[int, tuple[str, int, int, int]] = {}
for _op in pickletools.opcodes:
    _n = _op.arg.n if _op.arg else 0
    _entry = (_op.name, max(_n, 0), _LENGTHS.get(_n, 0), _LINES.get(_op.name, 1) if _n == -1 else 0)
    _OPCODES[ord(_op.code)] = _entry

_BARE = frozenset(name for name, *sizes in _OPCODES.values() if not any(sizes))

Opcode = tuple[str, bytes | None, int]


class PickleError(FormatError):
    """The bytes do not run as a pickle."""


def decode(content: Content, start: int = 0) -> Iterator[Opcode]:
    """Yield (name, raw argument, position) up to and with the STOP; the argument is None when it was passed over.

    Raises:
        PickleError: an unknown opcode, an argument beyond the end, or no STOP.
    """
    window = _Window(content, start)
    while True:
        at, code = window.code()
        known = _OPCODES.get(code)
        if known is None:
            raise PickleError(f"{content.name}: byte {code:#04x} at {at:,} is no pickle opcode.")
        name, fixed, length_bytes, lines = known
        argument: bytes | None = b""
        if name in _BARE:
            pass
        elif fixed:
            argument = window.take(fixed)
        elif lines:
            argument = b"\n".join(window.line() for _ in range(lines))
        elif length_bytes:
            argument = window.counted(int.from_bytes(window.take(length_bytes), "little"))
        yield name, argument, at
        if name == "STOP":
            return


class _Window:
    """A buffer that slides over the content."""

    def __init__(self, content: Content, start: int) -> None:
        self._content = content
        self._base = start
        self._buffer = b""
        self._pos = 0

    @property
    def place(self) -> int:
        return self._base + self._pos

    def code(self) -> tuple[int, int]:
        """The place of the next byte, and the byte: most opcodes are nothing more."""
        pos = self._pos
        if pos < len(self._buffer):
            self._pos = pos + 1
            return self._base + pos, self._buffer[pos]
        at = self.place
        return at, self.take(1)[0]

    def take(self, length: int) -> bytes:
        end = self._pos + length
        if end > len(self._buffer):
            self._base += self._pos
            self._buffer = self._content.read(self._base, max(length, _CHUNK))
            self._pos, end = 0, length
            if len(self._buffer) < length:
                raise PickleError(f"{self._content.name}: the pickle ends at {self._base:,} in the midst of something.")
        found = self._buffer[self._pos : end]
        self._pos = end
        return found

    def line(self) -> bytes:
        stop = self._buffer.find(b"\n", self._pos)
        if stop < 0:
            self._base += self._pos
            self._buffer, self._pos = self._content.read(self._base, MAX_LINE), 0
            stop = self._buffer.find(b"\n")
            if stop < 0:
                raise PickleError(f"{self._content.name}: the line at {self._base:,} does not end.")
        found = self._buffer[self._pos : stop]
        self._pos = stop + 1
        return found

    def counted(self, length: int) -> bytes | None:
        if length <= KEPT:
            return self.take(length)
        if self.place + length > self._content.size:
            raise PickleError(f"{self._content.name}: a string at {self.place:,} ends beyond the end.")
        if self._pos + length <= len(self._buffer):
            self._pos += length
        else:
            self._base, self._buffer, self._pos = self.place + length, b"", 0
        return None
