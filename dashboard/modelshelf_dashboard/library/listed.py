"""Asks the catalogue: a page of rows at once, then what the filters that no facet counts would leave."""

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from modelshelf.catalog.query import Query, complete
from modelshelf.errors import UsageError
from modelshelf_dashboard import figures
from modelshelf_dashboard.library import counts
from modelshelf_dashboard.library.asked import compose, wrong
from modelshelf_dashboard.library.found import Found
from modelshelf_dashboard.library.judged import own_providers
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import _

if TYPE_CHECKING:
    from modelshelf.catalog.columns.pages import Page
    from modelshelf.shelf import Shelf

PAGE = 50
PAUSE = 0.3  # seconds


class Listed:
    """The answers of the catalogue for one session."""

    def __init__(self, shelf: "Shelf", session: Session) -> None:
        self._shelf = shelf
        self._session = session

    async def available(self) -> bool:
        """Whether there is a catalogue."""
        state = self._shelf.catalog_state
        return bool(state.generation) if state.loaded else await self._shelf.catalog.index.available()

    async def follow(self) -> AsyncGenerator[Found, None]:
        """The page that the session is at; once more when all filters have been counted.

        Raises:
            ModelshelfError: the catalogue cannot be read.
        """
        nav = self._session.navigation
        if nav.collection:
            yield await self._collection(nav.collection)
            return
        try:
            query = compose(nav.q, nav.filters)
            begun = time.monotonic()
            page = await self._page(query, nav.sort, nav.page)
        except UsageError as error:
            yield Found((), 0, "", wrong=wrong(error, nav.q))
            return
        found = self._found(page, begun)
        yield found
        await asyncio.sleep(PAUSE)  # who goes on typing does not wait for any of the rest
        wanted = [*counts.own_counts(own_providers(self._shelf)), *_own_measures(nav.filters)]
        counted = await self._shelf.catalog.index.counts(query, wanted)
        yield replace(found, groups=self._groups(page, counted), fitting=counted.get(counts.FITS), settled=True)

    async def suggest(self, text: str) -> list[str]:
        """What the last word in the box may become."""
        if ":" not in text.split()[-1]:  # plain words become keys at most: that needs no list
            return complete(text)
        return await self._shelf.catalog.index.complete(text)

    async def _page(self, query: Query, sort: str, number: int) -> "Page":
        index = self._shelf.catalog.index
        return await index.page(query, sort=sort, offset=number * PAGE, limit=PAGE, facets=counts.FACETS)

    async def _collection(self, name: str) -> Found:
        begun = time.monotonic()
        if name == "unseen":
            return await self._unseen(begun)
        rows = await self._shelf.discovery.collection(name, limit=PAGE)
        cards = tuple(row.card for row in rows)
        return Found(cards, len(cards), self._status(len(cards), begun), groups=self._all_groups())

    async def _unseen(self, begun: float) -> Found:
        number = self._session.navigation.page
        unseen = await self._shelf.discovery.unseen(offset=number * PAGE, limit=PAGE)
        cards = tuple(row.card for row in unseen.page.rows)
        since = _("new since you last looked, {ago}", ago=figures.ago(unseen.since))
        status = f"{self._status(unseen.page.total, begun)} · {since}"
        return Found(cards, unseen.page.total, status, unseen.page.offset, groups=self._all_groups())

    def _found(self, page: "Page", begun: float) -> Found:
        return Found(
            rows=tuple(row.card for row in page.rows),
            total=page.total,
            status=self._status(page.total, begun),
            offset=page.offset,
            groups=self._groups(page, {}),
            suggestion=page.suggestion,
            settled=False,
        )

    def _groups(self, page: "Page", counted: dict[str, int]) -> list[dict[str, object]]:
        settings = self._shelf.catalog.registry.settings
        return counts.groups(
            page.facets,
            self._session.navigation.filters,
            labels={one.name: one.label or one.name for one in settings},
            providers=own_providers(self._shelf),
            counted=counted,
        )

    def _all_groups(self) -> list[dict[str, object]]:
        return counts.groups({}, [], labels={}, providers={}, counted={})

    def _status(self, total: int, begun: float) -> str:
        took = _("{n} ms", n=f"{max(1, (time.monotonic() - begun) * 1000):.0f}")
        every = self._shelf.catalog_state.rows
        told = _("{found} of {all} models", found=f"{total:,}", all=f"{every:,}") if every else f"{total:,}"
        return f"{told} · {took}"


def _own_measures(tokens: list[str]) -> list[str]:
    """Measures that somebody wrote himself, which stand among the choices."""
    known = {token for _key, choices in counts.SELECTS for token, _label in choices}
    keys = (*(f"{key}:" for key, _choices in counts.SELECTS), "quant:")
    return [token for token in tokens if token.startswith(keys) and token not in known]


def created_since(moment: datetime) -> str:
    """The filter for models that came into being since a moment."""
    hours = max((datetime.now(UTC) - moment).total_seconds(), 3600) / 3600
    return f"created:<{hours:.0f}h"
