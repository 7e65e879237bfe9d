"""Goes through all models of a source, or through what changed, and keeps what it was told and how far it came."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from modelshelf.catalog.holdings import MOST_NEWS, Holdings, SourceState
from modelshelf.catalog.source import ListOrder, ListPage
from modelshelf.catalog.sync.asking import Pages
from modelshelf.catalog.types import RepoCard
from modelshelf.errors import Unreachable

KEPT_EVERY = 10_000  # models between two files
TOP = 50_000
WEEK = timedelta(days=7)
OVERLAP = timedelta(hours=1)
MOST_MODELS = 10_000_000
MOST_REPEATS = 3
MOST_CHANGED = 300_000  # beyond, going through all is no more work

type Found = Callable[[int], None]


@dataclass(slots=True)
class _Batch:
    """Models not kept yet, and where the source goes on after them."""

    cards: list[RepoCard]
    cursor: str = ""


class Crawl:
    """One source. Whatever ends it, what it was told so far is kept, and the next one goes on from there.

    `found` hears how many models were listed.
    """

    def __init__(self, holdings: Holdings, pages: Pages, found: Found) -> None:
        self._holdings = holdings
        self._pages = pages
        self._found = found
        self._seen: set[int] = set()
        self._repeats = 0

    async def top(self, count: int = TOP, *, alone: bool = False) -> bool:
        """The most downloaded, so that there is something to search while the rest comes; False if these were all.

        `alone`: no rest is wanted, they take the place of those before.

        Raises:
            Unreachable, NotSignedIn, OSError.
        """
        state = await self._state()
        batch = _Batch([], state.top_cursor)
        self._begin()
        try:
            while True:
                page = await self._page(batch, "downloads")
                if not batch.cursor:
                    state = replace(state, top_found=0, received=0)
                batch.cursor = page.next
                state = replace(state, received=state.received + page.received)
                try:
                    fresh = () if self._repeated(page) else page.cards
                except Unreachable:  # it goes in circles: these were all
                    break
                known = state.top_found + len(batch.cards)
                batch.cards += fresh[: count - known]
                known += len(fresh)
                self._found(min(known, count))
                if not page.next or known >= count:
                    break
                if len(batch.cards) >= KEPT_EVERY:
                    state = await self._keep_top(state, batch)
        finally:
            if batch.cards:
                state = await asyncio.shield(self._keep_top(state, batch))
        await self._topped(state, alone=alone)
        return bool(batch.cursor)

    async def _keep_top(self, state: SourceState, batch: _Batch) -> SourceState:
        name = await asyncio.to_thread(self._holdings.write, batch.cards)
        found = state.top_found + len(batch.cards)
        state = replace(state, topped=(*state.topped, name), top_cursor=batch.cursor, top_found=found)
        batch.cards = []
        await self._save(state)
        return state

    async def _topped(self, state: SourceState, *, alone: bool) -> None:
        """The most downloaded are listed: they are news on top of what is known, or all that is."""
        news = () if alone and not state.base else state.news
        ended = replace(
            state, news=(*news, *state.topped), topped=(), top=True, top_cursor="", top_found=0,
            asked=_iso(datetime.now(UTC)), models=state.models if state.base else state.top_found,
        )  # fmt: skip
        await self._save(ended)

    async def whole(self, paused: Callable[[int], bool] | None = None) -> bool:
        """All models, from where the last crawl stopped; False if `paused`, asked with each file, said to stop here.

        Raises:
            Unreachable: it does not answer, or never comes to an end; what it said is kept.
            NotSignedIn, OSError.
        """
        state = await self._begun()
        batch = _Batch([], state.cursor)
        self._begin()
        try:
            while True:
                page = await self._page(batch, "created")
                repeated = self._repeated(page)
                batch.cards += () if repeated else page.cards
                batch.cursor = page.next
                self._found(state.found + len(batch.cards))
                if not page.next:
                    break
                if state.found + len(batch.cards) > MOST_MODELS:
                    raise Unreachable(f"{self._holdings.source} lists more than {MOST_MODELS:,} models.")
                if len(batch.cards) >= KEPT_EVERY:
                    state, batch = await self._keep(state, batch), _Batch([], batch.cursor)
                    if paused is not None and paused(state.found):
                        return False
        finally:
            if batch.cards:
                state = await asyncio.shield(self._keep(state, batch))
        await self._ended(state)
        return True

    async def news(self) -> bool:
        """What changed since it was last asked; False if so much did that all has to be gone through.

        Raises:
            Unreachable, NotSignedIn, OSError.
        """
        state = await self._state()
        since = datetime.fromisoformat(state.watermark or state.full) - OVERLAP
        if len(state.news) >= MOST_NEWS:
            return False
        cards: list[RepoCard] = []
        self._begin()
        cursor, newest = "", since + OVERLAP
        while True:
            page = await self._pages.get("modified", cursor)
            moments = [card.modified for card in page.cards if card.modified]
            fresh = () if self._repeated(page) else page.cards
            cards += [card for card in fresh if card.modified is None or card.modified >= since]
            newest = max([newest, *moments])
            self._found(len(cards))
            cursor = page.next
            if not cursor or not moments or min(moments) < since:
                break
            if len(cards) > MOST_CHANGED:
                return False
        state = replace(state, asked=_iso(datetime.now(UTC)), watermark=_iso(min(newest, datetime.now(UTC))))
        if cards:
            state = replace(state, news=(*state.news, await asyncio.to_thread(self._holdings.write, cards)))
        await self._save(state)
        return True

    async def _begun(self) -> SourceState:
        state = await self._state()
        if state.crawling:
            return state
        state = replace(state, crawling=True, cursor="", crawled=(), found=0, began=_iso(datetime.now(UTC)))
        await self._save(state)
        return state

    async def _page(self, batch: _Batch, order: ListOrder) -> ListPage:
        """The next page. A cursor that the source knows no more, of a crawl long ago, begins it anew."""
        try:
            return await self._pages.get(order, batch.cursor)
        except Unreachable as error:
            if not batch.cursor or error.facts.get("http") not in {400, 404, 410, 422}:
                raise
            batch.cursor = ""
            self._begin()
            return await self._pages.get(order)

    def _begin(self) -> None:
        """Another order may well have the same pages."""
        self._seen, self._repeats = set(), 0

    def _repeated(self, page: ListPage) -> bool:
        """Whether the source said this page before.

        Raises:
            Unreachable: it does so again and again.
        """
        key = hash(tuple(card.repo for card in page.cards))
        if key not in self._seen:
            self._seen.add(key)
            return False
        self._repeats += 1
        if self._repeats >= MOST_REPEATS:
            raise Unreachable(
                f"{self._holdings.source} answers the same models again and again.",
                remedy="What it said is kept; it is asked again in the next round.",
            )
        return True

    async def _keep(self, state: SourceState, batch: _Batch) -> SourceState:
        name = await asyncio.to_thread(self._holdings.write, batch.cards)
        found = state.found + len(batch.cards)
        state = replace(state, crawled=(*state.crawled, name), cursor=batch.cursor, found=found)
        batch.cards = []
        await self._save(state)
        return state

    async def _ended(self, state: SourceState) -> None:
        """What was seen is the base now; what was not is gone."""
        ended = replace(
            state, base=state.crawled, news=(), crawled=(), crawling=False, cursor="", full=state.began,
            asked=_iso(datetime.now(UTC)), watermark=state.began, models=state.found, top=True,
            topped=(), top_cursor="", top_found=0,
        )  # fmt: skip
        await self._save(ended)

    async def _state(self) -> SourceState:
        return await asyncio.to_thread(self._holdings.state)

    async def _save(self, state: SourceState) -> None:
        await asyncio.to_thread(self._holdings.save, state)


def is_due(state: SourceState, now: datetime) -> bool:
    """Whether all has to be gone through again: it never was, it was begun, or a week ago."""
    return state.crawling or not state.full or now - datetime.fromisoformat(state.full) > WEEK


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
