"""A query as sets of rows: each word, each filter, joined."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock

import numpy as np

from modelshelf.catalog.columns import bits as sets
from modelshelf.catalog.columns.bits import Bits
from modelshelf.catalog.columns.mapped import Array, Mapped
from modelshelf.catalog.columns.meanings import ABILITIES, ABILITY_NAMES, GATED, SOURCE, VALUED
from modelshelf.catalog.query import Filter, Query, equals
from modelshelf.catalog.words import folded, word_tokens

KEPT = 64
COMBINED = frozenset({*VALUED, "ability"})
APART = ("quant", "source")
"""Facets whose filters are not on combinations."""
BLOCK = 1 << 16
AGES = {"updated": "modified", "created": "created"}
MEASURED = {"ctx": "context"}

type Marks = Mapping[str, Bits]
"""What is known beside the catalogue: `is:` and `provider:` words, each with the rows that it holds for."""


@dataclass(frozen=True, slots=True)
class Found:
    """The rows of a query. `base` are those of all but its filters on combinations; `tables` say which these allow.

    `open` are those of all but its filters on `APART` that are not negated, by their key, where it has such.
    """

    base: Bits
    rows: Bits
    tables: Mapping[str, Array]
    open: Mapping[str, "Found"] = field(default_factory=dict)

    def allowed(self, without: str) -> Array | None:
        """Which combinations may be, if the filters of one key that are not negated were left out; None for all."""
        kept = [table for name, table in self.tables.items() if not name.startswith(f"{without}:")]
        return _all(kept) if kept else None


class Selection:
    """Finds the rows of queries; what was found last is kept."""

    def __init__(self, mapped: Mapped, clock: Callable[[], float] = time.time) -> None:
        self._mapped = mapped
        self._clock = clock
        self._kept: OrderedDict[str, Bits] = OrderedDict()
        self._lock = Lock()

    def of(self, query: Query, marks: Marks) -> "Found":
        """The rows of a query.

        Raises:
            KeyError: a filter names a mark that there is none of.
        """
        found = self._found(query, marks)
        chosen = {one.key for one in query.filters if one.key in APART and not one.negated}
        return replace(found, open={key: self._found(query.without(key), marks) for key in chosen}) if chosen else found

    def _found(self, query: Query, marks: Marks) -> "Found":
        combined = [one for one in query.filters if one.key in COMBINED]
        sought = [self.word(word) for word in query.words]
        sought += [~self.word(word) for word in query.excluded]
        sought += [self._filter(one, marks) for one in query.filters if one.key not in COMBINED]
        base = sets.every(self._mapped.rows)
        for rows in sought:
            base &= rows
        if not combined:
            return Found(base, base, {})
        tables = {str(one): self._meant(one) != one.negated for one in combined}
        chosen = base.copy()
        for one in combined:
            chosen &= self._chosen(one, tables[str(one)])
        return Found(base, chosen, tables)

    def forget(self) -> None:
        """Let go of what was found before."""
        with self._lock:
            self._kept.clear()

    def word(self, word: str) -> Bits:
        """The rows whose names match a word."""
        parts = word_tokens(word)
        if parts is None:
            text = folded(word)
            return self._keep(f"\1{text}", lambda: sets.of_rows(self._mapped.rows, self._mapped.holding(text)))
        return self._keep(f"\0{' '.join(parts)}", lambda: self._parts(parts))

    def _parts(self, parts: Sequence[str]) -> Bits:
        rows = sets.every(self._mapped.rows)
        for part in parts:
            rows &= self._mapped.text.matching(part)
        return rows

    def _filter(self, one: Filter, marks: Marks) -> Bits:
        if one.key in {"is", "provider"}:
            found = self._marked(one, marks)
        elif one.key in AGES:  # what was a moment ago is not any more
            found = self._range(one)
        else:
            return self._keep(str(one), lambda: self._negated(one, self._rows(one)))
        return self._negated(one, found)

    def _rows(self, one: Filter) -> Bits:
        count = self._mapped.rows
        if one.range is not None:
            return self._range(one)
        if one.key == "author":
            return self._joined([sets.of_rows(count, self._mapped.of_author(name)) for name in one.values])
        if one.key == "tag":
            return self._joined([sets.of_rows(count, self._mapped.tags.rows_of(name)) for name in one.values])
        if one.key == "source":
            return self._of_sources(one)
        quants = self._mapped.values["quants"]
        wanted = [
            any(equals("quant", quants[code].lower(), name) for name in one.values) for code in range(len(quants))
        ]
        table = np.array([any(wanted[code] for code in one_set) for one_set in self._mapped.values["quant_sets"]], bool)
        return self._looked_up(table, self._mapped.quants)

    def _of_sources(self, one: Filter) -> Bits:
        """The models that a source has, those too that an earlier one has as well."""
        mapped = self._mapped
        first = _equal(one, mapped.values["source"])[mapped.combinations[:, SOURCE]]
        wanted = set(one.values)
        more = [
            int(row)
            for row, found in mapped.values["origins"].items()
            if wanted & {origin.partition(":")[0] for origin in found}
        ]
        return self._looked_up(first, mapped.combined) | sets.of_rows(mapped.rows, np.array(more, np.int64))

    def _marked(self, one: Filter, marks: Marks) -> Bits:
        prefix = "provider:" if one.key == "provider" else ""
        found = [marks[prefix + value] for value in one.values if value != "gated"]
        if one.key == "is" and "gated" in one.values:
            gated = self._mapped.combinations[:, GATED].astype(bool)
            found.append(self._keep("is:gated", lambda: self._looked_up(gated, self._mapped.combined)))
        return self._joined(found)

    def _range(self, one: Filter) -> Bits:
        span = one.range
        assert span is not None  # noqa: S101 - the caller has looked
        low, high, closed = span.low, span.high, span.closed
        name = AGES.get(one.key) or MEASURED.get(one.key, one.key)
        if one.key in AGES:
            now = self._clock()
            low, high, closed = now - high, now - low, (closed[1], closed[0])
        start = self._mapped.above(name, high, closed=not closed[1]) if high != np.inf else 0
        stop = min(self._mapped.above(name, low, closed=closed[0]), self._mapped.known[name])
        return self._between(name, start, max(stop, start))

    def _between(self, name: str, start: int, stop: int) -> Bits:
        """The rows from one place to another in the descending order of a measure."""
        mapped = self._mapped
        mask = sets.empty_mask(mapped.rows)
        if name == "downloads":
            mask[start:stop] = True
        elif stop - start < mapped.rows // 16:
            mask[mapped.orders[name][0][start:stop]] = True
        else:
            place = mapped.orders[name][1]
            for block in range(0, mapped.rows, BLOCK):
                part = place[block : block + BLOCK]
                mask[block : block + len(part)] = (part - np.uint32(start)) < np.uint32(stop - start)
        return sets.pack(mask)

    def _meant(self, one: Filter) -> Array:
        """Which combinations a filter holds for."""
        table, values = self._mapped.combinations, self._mapped.values
        if one.key == "ability":
            wanted = sum(1 << number for number, name in enumerate(ABILITY_NAMES) if name in one.values)
            return np.asarray((table[:, ABILITIES] & wanted) != 0)
        column, name = VALUED[one.key]
        found = _equal(one, values[name])
        if one.key == "format":
            found = np.array([any(found[code] for code in members) for members in values["format_sets"]], np.bool_)
        return found[self._mapped.columns[column]]

    def _chosen(self, one: Filter, table: Array) -> Bits:
        """The rows of a filter on combinations: of usual values they are at hand."""
        values = (
            [value for value in self._mapped.values[VALUED[one.key][1]] if value and _means(one, value)]
            if one.key in VALUED
            else []
        )
        usual = [self._mapped.usual.get((one.key, value)) for value in values]
        kept = [rows for rows in usual if rows is not None]
        if kept and len(kept) == len(usual):
            return self._negated(one, self._joined(kept))
        return self._keep(str(one), lambda: self._looked_up(table, self._mapped.combined))

    def _looked_up(self, table: Array, codes: Array) -> Bits:
        return sets.pack_where(table, codes)

    def _joined(self, found: Sequence[Bits]) -> Bits:
        rows = sets.none(self._mapped.rows)
        for one in found:
            rows |= one
        return rows

    def _negated(self, one: Filter, rows: Bits) -> Bits:
        return ~rows if one.negated else rows

    def _keep(self, key: str, make: Callable[[], Bits]) -> Bits:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return made


def _all(tables: Iterable[Array]) -> Array:
    found: Array = np.logical_and.reduce(list(tables))
    return found


def _means(one: Filter, value: str) -> bool:
    return any(equals(one.key, value.lower(), wanted) for wanted in one.values)


def _equal(one: Filter, values: Sequence[str]) -> Array:
    return np.array([bool(value) and _means(one, value) for value in values], np.bool_)
