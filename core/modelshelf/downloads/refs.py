"""The names in the library that lead to commits: `refs/main` and others."""

import os
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from modelshelf.downloads.cache import RepoCache
from modelshelf.downloads.part import disk_errors

_LONGEST = 200


def read(cache: RepoCache, name: str) -> str:
    """The commit that a name leads to, empty if there is none. For threads."""
    with suppress(OSError, UnicodeDecodeError), cache.ref(name).open(encoding="ascii") as handle:
        return handle.read(_LONGEST).strip()
    return ""


def read_all(cache: RepoCache, names: Iterable[str]) -> dict[str, str]:
    """The commits that names lead to. For threads."""
    return {name: read(cache, name) for name in names}


def move(cache: RepoCache, name: str, commit: str, work: Path) -> None:
    """Let a name lead to a commit, at once and for good. `work` is on the cache's file system. For threads.

    Raises:
        NotEnoughDisk, FolderNotWritable, DownloadError.
    """
    place = cache.ref(name)
    with disk_errors(place):
        work.mkdir(parents=True, exist_ok=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary = work / f"ref-{uuid.uuid4().hex}"
        try:
            with temporary.open("w", encoding="ascii") as handle:
                handle.write(commit)
                handle.flush()
                os.fsync(handle.fileno())
            temporary.replace(place)
        finally:
            temporary.unlink(missing_ok=True)
    with suppress(OSError):
        descriptor = os.open(place.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
