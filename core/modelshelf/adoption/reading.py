"""Reads a file for its SHA-256 without being in anybody's way: so many bytes a second, to be stopped at any block."""

import hashlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from modelshelf.adoption.looking import inode_of
from modelshelf.adoption.types import StoredFile

BLOCK = 2**20
HOLD_SECONDS = 0.2


class Stopped(Exception):
    """Reading was ended."""


@dataclass(frozen=True, slots=True)
class Reins:
    """`stop` ends a reading, `hold` lets it wait as long as it is set."""

    stop: threading.Event = field(default_factory=threading.Event)
    hold: threading.Event = field(default_factory=threading.Event)

    def obey(self, seconds: float) -> None:
        """Wait so long, and while it is held.

        Raises:
            Stopped: it was.
        """
        if self.stop.wait(seconds) if seconds > 0 else self.stop.is_set():
            raise Stopped
        while self.hold.is_set():
            if self.stop.wait(HOLD_SECONDS):
                raise Stopped


def sha256_of(file: StoredFile, rate: float, reins: Reins, told: Callable[[int], None]) -> str | None:
    """The SHA-256 of a file at `rate` bytes per second (0: no limit); None if it is not what it was. For threads.

    `told` hears how many bytes were read.

    Raises:
        OSError: it cannot be read. Stopped: it was.
    """
    descriptor = os.open(file.place, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb", buffering=0) as handle:
        if not _is_same(file, descriptor):
            return None
        digest, buffer = hashlib.sha256(), memoryview(bytearray(BLOCK))
        done = 0
        begun = time.monotonic()
        while count := handle.readinto(buffer):
            digest.update(buffer[:count])
            _let_go(descriptor, done, count)
            done += count
            told(count)
            spent = time.monotonic() - begun
            reins.obey(count / rate - spent if rate else 0.0)
            begun = time.monotonic()
        return digest.hexdigest() if _is_same(file, descriptor) else None


def _is_same(file: StoredFile, descriptor: int) -> bool:
    status = os.fstat(descriptor)
    return (inode_of(status), status.st_size, status.st_mtime_ns) == (file.inode, file.size, file.mtime_ns)


def _let_go(descriptor: int, offset: int, count: int) -> None:
    """Tell the system not to keep these blocks in memory: others need it, and nobody reads them again soon."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, offset, count, os.POSIX_FADV_DONTNEED)
