"""All models in memory while a generation is built: numbers, codes and words column by column, in bounded memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from modelshelf.catalog import stock

CODED = ("pipeline_tag", "library", "license", "architecture", "source")
UNKNOWN = -1
BATCH = 100_000
LAST_SECOND = 253_402_300_799  # of the year 9999

type Array = NDArray[Any]


class Coder:
    """Gives each text a number; 0 is what is not said."""

    def __init__(self) -> None:
        self.values: list[str] = [""]
        self._codes: dict[str, int] = {"": 0}

    def code(self, value: str) -> int:
        """The number of a text."""
        known = self._codes.get(value)
        if known is None:
            known = self._codes[value] = len(self.values)
            self.values.append(value)
        return known

    def encode(self, column: pa.Array) -> Array:
        """The numbers of a column."""
        coded = column.dictionary_encode()
        numbers = np.array([0, *(self.code(value) for value in coded.dictionary.to_pylist())], np.int32)
        found: Array = numbers[pc.fill_null(pc.add(coded.indices, 1), 0).to_numpy(zero_copy_only=False)]
        return found


@dataclass(slots=True)
class Lists:
    """A list of codes per row: `codes[ends[row]:ends[row + 1]]`."""

    ends: Array
    codes: Array

    def take(self, rows: Array) -> "Lists":
        """The lists of these rows."""
        sizes = np.diff(self.ends)[rows]
        ends = np.concatenate([[0], np.cumsum(sizes)])
        shift = np.repeat(self.ends[rows] - ends[:-1], sizes)
        return Lists(ends, self.codes[shift + np.arange(len(shift))])


@dataclass(slots=True)
class Models:
    """Every model once. `names` are ids; `commits` 20 bytes each where they are said."""

    names: pa.Array
    commits: pa.Array
    codes: dict[str, Array]
    lists: dict[str, Lists]
    numbers: dict[str, Array]
    flags: dict[str, Array]
    coders: Mapping[str, Coder]
    origins: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    def take(self, rows: Array) -> None:
        """Keep these rows, in this order; column by column, so that little is held twice."""
        chosen = pa.array(rows)
        self.names = self.names.take(chosen)
        self.commits = self.commits.take(chosen)
        for columns in (self.codes, self.numbers, self.flags):
            for name in columns:
                columns[name] = columns[name][rows]
        for name in self.lists:
            self.lists[name] = self.lists[name].take(rows)
        if self.origins:
            place = {int(row): number for number, row in enumerate(rows) if int(row) in self.origins}
            self.origins = {place[row]: found for row, found in self.origins.items() if row in place}


def load(sources: Mapping[str, Sequence[Path]]) -> Models:
    """Everything that these sources have, in their order; of a model that was said twice the last word counts."""
    coders = {name: Coder() for name in (*CODED, *stock.LISTS)}
    parts: dict[str, list[Any]] = {}
    for source, files in sources.items():
        for file in files:
            for batch in pq.ParquetFile(file).iter_batches(BATCH):
                _read(batch, source, coders, parts)
    models = _joined(parts, coders)
    _once_each(models)
    if len(sources) > 1:
        _merge_copies(models, list(sources))
    return models


def sort(models: Models) -> Array:
    """Order by downloads, the most first; of equals, and where they are not said, by name. The rows by name."""
    by_name = pc.sort_indices(pc.ascii_lower(models.names)).to_numpy()
    order = by_name[np.argsort(-models.numbers["downloads"][by_name], kind="stable")]
    models.take(order)
    place = np.empty(len(order), np.uint32)
    place[order] = np.arange(len(order), dtype=np.uint32)
    named: Array = place[by_name]
    return named


def _read(batch: pa.RecordBatch, source: str, coders: Mapping[str, Coder], parts: dict[str, list[Any]]) -> None:
    def put(name: str, value: Any) -> None:
        parts.setdefault(name, []).append(value)

    put("names", batch["id"])
    put("commits", batch["commit"])
    put("source", np.full(len(batch), coders["source"].code(source), np.int32))
    for name in CODED[:-1]:
        put(name, coders[name].encode(batch[name]))
    for name in stock.LISTS:
        column = batch[name]
        put(f"{name}_sizes", pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False))
        put(name, coders[name].encode(pc.list_flatten(column)))
    for name in stock.NUMBERS:
        put(name, np.maximum(pc.fill_null(batch[name], UNKNOWN).to_numpy(zero_copy_only=False), UNKNOWN))
    for name in stock.TIMES:
        whole = batch[name].cast(pa.timestamp("s", "UTC"), safe=False).cast(pa.int64())
        seconds = pc.fill_null(whole, UNKNOWN).to_numpy(zero_copy_only=False)
        put(name, np.where((seconds < 0) | (seconds > LAST_SECOND), UNKNOWN, seconds))
    for name in stock.FLAGS:
        put(name, pc.fill_null(batch[name], False).to_numpy(zero_copy_only=False))


def _joined(parts: dict[str, list[Any]], coders: Mapping[str, Coder]) -> Models:
    def numbers(name: str, kind: Any) -> Array:
        found = parts.pop(name, [])
        return np.concatenate(found) if found else np.empty(0, kind)

    def words(name: str) -> pa.Array:
        found = parts.pop(name, [])
        return pa.concat_arrays(found) if found else pa.array([], pa.string())

    lists = {}
    for name in stock.LISTS:
        sizes = numbers(f"{name}_sizes", np.int64).astype(np.int64)
        lists[name] = Lists(np.concatenate([[0], np.cumsum(sizes)]), numbers(name, np.int32))
    return Models(
        names=words("names"),
        commits=words("commits"),
        codes={name: numbers(name, np.int32) for name in CODED},
        lists=lists,
        numbers={name: numbers(name, np.int64) for name in (*stock.NUMBERS, *stock.TIMES)},
        flags={name: numbers(name, np.bool_) for name in stock.FLAGS},
        coders=coders,
    )


def _once_each(models: Models) -> None:
    """Of rows with the same source and name the last is kept."""
    coded = models.names.dictionary_encode()
    keys = coded.indices.to_numpy().astype(np.int64) * len(models.coders["source"].values) + models.codes["source"]
    _, last = np.unique(keys[::-1], return_index=True)
    if len(last) < len(keys):
        models.take(np.sort(len(keys) - 1 - last))


def _merge_copies(models: Models, sources: Sequence[str]) -> None:
    """A commit that an earlier source has too is not shown again: the earlier row names both."""
    known = models.codes["source"]
    kept = np.ones(len(models), bool)
    for later in sources[1:]:
        code = models.coders["source"].code(later)
        rows = np.flatnonzero((known == code) & models.commits.is_valid().to_numpy(zero_copy_only=False))
        earlier = np.flatnonzero(kept & (known < code) & (known > 0))
        if not len(rows) or not len(earlier):
            continue
        found = pc.index_in(models.commits.take(pa.array(rows)), value_set=models.commits.take(pa.array(earlier)))
        places = pc.fill_null(found, UNKNOWN).to_numpy(zero_copy_only=False)
        for row, place in zip(rows[places >= 0].tolist(), places[places >= 0].tolist(), strict=True):
            first = int(earlier[place])
            models.origins[first] = (
                *models.origins.get(first, (_origin(models, first, first),)),
                _origin(models, row, first),
            )
            kept[row] = False
    if not kept.all():
        models.take(np.flatnonzero(kept))


def _origin(models: Models, row: int, first: int) -> str:
    """A source, with the name that the model has there if that is another one."""
    source = models.coders["source"].values[models.codes["source"][row]]
    name = models.names[row].as_py()
    return source if name == models.names[first].as_py() else f"{source}:{name}"


def sets_of(lists: Lists, values: int, seed: int = 7) -> tuple[Array, list[tuple[int, ...]]]:
    """Rows with the same members, in whatever order, get the same number; and the members of each number."""
    weights = np.random.default_rng(seed).integers(1, 2**63, max(values, 1), dtype=np.uint64)
    weights[0] = 0
    running = np.concatenate([np.zeros(1, np.uint64), np.cumsum(weights[lists.codes], dtype=np.uint64)])
    keys = running[lists.ends[1:]] - running[lists.ends[:-1]]
    _, first, codes = np.unique(keys, return_index=True, return_inverse=True)
    members = [tuple(sorted(set(lists.codes[lists.ends[row] : lists.ends[row + 1]].tolist()) - {0})) for row in first]
    return codes.astype(np.uint32), members


def unique_rows(columns: Sequence[Array], seed: int = 11) -> tuple[Array, Array]:
    """Rows that are alike in all columns get the same number; and a row of each number."""
    weights = np.random.default_rng(seed).integers(1, 2**63, len(columns), dtype=np.uint64) | np.uint64(1)
    keys = np.zeros(len(columns[0]), np.uint64)
    for weight, column in zip(weights, columns, strict=True):
        keys = (keys ^ (keys >> np.uint64(29))) * weight + column.astype(np.uint64)
    _, first, codes = np.unique(keys, return_index=True, return_inverse=True)
    return codes.astype(np.uint32), first
