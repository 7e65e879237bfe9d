"""Bytes that are on this machine get a second name where that can be, else a copy."""

import errno
import os
import shutil
import stat
from pathlib import Path

from modelshelf.errors import DownloadError
from modelshelf.imports.types import How
from modelshelf.reflinks import reflink

_NO_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP})


def hard_link(source: Path, target: Path) -> bool:
    """Give the bytes a second name; False if this disk or another's ownership does not allow it.

    Raises:
        OSError: the source cannot be read.
        DownloadError: it is no file.
    """
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno in _NO_LINK:
            return False
        raise
    if not stat.S_ISREG(target.lstat().st_mode):
        target.unlink()
        raise DownloadError(f"{source} is no file.", remedy="Name the file itself.")
    return True


def clone(source: Path, target: Path) -> bool:
    """Make a copy that shares its blocks with the source and takes no space; False where the disk cannot.

    Raises:
        OSError: the source cannot be read or the target not be written.
    """
    with source.open("rb") as reading, target.open("xb") as writing:
        if reflink(reading, writing):
            return True
    target.unlink()
    return False


def duplicate(source: Path, target: Path) -> How:
    """Copy the bytes, without using space where the file system can share them.

    Raises:
        OSError: the source cannot be read or the target not be written.
    """
    if clone(source, target):
        return "reflink"
    with source.open("rb") as reading, target.open("xb") as writing:
        shutil.copyfileobj(reading, writing, 4 * 2**20)
    return "copy"


def lead(source: Path, target: Path) -> How:
    """Give the bytes another name by a clone, else by a link that leads to them where they are.

    Raises:
        OSError: the source cannot be read or the target not be written.
    """
    if clone(source, target):
        return "reflink"
    target.symlink_to(source)
    return "symlink"
