"""Reflinks: a file of its own whose bytes are on the disk once, on file systems that know them (Btrfs, XFS)."""

from contextlib import suppress
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows has no reflinks to ask for
    fcntl = None  # type: ignore[assignment]

_CLONE = 0x40049409  # FICLONE of Linux


def reflink(reading: BinaryIO, writing: BinaryIO) -> bool:
    """Have an empty file share the bytes of another; False where the file system cannot. Blocking."""
    if fcntl is not None:
        with suppress(OSError):
            fcntl.ioctl(writing.fileno(), _CLONE, reading.fileno())
            return True
    return False
