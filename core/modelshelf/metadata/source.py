"""Where header bytes come from: a file on disk, or the first bytes of one that is elsewhere."""

import os
from pathlib import Path
from typing import Protocol, Self

from modelshelf.errors import FormatError, NotFound


class ShortError(Exception):
    """The window ends before the header does: `offset` bytes from the start are needed at least."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


class ByteSource(Protocol):
    """A file of `size` bytes, called `name` in messages."""

    name: str
    size: int

    def read(self, start: int, length: int) -> bytes:
        """The bytes from `start`: as many as there are, at most `length`.

        Raises:
            ShortError: they exist but are not at hand.
        """
        ...


class FileSource:
    """A file on this machine, read through its own or a borrowed descriptor. Use it in a `with` block."""

    def __init__(self, path: Path | str, fd: int | None = None) -> None:
        self.name = Path(path).name
        self._owned = fd is None
        try:
            self._fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)) if fd is None else fd
            self.size = os.fstat(self._fd).st_size
        except OSError as error:
            raise NotFound(f"{path} cannot be read: {error.strerror}.", remedy="Check the path.") from error

    def read(self, start: int, length: int) -> bytes:
        """Read with `pread`, so that several readers may share the descriptor."""
        try:
            return os.pread(self._fd, length, start)
        except OSError as error:
            raise FormatError(f"{self.name} cannot be read: {error.strerror}.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._owned:
            os.close(self._fd)


class WindowSource:
    """The first bytes of a file of `size` bytes; without `size` they are the whole file."""

    def __init__(self, data: bytes, size: int | None = None, name: str = "the file") -> None:
        self.name = name
        self.size = len(data) if size is None else size
        self._data = data

    def read(self, start: int, length: int) -> bytes:
        """Read from the window."""
        end = min(start + length, self.size)
        if end > len(self._data) and start < end:
            if start >= len(self._data):
                raise ShortError(start + 1)
            end = len(self._data)
        return self._data[start:end]


class Cursor:
    """Reads forward through a source, a mebibyte at a time; every read is checked against the end of the file."""

    CHUNK = 1 << 20

    def __init__(self, source: ByteSource, limit: int) -> None:
        self.source = source
        self.buffer = b""
        self.pos = 0  # in the buffer
        self.field = "magic"  # what is being read, for messages
        self._base = 0  # where the buffer starts in the file
        self._limit = limit

    @property
    def offset(self) -> int:
        """Where in the file the next read begins."""
        return self._base + self.pos

    def fail(self, why: str) -> FormatError:
        """The error for the present field."""
        return FormatError(f"{self.source.name}: {self.field} {why}.", field=self.field, offset=self.offset)

    def ensure(self, length: int) -> None:
        """Bring the next `length` bytes into the buffer.

        Raises:
            FormatError: the file ends before, or the header is longer than any real one.
            ShortError: the bytes are not at hand.
        """
        if len(self.buffer) - self.pos >= length:
            return
        self._check(length)
        start = self.offset
        parts, have = [self.buffer[self.pos :]], len(self.buffer) - self.pos
        while have < length:
            # The first read is small: most questions are answered by the first bytes.
            data = self.source.read(start + have, max(length - have, self.CHUNK if start else 65_536))
            if not data:
                raise self.fail("ends early: the file shrank while it was read")
            parts.append(data)
            have += len(data)
        self.buffer, self._base, self.pos = b"".join(parts), start, 0

    def take(self, length: int) -> bytes:
        """The next `length` bytes."""
        self.ensure(length)
        start = self.pos
        self.pos += length
        return self.buffer[start : self.pos]

    def skip(self, length: int) -> None:
        """Go past `length` bytes without reading them."""
        self._check(length)
        if self.pos + length <= len(self.buffer):
            self.pos += length
        else:
            self._base, self.buffer, self.pos = self.offset + length, b"", 0

    def _check(self, length: int) -> None:
        end = self.offset + length
        if end > self.source.size:
            raise self.fail(f"ends beyond the file's end ({self.source.size:,} bytes)")
        if end > self._limit:
            raise self.fail(f"lies beyond {self._limit:,} bytes, more than any real header takes")
