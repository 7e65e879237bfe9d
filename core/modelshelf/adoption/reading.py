"""Reads a file for its SHA-256 without being in anybody's way: so many bytes a second, to be stopped at any block."""

import hashlib
import os
import threading
import time
from collections.abc import Callable

from modelshelf.adoption.looking import inode_of
from modelshelf.adoption.types import StoredFile

BLOCK = 2**20


class Stopped(Exception):
    """Reading was ended."""


def sha256_of(file: StoredFile, rate: float, stop: threading.Event, told: Callable[[int], None]) -> str | None:
    """The SHA-256 of a file at `rate` bytes per second (0: no limit); None if it is not what it was. For threads.

    `told` hears how many bytes were read.

    Raises:
        OSError: it cannot be read. Stopped: `stop` was set.
    """
    descriptor = os.open(file.place, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb", buffering=0) as handle:
        if not _is_same(file, descriptor):
            return None
        digest, buffer = hashlib.sha256(), memoryview(bytearray(BLOCK))
        begun, done = time.monotonic(), 0
        while count := handle.readinto(buffer):
            digest.update(buffer[:count])
            done += count
            told(count)
            ahead = done / rate - (time.monotonic() - begun) if rate else 0.0
            if stop.wait(ahead) if ahead > 0 else stop.is_set():
                raise Stopped
            _let_go(descriptor, done - count, count)
        return digest.hexdigest() if _is_same(file, descriptor) else None


def _is_same(file: StoredFile, descriptor: int) -> bool:
    status = os.fstat(descriptor)
    return (inode_of(status), status.st_size, status.st_mtime_ns) == (file.inode, file.size, file.mtime_ns)


def _let_go(descriptor: int, offset: int, count: int) -> None:
    """Tell the system not to keep these blocks in memory: others need it, and nobody reads them again soon."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, offset, count, os.POSIX_FADV_DONTNEED)
