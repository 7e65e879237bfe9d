"""What is found to import, and what became of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

How = Literal["there", "hard link", "reflink", "symlink", "copy"]
"""the library had the bytes | a second name | a copy that shares its blocks | a link that leads there | a copy"""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file on the disk, with the checksum that whoever put it there knew."""

    place: Path
    sha256: str | None = None
    git_sha1: str | None = None


@dataclass(frozen=True, slots=True)
class FoundModel:
    """A model to import: its files by their paths in the repository.

    Without a commit its content stands for one. `missing` are files that whoever put it there had but no longer has.
    """

    repo: str
    files: Mapping[str, FoundFile]
    kind: str
    commit: str = ""
    refs: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    missing: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """A file in the library, and how its bytes got there."""

    name: str
    sha256: str
    size: int
    how: How


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one model: status is done | review | blocked | failed; of the last three, `error` says why."""

    repo: str
    status: str
    kind: str = ""
    commit: str = ""
    path: Path | None = None
    files: tuple[ImportedFile, ...] = ()
    skipped: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    error: str = ""
    remedy: str = ""
    exit_code: int = 0
    findings: tuple[Mapping[str, str], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        fields = asdict(self) | {"model": self.repo, "path": str(self.path) if self.path else None}
        return {name: value for name, value in fields.items() if name not in ("repo", "exit_code")}
