"""Checksums that follow the writers: the hash of the contiguous start of a file, in a thread, without a second pass."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from isal.isal_zlib import crc32

from modelshelf.downloads.part import Part, in_thread

_BLOCK = 4 * 2**20
_CACHED = 2**18


@dataclass(frozen=True, slots=True)
class Digest:
    """The checksums of a whole file; `git_sha1` is its blob id."""

    sha256: str
    git_sha1: str | None

    def matches(self, sha256: str | None, git_sha1: str | None) -> bool:
        """Whether the file is the published one; a SHA-256 counts more than a blob id."""
        if sha256:
            return self.sha256 == sha256.lower()
        return git_sha1 is None or self.git_sha1 == git_sha1.lower()


class Hashes:
    """SHA-256, and git's blob id where that is what the source publishes."""

    def __init__(self, size: int, *, git: bool) -> None:
        self._sha256 = hashlib.sha256()
        self._git = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False) if git else None

    def update(self, data: bytes | memoryview) -> None:
        """Take in the next bytes."""
        self._sha256.update(data)
        if self._git:
            self._git.update(data)

    def digest(self) -> Digest:
        """The checksums so far."""
        return Digest(self._sha256.hexdigest(), self._git.hexdigest() if self._git else None)


def hash_file(path: Path, *, git: bool) -> Digest:
    """The checksums of a file on the disk; for threads.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb", buffering=0) as handle:
        hashes = Hashes(path.stat().st_size, git=git)
        buffer = memoryview(bytearray(_CACHED))
        while count := handle.readinto(buffer):
            hashes.update(buffer[:count])
    return hashes.digest()


async def follow(part: Part) -> Digest:
    """Hash a part file while it grows, until it is complete.

    A piece of an earlier run whose bytes are no longer what was written is given back to be fetched again.
    """
    identity, pieces = part.state.identity, part.pieces
    hashes, position = Hashes(identity.size, git=not identity.sha256), 0
    while position < identity.size:
        index = position // pieces.length
        end = index * pieces.length + pieces.extent(index)
        checked = index in part.inherited
        ready = await part.grown_to(end if checked else min(position + _BLOCK, end))
        if checked and not await in_thread(part.pool, _intact, part, index):
            pieces.reset(index)
            part.tell()
            continue
        count = min(ready, end) - position
        await in_thread(part.pool, _advance, part, hashes, position, count)
        position += count
    return hashes.digest()


async def drop_damaged(part: Part) -> int:
    """Give back every piece whose bytes on the disk are not what was written; returns how many there were."""
    damaged = 0
    for index in range(len(part.pieces.written)):
        if part.pieces.is_full(index) and not await in_thread(part.pool, _intact, part, index):
            part.pieces.reset(index)
            damaged += 1
    return damaged


def _intact(part: Part, index: int) -> bool:
    left, crc = part.pieces.written[index], 0
    for block in _blocks(part, index * part.pieces.length, left):
        crc, left = crc32(block, crc), left - len(block)
    return not left and crc == part.pieces.crc[index]


def _advance(part: Part, hashes: Hashes, offset: int, count: int) -> None:
    for block in _blocks(part, offset, count):
        hashes.update(block)


def _blocks(part: Part, offset: int, count: int) -> Iterator[memoryview]:
    """Bytes from the disk through one small buffer: fresh memory for each block costs as much as hashing it."""
    buffer = memoryview(bytearray(min(_CACHED, count)))
    while count and (got := part.read_into(buffer[: min(len(buffer), count)], offset)):
        yield buffer[:got]
        offset, count = offset + got, count - got
