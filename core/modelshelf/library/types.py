"""What is on disk."""

from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from modelshelf.ids import ModelId


@dataclass(frozen=True, slots=True)
class InstalledFile:
    """A file of a snapshot: `path` in the repository, `blob` where its bytes are, `links` how many names they have."""

    path: str
    size: int
    blob: Path
    file: Path
    sha256: str | None = None
    links: int = 1


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """One commit of a repository in the cache. `managed` is False for what other programs put there.

    `complete` says whether every file that its format needs is there; `refs` are the names that lead to the commit.
    `damaged` are the files whose bytes were others than published when last verified, `accepted` those that pass
    because a person said so, whatever was found in them. `pinned` models are neither updated nor deleted with others.
    """

    repo: str
    commit: str
    snapshot: Path
    files: tuple[InstalledFile, ...]
    refs: tuple[str, ...] = ()
    source: str | None = None
    size: int = 0
    modified: datetime | None = None
    format: str | None = None
    quantisation: str | None = None
    managed: bool = False
    verdict: str | None = None
    complete: bool = True
    damaged: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    pinned: bool = False

    @property
    def id(self) -> ModelId:
        """The pinned name."""
        return ModelId(self.repo, self.source, self.commit)

    @property
    def served_name(self) -> str:
        """The name under which the built-in engine offers it: the repository's name without its `-GGUF`."""
        name = self.repo.rpartition("/")[2]
        return name[:-5] if name.lower().endswith("-gguf") else name


@dataclass(frozen=True, slots=True)
class Removal:
    """What deleting a model frees and what it breaks. `used_by` names everything else that uses the same bytes.

    `files` is empty when whole commits go, and names the files when only these do.
    """

    repo: str
    commits: tuple[str, ...]
    freed: int
    used_by: tuple[str, ...]
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """What reading a file again showed: status is ok | mismatch | missing | recorded.

    `recorded` means that nobody published a checksum; the one found is kept and compared with from now on.
    """

    repo: str
    commit: str
    path: str
    status: str
    size: int = 0
    sha256: str | None = None
    expected: str | None = None
    detail: str = ""

    def as_dict(self) -> dict[str, object]:
        """As JSON."""
        return asdict(self)
