"""Bytes of one range on their way from a lane to the part file, in one thread and with one copy in memory."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Executor, Future
from typing import Any

from modelshelf.downloads.pace import Pace
from modelshelf.downloads.part import Ahead, Part, Written
from modelshelf.downloads.pieces import MIB, Span
from modelshelf.errors import Unreachable
from modelshelf.network import Lane
from modelshelf.network.answers import Extent

BUFFER = MIB // 2
_LONGEST_UNTOLD = 0.25
TOLD = 2 * MIB
"""After so many bytes the loop is told: each time costs it as much as decrypting a tenth of them."""


class Stream:
    """Receives into one buffer, and writes it when it is full or a quarter of a second old.

    `checked(extent)` is called before the first byte is taken. `arrived(rows, received)` is awaited in the loop after
    some writes, or after each where the rate is `limited`; meanwhile the thread goes on, and it waits for the loop only
    before it tells it more.
    """

    def __init__(
        self,
        lane: Lane,
        part: Part,
        pace: Pace,
        checked: Callable[[Extent], None],
        arrived: Callable[[list[Written], int], Coroutine[Any, Any, None]],
        limited: Callable[[], bool] = lambda: False,
    ) -> None:
        self.lane = lane
        self._part, self._pace = part, pace
        self._checked, self._arrived, self._limited = checked, arrived, limited
        self._loop = asyncio.get_running_loop()
        self._ahead: Ahead = {}
        self._buffer = memoryview(bytearray(BUFFER))
        self._rows: list[Written] = []
        self._untold, self._told = 0, time.monotonic()
        self._pending: Future[None] | None = None

    async def run(self, threads: Executor, span: Span, etag: str | None) -> None:
        """Bring a span. Being cancelled ends the thread at once, and waits for it: it writes to an open file.

        Raises:
            Unreachable and others: as `Lane.ask`, and too slow; what `checked` and `arrived` raise.
        """
        work = self._loop.run_in_executor(threads, self._fetch, span, etag)
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            self.lane.abort()
            if self._pending:
                self._pending.cancel()
            await asyncio.wait([work])
            if not work.cancelled():
                work.exception()  # it was ended from here: that it failed is no news
            raise

    def _fetch(self, span: Span, etag: str | None) -> None:
        """Bring a span; the good bytes are kept whatever happens."""
        extent = self.lane.ask(span.start, span.end, etag)
        self._checked(extent)
        offset, end, count = extent.start, min(extent.start + (extent.length or 0), span.end), 0
        began = self._told = time.monotonic()
        waited, came = 0.0, 0
        try:
            while offset + count < end:
                count += self.lane.read_into(self._buffer[count : end - offset])
                now = time.monotonic()
                if count < BUFFER and now - began < _LONGEST_UNTOLD:
                    continue
                waited, came = self._watch(waited + now - began, came + count)
                ready, count = count, 0
                self._write(offset, ready)
                offset, began = offset + ready, time.monotonic()
        finally:
            if count:
                self._write(offset, count)
            self._tell()
            self._settle()

    def _watch(self, waited: float, came: int) -> tuple[float, int]:
        """Only the time spent waiting for the server counts, not that of the disk."""
        pace = self._pace
        if waited < pace.slow_seconds:
            return waited, came
        if came < pace.slow_rate * waited:
            raise Unreachable(f"{self.lane.route.url.host} sends too slowly.", transient=True)
        return 0.0, 0

    def _write(self, offset: int, count: int) -> None:
        self._rows += self._part.put(self._buffer[:count], offset, self._ahead)
        self._untold += count
        late = time.monotonic() - self._told >= _LONGEST_UNTOLD
        if late or self._untold >= TOLD or self._part.crowded or self._limited():
            self._tell()

    def _tell(self) -> None:
        self._settle()
        rows, count = self._rows, self._untold
        self._rows, self._untold, self._told = [], 0, time.monotonic()
        if not count:
            return
        self._pending = asyncio.run_coroutine_threadsafe(self._arrived(rows, count), self._loop)
        if self._part.crowded:
            self._settle()

    def _settle(self) -> None:
        """Wait until the loop is done with what was written last."""
        try:
            if self._pending:
                self._pending.result()
        except CancelledError as error:
            raise Unreachable("The transfer was stopped.", transient=True) from error
