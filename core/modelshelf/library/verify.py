"""Reads files again and compares them with what was published."""

import asyncio
import hashlib
import os
import re
import threading
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from modelshelf.library.cache import CachedFile, CachedSnapshot, Inode
from modelshelf.library.inventory import FileKey
from modelshelf.library.types import VerifyResult
from modelshelf.store.tables import FileRow, now

CHUNK = 4 * 2**20
_HEX = re.compile(r"^(?:[0-9a-f]{40}|[0-9a-f]{64})$")


@dataclass(frozen=True, slots=True)
class Digests:
    """A file's bytes: their SHA-256 and, for a file that is named by it, their SHA-1 as git computes it."""

    sha256: str
    git_sha1: str | None


class Stopped(Exception):
    """Nobody waits for the answer any more."""


class Gauge(Protocol):
    """Told of every stretch of bytes that was read; it may hold up the reading."""

    def arrived(self, count: int, stop: threading.Event) -> None:
        """So many bytes more, in the reading thread."""
        ...


async def verify(
    snapshots: Sequence[tuple[str, CachedSnapshot]],
    paths: Collection[str],
    rows: Mapping[FileKey, FileRow],
    gauge: Gauge | None = None,
) -> AsyncGenerator[tuple[VerifyResult, FileRow | None], None]:
    """Every file of these repositories' commits, or those named `paths`, in order: the result and what to keep of it.

    Bytes that several commits share are read once; as many files are read at a time as there are cores, up to four.
    """
    stop, free = threading.Event(), asyncio.Semaphore(min(4, os.cpu_count() or 1))
    chosen = [
        (repo, snapshot.commit, file)
        for repo, snapshot in snapshots
        for file in snapshot.files
        if not paths or file.path in paths
    ]
    tasks: dict[Inode, asyncio.Task[Digests | OSError]] = {}
    try:
        for repo, snapshot in snapshots:
            for path, reason in () if paths else snapshot.broken:
                yield VerifyResult(repo, snapshot.commit, path, "missing", detail=f"The file {reason}."), None
        for _, _, file in chosen:
            if file.inode not in tasks:
                tasks[file.inode] = asyncio.create_task(_digest(file, stop, free, gauge))
        for repo, commit, file in chosen:
            yield _judge(repo, commit, file, rows.get((repo, commit, file.path)), await tasks[file.inode])
    finally:
        stop.set()
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


async def _digest(
    file: CachedFile, stop: threading.Event, free: asyncio.Semaphore, gauge: Gauge | None
) -> Digests | OSError:
    async with free:
        try:
            return await asyncio.to_thread(digest, file, stop, gauge)
        except OSError as error:
            return error


def _judge(
    repo: str, commit: str, file: CachedFile, row: FileRow | None, found: Digests | OSError
) -> tuple[VerifyResult, FileRow | None]:
    if isinstance(found, OSError):
        reason = found.strerror or str(found)
        return VerifyResult(repo, commit, file.path, "missing", detail=f"It cannot be read: {reason}."), None
    status, expected = compare(file, row, found)
    damaged = status == "mismatch"
    kept = FileRow(
        repo=repo,
        commit=commit,
        path=file.path,
        source=row.source if row else "",
        sha256=_expected_sha256(file, row) if damaged else found.sha256,
        size=file.size,
        verified=now(),
        damaged=damaged,
    )
    detail = "Its bytes are not those that were published." if damaged else ""
    return VerifyResult(repo, commit, file.path, status, file.size, found.sha256, expected, detail), kept


def digest(file: CachedFile, stop: threading.Event, gauge: Gauge | None = None) -> Digests:
    """Read the whole file.

    Raises:
        OSError: it cannot be read. Stopped: `stop` was set.
    """
    sha256 = hashlib.sha256()
    small = len(published(file) or "") == 40
    git = hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
    with file.file.open("rb", buffering=0) as handle:
        while chunk := handle.read(CHUNK):
            if stop.is_set():
                raise Stopped
            sha256.update(chunk)
            if small:
                git.update(chunk)
            if gauge is not None:
                gauge.arrived(len(chunk), stop)
    return Digests(sha256.hexdigest(), git.hexdigest() if small else None)


def published(file: CachedFile) -> str | None:
    """The checksum that the source published: a blob is named by its SHA-256, or by git's SHA-1 if it is small."""
    return file.blob.name if file.blob != file.file and _HEX.match(file.blob.name) else None


def compare(file: CachedFile, row: FileRow | None, found: Digests) -> tuple[str, str | None]:
    """The status (ok | mismatch | recorded) and the checksum that was expected."""
    named = published(file)
    recorded = (row.sha256 or None) if row else None
    if named is None and recorded is None:
        return "recorded", None
    for expected in filter(None, (named, recorded)):
        if expected != (found.sha256 if len(expected) == 64 else found.git_sha1):
            return "mismatch", expected
    return "ok", named or recorded


def _expected_sha256(file: CachedFile, row: FileRow | None) -> str:
    """The SHA-256 that a damaged file should have; empty where only git's SHA-1 was published."""
    named = published(file) or ""
    return row.sha256 if row and row.sha256 else named if len(named) == 64 else ""


def published_name(blob: Path, length: int) -> str | None:
    """The checksum of that many hexadecimal digits that a blob is named by, None if it is named otherwise."""
    return blob.name if len(blob.name) == length and _HEX.match(blob.name) else None
