"""Makes two files with the same bytes one, and a file of its own again: whatever ends this half way, both are whole."""

import hashlib
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from modelshelf.adoption.looking import inode_of
from modelshelf.adoption.types import printable
from modelshelf.adoption.writers import check_unwritten
from modelshelf.downloads.part import disk_errors
from modelshelf.errors import ChecksumMismatch, DownloadError, NotEnoughDisk, Unreachable
from modelshelf.imports.links import clone

MARK = ".modelshelf-"
BLOCK = 2**22
_CHANGED = "Look again: the stores have changed."


def give_back(keep: Path, place: Path, sha256: str) -> bool:
    """Let a name lead to the bytes of `keep`, after both were read anew. For threads.

    Returns whether its former bytes are gone: they are not, if they have another name.

    Raises:
        DownloadError: the two cannot be one: other disks or accounts, or somebody writes.
        ChecksumMismatch: the bytes are not the same any more.
        Unreachable, FolderNotWritable, NotEnoughDisk.
    """
    with ExitStack() as stack:
        kept, gone = stack.enter_context(_opened(keep)), stack.enter_context(_opened(place))
        if inode_of(os.fstat(kept)) == inode_of(os.fstat(gone)):
            raise DownloadError(f"{printable(keep)} and {printable(place)} are one already.", remedy=_CHANGED)
        _check(keep, kept, place, gone)
        for at, descriptor in ((keep, kept), (place, gone)):
            _check_bytes(at, descriptor, sha256)
        _replace(keep, kept, place, gone)
        return os.fstat(gone).st_nlink == 0


def separate(place: Path, sha256: str) -> int:
    """Give a file that shares its bytes with others a copy of its own; returns the bytes that it takes. For threads.

    Raises:
        ChecksumMismatch: its bytes are others than when it was given back.
        DownloadError, Unreachable, FolderNotWritable, NotEnoughDisk.
    """
    with _opened(place) as descriptor:
        status = os.fstat(descriptor)
        if status.st_nlink < 2:
            raise DownloadError(f"{printable(place)} has bytes of its own already.", remedy=_CHANGED)
        check_unwritten(place, descriptor)
        _check_room(place, status.st_size)
        with _beside(place) as temporary:
            if not clone(place, temporary):
                shutil.copyfile(place, temporary)
            shutil.copystat(place, temporary)
            _keep_owner(temporary, status)
            with _opened(temporary) as fresh:
                _check_bytes(temporary, fresh, sha256)
                os.fsync(fresh)
            _check_still(place, descriptor)
            temporary.replace(place)
        _sync(place.parent)
    return status.st_size


def clean(folder: Path) -> None:
    """Remove what a run that was cut off left beside files: other names of bytes that are there under their own."""
    with suppress(OSError):
        for left in folder.glob(f"{MARK}{'[0-9a-f]' * 32}"):  # nothing of anybody else's is called that
            with suppress(OSError):
                left.unlink()


def _check(keep: Path, kept: int, place: Path, gone: int) -> None:
    """Whether one may stand for the other.

    Raises:
        DownloadError: it may not, and why.
    """
    first, second = os.fstat(kept), os.fstat(gone)
    if first.st_dev != second.st_dev:
        raise DownloadError(
            f"{printable(keep)} and {printable(place)} lie on different disks, where nothing can be shared.",
            remedy="Delete one of them with the program it belongs to.",
        )
    if first.st_size != second.st_size:
        raise ChecksumMismatch(f"{printable(keep)} and {printable(place)} are not the same.", remedy=_CHANGED)
    if (first.st_uid, first.st_gid) != (second.st_uid, second.st_gid):
        raise DownloadError(
            f"{printable(place)} belongs to another account than {printable(keep)}: one could change the other's file.",
            remedy="Keep both, or let one account own both.",
        )
    if stat.S_IMODE(second.st_mode) & 0o444 & ~stat.S_IMODE(first.st_mode):
        raise DownloadError(
            f"{printable(keep)} may be read by fewer than {printable(place)}, which would be closed to some.",
            remedy=f"Allow the same for both first: chmod --reference={printable(place)} {printable(keep)}",
        )
    check_unwritten(keep, kept)
    check_unwritten(place, gone)


def _replace(keep: Path, kept: int, place: Path, gone: int) -> None:
    """One rename; before it, everything is looked at once more."""
    with _beside(place) as temporary, disk_errors(place):
        os.link(keep, temporary, follow_symlinks=False)
        _check_still(temporary, kept)
        _check_still(place, gone)
        check_unwritten(keep, kept)
        check_unwritten(place, gone)
        temporary.replace(place)
    _sync(place.parent)


def _check_still(place: Path, descriptor: int) -> None:
    if inode_of(place.lstat()) != inode_of(os.fstat(descriptor)):
        raise DownloadError(f"{printable(place)} was replaced while it was looked at.", remedy=_CHANGED)


def _check_bytes(place: Path, descriptor: int, sha256: str) -> None:
    before, digest, offset = os.fstat(descriptor), hashlib.sha256(), 0
    with os.fdopen(os.dup(descriptor), "rb", buffering=0) as handle:
        handle.seek(0)
        buffer = memoryview(bytearray(BLOCK))
        while count := handle.readinto(buffer):
            digest.update(buffer[:count])
            offset += count
    after = os.fstat(descriptor)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or offset != after.st_size:
        raise DownloadError(f"{printable(place)} was written to meanwhile.", remedy="Try again when it is at rest.")
    if digest.hexdigest() != sha256:
        raise ChecksumMismatch(
            f"{printable(place)} holds other bytes than it did; nothing was changed.",
            remedy=_CHANGED,
            expected=sha256,
            found=digest.hexdigest(),
        )


def _keep_owner(place: Path, status: os.stat_result) -> None:
    """Only root makes copies for others."""
    if hasattr(os, "chown") and (os.getuid(), os.getgid()) != (status.st_uid, status.st_gid):
        os.chown(place, status.st_uid, status.st_gid)


def _check_room(place: Path, size: int) -> None:
    if (free := shutil.disk_usage(place.parent).free) < size:
        raise NotEnoughDisk(f"A copy of {printable(place)} takes {size:,} bytes; {free:,} are free.")


@contextmanager
def _opened(place: Path) -> Iterator[int]:
    """A regular file, by a descriptor.

    Raises:
        Unreachable: it is none, or cannot be read.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(place, flags)
    except OSError as error:
        raise Unreachable(f"{printable(place)} cannot be read: {error.strerror}.", remedy=_CHANGED) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Unreachable(f"{printable(place)} is no file.", remedy=_CHANGED)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _beside(place: Path) -> Iterator[Path]:
    """A name in the same folder, which is gone afterwards."""
    temporary = place.with_name(f"{MARK}{uuid.uuid4().hex}")
    try:
        with disk_errors(place):
            yield temporary
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Make the rename last over a loss of power, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
