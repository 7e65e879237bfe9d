"""The transfer of one file: ranges over several connections, checked, retried, hashed as they arrive."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field

from yarl import URL

from modelshelf.catalog.types import Location
from modelshelf.downloads.hashing import Digest, drop_damaged, follow
from modelshelf.downloads.pace import HostGates, Pace, Ramp, RateLimit
from modelshelf.downloads.part import Part, Written
from modelshelf.downloads.pieces import MIB, Span
from modelshelf.downloads.stream import Stream
from modelshelf.errors import ChecksumMismatch, DownloadError, ModelshelfError, Unreachable
from modelshelf.network import Answer, Lane, LaneUnfitError, Network, Route
from modelshelf.network.answers import Extent

SMALL = 16 * MIB
MOST_CONNECTIONS = 8
_BUFFER = MIB
_PROGRESS = 64 * 1024
_LONGEST_SPAN = 64 * MIB


class _RangeIgnoredError(Exception):
    """The server sends the whole file whatever part is asked for."""


@dataclass(slots=True)
class Tally:
    """What a transfer took: `received` bytes came over the network, `new` of them counted; `tries` failed and were
    made again; `connections` is the most at once; `host` is who sent the bytes."""

    received: int = 0
    new: int = 0
    retries: int = 0
    connections: int = 0
    host: str = ""


@dataclass(frozen=True, slots=True)
class Means:
    """What the transfers of all jobs share."""

    network: Network
    pace: Pace = field(default_factory=Pace)
    gates: HostGates = field(default_factory=HostGates)
    limit: RateLimit = field(default_factory=RateLimit)


class FileTransfer:
    """Fetches one file into an open part.

    `locate` says where the file is, anew each time it is asked. `arrived(count)` is told of new bytes, negative for
    such as must be fetched again; `trouble(sentence, seconds)` of a failure and how long it waits before the next try.
    """

    def __init__(
        self,
        means: Means,
        name: str,
        part: Part,
        locate: Callable[[], Awaitable[Location]],
        *,
        connections: int = 4,
        arrived: Callable[[int], None] = lambda _: None,
        trouble: Callable[[str, float], None] = lambda *_: None,
    ) -> None:
        self._means = means
        self._name = name
        self._part = part
        self._locate = locate
        large = part.state.identity.size > SMALL
        self._ramp = Ramp(connections, max(connections, MOST_CONNECTIONS)) if large else Ramp(1, 1)
        self._arrived = arrived
        self._trouble = trouble
        self._location: Location | None = None
        self._route: Route | None = None
        self._routed = asyncio.Event()
        self._single = False
        self._lanes = large
        self._threads: ThreadPoolExecutor | None = None
        self._strikes = 0
        self.tally = Tally()

    @property
    def done(self) -> int:
        """How many bytes of the file have arrived and are kept."""
        return self._part.pieces.done

    async def run(self) -> Digest:
        """Fetch what is missing, and return the checksums of the whole file, which match what was published.

        Raises:
            ChecksumMismatch: the bytes are not the published ones; they were thrown away.
            Unreachable, AccessError, NotFound, DownloadError: it cannot go on; what arrived is kept.
        """
        try:
            return await self._run()
        finally:
            if self._threads:
                self._threads.shutdown(wait=False)

    async def _run(self) -> Digest:
        identity = self._part.state.identity
        for _ in range(2):
            digest = await self._fetch_all()
            if digest.matches(identity.sha256, identity.git_sha1):
                return digest
            before = self._part.pieces.done
            if not await drop_damaged(self._part):
                break
            self._arrived(self._part.pieces.done - before)
        self._arrived(-self._part.pieces.done)
        self._part.discard()
        for index in range(len(self._part.pieces.written)):
            self._part.pieces.reset(index)
        published = identity.sha256 or identity.git_sha1
        raise ChecksumMismatch(
            f"{self._name} arrived with other bytes than the source published; they were thrown away.",
            expected=published,
            found=digest.sha256 if identity.sha256 else digest.git_sha1,
        )

    async def _fetch_all(self) -> Digest:
        hashing = asyncio.create_task(follow(self._part), name="downloads.hash")
        try:
            while not hashing.done():
                await self._phase(hashing)
            return await hashing
        finally:
            hashing.cancel()
            await asyncio.wait([hashing])

    async def _phase(self, hashing: "asyncio.Task[Digest]") -> None:
        """Let the workers run until the file is hashed, one fails, or the server turns out to ignore ranges."""
        routed = asyncio.create_task(self._routed.wait(), name="downloads.route")
        # One connection finds the way; the others follow it.
        workers = self._hire(1 if self._single or not self._routed.is_set() else self._ramp.count)
        try:
            await self._employ(hashing, routed, workers)
        finally:
            for task in (routed, *workers):
                task.cancel()
            results = await asyncio.gather(*workers, return_exceptions=True)
        errors = [result for result in results if isinstance(result, Exception)]
        if any(isinstance(error, _RangeIgnoredError) for error in errors):
            self._single = True
        elif errors and not hashing.done():
            raise errors[0]

    async def _employ(
        self, hashing: "asyncio.Task[Digest]", routed: "asyncio.Task[bool]", workers: "set[asyncio.Task[None]]"
    ) -> None:
        """Wait for the end of the file or of a worker; hire more workers as long as that makes it faster."""
        pieces, pace = self._part.pieces, self._means.pace
        began, before = time.monotonic(), pieces.done
        while True:
            waiting = {hashing, *workers} if routed.done() else {hashing, routed, *workers}
            patience = pace.measure if routed.done() and self._ramp.open and not self._single else None
            done, _ = await asyncio.wait(waiting, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            if done - {routed}:
                return
            if not done:
                rate = (pieces.done - before) / (time.monotonic() - began)
                workers |= self._hire(self._ramp.step(rate))
            elif not self._single:
                workers |= self._hire(self._ramp.count - len(workers))
            began, before = time.monotonic(), pieces.done
            self.tally.connections = max(self.tally.connections, len(workers))

    def _hire(self, count: int) -> "set[asyncio.Task[None]]":
        self.tally.connections = max(self.tally.connections, count)
        return {asyncio.create_task(self._work(), name="downloads.connection") for _ in range(count)}

    async def _work(self) -> None:
        failures, seen = 0, self._part.pieces.done
        pieces = self._part.pieces
        lane: Lane | None = None
        try:
            while True:
                span = await self._part.next_span(self._span_length)
                try:
                    lane = await self._lane_for(lane)
                    await (self._fetch_by_lane(lane, span) if lane else self._fetch(span))
                except LaneUnfitError:
                    # The event loop deals with redirects and bodies of unknown length.
                    self._lanes, self._route, lane = False, None, None
                    continue
                except ModelshelfError as error:
                    failed = error
                else:
                    continue
                finally:
                    pieces.release(span)
                    self._part.tell()
                progress = pieces.done - seen >= _PROGRESS
                failures, seen = (1 if progress else failures + 1), pieces.done
                self._strikes = 0 if progress else self._strikes
                await self._recover(failed, failures)
        finally:
            if lane:
                lane.close()

    def _span_length(self) -> int:
        """Long requests while much is missing, short ones at the end, so that all connections end together."""
        left = self._part.pieces.size - self._part.pieces.done
        if self._single or self._ramp.count == 1:
            return left
        return min(left // (2 * self._ramp.count), _LONGEST_SPAN) if self._route else 1

    async def _lane_for(self, lane: Lane | None) -> Lane | None:
        """The lane to use for the next request, None for the event loop."""
        route, location = self._route, self._location
        if not self._lanes or self._single or route is None or location is None:
            return None
        if lane is not None and lane.route is route:
            return lane
        if lane is not None:
            lane.close()
        return await self._means.network.lane(location, route)

    async def _fetch_by_lane(self, lane: Lane, span: Span) -> None:
        means = self._means

        def checked(extent: Extent) -> None:
            self._check(extent, span.start, span.end)

        async def arrived(rows: list[Written], received: int) -> None:
            self._account(received, self._part.count(rows))
            await means.limit.take(received)
            await self._part.room()

        async with means.gates.turn(self._host()):
            stream = Stream(lane, self._part, means.pace, checked, arrived, lambda: means.limit.rate > 0)
            await stream.run(self._executor, span, self._part.state.etag)

    @property
    def _executor(self) -> ThreadPoolExecutor:
        """The threads of the lanes; small files need none."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(max(self._ramp.count, MOST_CONNECTIONS), "downloads.lane")
        return self._threads

    async def _fetch(self, span: Span) -> None:
        """One request. Good bytes are kept whatever happens after them."""
        means, size = self._means, self._part.pieces.size
        location = self._location or await self._locate()
        self._location = location
        start, end = (0, None) if self._single or span == Span(0, size) else (span.start, span.end)
        etag, turn = self._part.state.etag, means.gates.turn
        async with means.network.open(location, start, end, etag, route=self._route, turn=turn) as answer:
            self._check(answer, start, end)
            self._route = answer.route
            self._routed.set()
            self.tally.host = self._host()
            stop = await self._receive(answer, end or size)
        if stop < (end or size) and not answer.partial:
            raise Unreachable(f"{self._host()} ended {self._name} too early.", transient=True)

    def _check(self, answer: Answer | Extent, start: int, end: int | None) -> None:
        size = self._part.pieces.size
        if answer.total is not None and answer.total != size:
            raise DownloadError(
                f"{self._host()} sends {self._name} with {answer.total:,} bytes, the source published {size:,}.",
                remedy="Try again later; if it happens twice the source or the path to it is damaged.",
                strike=True,
            )
        if (start, end) != (0, None) and not answer.partial:
            raise _RangeIgnoredError
        if answer.etag and answer.partial:
            self._part.state.etag = answer.etag

    async def _receive(self, answer: Answer, end: int) -> int:
        """Write what comes; returns the offset after the last byte."""
        offset, chunks, count = answer.start, [], 0
        try:
            async with aclosing(self._watched(answer)) as stream:
                async for chunk in stream:
                    chunks.append(chunk[: end - offset - count])
                    count += len(chunks[-1])
                    await self._means.limit.take(len(chunk))
                    if count >= _BUFFER:
                        ready, length, chunks, count = chunks, count, [], 0
                        await self._write(offset, ready)
                        offset += length
                    if offset + count >= end:
                        break
        finally:
            if chunks:
                await self._write(offset, chunks)
        return offset + count

    async def _write(self, offset: int, chunks: list[bytes]) -> None:
        self._account(sum(map(len, chunks)), await self._part.write(offset, chunks))

    def _account(self, received: int, new: int) -> None:
        self.tally.received += received
        self.tally.new += new
        if new:
            self._arrived(new)

    async def _watched(self, answer: Answer) -> AsyncGenerator[bytes, None]:
        """The chunks, as long as they come fast enough; only the time spent waiting for the server counts."""
        pace, waited, count, began = self._means.pace, 0.0, 0, time.monotonic()
        async with aclosing(answer.chunks()) as chunks:
            async for chunk in chunks:
                waited += time.monotonic() - began
                count += len(chunk)
                if waited >= pace.slow_seconds:
                    if count < pace.slow_rate * waited:
                        raise Unreachable(f"{self._host()} sends {self._name} too slowly.", transient=True)
                    waited, count = 0.0, 0
                yield chunk
                began = time.monotonic()

    async def _recover(self, error: ModelshelfError, failures: int) -> None:
        """Wait before the next try, or raise the error if there is to be none."""
        pace, facts = self._means.pace, error.facts
        refused = facts.get("redirected") and facts.get("status") in (401, 403, 404, 410)
        refused = refused or (facts.get("status") == 401 and self._location is not None and self._location.renewable)
        if refused or facts.get("strike"):
            # A signed address ran out, or the server contradicts itself: ask the source again where the file is.
            self._strikes += 1
            self._location = self._route = None
            if self._strikes > pace.strikes:
                raise error
        elif facts.get("transient") is not True:
            raise error
        elif failures > pace.tries:
            raise Unreachable(
                f"{self._name} could not be fetched in {failures} tries: {error.message}",
                remedy="Check the network, then retry: it goes on where it stopped.",
            ) from error
        self.tally.retries += 1
        pause = min(facts.get("retry_after") or 0.0, pace.longest_asked)
        if pause:
            self._means.gates.hold(self._host(), pause)
        delay = max(pause, pace.wait(failures))
        self._trouble(error.message, delay)
        await asyncio.sleep(delay)

    def _host(self) -> str:
        if self._route:
            return self._route.url.host or ""
        return (URL(self._location.url).host or "this machine") if self._location else ""
