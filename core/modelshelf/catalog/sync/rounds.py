"""One source in one round: the most downloaded first, then all of it or its news; small ones whole at once."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from modelshelf.catalog.holdings import Holdings
from modelshelf.catalog.source import Enumerated, Listed, Source, Whole
from modelshelf.catalog.sync.asking import Pages
from modelshelf.catalog.sync.crawl import Crawl, is_due

MOST_OF_SMALL = 20_000
FIRST_STEP = 200_000  # models after which a first crawl is put in use for the first time
STEP = 2.5  # then each time there are so many times more
TOLD_EVERY = 0.5


class Tell(Protocol):
    """Hears how it goes."""

    def __call__(self, status: str, found: int = 0, error: str = "") -> None:
        """A status of `SyncChanged`."""
        ...


class Round:
    """`partly` puts what has come so far in use."""

    def __init__(
        self,
        source: Source,
        holdings: Holdings,
        per_minute: int,
        tell: Tell,
        partly: Callable[[], Awaitable[None]],
        *,
        backoff: float = 1.0,
    ) -> None:
        self._source, self._holdings, self._tell, self._partly = source, holdings, tell, partly
        self._per_minute, self._backoff = per_minute, backoff
        self._told = 0.0
        self._step = float(FIRST_STEP)

    async def run(self, *, full: bool, top_only: bool) -> None:
        """Ask the source for what is due.

        Raises:
            ModelshelfError: it does not answer; what it said is kept.
            OSError: that cannot be written.
        """
        self._tell("asking")
        if isinstance(self._source, Whole):  # also where it could be gone through as well
            await self._fetched(self._source)
        elif isinstance(self._source, Listed):
            await self._crawled(self._source, full=full, top_only=top_only)
        else:
            await self._at_once()

    async def _crawled(self, source: Listed, *, full: bool, top_only: bool) -> None:
        pages = Pages(source, self._per_minute, self._waiting, backoff=self._backoff)
        crawl = Crawl(self._holdings, pages, self._found)
        state = await asyncio.to_thread(self._holdings.state)
        if top_only:
            await crawl.top(alone=True)
            return
        if not state.top and await crawl.top():
            await self._partly()
        if full or is_due(state, datetime.now(UTC)) or not await crawl.news():
            while not await crawl.whole(self._enough):
                await self._partly()

    async def _fetched(self, source: Whole) -> None:
        file = self._holdings.folder / f"{secrets.token_hex(8)}.fetched"
        await asyncio.to_thread(file.parent.mkdir, parents=True, exist_ok=True)
        try:
            await source.fetch(file)
            state = await asyncio.to_thread(self._holdings.state)
            await asyncio.to_thread(self._holdings.take, file, datetime.now(UTC), state.origin)
        finally:
            await asyncio.to_thread(file.unlink, missing_ok=True)

    async def _at_once(self) -> None:
        if isinstance(self._source, Enumerated):
            cards = await self._source.everything()
        else:
            cards = await self._source.search("", limit=MOST_OF_SMALL)
        name = await asyncio.to_thread(self._holdings.write, cards)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        state = await asyncio.to_thread(self._holdings.state)
        state = replace(state, base=(name,), full=now, asked=now, models=len(cards), top=True)
        await asyncio.to_thread(self._holdings.save, state)

    def _enough(self, found: int) -> bool:
        """Whether so many models are worth a generation of their own; only a first crawl has them."""
        if self._holdings.state().base or found < self._step:
            return False
        self._step = max(self._step * STEP, found * STEP)
        return True

    def _waiting(self, why: str) -> None:
        self._tell("waiting", error=why)

    def _found(self, found: int) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._told >= TOLD_EVERY:
            self._told = now
            self._tell("asking", found)
