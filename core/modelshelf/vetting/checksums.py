"""Checksums: what a source published against what is on disk, at the disk's speed."""

import asyncio
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from modelshelf.errors import ChecksumMismatch, FileNotInRepository, FormatError

CHUNK = 4 << 20


@dataclass(frozen=True, slots=True)
class Digests:
    """The checksums of a file: SHA-256 of its bytes, and the id git gives them."""

    size: int
    sha256: str
    git_sha1: str


class ValidationService:
    """Computes checksums and holds them against those published."""

    async def digests(self, path: Path, *, git: bool = False, progress: Callable[[int], None] | None = None) -> Digests:
        """The checksums of a file; the git id only if asked for, else it is empty.

        `progress` is told the bytes done, from the working thread.

        Raises:
            FileNotInRepository: there is no such file.
            FormatError: it cannot be read, or changed while it was.
        """
        return await asyncio.to_thread(digests, path, git=git, progress=progress)

    async def check(
        self, path: Path, *, size: int | None = None, sha256: str | None = None, git_sha1: str | None = None
    ) -> Digests:
        """Hold a file against what was published; what is None is not compared.

        Raises:
            ChecksumMismatch: it differs; the message says in what.
            FileNotInRepository, FormatError: as `digests`.
        """
        try:
            actual = (await asyncio.to_thread(path.stat)).st_size
        except OSError as error:
            raise FileNotInRepository(f"{path.name} is not there: {error.strerror}.") from error
        if size is not None and actual != size:
            what = "is truncated" if actual < size else "is too long"
            raise ChecksumMismatch(f"{path.name} {what}: {actual:,} bytes instead of {size:,}.", path=str(path))
        found = await self.digests(path, git=git_sha1 is not None)
        for label, published, computed in (("SHA-256", sha256, found.sha256), ("git id", git_sha1, found.git_sha1)):
            if published is not None and published.lower() != computed:
                raise ChecksumMismatch(
                    f"{path.name} is damaged: its {label} is {computed[:12]}…, not {published.lower()[:12]}….",
                    path=str(path),
                )
        return found


def digests(
    file: Path | int, *, git: bool = False, progress: Callable[[int], None] | None = None, name: str = ""
) -> Digests:
    """As `ValidationService.digests`, in the calling thread; `file` may be an open descriptor."""
    shown = name or (file.name if isinstance(file, Path) else "the file")
    try:
        fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC) if isinstance(file, Path) else file
    except FileNotFoundError as error:
        raise FileNotInRepository(f"{shown} is not there.") from error
    except OSError as error:
        raise FormatError(f"{shown} cannot be read: {error.strerror}.") from error
    try:
        return _digests(fd, shown, git, progress)
    except OSError as error:
        raise FormatError(f"{shown} cannot be read: {error.strerror}.") from error
    finally:
        if isinstance(file, Path):
            os.close(fd)


def _digests(fd: int, name: str, git: bool, progress: Callable[[int], None] | None) -> Digests:
    before = os.fstat(fd)
    sha256 = hashlib.sha256()
    sha1 = hashlib.sha1(f"blob {before.st_size}\0".encode(), usedforsecurity=False) if git else None
    buffer, done = memoryview(bytearray(CHUNK)), 0
    while count := os.preadv(fd, [buffer], done):
        sha256.update(buffer[:count])
        if sha1 is not None:
            sha1.update(buffer[:count])
        done += count
        if progress is not None:
            progress(done)
    after = os.fstat(fd)
    if done != before.st_size or before.st_mtime_ns != after.st_mtime_ns:
        raise FormatError(
            f"{name} changed while it was read.", remedy="Wait until nothing writes to it, then try again."
        )
    return Digests(done, sha256.hexdigest(), sha1.hexdigest() if sha1 is not None else "")
