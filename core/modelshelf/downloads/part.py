"""A part file with its journal: written at offsets from several requests, held by one job at a time."""

import asyncio
import errno
import os
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from isal.isal_zlib import crc32  # as zlib's, in a twentieth of its time

from modelshelf.downloads import journal
from modelshelf.downloads.journal import Identity, Journal
from modelshelf.downloads.pieces import Pieces, Span
from modelshelf.errors import DownloadError, FolderNotWritable, NotEnoughDisk

_LOCK_SECONDS = 0.3

Written = tuple[int, int, int]
"""Bytes on the disk that are not counted yet: the piece, how many were added to it, its CRC-32 now."""

Ahead = dict[int, tuple[int, int]]
"""By piece: how many of its bytes a thread wrote, and their CRC-32."""


async def in_thread[T](pool: Executor, function: Callable[..., T], *args: object) -> T:
    """Call a function in a thread; a cancelled call is waited for, because it holds an open file."""
    future = asyncio.get_running_loop().run_in_executor(pool, function, *args)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        raise


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what the disk says into one sentence."""
    try:
        yield
    except OSError as error:
        if isinstance(error, DownloadError):
            raise
        folder = path if path.is_dir() else path.parent
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise NotEnoughDisk(f"The disk that holds {folder} is full.", free=free_bytes(folder)) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            raise FolderNotWritable(f"{folder} cannot be written to: {error.strerror}.") from error
        raise DownloadError(
            f"Writing below {folder} failed: {error.strerror or error}.", remedy="Check the disk, then try again."
        ) from error


def free_bytes(folder: Path) -> int:
    """What an ordinary user may still write there, in bytes; 0 if that cannot be known."""
    for place in (folder, *folder.parents):
        with suppress(OSError):
            return shutil.disk_usage(place).free
    return 0


class Part:
    """The bytes of one file on their way. Use `opened`."""

    def __init__(self, path: Path, identity: Identity, pool: Executor) -> None:
        self.path = path
        self.journal_path = path.with_suffix(".json")
        self.pool = pool
        self.state = Journal(identity, Pieces(identity.size))
        self.inherited: frozenset[int] = frozenset()
        self._waiting: list[asyncio.Future[None]] = []
        self._fd = -1
        self._unsaved = 0
        # Bytes that threads wrote, and those of them that a journal on the disk speaks of.
        self._put, self._kept = 0, 0
        self._counting = threading.Lock()
        self._due = asyncio.Event()
        self._failure: DownloadError | None = None

    @property
    def pieces(self) -> Pieces:
        """What has arrived."""
        return self.state.pieces

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Part"]:
        """Hold the part file alone, go on from its journal, and write the journal as bytes arrive.

        Raises:
            NotEnoughDisk, FolderNotWritable, DownloadError.
        """
        lock = FileLock(self.path.with_suffix(".lock"), thread_local=False)
        await self._acquire(lock)
        try:
            await in_thread(self.pool, self._open)
            keeper = asyncio.create_task(self._keep(), name="downloads.journal")
            try:
                yield self
            finally:
                keeper.cancel()
                await asyncio.wait([keeper])
                await in_thread(self.pool, self._close)
        finally:
            lock.release()

    async def write(self, offset: int, chunks: Sequence[bytes]) -> int:
        """Write bytes that belong at `offset`, those that have not arrived before; returns how many were new."""
        await self.room()
        return self.count(await in_thread(self.pool, self.put, b"".join(chunks), offset))

    async def room(self) -> None:
        """Wait until the journal has caught up so far that more may be written.

        Raises:
            NotEnoughDisk, FolderNotWritable, DownloadError: it could not be written.
        """
        await self._until(lambda: not self.crowded or self._failure is not None)
        if self._failure:
            raise self._failure

    @property
    def crowded(self) -> bool:
        """Whether so much is written that the journal does not know of that `room` waits."""
        return self._put - self._kept >= journal.LIMIT

    def put(self, data: bytes | memoryview, offset: int, ahead: Ahead | None = None) -> list[Written]:
        """Write what has not arrived before; whoever calls it tells `count`. For threads; one piece is for one of them.

        A thread that does not wait until it is counted keeps an `ahead` of its own, an empty dictionary at first.

        Raises:
            NotEnoughDisk, FolderNotWritable, DownloadError.
        """
        rows, view, pieces = [], memoryview(data), self.pieces
        ahead = {} if ahead is None else ahead
        with disk_errors(self.path):
            for index, start, count in pieces.missing(offset, len(data), ahead):
                piece = view[start - offset : start - offset + count]
                _write_all(self._fd, piece, start)
                written, crc = ahead.get(index) or (pieces.written[index], pieces.crc[index])
                crc = crc32(piece, crc)
                ahead[index] = written + count, crc
                rows.append((index, count, crc))
        with self._counting:
            self._put += sum(count for _, count, _ in rows)
        return rows

    def count(self, rows: Sequence[Written]) -> int:
        """Take into account what was put; returns how many bytes that were."""
        for index, count, crc in rows:
            self.pieces.record(index, count, crc)
        new = sum(count for _, count, _ in rows)
        self._unsaved += new
        if self._unsaved >= journal.TRIGGER:
            self._due.set()
        self.tell()
        return new

    def read_into(self, view: memoryview, offset: int) -> int:
        """Bytes from the disk, as many as fit; returns how many. For threads."""
        with disk_errors(self.path):
            return os.preadv(self._fd, [view], offset)

    async def next_span(self, length: Callable[[], int]) -> Span:
        """Wait until there are bytes that nobody fetches, and set about `length()` of them aside."""
        while (span := self.pieces.take(length())) is None:
            await self._change()
        return span

    async def grown_to(self, offset: int) -> int:
        """Wait until everything before `offset` has arrived; returns how much has."""
        await self._until(lambda: self.pieces.contiguous() >= offset)
        return self.pieces.contiguous()

    def tell(self) -> None:
        """Wake whoever waits for bytes, or for pieces to fetch."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def _change(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    async def _until(self, reached: Callable[[], bool]) -> None:
        while not reached():
            await self._change()

    async def save(self) -> None:
        """Bring the bytes to the disk, then the journal that speaks of them."""
        counted, document = self._unsaved, self.state.dumps()
        await in_thread(self.pool, self._save, document)
        self._unsaved -= counted
        self._kept += counted
        self.tell()

    def discard(self) -> None:
        """Delete the file and its journal; for threads."""
        _delete(self.path)

    async def _acquire(self, lock: FileLock) -> None:
        with disk_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            while True:
                try:
                    lock.acquire(timeout=0)
                except Timeout:
                    await asyncio.sleep(_LOCK_SECONDS)
                else:
                    return

    def _open(self) -> None:
        known = journal.read(self.journal_path, self.state.identity)
        with disk_errors(self.path):
            present = self.path.exists() and self.path.stat().st_size == self.state.identity.size
            if known and present:
                self.state = known
                self.inherited = frozenset(i for i, count in enumerate(known.pieces.written) if count)
            else:
                self.discard()
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                _reserve(self._fd, self.state.identity.size)
            except OSError:
                os.close(self._fd)
                if not known:
                    self.discard()
                raise

    def _close(self) -> None:
        try:
            if self._unsaved and self.path.exists():
                # On a full or failing disk the last journal stays: it speaks of fewer bytes, all of them true.
                with suppress(DownloadError):
                    self._save(self.state.dumps())
        finally:
            os.close(self._fd)

    async def _keep(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(journal.SECONDS):
                    await self._due.wait()
            self._due.clear()
            if self._unsaved:
                try:
                    await self.save()
                except DownloadError as error:
                    self._failure = error
                    self.tell()
                    return

    def _save(self, document: bytes) -> None:
        with disk_errors(self.path):
            os.fdatasync(self._fd) if hasattr(os, "fdatasync") else os.fsync(self._fd)
            journal.write(self.journal_path, document)


def _write_all(fd: int, view: memoryview, offset: int) -> None:
    while view:
        count = os.pwrite(fd, view, offset)
        view, offset = view[count:], offset + count


def _reserve(fd: int, size: int) -> None:
    """Take the space now, so that a full disk shows before the transfer and not in its middle."""
    if size and hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, size)
    else:
        os.ftruncate(fd, size)


def discard_part(path: Path) -> None:
    """Delete a part file and its journal, unless somebody holds it. For threads."""
    with suppress(Timeout, OSError), FileLock(path.with_suffix(".lock"), timeout=0):
        _delete(path)


def _delete(path: Path) -> None:
    for name in (path.with_suffix(".json"), path):
        with suppress(OSError):
            name.unlink()
