"""How well every model of the catalogue does here: reckoned anew when machine, providers or catalogue change.

What other programs hold of the memory changes all the time: a change below some 3 % is none.
"""

from collections.abc import Hashable, Mapping
from math import log2
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelshelf.catalog.columns import bits
from modelshelf.catalog.columns.bits import Bits
from modelshelf.catalog.columns.cells import STEPS
from modelshelf.catalog.columns.meanings import LICENCE
from modelshelf.compat.asking import Asking
from modelshelf.compat.everything import UNSAID, Cells, Standing, scores, spread
from modelshelf.compat.machine import Machine
from modelshelf.errors import UsageError

if TYPE_CHECKING:
    from modelshelf.catalog.columns.mapped import Mapped

FINE = 24  # steps in which free memory counts, for each doubling

type Array = NDArray[Any]


class CatalogRanks:
    """One generation on one machine with its providers. For threads."""

    def __init__(self, mapped: "Mapped", askings: Mapping[str, Asking], cells: Cells) -> None:
        self._mapped, self._askings, self._cells = mapped, askings, cells
        self._column = mapped.column("cells")
        self._standing: Standing | None = None
        self._lock = Lock()

    @property
    def standing(self) -> Standing:
        """The order by the best provider."""
        with self._lock:
            if self._standing is None:
                self._standing = Standing(self._values(self._askings))
            return self._standing

    def fitting(self, least: int, provider: str = "") -> Bits:
        """The rows with such a score or a better one, with any provider here or with this one.

        Raises:
            UsageError: no such provider runs models on this machine.
        """
        if not provider:
            return _packed(self._mapped.rows, self.standing.reaching(least))
        if provider not in self._askings:
            known = ", ".join(self._askings) or "none"
            raise UsageError(
                f"No provider {provider[:40]} runs models on this machine.",
                remedy=f"Of those here: {known}.",
                word=f"provider:{provider}",
            )
        return _packed(self._mapped.rows, self._values({provider: self._askings[provider]}) > least)

    def _values(self, askings: Mapping[str, Asking]) -> Array:
        values = spread(scores(self._cells, list(askings.values())), self._column)
        refused = {name for asking in askings.values() for name in asking.refused}
        if refused:
            names = self._mapped.values["license"]
            meant = np.array([name.lower() in refused for name in names])[self._mapped.columns[LICENCE]]
            values[meant.take(self._mapped.combined, mode="clip") & (values != UNSAID)] = UNSAID + 1
        return values


class RankKeeper:
    """Keeps the ranks that were asked for last."""

    def __init__(self) -> None:
        self._kept: tuple[Hashable, CatalogRanks] | None = None
        self._cells: tuple[str, Cells] | None = None
        self._lock = Lock()

    def of(self, mapped: "Mapped", askings: Mapping[str, Asking]) -> CatalogRanks:
        """The ranks of a generation with these providers. For threads."""
        key = str(mapped.folder), tuple((name, _alike(asking)) for name, asking in askings.items())
        with self._lock:
            if self._kept is None or self._kept[0] != key:
                self._kept = key, CatalogRanks(mapped, askings, self._read(mapped))
            return self._kept[1]

    def _read(self, mapped: "Mapped") -> Cells:
        if self._cells is None or self._cells[0] != str(mapped.folder):
            cells = Cells.read(mapped.values["classes"], np.asarray(mapped.column("cell_table")), STEPS)
            self._cells = str(mapped.folder), cells
        return self._cells[1]


def _alike(asking: Asking) -> Hashable:
    """What makes the answers of a provider other ones."""
    machine = asking.machine
    cards = tuple((gpu.name, _step(gpu.memory_free), gpu.bandwidth) for gpu in machine.gpus)
    free = _step(machine.ram_available)
    engine = asking.engine
    return engine.kind, engine.version, engine.gpus, asking.settings, asking.refused, free, cards, _rate(machine)


def _rate(machine: Machine) -> int:
    return _step(int(machine.memory_bandwidth or 0))


def _step(amount: int) -> int:
    return round(log2(max(amount, 1)) * FINE)


def _packed(rows: int, found: Array) -> Bits:
    mask = bits.empty_mask(rows)
    mask[:rows] = found
    return bits.pack(mask)
