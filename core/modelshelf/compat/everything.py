"""How well everything in the catalogue does with an engine: the score's own arithmetic, for thousands of cells at once.

A card of a list tells no layers, so memory is guessed from sizes by one rule for all engines (`memory._guess`), and the
score is a product: what size and context decide times what quantisation and abilities do. What is shown is judged by
`judge` itself; here a score may differ by what a cell's sizes differ, some 2 %.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelshelf.compat.asking import Asking
from modelshelf.compat.fidelity import fidelity
from modelshelf.compat.guessed import Sized, guessed
from modelshelf.compat.memory import USUAL_BITS
from modelshelf.compat.reasons import barred, doubts
from modelshelf.compat.score import NO_TEMPLATE, UNKNOWN_ARCHITECTURE_CAP, WEIGHTS, Question
from modelshelf.metadata.facts import ModelFacts

type Array = NDArray[Any]

BLOCK = 1 << 16
SMALL_SHIFT, LARGE_SHIFT = 22, 40  # bits for a row's number behind its value
UNSAID = 0
"""The value of a model that nothing can be said of; others are their score and one."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Kinds of models. A cell is of a class, and lies at a point of the grid of sizes, parameters and contexts.

    `classes` are facts without sizes; those that gates tell apart are `kinds`, and `kind` says which a class is;
    `factor` is the part that quantisation and abilities make of its score. The points of the grid are all of `sizes`
    with `parameters`, which are a row for each context in `contexts`; `place` says where in it a cell lies. `known` is
    False for the cell of models that tell no size.
    """

    classes: Sequence[ModelFacts]
    kinds: Sequence[ModelFacts]
    kind: Array
    of: Array
    known: Array
    formats: Sequence[str]
    format: Array
    sizes: Array
    parameters: Array
    contexts: Array
    place: Array
    factor: Array

    @classmethod
    def read(cls, classes: Sequence[Mapping[str, Any]], table: Array, steps: int) -> "Cells":
        """From the columns of a generation (`modelshelf.catalog.columns.cells`); `steps` of size are an octave."""
        facts = [_facts(one) for one in classes]
        formats = sorted({one.format for one in facts})
        format_ = np.array([formats.index(one.format) for one in facts], np.int64)
        contexts, context = np.unique([one.context or 0 for one in facts], return_inverse=True)
        (buckets, bucket), (ratios, ratio) = (np.unique(table[:, place], return_inverse=True) for place in (1, 2))
        sizes = np.repeat(np.exp2(buckets / steps), len(ratios))
        parameters = sizes * 8 / USUAL_BITS * np.tile(np.exp2(ratios.astype(float)), len(buckets))
        told = [(one.format, one.quantisation, one.architecture, one.role) for one in facts]
        kinds = dict(zip(told, facts, strict=True))
        kind = np.array([list(kinds).index(one) for one in told], np.int64)
        of = table[:, 0]
        place = context[of] * len(sizes) + bucket * len(ratios) + ratio
        return cls(
            facts, list(kinds.values()), kind, of, table[:, 3] > 0, formats, format_, sizes, parameters, contexts,
            place, _factors(facts),
        )  # fmt: skip


def scores(cells: Cells, askings: Sequence[Asking]) -> Array:
    """The best score and one of each cell with some providers; `UNSAID` where a model tells no size."""
    alike: dict[Hashable, dict[Hashable, Asking]] = {}
    for asking in askings:
        engine = asking.engine
        families = tuple(map(engine.family_for, cells.formats))
        taking = families, engine.gpus, asking.settings, id(asking.machine), asking.required
        # Of several providers with the same engine one speaks for all.
        alike.setdefault(taking, {})[engine.kind, engine.version, engine.built] = asking
    sized: dict[Hashable, Array] = {}
    best = np.zeros(len(cells.of), np.uint8)
    for group in alike.values():
        np.maximum(best, _scores(cells, list(group.values()), sized), out=best)
    return np.where(cells.known, best + np.uint8(1), np.uint8(UNSAID))


def _scores(cells: Cells, askings: Sequence[Asking], sized: dict[Hashable, Array]) -> Array:
    """Of providers that take memory alike: what differs is which models they run at all."""
    caps = np.maximum.reduce([_caps(cells, asking) for asking in askings])
    open_ = np.flatnonzero(caps[cells.of])
    of, places = cells.of[open_], cells.place[open_]
    found = np.zeros(len(open_))
    families = [askings[0].engine.family_for(name) for name in cells.formats]
    for family in set(families):
        meant = np.array([name == family for name in families])[cells.format][of]
        if meant.any():
            found[meant] = _sized(cells, askings[0], family, sized)[places[meant]]
    result = np.zeros(len(cells.of), np.uint8)
    result[open_] = np.minimum(np.round(found * cells.factor[of]), caps[of])
    return result


def _sized(cells: Cells, asking: Asking, family: str, sized: dict[Hashable, Array]) -> Array:
    """What sizes and contexts make of a score of 100, in the grid."""
    key = family, asking.engine.gpus, asking.settings, id(asking.machine), asking.required
    if key not in sized:
        limits = np.where(cells.contexts > 0, cells.contexts, asking.settings.context)
        # Contexts beyond what is asked for are all the same.
        limits, places = np.unique(np.minimum(limits, asking.settings.context), return_inverse=True)
        models = Sized(
            np.tile(cells.sizes, len(limits)),
            np.tile(cells.parameters, len(limits)),
            np.repeat(limits, len(cells.sizes)),
        )
        found = 100 * np.exp(guessed(asking, family, models))
        sized[key] = found.reshape(len(limits), -1)[places].ravel()
    return sized[key]


def _caps(cells: Cells, asking: Asking) -> Array:
    """The most that each class may get, 0 where a gate stands before it."""
    found = [_most(Question(facts, asking.settings, asking.machine, asking.engine)) for facts in cells.kinds]
    caps = np.array(found, float)[cells.kind]
    if asking.required:
        limits = np.array([facts.context or asking.settings.context for facts in cells.classes])
        caps[limits < asking.settings.context] = 0
    return caps


def _factors(classes: Sequence[ModelFacts]) -> Array:
    """The part that quantisation and abilities make of each class' score."""
    able = np.where([facts.chat_template is not None for facts in classes], 1.0, NO_TEMPLATE)
    kept = {name: fidelity(name) for name in {facts.quantisation for facts in classes}}
    faithful = np.array([kept[facts.quantisation] for facts in classes])
    return np.asarray(faithful ** WEIGHTS["fidelity"] * able ** WEIGHTS["abilities"])


def _most(question: Question) -> float:
    """The best score that is possible with an engine, whatever a model's size."""
    if barred(question):
        return 0
    return UNKNOWN_ARCHITECTURE_CAP if doubts(question) else 100


def _facts(said: Mapping[str, Any]) -> ModelFacts:
    return ModelFacts(
        said["format"],
        1,
        architecture=said["architecture"],
        quantisation=said["quantisation"],
        context=said["context"],
        role="adapter" if said["adapter"] else "model",
        chat_template="" if said["template"] else None,
        weights=1,
        tier=0,
    )


def spread(found: Array, cells: Array) -> Array:
    """From the value of each cell to that of each row; block by block, which stay in the processor's cache."""
    values = np.empty(len(cells), found.dtype)
    for start in range(0, len(cells), BLOCK):
        part = slice(start, start + BLOCK)
        np.take(found, cells[part], out=values[part], mode="clip")
    return values


class Standing:
    """How well every model does: the best of some providers, and the order that this makes.

    `values` are a score and one per row, 0 where nothing is known.
    """

    def __init__(self, values: Array) -> None:
        self.values = values
        # Sorting the numbers themselves, each with its row behind it, is quicker than sorting what points to them.
        small = len(values) < 1 << SMALL_SHIFT
        shift, kind = (SMALL_SHIFT, np.uint32) if small else (LARGE_SHIFT, np.uint64)
        keys: Array = (np.uint8(255) - values).astype(kind)
        keys <<= kind(shift)
        keys |= np.arange(len(values), dtype=kind)
        keys.sort()
        bounds = (np.arange(257, dtype=np.uint64) << np.uint64(shift)).clip(max=np.iinfo(kind).max).astype(kind)
        self._bounds: Array = np.searchsorted(keys, bounds)
        keys &= kind((1 << shift) - 1)
        self.order = keys
        self.known = int(self._bounds[255 - UNSAID])

    def places(self, rows: Array) -> Array:
        """The places of these rows in the order."""
        values = self.values[rows]
        places = np.empty(len(rows), np.int64)
        for value in np.unique(values).tolist():
            here = values == value
            start, end = self._bounds[255 - value], self._bounds[256 - value]
            places[here] = start + np.searchsorted(self.order[start:end], rows[here])
        return places

    def reaching(self, score: int) -> Array:
        """Which rows have this score or a better one."""
        return np.asarray(self.values > score)
