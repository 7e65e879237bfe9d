"""Compares files of the same size by reading them, slowly and when nothing else needs the disk."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from modelshelf.adoption import records
from modelshelf.adoption.comparing import Known
from modelshelf.adoption.reading import Reins, Stopped, sha256_of
from modelshelf.adoption.types import Comparing, StoredFile
from modelshelf.config import ConfigManager
from modelshelf.errors import ModelshelfError
from modelshelf.events import EventBus, LibraryChanged, StoresChanged
from modelshelf.store import Store

log = logging.getLogger(__name__)

MB = 1e6


@dataclass(frozen=True, slots=True)
class Times:
    """In seconds: before the first round, between two, how often is asked whether downloads are done, and told."""

    first: float = 10.0
    between: float = 60.0
    calm: float = 5.0
    told: float = 0.5


class Background:
    """One comparison at a time; of several processes, the one that leads compares by itself."""

    def __init__(
        self,
        config: ConfigManager,
        store: Store,
        events: EventBus,
        leads: Callable[[], bool],
        known: Callable[[], Awaitable[Known]],
        times: Times = Times(),
    ) -> None:
        self.state = Comparing()
        self._config = config
        self._store = store
        self._events = events
        self._leads = leads
        self._known = known
        self._times = times
        self._tasks: list[asyncio.Task[None]] = []
        self._turn = asyncio.Lock()
        self._wake = asyncio.Event()
        self._told = 0.0

    def start(self) -> None:
        """Begin, some seconds from now."""
        self._tasks = [
            asyncio.create_task(self._watch(), name="adoption.compare"),
            asyncio.create_task(self._listen(), name="adoption.listen"),
        ]

    async def stop(self) -> None:
        """End where it is."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def round(self, *, rate: float) -> Comparing:
        """Read what must be read, at `rate` bytes per second (0: no limit, and downloads do not matter).

        What cannot be read, or changes meanwhile, is left for another time.
        """
        async with self._turn:
            wanted = (await self._known()).wanted()
            self.state = Comparing(len(wanted), sum(file.size for file in wanted), 0, sum(f.size for f in wanted))
            left = 0
            for file in wanted:
                if rate:
                    await self._wait_for_calm()
                left += not await self._read(file, rate)
            self.state = Comparing(files=left, why="Some files cannot be read." if left else "")
        if wanted:
            self._events.publish(StoresChanged())
        return self.state

    async def _read(self, file: StoredFile, rate: float) -> bool:
        """Whether its checksum is known now."""
        reins, read, sha256 = Reins(), 0, None
        asked = time.monotonic()
        before = self.state.done

        def told(count: int) -> None:
            nonlocal read
            read += count

        reading = asyncio.create_task(asyncio.to_thread(sha256_of, file, rate, reins, told))
        try:
            while not reading.done():
                await asyncio.wait([reading], timeout=self._times.told)
                self._tell(before + read)
                if rate and time.monotonic() - asked > self._times.calm:
                    asked = time.monotonic()
                    (reins.hold.set if await self._why_not() else reins.hold.clear)()
            if sha256 := reading.result():
                await self._store.write(records.remember, file, sha256)
        except OSError as error:
            log.info("%s could not be compared: %s", file.place, error.strerror)
        finally:
            reins.stop.set()
            with suppress(OSError, Stopped):
                await reading
        self._tell(before + file.size)
        return sha256 is not None

    def _tell(self, done: int) -> None:
        self.state = replace(self.state, done=done)
        if time.monotonic() - self._told >= self._times.told:
            self._told = time.monotonic()
            self._events.publish(StoresChanged(done=done, total=self.state.total))

    async def _wait_for_calm(self) -> None:
        """Downloads of other processes send no event here, so it is looked at now and then."""
        while True:
            if not await self._why_not():
                return
            await asyncio.sleep(self._times.calm)

    async def _why_not(self) -> str:
        """Why nothing may be read now, empty if it may; the state says it too."""
        why = ""
        if not self._config.config.adoption.compare_mb:
            why = "It is switched off: adoption.compare_mb is 0."
        elif await self._store.read(records.is_downloading):
            why = "It waits until the downloads are done."
        self.state = replace(self.state, why=why)
        return why

    async def _watch(self) -> None:
        wait = self._times.first
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            self._wake.clear()
            # What lands brings several events; they are one reason to look.
            await asyncio.sleep(self._times.calm)
            wait, rate = self._times.between, self._config.config.adoption.compare_mb * MB
            if self._leads():
                try:
                    await (self.round(rate=rate) if rate else self._known())
                except ModelshelfError as error:
                    log.warning("stores could not be compared: %s", error)

    async def _listen(self) -> None:
        with self._events.subscribe() as events:
            async for event in events:
                if isinstance(event, LibraryChanged):
                    self._wake.set()
