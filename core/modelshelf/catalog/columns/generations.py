"""Generations of the catalogue side by side: one is in use, a new one takes its place in one step, old ones go.

catalog/current             the name of the generation in use
catalog/<generation>/       its columns, `models.parquet`, and `in-use`, which its readers hold locked
catalog/building-<name>/    one that is being made; `in-use` is held by who makes it
"""

import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

POINTER, LOCK, BUILDING = "current", "in-use", "building-"


class Hold:
    """A generation that must not be removed until `release`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file: IO[bytes] | None = (folder / LOCK).open("rb")
        if not _lock(self._file, shared=True):
            self._file.close()
            raise FileNotFoundError(f"{folder} is being removed")

    def release(self) -> None:
        """Let it go."""
        if self._file is not None:
            self._file.close()
            self._file = None


class Generations:
    """The generations in a folder, which several processes use at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def current(self) -> str:
        """The name of the generation in use, empty if there is none."""
        try:
            name = (self.folder / POINTER).read_text("utf-8").strip()
        except OSError:
            return ""
        return name if name and "/" not in name and (self.folder / name).is_dir() else ""

    def hold(self) -> Hold | None:
        """The generation in use, held; None if there is none.

        Raises:
            OSError: it cannot be read.
        """
        for _ in range(5):
            name = self.current()
            if not name:
                return None
            # Between reading the name and locking, a newer one may have come and this one gone.
            with suppress(FileNotFoundError):
                return Hold(self.folder / name)
        return None

    @contextmanager
    def making(self) -> Iterator[Path]:
        """A folder to write a generation into; it is removed again unless it was published.

        Raises:
            OSError: the disk is full, or the folder cannot be written.
        """
        folder = self.folder / f"{BUILDING}{secrets.token_hex(4)}"
        folder.mkdir(parents=True)
        (folder / LOCK).touch()
        holding = Hold(folder)
        try:
            yield folder
        finally:
            holding.release()
            shutil.rmtree(folder, ignore_errors=True)

    def publish(self, built: Path) -> str:
        """Put what was built in the place of the generation in use.

        Everything is on the disk before the one step that switches: whatever ends this process, one is whole.

        Raises:
            OSError: the disk is full, or the folder cannot be written.
        """
        for file in built.iterdir():
            _flush(file)
        name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        built.rename(self.folder / name)
        _flush(self.folder)
        pointer = self.folder / f"{POINTER}.{secrets.token_hex(3)}"
        try:
            pointer.write_text(name, "utf-8")
            _flush(pointer)
            pointer.replace(self.folder / POINTER)
        finally:
            pointer.unlink(missing_ok=True)
        _flush(self.folder)
        return name

    def sweep(self, *, alone: bool = False) -> list[str]:
        """Remove every generation that is neither in use nor held by a reader; the names of what went.

        `alone`: nobody else is making one, so that what was hardly begun goes, too.
        """
        kept = self.current()
        for folder in self.folder.glob(f"{BUILDING}*") if alone else ():
            if not (folder / LOCK).exists():
                shutil.rmtree(folder, ignore_errors=True)
        others = [file.parent for file in self.folder.glob(f"*/{LOCK}") if file.parent.name != kept]
        return [folder.name for folder in others if _remove(folder)]


def _remove(folder: Path) -> bool:
    """Remove a generation unless somebody holds it."""
    try:
        with (folder / LOCK).open("rb") as file:
            if not _lock(file, shared=False):
                return False
            shutil.rmtree(folder)
    except OSError:  # Windows removes no file that is mapped
        return False
    return True


if sys.platform == "win32":

    def _lock(file: IO[bytes], *, shared: bool) -> bool:
        """What is mapped cannot be removed there: that is lock enough."""
        del file, shared
        return True

    def _flush(path: Path) -> None:
        """Folders cannot be flushed there."""
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())

else:
    import fcntl

    def _lock(file: IO[bytes], *, shared: bool) -> bool:
        """Lock without waiting; False where another holds it in a way that does not go with this one."""
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return Path(file.name).exists()

    def _flush(path: Path) -> None:
        """Bring a file, or the names in a folder, to the disk."""
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
