"""Asks a source for one page after another, at its pace, and again where it stumbles."""

import asyncio
import random
from collections.abc import Callable

from modelshelf.catalog.source import Listed, ListOrder, ListPage
from modelshelf.errors import Unreachable

ATTEMPTS = 8  # in a row, before it is left for the next round
LONGEST_WAIT = 900.0
WHOLE, SMALL = 1000, 100

type Told = Callable[[str], None]


class Pages:
    """Pages of one source. `told` hears why a page is waited for; `backoff` are the seconds after a first failure."""

    def __init__(self, source: Listed, per_minute: int, told: Told, *, backoff: float = 1.0) -> None:
        self._source = source
        self._pause = 60.0 / per_minute
        self._told = told
        self._backoff = backoff
        self._next = 0.0
        self._size = WHOLE

    async def get(self, order: ListOrder, cursor: str = "") -> ListPage:
        """A page, however often it has to be asked for.

        Raises:
            Unreachable: it was asked for in vain too often, or will never come.
            NotSignedIn: the token is refused.
        """
        for attempt in range(ATTEMPTS):
            await self._wait_turn()
            try:
                page = await self._source.listing(order, cursor, size=self._size)
            except Unreachable as error:
                if attempt == ATTEMPTS - 1 or not await self._may_try_again(error, attempt):
                    raise
            else:
                self._size = WHOLE
                return page
        raise AssertionError  # the last attempt has returned or raised

    async def _wait_turn(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(self._next - loop.time(), 0.0))
        self._next = loop.time() + self._pause

    async def _may_try_again(self, error: Unreachable, attempt: int) -> bool:
        """Wait as long as the source says, or longer each time; False where waiting does not help."""
        if error.facts.get("large") and self._size > SMALL:
            self._size = SMALL
            return True
        status = error.facts.get("http")
        if isinstance(status, int) and status < 500 and status not in {408, 425, 429}:
            return False
        said = error.facts.get("wait")
        usual = self._backoff * 2**attempt * random.uniform(0.8, 1.2)  # noqa: S311 - spread, not secrecy
        self._told(error.message)
        await asyncio.sleep(min(said if isinstance(said, float) else usual, LONGEST_WAIT))
        return True
