"""Where what was put away waits for a week: on the cache's file system, so that putting away and back are renames."""

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from modelshelf.errors import FolderNotWritable, NotFound, UsageError

KEPT_SECONDS = 7 * 86_400


class Trash:
    """One folder, with a folder in it for everything that was put away together. Its methods block: call in threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, name: str, paths: Sequence[Path]) -> None:
        """Put these away under a name; if one cannot be, all stay where they are.

        Raises:
            FolderNotWritable: the disk refuses.
        """
        place = self.folder / name
        done: list[tuple[Path, Path]] = []
        try:
            place.mkdir(parents=True)
            for number, path in enumerate(paths):
                path.rename(place / str(number))
                done.append((path, place / str(number)))
        except OSError as error:
            for path, moved in done:
                moved.rename(path)
            shutil.rmtree(place, ignore_errors=True)
            raise FolderNotWritable(f"{error.filename} cannot be put away: {error.strerror}.") from error

    def back(self, name: str, paths: Sequence[Path]) -> None:
        """Put them back where they were.

        Raises:
            NotFound: they are gone for good.
            UsageError: something else is in their place.
            FolderNotWritable: the disk refuses.
        """
        place = self.folder / name
        if not place.is_dir():
            raise NotFound("What was put away is gone for good.", remedy="Download it again.")
        if taken := [path for path in paths if path.is_symlink() or path.exists()]:
            raise UsageError(f"{taken[0]} is there again.", remedy="Remove it first, then put the other back.")
        try:
            for number, path in enumerate(paths):
                path.parent.mkdir(parents=True, exist_ok=True)
                (place / str(number)).rename(path)
            place.rmdir()
        except OSError as error:
            raise FolderNotWritable(f"{error.filename} cannot be put back: {error.strerror}.") from error

    def holds(self, name: str) -> bool:
        """Whether what was put away under a name is still there."""
        return (self.folder / name).is_dir()

    def size(self) -> int:
        """The bytes that emptying it would free."""
        return sum(measure(entry) for entry in self._entries())

    def empty(self, older: float = 0.0) -> int:
        """Delete for good what was put away at least so many seconds ago; returns the bytes."""
        freed = 0
        for entry in self._entries():
            if time.time() - entry.stat().st_mtime >= older:
                size = measure(entry)
                shutil.rmtree(entry, ignore_errors=True)
                freed += 0 if entry.exists() else size
        return freed

    def _entries(self) -> list[Path]:
        try:
            return sorted(self.folder.iterdir())
        except OSError:
            return []


def measure(path: Path) -> int:
    """The bytes below a path that deleting it would free: of files with other names elsewhere none are counted."""
    if not path.is_dir() or path.is_symlink():
        return _own(path)
    return sum(_own(Path(folder, name)) for folder, _folders, files in os.walk(path) for name in files)


def _own(path: Path) -> int:
    try:
        status = path.lstat()
    except OSError:
        return 0
    return status.st_size if status.st_nlink == 1 else 0
