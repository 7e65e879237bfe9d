"""Bytes in the cache that no snapshot leads to: what an interrupted program or a deletion by hand left behind."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from modelshelf.library.inventory import KnownRepo

SETTLED_SECONDS = 3600.0  # what is younger may belong to a download of another program


@dataclass(frozen=True, slots=True)
class Loose:
    """The loose files of a repository, with their bytes together."""

    repo: str
    paths: tuple[Path, ...]
    size: int


def loose(known: Mapping[str, KnownRepo], *, settled: float = SETTLED_SECONDS) -> list[Loose]:
    """Of each repository what lies in its `blobs` and is used by no snapshot. Looks at the disk: for threads."""
    found = []
    for repo, item in known.items():
        used = {file.blob for snapshot in item.read.snapshots for file in snapshot.files}
        unused = [path for path in _blobs(item.read.folder) if path not in used and _age(path) >= settled]
        if unused:
            found.append(Loose(repo, tuple(unused), sum(path.lstat().st_size for path in unused)))
    return found


def _blobs(folder: Path) -> list[Path]:
    """A folder that is a link belongs to somebody else."""
    blobs = folder.resolve() / "blobs"
    try:
        entries = sorted(blobs.iterdir()) if not folder.is_symlink() and not blobs.is_symlink() else []
    except OSError:
        return []
    return [path for path in entries if path.is_file() and not path.is_symlink()]


def _age(path: Path) -> float:
    try:
        return time.time() - path.lstat().st_mtime
    except OSError:
        return -1.0
