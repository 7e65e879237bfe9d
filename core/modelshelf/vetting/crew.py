"""The scanning processes at work: a few, kept for what comes next, each with as many small files as go together."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from modelshelf.vetting.rules import MOST_TOGETHER, SMALL_BYTES
from modelshelf.vetting.scanner import SecurityScanner
from modelshelf.vetting.types import ScanReport

IDLE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class OpenFile:
    """An open file: its descriptor, where it is, and its name in the repository."""

    fd: int
    shown: str
    name: str


class Crew:
    """Scans open files, a few at a time. `stop` ends what is left."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(max(1, min(4, (os.cpu_count() or 1))))
        self._free: list[SecurityScanner] = []
        self._retirement: asyncio.TimerHandle | None = None
        self._ended = False

    async def scan(self, files: Sequence[OpenFile]) -> list[ScanReport]:
        """The reports, in the order of the files."""
        sizes = await asyncio.to_thread(lambda: [os.fstat(file.fd).st_size for file in files])
        small = [file for file, size in zip(files, sizes, strict=True) if size <= SMALL_BYTES]
        groups = [small[start : start + MOST_TOGETHER] for start in range(0, len(small), MOST_TOGETHER)]
        groups += [[file] for file, size in zip(files, sizes, strict=True) if size > SMALL_BYTES]
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(self._scan(group)) for group in groups]
        found = {file.fd: report for group, task in zip(groups, running, strict=True)
                 for file, report in zip(group, task.result(), strict=True)}  # fmt: skip
        return [found[file.fd] for file in files]

    async def stop(self) -> None:
        """End the scanners that nobody uses, and from now on each one after its use."""
        self._ended = True
        if self._retirement:
            self._retirement.cancel()
        free, self._free = self._free, []
        await asyncio.to_thread(_close, free)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[SecurityScanner]:
        """A scanner, when it is one's turn, and kept for the next: starting one takes ten times as long as a scan.

        Each group of files has a process of its own below it anyway. After a while without work none is left.
        """
        async with self._turns:
            scanner = self._free.pop() if self._free else SecurityScanner()
            good = False
            try:
                yield scanner
                good = True
            finally:
                if good and not self._ended:
                    self._keep(scanner)
                else:
                    # Also when this task is cancelled: the thread then sees its process end.
                    await asyncio.shield(asyncio.to_thread(_close, [scanner]))

    async def _scan(self, group: Sequence[OpenFile]) -> list[ScanReport]:
        asked = [(file.fd, file.shown, file.name) for file in group]
        async with self.one() as scanner:
            if len(asked) == 1:
                return [await asyncio.to_thread(scanner.scan_open, *asked[0])]
            return await asyncio.to_thread(scanner.scan_together, asked)

    def _keep(self, scanner: SecurityScanner) -> None:
        self._free.append(scanner)
        if self._retirement:
            self._retirement.cancel()
        self._retirement = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._retire)

    def _retire(self) -> None:
        free, self._free = self._free, []
        asyncio.get_running_loop().run_in_executor(None, _close, free)


def _close(scanners: Sequence[SecurityScanner]) -> None:
    for scanner in scanners:
        scanner.close()
