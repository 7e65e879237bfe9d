"""Whether anybody has a file open for writing: the kernel is asked, then the open files of all processes."""

import errno
import os
import signal
from contextlib import suppress
from pathlib import Path

from modelshelf.adoption.types import printable
from modelshelf.errors import DownloadError

try:
    import fcntl
except ImportError:  # Windows refuses by itself to replace a file that is open
    fcntl = None  # type: ignore[assignment]

_SET_SIGNAL = 10  # F_SETSIG of Linux


def check_unwritten(place: Path, descriptor: int) -> None:
    """Raise DownloadError if a program has the file open for writing; `descriptor` is the file, open for reading."""
    written = _kernel_says(descriptor)
    if _is_open_for_writing(descriptor) if written is None else written:
        raise DownloadError(
            f"A program is writing to {printable(place)}.", remedy="End that program, or wait until it is done."
        )


def _kernel_says(descriptor: int) -> bool | None:
    """Linux grants the owner a lease for reading only while nobody has the file open for writing; None: no answer."""
    if not hasattr(fcntl, "F_SETLEASE"):
        return None
    try:
        # Should somebody begin to write within this moment, a signal comes that is ignored, not one that ends us.
        fcntl.fcntl(descriptor, _SET_SIGNAL, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return True if error.errno == errno.EAGAIN else None
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


def _is_open_for_writing(descriptor: int) -> bool:
    """Whether a process whose open files can be seen writes to it."""
    status = os.fstat(descriptor)
    wanted = status.st_dev, status.st_ino
    with suppress(OSError):
        for process in Path("/proc").iterdir():
            if process.name.isdigit() and _writes(process, wanted):
                return True
    return False


def _writes(process: Path, wanted: tuple[int, int]) -> bool:
    with suppress(OSError):
        for entry in (process / "fd").iterdir():
            with suppress(OSError, ValueError):
                status = entry.stat()
                if (status.st_dev, status.st_ino) == wanted and _flags(process, entry.name) & os.O_ACCMODE:
                    return True
    return False


def _flags(process: Path, descriptor: str) -> int:
    for line in (process / "fdinfo" / descriptor).read_text("ascii", "replace").splitlines():
        if line.startswith("flags:"):
            return int(line.split()[1], 8)
    return 0
