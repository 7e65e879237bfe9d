"""The layout of the Hugging Face cache: where a repository's blobs, snapshots, refs and locks are."""

from dataclasses import dataclass
from pathlib import Path

from modelshelf.downloads.types import PlannedFile


@dataclass(frozen=True, slots=True)
class RepoCache:
    """The folder of one model in the cache `root`."""

    root: Path
    repo: str

    @property
    def folder(self) -> Path:
        """`models--org--name`."""
        return self.root / self.folder_name

    @property
    def folder_name(self) -> str:
        """The name that huggingface_hub gives the folder."""
        return "models--" + self.repo.replace("/", "--")

    def blob(self, name: str) -> Path:
        """Where the bytes of that name are."""
        return self.folder / "blobs" / name

    def lock(self, name: str) -> Path:
        """huggingface_hub's own lock for a blob."""
        return self.root / ".locks" / self.folder_name / f"{name}.lock"

    def snapshot(self, commit: str) -> Path:
        """The folder that shows the files of a commit."""
        return self.folder / "snapshots" / commit

    def ref(self, name: str) -> Path:
        """The file that says which commit a branch is."""
        return self.folder / "refs" / name

    def holds(self, file: PlannedFile) -> bool:
        """Whether there is a blob that could be this file: its name and size are right. Not a proof of its bytes."""
        name = blob_name(file)
        try:
            return name is not None and self.blob(name).stat().st_size == file.size
        except OSError:
            return False

    def shows(self, commit: str, file: PlannedFile) -> bool:
        """Whether the snapshot leads to bytes of this file."""
        try:
            found = (self.snapshot(commit) / file.path).stat()
        except OSError:
            return False
        return found.st_size == file.size and (blob_name(file) is None or self.holds(file))


def blob_name(file: PlannedFile) -> str | None:
    """The name of a file's bytes in the cache, which the Hub gives as ETag; None if no checksum is published."""
    return (file.sha256 or file.git_sha1 or "").lower() or None
