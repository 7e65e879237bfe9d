"""Reads the Hugging Face cache. Whatever other programs left there is data to be doubted: nothing that a link or a name
says makes this look, or later delete, outside the cache."""

import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from modelshelf.catalog.sources.cards import is_path

FILE_LIMIT = 20_000
DEPTH_LIMIT = 16
REF_BYTES = 200
PREFIX = "models--"
SHARED = "blobs"

RECENT_NS = 100_000_000
NEVER = -2

Inode = tuple[int, int]
Stamp = tuple[tuple[Path, int], ...]


@dataclass(frozen=True, slots=True)
class CachedFile:
    """A file of a snapshot: `blob` is where its link leads first, `inode` tells its bytes apart from all others.

    `outside` is where its bytes lie, if the library only leads to what another program keeps.
    """

    path: str
    size: int
    file: Path
    blob: Path
    inode: Inode
    links: int
    modified: float
    outside: Path | None = None


@dataclass(frozen=True, slots=True)
class CachedSnapshot:
    """A commit's folder. `broken` are entries that cannot be used, with the reason."""

    commit: str
    folder: Path
    files: tuple[CachedFile, ...]
    refs: tuple[str, ...]
    broken: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class CachedRepo:
    """A repository's folder and what it looked like: as long as `stamp` stays the same, so does the rest."""

    repo: str
    folder: Path
    snapshots: tuple[CachedSnapshot, ...]
    stamp: Stamp


@dataclass(slots=True)
class _Look:
    """One reading of a repository's folder."""

    root: Path
    blobs: Path
    shared: Path
    outside: frozenset[Path] = frozenset()
    stamps: list[tuple[Path, int]] = field(default_factory=list)
    count: int = 0

    def note(self, path: Path) -> None:
        """Remember when a folder or file last changed, before it is read."""
        changed = _changed(path)
        # A clock ticks every few milliseconds: what changed just now may change again without another time.
        recent = abs(time.time_ns() - changed) < RECENT_NS
        self.stamps.append((path, NEVER if recent else changed))


def repositories(cache: Path) -> dict[str, Path]:
    """The folders of models in a cache, by repository; names that no hub allows are left out."""
    try:
        with os.scandir(cache) as entries:
            names = [entry.name for entry in entries if entry.name.startswith(PREFIX) and _is_folder(entry)]
    except OSError:
        return {}
    found = {name.removeprefix(PREFIX).replace("--", "/", 1): cache / name for name in sorted(names)}
    return {repo: folder for repo, folder in found.items() if is_path(repo) and repo.count("/") <= 1}


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link to itself


def read_repository(repo: str, folder: Path, cache: Path, outside: frozenset[Path] = frozenset()) -> CachedRepo:
    """Everything in a repository's folder. Never fails: what cannot be read counts as not there.

    `outside` are the files elsewhere that blobs may lead to.
    """
    root = folder.resolve()
    look = _Look(root, root / "blobs", cache.resolve() / SHARED, outside)
    look.note(look.blobs)
    refs = _refs(look)
    snapshots = []
    for entry in _scandir(root / "snapshots", look):
        if entry.is_dir(follow_symlinks=False) and is_path(entry.name):
            files, broken = _snapshot(Path(entry.path), look)
            names = tuple(sorted(name for name, commit in refs.items() if commit == entry.name))
            snapshots.append(CachedSnapshot(entry.name, Path(entry.path), tuple(files), names, tuple(broken)))
    return CachedRepo(repo, folder, tuple(snapshots), tuple(look.stamps))


def is_current(repo: CachedRepo) -> bool:
    """Whether nothing was added, removed or replaced in a repository's folder since it was read."""
    return all(_changed(path) == changed for path, changed in repo.stamp)


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return -1


def _refs(look: _Look) -> dict[str, str]:
    found = {}
    for path, entry in _walk(look.root / "refs", look):
        look.note(Path(entry.path))
        try:
            if entry.is_file(follow_symlinks=False) and is_path(path):
                with Path(entry.path).open(encoding="ascii") as handle:
                    found[path] = handle.read(REF_BYTES).strip()
        except (OSError, UnicodeDecodeError):
            continue
    return found


def _snapshot(folder: Path, look: _Look) -> tuple[list[CachedFile], list[tuple[str, str]]]:
    files, broken = [], []
    for path, entry in _walk(folder, look):
        if look.count > FILE_LIMIT:
            broken.append(("", f"more than {FILE_LIMIT:,} files"))
            break
        if not is_path(path):
            broken.append((path.encode("utf-8", "backslashreplace").decode(), "has a name that no hub allows"))
            continue
        found = _file(path, entry, look)
        if isinstance(found, str):
            broken.append((path, found))
        else:
            files.append(found)
    return files, broken


def _file(path: str, entry: os.DirEntry[str], look: _Look) -> CachedFile | str:
    """The file behind an entry, or what is wrong with it."""
    file = blob = Path(entry.path)
    led = None
    try:
        if entry.is_symlink():
            blob = Path(os.path.normpath(file.parent / file.readlink()))
            if blob.parent != look.blobs and blob.parent.resolve() != look.blobs:
                return "leads out of the cache"
            if look.blobs.is_symlink():
                return "leads out of the cache"
            if blob.is_symlink() and not blob.resolve().is_relative_to(look.shared):
                led = blob.readlink()
                if led not in look.outside or led.is_symlink():
                    return "leads out of the cache"
        status = blob.stat()
    except FileNotFoundError:
        return "is missing"
    except (OSError, RuntimeError) as error:
        return f"cannot be read: {getattr(error, 'strerror', None) or 'a link to itself'}"
    if not stat.S_ISREG(status.st_mode):
        return "is no file"
    inode = status.st_dev, status.st_ino
    return CachedFile(path, status.st_size, file, blob, inode, status.st_nlink, status.st_mtime, led)


def _walk(folder: Path, look: _Look, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, os.DirEntry[str]]]:
    for entry in _scandir(folder, look):
        look.count += 1
        if look.count > FILE_LIMIT + 1:
            return
        path = f"{prefix}{entry.name}"
        if not entry.is_dir(follow_symlinks=False):
            yield path, entry
        elif depth < DEPTH_LIMIT:
            yield from _walk(Path(entry.path), look, f"{path}/", depth + 1)


def _scandir(folder: Path, look: _Look) -> list[os.DirEntry[str]]:
    look.note(folder)
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []
