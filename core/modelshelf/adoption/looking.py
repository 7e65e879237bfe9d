"""Looks through a store as at a stranger's: bounded, never out of it, and what is odd is noted, not raised."""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from modelshelf.adoption.types import Inode, StoredFile, printable
from modelshelf.catalog.sources.cards import is_path

FILE_LIMIT = 20_000
DEPTH_LIMIT = 10
NOTE_LIMIT = 2**20
SHOWN = 80


class Notes:
    """What was odd in a store: each kind once, with an example and how often."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._kinds: dict[str, list[str]] = {}

    def add(self, place: Path | str, what: str) -> None:
        """Note that a file or folder is of no use, and why: `what` goes on a sentence that begins with its name."""
        place = Path(place)
        inside = place.is_relative_to(self._root) and place != self._root
        told = printable(place.relative_to(self._root) if inside else place)
        self._kinds.setdefault(what, []).append(told if len(told) <= SHOWN else f"…{told[-SHOWN:]}")

    def told(self) -> str:
        """Everything in one line; empty if nothing was odd."""
        lines = []
        for what, places in self._kinds.items():
            more = f" (and {len(places) - 1:,} more)" if len(places) > 1 else ""
            lines.append(f"{places[0]}{more} {what}.")
        return " ".join(lines)


class Look:
    """One look at one store below `root`. Links to folders are not followed, so that nothing goes in circles."""

    def __init__(self, root: Path, notes: Notes, library: Path) -> None:
        self.root = root
        self.notes = notes
        self._library = library
        self._real = root.resolve()
        self._count = 0
        self._seen: dict[Path, tuple[Path, os.stat_result]] = {}

    def files(self, folder: Path, depth: int = 0) -> Iterator[tuple[str, Path, os.stat_result]]:
        """Every file below a folder: its path below the store, its place and its state, in order."""
        for entry in self.entries(folder):
            if self._count > FILE_LIMIT:
                return
            place = Path(entry.path)
            path = str(place.relative_to(self.root))
            if entry.name.startswith("."):
                continue
            if not is_path(path.replace(os.sep, "/")):
                self.notes.add(path, "has a name that no hub allows")
            elif _is_folder(entry):
                if depth < DEPTH_LIMIT:
                    yield from self.files(place, depth + 1)
                else:
                    self.notes.add(path, "lies too deep")
            elif status := self._plain(entry, place) or self.status(place):
                yield path.replace(os.sep, "/"), place, status

    def entries(self, folder: Path) -> list[os.DirEntry[str]]:
        """What is in a folder, by name; nothing if it cannot be read or too much was seen already."""
        found: list[os.DirEntry[str]] = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    self._count += 1
                    if self._count > FILE_LIMIT:
                        self.notes.add(self.root, f"holds more than {FILE_LIMIT:,} files; the rest was passed over")
                        break
                    found.append(entry)
        except OSError as error:
            self.notes.add(folder, f"cannot be read: {(error.strerror or 'it leads nowhere').lower()}")
        return sorted(found, key=lambda entry: entry.name)

    def _plain(self, entry: os.DirEntry[str], place: Path) -> os.stat_result | None:
        """The state of a file that is no link, below folders that are none: most are, and it costs one question."""
        with suppress(OSError):
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(status.st_mode):
                self._seen[place] = self._real / place.relative_to(self.root), status
                return status
        return None

    def status(self, place: Path) -> os.stat_result | None:
        """The state of a file that lies in the store; None, and a note, for anything else."""
        if known := self._seen.get(place):
            return known[1]
        try:
            real = place.resolve(strict=True)
            if not real.is_relative_to(self._real):
                if not real.is_relative_to(self._library):  # where the library is linked to, nothing is amiss
                    self.notes.add(place, "leads out of its store")
                return None
            status = real.stat()
        except (OSError, RuntimeError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "a link to itself"
            self.notes.add(place, f"cannot be read: {reason.lower()}")
            return None
        if stat.S_ISREG(status.st_mode):
            self._seen[place] = real, status
            return status
        if not stat.S_ISDIR(status.st_mode):
            self.notes.add(place, "is no file")
        return None

    def stored(self, path: str, place: Path, said: str | None = None, git: str | None = None) -> StoredFile | None:
        """A file of a model, by its name in the repository; None, and a note, if it cannot be one."""
        status = self.status(place)
        if status is None:
            return None
        real = self._seen[place][0]
        if not is_path(path) or not _is_text(real):
            self.notes.add(place, "has a name that no hub allows")
            return None
        inode, links, changed = inode_of(status), status.st_nlink, status.st_mtime_ns
        return StoredFile(path, real, status.st_size, inode, links, changed, said, git)

    def read(self, place: Path) -> bytes | None:
        """A small file of the store; None, and a note, if it is not one."""
        status = self.status(place)
        if status is None:
            return None
        if status.st_size > NOTE_LIMIT:
            self.notes.add(place, "is too large for what it should be")
            return None
        try:
            with place.open("rb") as handle:
                return handle.read(NOTE_LIMIT)
        except OSError as error:
            self.notes.add(place, f"cannot be read: {(error.strerror or 'it leads nowhere').lower()}")
            return None


def settings_of(file: Path) -> object:
    """What a program's JSON of settings says; None if there is none, or it cannot be read."""
    try:
        if not file.is_file() or file.stat().st_size > NOTE_LIMIT:
            return None
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def inode_of(status: os.stat_result) -> Inode:
    """What tells a file's bytes apart from all others."""
    return status.st_dev, status.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _is_text(place: Path) -> bool:
    try:
        str(place).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
