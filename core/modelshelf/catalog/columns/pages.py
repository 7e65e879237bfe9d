"""What a keystroke gets: one page of rows, the exact count, facets, and a better spelling where little was found."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from modelshelf.catalog.columns import bits as sets
from modelshelf.catalog.columns.bits import Bits
from modelshelf.catalog.columns.facets import FACETS, Facets
from modelshelf.catalog.columns.mapped import Array, Mapped, Row
from modelshelf.catalog.columns.selection import Marks, Selection
from modelshelf.catalog.columns.spelling import Spelling
from modelshelf.catalog.query import Query
from modelshelf.errors import UsageError

SORTS = ("downloads", "likes", "trending", "created", "modified", "size", "params", "context", "compatibility")
FEW = 5
BLOCK = 1 << 16
MOST = 1000


@dataclass(frozen=True, slots=True)
class Sort:
    """An order of rows: descending unless `ascending`; what is not known comes last in both."""

    key: str = "downloads"
    ascending: bool = False

    @classmethod
    def parse(cls, text: str) -> "Sort":
        """Read `likes` or, ascending, `-likes`.

        Raises:
            UsageError: there is no such order.
        """
        key = text.removeprefix("-").lower() or "downloads"
        key = {"updated": "modified", "fit": "compatibility", "parameters": "params", "ctx": "context"}.get(key, key)
        if key not in SORTS:
            raise UsageError(f"There is no order “{text[:40]}”.", remedy=f"Sort by one of: {', '.join(SORTS)}.")
        return cls(key, text.startswith("-"))


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of an answer: `total` rows match in all, these are from the `offset`-th on.

    `facets` are by the key of the filter: values with the number of models, the most first. `suggestion` is a query
    that finds more, empty where there is none.
    """

    rows: tuple[Row, ...]
    total: int
    offset: int = 0
    facets: Mapping[str, tuple[tuple[str, int], ...]] = field(default_factory=dict)
    suggestion: str = ""


class Ranking(Protocol):
    """An order that the catalogue does not hold itself: how well models do on this machine."""

    order: Array
    """The rows in descending order, of equals the lower number first."""
    known: int
    """How many of them have a value."""

    def places(self, rows: Array) -> Array:
        """The places of these rows in the order."""
        ...


class Catalogue:
    """Answers queries on one generation. Quick enough for the event loop where a few milliseconds are."""

    def __init__(self, mapped: Mapped) -> None:
        self.mapped = mapped
        self.selection = Selection(mapped)
        self._facets = Facets(mapped)
        self._spelling = Spelling(mapped.text.words)

    def page(
        self,
        query: Query,
        *,
        sort: Sort | None = None,
        offset: int = 0,
        limit: int = 50,
        facets: Sequence[str] = FACETS,
        marks: Marks | None = None,
        ranking: Ranking | None = None,
    ) -> Page:
        """The rows from `offset` on. `marks` answer `is:` and `provider:`, `ranking` the order `compatibility`.

        Raises:
            UsageError: there is no such facet, or nobody can tell the order or a mark.
        """
        marks, sort = marks or {}, sort or Sort()
        query.require(marks)
        found = self.selection.of(query, marks)
        total = sets.count(found.rows)
        rows = self.rows(found.rows, total, sort, offset, min(limit, MOST), ranking)
        told = self._facets.count(found, facets) if facets else {}
        better = self.suggest(query, marks) if total < FEW and query.words else ""
        return Page(self.mapped.fetch(rows), total, offset, told, better)

    def count(self, query: Query, marks: Marks) -> int:
        """How many rows a query has.

        Raises:
            UsageError: nobody can tell a mark.
        """
        query.require(marks)
        return sets.count(self.selection.of(query, marks).rows)

    def rows(
        self, found: Bits, total: int, sort: Sort, offset: int, limit: int, ranking: Ranking | None = None
    ) -> Sequence[int]:
        """The numbers of rows of a set in an order.

        Raises:
            UsageError: nobody can tell the order.
        """
        stop = min(offset + limit, total)
        if stop <= offset:
            return []
        if sort == Sort():
            return [int(row) for row in sets.slice_of(found, offset, stop)]
        order = self._order(sort, ranking)
        if total * 4 < stop / total * self.mapped.rows:
            places = np.partition(order.places(sets.rows_of(found)), stop - 1)[:stop]
            return [int(row) for row in order.rows(np.sort(places)[offset:])]
        return self._walk(sets.unpack(found), order, offset, stop)

    def suggest(self, query: Query, marks: Marks) -> str:
        """The query in a spelling that finds more; empty if none is near."""
        better = self._spelling.better(query)
        if better is None:
            return ""
        return str(better) if sets.count(self.selection.of(better, marks).rows) else ""

    def _walk(self, mask: Array, order: "_Order", offset: int, stop: int) -> list[int]:
        """Go through the order until enough rows of the set have come."""
        found: list[int] = []
        seen = 0
        for start in range(0, self.mapped.rows, BLOCK):
            rows = order.rows(np.arange(start, min(start + BLOCK, self.mapped.rows)))
            hits = rows[mask[rows]]
            found += hits[max(offset - seen, 0) : stop - seen].tolist()
            seen += len(hits)
            if seen >= stop:
                break
        return found

    def _order(self, sort: Sort, ranking: Ranking | None) -> "_Order":
        mapped = self.mapped
        if sort.key == "compatibility":
            if ranking is None:
                raise UsageError("How well models do here is not known yet.", remedy="Sort by downloads meanwhile.")
            return _Order(ranking.order, ranking.places, ranking.known, sort.ascending)
        if sort.key == "downloads":
            return _Order(None, lambda rows: rows, mapped.known["downloads"], sort.ascending)
        order, place = mapped.orders[sort.key]
        return _Order(order, lambda rows: place[rows].astype(np.int64), mapped.known[sort.key], sort.ascending)


class _Order:
    """Places in an order and the rows at them. Ascending is the same turned round, but what is not known stays last."""

    def __init__(self, order: Array | None, place: Callable[[Array], Array], known: int, ascending: bool) -> None:
        self._order, self._place, self._known, self._ascending = order, place, known, ascending

    def rows(self, places: Array) -> Array:
        """The rows at these places."""
        turned = self._turned(places)
        return turned if self._order is None else self._order[turned]

    def places(self, rows: Array) -> Array:
        """The places of these rows."""
        return self._turned(self._place(rows))

    def _turned(self, places: Array) -> Array:
        if not self._ascending:
            return places
        return np.where(places < self._known, self._known - 1 - places, places)
