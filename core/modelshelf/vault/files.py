"""Files that only their owner reads: written in one step, seen on the disk, refused when others can read them."""

import os
import stat
import tempfile
from pathlib import Path

from modelshelf.errors import VaultError

FILE_LIMIT = 4096


def write_private(path: Path, text: str, *, only_new: bool = False) -> bool:
    """Write a file that only its owner reads, in one step, and see it on the disk.

    Whether it was written: with `only_new`, a file that is there already stays.

    Raises:
        VaultError: it cannot be written.
    """
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".key-") as folder:
            fresh = Path(folder, path.name)
            fresh.touch(mode=0o600)
            with fresh.open("w", encoding="ascii") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if only_new:
                path.hardlink_to(fresh)
            else:
                fresh.replace(path)
        settle(path.parent)
    except FileExistsError:
        return False
    except OSError as error:
        raise unwritten(path, error) from error
    return True


def read_private(path: Path, *, shared: bool = False) -> str | None:
    """The text of a file, its beginning if it is long; None if there is none.

    Raises:
        VaultError: it cannot be read, or others can read it too and `shared` does not allow that.
    """
    try:
        mode = path.stat().st_mode
        # Nothing else is opened: a pipe would wait for somebody to write.
        data = b"" if not stat.S_ISREG(mode) else _beginning(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise VaultError(f"The master key in {path} cannot be read: {error.strerror}.") from error
    if not shared and os.name == "posix" and mode & 0o077 and stat.S_ISREG(mode):
        raise VaultError(
            f"Others on this machine can read the master key in {path}.",
            remedy=f"Run `chmod 600 {path}`; if somebody may have read it, also `modelshelf secrets rotate --master`.",
        )
    return data.decode("ascii", "replace")


def make_private(folder: Path) -> None:
    """Make a folder that only its owner enters.

    Raises:
        VaultError: it cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise unwritten(folder, error) from error


def settle(path: Path) -> None:
    """See on the disk what was written to a file, or which files a folder holds."""
    if os.name != "posix" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def unwritten(path: Path, error: OSError) -> VaultError:
    """The error of a file that cannot be written."""
    return VaultError(
        f"The master key cannot be written to {path}: {error.strerror}.",
        remedy="Free some space on its disk, or give yourself write permission there.",
    )


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(FILE_LIMIT)
