"""What differs between two commits of a repository, by their files."""

from collections.abc import Iterable
from dataclasses import dataclass

from modelshelf.catalog.types import RepoFile


@dataclass(frozen=True, slots=True)
class Changes:
    """Paths of files that only the newer commit has, that only the older one has, and whose bytes differ."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def between(older: Iterable[RepoFile], newer: Iterable[RepoFile]) -> Changes:
    """What a newer commit changed."""
    before, after = {file.path: file for file in older}, {file.path: file for file in newer}
    both = before.keys() & after.keys()
    return Changes(
        tuple(sorted(after.keys() - before.keys())),
        tuple(sorted(before.keys() - after.keys())),
        tuple(sorted(path for path in both if _bytes(before[path]) != _bytes(after[path]))),
    )


def _bytes(file: RepoFile) -> tuple[object, ...]:
    return (file.size, file.sha256) if file.sha256 else (file.size, file.git_sha1)
