"""How many models of a set have each value: counted once for all that is kept in combinations."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from modelshelf.catalog.columns import bits as sets
from modelshelf.catalog.columns.bits import Bits
from modelshelf.catalog.columns.mapped import Array, Mapped
from modelshelf.catalog.columns.meanings import ABILITIES, ABILITY_NAMES, FORMATS, LIBRARY, LICENCE, SOURCE, TASK
from modelshelf.catalog.columns.selection import Found
from modelshelf.errors import UsageError

FACETS = ("task", "library", "license", "format")
SHOWN = 100
_COLUMNS = {
    "task": (TASK, "pipeline_tag"),
    "library": (LIBRARY, "library"),
    "license": (LICENCE, "license"),
    "source": (SOURCE, "source"),
}

type Counts = tuple[tuple[str, int], ...]


class Facets:
    """Counts for one generation."""

    def __init__(self, mapped: Mapped) -> None:
        self._mapped = mapped

    def count(self, found: Found, names: Sequence[str]) -> dict[str, Counts]:
        """The values of facets with how many models of a query have each, the most first.

        Each is counted as if its own filters were not there: what else could be chosen.

        Raises:
            UsageError: there is no such facet.
        """
        counts = self._counted(found.base)
        places = np.flatnonzero(counts)
        told = {name: self._of(name, found, places, counts[places]) for name in names if name not in found.open}
        for name in names:
            if name in found.open:
                told |= self.count(found.open[name], (name,))
        return {name: told[name] for name in names}

    def _of(self, name: str, found: Found, places: Array, counts: Array) -> Counts:
        values, columns = self._mapped.values, self._mapped.columns
        if name == "quant":
            by_set = np.bincount(self._mapped.quants[sets.rows_of(found.rows)], minlength=len(values["quant_sets"]))
            return _ranked(values["quants"], _members(values["quant_sets"], by_set, len(values["quants"])))
        if (allowed := found.allowed(name)) is not None:
            counts = counts * allowed[places]
        if name in _COLUMNS:
            column, texts = _COLUMNS[name]
            return _ranked(
                values[texts], _alike(values[texts], _sum(columns[column][places], counts, len(values[texts])))
            )
        if name == "format":
            by_set = _sum(columns[FORMATS][places], counts, len(values["format_sets"]))
            return _ranked(values["formats"], _members(values["format_sets"], by_set, len(values["formats"])))
        if name == "ability":
            return _abilities(columns[ABILITIES][places], counts)
        known = ", ".join([*_COLUMNS, "format", "quant", "ability"])
        raise UsageError(f"There is no facet “{name[:40]}”.", remedy=f"Facets are {known}.")

    def _counted(self, base: Bits) -> Array:
        """How many models of a set each combination has."""
        mapped, total = self._mapped, sets.count(base)
        if total <= mapped.rows // 2:
            return self._bincount(base)
        # Of a set of most models it is quicker to count the others.
        return self._all if total == mapped.rows else self._all - self._bincount(sets.every(mapped.rows) & ~base)

    @cached_property
    def _all(self) -> Array:
        return self._bincount(sets.every(self._mapped.rows))

    def _bincount(self, found: Bits) -> Array:
        codes = self._mapped.combined[sets.rows_of(found)]
        return np.bincount(codes, minlength=len(self._mapped.combinations))


def _abilities(masks: Array, counts: Array) -> Counts:
    found = [(name, int(counts[(masks >> n) & 1 == 1].sum())) for n, name in enumerate(ABILITY_NAMES)]
    return tuple(sorted((one for one in found if one[1]), key=lambda one: (-one[1], one[0])))


def _sum(codes: Array, counts: Array, size: int) -> Array:
    return np.bincount(codes, weights=counts, minlength=size).astype(np.int64)


def _members(members: Sequence[Sequence[int]], counts: Array, size: int) -> Array:
    """From counts of sets to counts of their members."""
    found = np.zeros(size, np.int64)
    for place in np.flatnonzero(counts).tolist():
        found[members[place]] += counts[place]
    return found


def _alike(values: Sequence[str], counts: Array) -> Array:
    """Counts of values that differ in upper and lower case alone, as filters take them: all at the first of them."""
    folded = [value.lower() for value in values]
    if len(set(folded)) == len(values):
        return counts
    first: dict[str, int] = {}
    places = [first.setdefault(value, place) for place, value in enumerate(folded)]
    return np.bincount(places, weights=counts, minlength=len(values)).astype(np.int64)


def _ranked(values: Sequence[str], counts: Array) -> Counts:
    known = [(values[code], int(counts[code])) for code in np.flatnonzero(counts).tolist() if code]
    return tuple(sorted(known, key=lambda one: (-one[1], one[0]))[:SHOWN])
