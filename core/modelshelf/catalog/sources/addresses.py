"""Files that a person named by their address: what was said of each is kept, so that a download can go on later."""

import errno
import hashlib
import json
import os
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from modelshelf.catalog.sources.cards import is_path, is_repo
from modelshelf.catalog.sources.said import HEX64, amount, listing, mapping, matching
from modelshelf.errors import FolderNotWritable, NotEnoughDisk

MOST = 1000
_LOCK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file at an address, with the checksum that a person vouches for. An address may hold a signature."""

    repo: str
    path: str
    url: str
    size: int
    sha256: str

    @property
    def commit(self) -> str:
        """Stands for a commit: another address or other bytes make another one."""
        return hashlib.sha256(f"{self.url}\0{self.sha256}".encode()).hexdigest()[:40]


class Addresses:
    """The list, oldest first, shared by the processes of a home. For threads."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def all(self) -> Sequence[NamedFile]:
        """Every file; what cannot be read counts as not there."""
        try:
            said = json.loads(self.file.read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            return ()
        return [found for item in listing(said) if (found := _read(item))]

    def add(self, file: NamedFile) -> None:
        """Put a file at the end of the list.

        Raises:
            FolderNotWritable, NotEnoughDisk.
        """
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.file.with_suffix(".lock"), timeout=_LOCK_SECONDS):
                others = [other for other in self.all() if other.commit != file.commit]
                self._write([asdict(entry) for entry in [*others, file][-MOST:]])
        except Timeout:
            raise FolderNotWritable(f"Another process holds {self.file}.", remedy="Try again.") from None
        except OSError as error:
            kind = NotEnoughDisk if error.errno in (errno.ENOSPC, errno.EDQUOT) else FolderNotWritable
            raise kind(f"{self.file} cannot be written: {error.strerror}.") from error

    def _write(self, entries: Sequence[dict[str, Any]]) -> None:
        temporary = self.file.with_name(f".{uuid.uuid4().hex}")
        try:
            # Signed addresses are secrets.
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
                json.dump(entries, handle)
            temporary.replace(self.file)
        finally:
            with suppress(OSError):
                temporary.unlink()


def _read(item: Any) -> NamedFile | None:
    fields = mapping(item)
    repo, path, url = (str(fields.get(key, "")) for key in ("repo", "path", "url"))
    size, sha256 = amount(fields.get("size")), matching(HEX64, fields.get("sha256"))
    if not is_repo(repo) or not is_path(path) or not url.startswith("https://") or size is None or sha256 is None:
        return None
    return NamedFile(repo, path, url, size, sha256)
