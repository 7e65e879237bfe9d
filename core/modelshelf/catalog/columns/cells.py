"""Models that are judged alike share a cell: format, quantisation, architecture, context and, nearly, their size.

What runs where is then reckoned for some ten thousand cells and not for millions of models. It follows
`modelshelf.metadata.listed.of_card`; within a cell sizes differ by some 4 %, and what is shown is judged exactly.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modelshelf.catalog.columns.meanings import ADAPTER, EMBEDS, KINDS
from modelshelf.catalog.columns.models import Array, Models, unique_rows
from modelshelf.metadata.listed import BITS, USUAL_BITS, WHOLE_BITS, usual

STEPS = 16  # of size in an octave
MOST_RATIO = 3  # octaves in which a size holds more or fewer parameters than usual
TEXT = "text-generation"
MOST_BYTES = 2.0**59  # of weights: whoever says more is not believed


def write(
    folder: Path, models: Models, kinds: Array, abilities: Array, formats: tuple[Array, Sequence[Sequence[int]]],
    quants: tuple[Array, Sequence[Sequence[int]]],
) -> dict[str, Any]:  # fmt: skip
    """Write which cell each model is in, and what each cell means; 0 is that of models without a size."""
    names = _Names(models, formats[1], quants[1])
    kind = np.where(kinds & ~ADAPTER, names.kinds[kinds & ~ADAPTER], names.formats[formats[0]])
    quant = names.usual[quants[0]]
    params = models.numbers["params"]
    size = _size(models, kind, quant, names, names.several[quants[0]])
    known = (size > 0) & ((models.numbers["size"] >= 0) | (params >= 0))
    template = names.templates[models.codes["pipeline_tag"]] | (abilities & EMBEDS > 0)
    flags = (kinds & ADAPTER > 0).astype(np.int64) * 2 + template
    context = _rounded(models.numbers["context"])
    classes = [kind, quant, models.codes["architecture"].astype(np.int64), flags, context]
    numbers, first = unique_rows([column * known for column in classes])
    bucket = np.where(known, np.round(np.log2(np.maximum(size, 1)) * STEPS), 0).astype(np.int64)
    ratio = _ratio(size, params) * known
    cells, members = unique_rows([numbers, bucket, ratio])
    np.save(folder / "cells.npy", cells)
    said = np.stack([numbers[members].astype(np.int64), bucket[members], ratio[members], known[members]], axis=1)
    np.save(folder / "cell_table.npy", said)
    meant = np.stack([column[first] for column in classes], axis=1)
    return {"classes": [names.told(*row) for row in meant.tolist()]}


class _Names:
    """What formats, quantisations and tasks mean, by their numbers."""

    def __init__(
        self, models: Models, format_sets: Sequence[Sequence[int]], quant_sets: Sequence[Sequence[int]]
    ) -> None:
        values = {name: coder.values for name, coder in models.coders.items()}
        self.said: list[str] = []
        self.architectures = values["architecture"]
        self.quants = values["quants"]
        self.kinds = np.array([self._number(name) for name in KINDS], np.int64)
        self.formats = np.array(
            [self._number(values["formats"][one[0]] if one else "unknown") for one in format_sets], np.int64
        )
        number = {name: code for code, name in enumerate(self.quants)}
        chosen = [usual(tuple(self.quants[code] for code in one)) for one in quant_sets]
        self.usual = np.array([number[name] if name else 0 for name in chosen], np.int64)
        self.several = np.array([len(one) > 1 for one in quant_sets], np.bool_)
        self.templates = np.array([task in {"", TEXT} for task in values["pipeline_tag"]], np.bool_)

    def _number(self, name: str) -> int:
        if name not in self.said:
            self.said.append(name)
        return self.said.index(name)

    def told(self, kind: int, quant: int, architecture: int, flags: int, context: int) -> dict[str, Any]:
        """A class in words."""
        return {
            "format": self.said[kind],
            "quantisation": self.quants[quant] or None,
            "architecture": self.architectures[architecture] or None,
            "adapter": bool(flags & 2),
            "template": bool(flags & 1),
            "context": context or None,
        }


def _size(models: Models, kind: Array, quant: Array, names: _Names, several: Array) -> Array:
    """Bytes of the weights that most people would load, as far as a card tells; 0 where it does not."""
    gguf = names.said.index("gguf") if "gguf" in names.said else -1
    table = np.array([BITS.get(name, 0.0) for name in names.quants])[quant]
    bits = np.where(table > 0, table, np.where(kind == gguf, USUAL_BITS, WHOLE_BITS))
    params, size = models.numbers["params"], models.numbers["size"]
    expected = np.where(params > 0, np.round(params * bits / 8), 0).clip(max=MOST_BYTES)
    found = np.where(size >= 0, size, expected)
    limited = several & (expected > 0)
    return np.where(limited, np.minimum(found, expected * 5 // 4), found).clip(max=MOST_BYTES).astype(np.int64)


def _ratio(size: Array, params: Array) -> Array:
    """How many more parameters than usual a size holds, in octaves; 0 where they are not said."""
    usual_count = np.maximum(size, 1) * 8 / USUAL_BITS
    ratio = np.round(np.log2(np.where(params > 0, params, usual_count) / usual_count))
    return np.clip(ratio, -MOST_RATIO, MOST_RATIO).astype(np.int64)


def _rounded(context: Array) -> Array:
    """Contexts to two binary digits, below; 0 where it is not said."""
    known = np.maximum(context, 1)
    unit = 1 << np.maximum(np.floor(np.log2(known)).astype(np.int64) - 1, 0)
    return np.where(context > 0, context // unit * unit, 0)
