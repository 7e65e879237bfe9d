"""How hard a transfer tries: waiting times after failures, per-host pauses, the limit of the rate."""

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """Times in seconds, rates in bytes per second.

    `tries` failures in a row without progress end a transfer; `strikes` refusals or contradictions by a server do.
    Less than `slow_rate` over `slow_seconds` makes a new connection. What a server asks to wait is obeyed up to
    `longest_asked`. Every `measure` seconds a large file may get more connections.
    """

    connect: float = 10.0
    silence: float = 20.0
    first_wait: float = 1.0
    longest_wait: float = 60.0
    tries: int = 8
    strikes: int = 3
    longest_asked: float = 300.0
    slow_rate: float = 64 * 1024
    slow_seconds: float = 30.0
    measure: float = 1.0
    beat: float = 0.35
    lease: float = 30.0
    poll: float = 1.0

    def wait(self, failures: int) -> float:
        """How long to wait after so many failures in a row: full jitter, doubling; none after the first."""
        if failures <= 1:
            return 0.0
        return random.uniform(0, min(self.longest_wait, self.first_wait * 2 ** (failures - 2)))  # noqa: S311


class HostGates:
    """What every transfer observes with each host: the pauses it asked for, and how many requests it gets at once."""

    def __init__(self, at_once: int = 12) -> None:
        self._at_once = at_once
        self._until: dict[str, float] = {}
        self._turns: dict[str, asyncio.Semaphore] = {}

    def hold(self, host: str, seconds: float) -> None:
        """Ask the host nothing for so long."""
        self._until[host] = max(self._until.get(host, 0.0), time.monotonic() + seconds)

    @asynccontextmanager
    async def turn(self, host: str) -> AsyncIterator[None]:
        """Wait until the host may be asked, and count as one of its requests within the block."""
        async with self._turns.setdefault(host, asyncio.Semaphore(self._at_once)):
            await asyncio.sleep(max(self._until.get(host, 0.0) - time.monotonic(), 0.0))
            yield


class Ramp:
    """How many connections a file gets: more, as long as each step makes the whole faster by a tenth."""

    STEP = 2
    GAIN = 1.1

    def __init__(self, first: int, most: int) -> None:
        self.count = first
        self._most = most
        self._best = 0.0

    @property
    def open(self) -> bool:
        """Whether there may be more."""
        return self.count < self._most

    def step(self, rate: float) -> int:
        """How many to add, now that so many bytes come per second; no more are added after a step without gain."""
        if not self.open or rate < self.GAIN * self._best or rate <= 0:
            self._most = min(self._most, self.count)
            return 0
        self._best = rate
        added = min(self.STEP, self._most - self.count)
        self.count += added
        return added


class RateLimit:
    """At most so many bytes per second over everything that asks; 0 means no limit."""

    def __init__(self) -> None:
        self.rate = 0.0
        self._free_at = 0.0

    async def take(self, count: int) -> None:
        """Wait until `count` more bytes may have come."""
        if self.rate <= 0:
            return
        now = time.monotonic()
        self._free_at = max(self._free_at, now) + count / self.rate
        if self._free_at - now > 0.02:
            await asyncio.sleep(self._free_at - now)


class Meter:
    """Bytes of a job and their rate over the last seconds."""

    WINDOW = 5.0

    def __init__(self, total: int, done: int = 0) -> None:
        self.total = total
        self.done = done
        self._seen: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])
        self._new = 0

    def add(self, count: int, *, new: bool = True) -> None:
        """Bytes arrived, were there before (not `new`), or (negative) turned out to be missing."""
        self.done += count
        self._new += max(count, 0) if new else 0

    def rate(self) -> float:
        """Bytes per second over the last seconds; only what arrived in this run counts."""
        now = time.monotonic()
        if now - self._seen[-1][0] >= 0.2:
            self._seen.append((now, self._new))
        while len(self._seen) > 2 and self._seen[1][0] < now - self.WINDOW:
            self._seen.popleft()
        began, before = self._seen[0]
        return (self._new - before) / (now - began) if now - began > 0.1 else 0.0

    def eta(self) -> float | None:
        """Seconds to go at this rate, None when unknown."""
        rate = self.rate()
        return (self.total - self.done) / rate if rate > 0 else None
