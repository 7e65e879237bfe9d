"""Make a generation: everything that a search reads, as columns that are mapped and never parsed."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from modelshelf.catalog import stock
from modelshelf.catalog.columns import cells, postings
from modelshelf.catalog.columns.bits import pack_where, width
from modelshelf.catalog.columns.meanings import VALUED, VERSION
from modelshelf.catalog.columns.models import Array, Coder, Lists, Models, load, sets_of, sort, unique_rows
from modelshelf.catalog.columns.said import said_abilities, said_kinds
from modelshelf.catalog.files import PREFERRED_FORMATS
from modelshelf.catalog.words import folded

SLICE = 100_000
USUAL = 64  # a value is usual when one model in so many has it
MOST_USUAL = 128
SORTED = ("likes", "trending", "created", "modified", "size", "params", "context", "downloads")
type _Sets = tuple[Array, list[list[int]]]
COMBINED = ("pipeline_tag", "library", "license", "source")


def build(folder: Path, sources: Mapping[str, Sequence[Path]]) -> int:
    """Write all columns into a folder, and say how many models there are.

    Raises:
        OSError: the disk is full, or a file cannot be read.
    """
    models = load(sources)
    by_name = sort(models)
    np.save(folder / "by_name.npy", by_name)
    values: dict[str, Any] = {"version": VERSION, "rows": len(models), "sources": list(sources)}
    _write_names(folder, models)
    values["dense"] = postings.save_text(folder, _words_of(models))
    values["other"] = _write_other_names(folder, models)
    _write_numbers(folder, models)
    abilities, kinds = said_abilities(models), said_kinds(models)
    formats, quants = _sets(models, "formats", _in_order), _sets(models, "quants", _by_text)
    values |= _write_combined(folder, models, [formats[0], abilities, kinds])
    values |= cells.write(folder, models, kinds, abilities, formats, quants)
    values |= {"format_sets": formats[1], "quant_sets": quants[1]}
    values["usual"] = _write_usual(folder, values)
    np.save(folder / "quants.npy", _narrow(quants[0]))
    _write_lists(folder, models)
    values["origins"] = {str(row): list(found) for row, found in models.origins.items()}
    write_parquet(models, folder / "models.parquet")
    (folder / "values.json").write_text(json.dumps(values), "utf-8")
    return len(models)


def _write_names(folder: Path, models: Models) -> None:
    for name, column in (("names", models.names), ("commits", models.commits)):
        offsets, blob = _buffers(pc.fill_null(column, ""))
        np.save(folder / f"{name}.npy", blob)
        np.save(folder / f"{name}_ends.npy", offsets)


def _buffers(column: pa.Array) -> tuple[Array, Array]:
    """Where each text ends, and all of them one after another."""
    _, offsets, data = column.buffers()
    ends = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    blob = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]] if data and len(ends) else np.empty(0, np.uint8)
    return (ends - ends[:1]).astype(np.uint32) if len(ends) else np.zeros(1, np.uint32), blob


def _words_of(models: Models) -> postings.Postings:
    """The tokens of all names, as `modelshelf.catalog.words` takes them apart."""
    plain = np.full(256, ord(" "), np.uint8)
    for letter in b"abcdefghijklmnopqrstuvwxyz0123456789":
        plain[letter] = letter
    plain[ord("A") : ord("Z") + 1] = np.arange(ord("a"), ord("z") + 1)
    coder, codes, parents = Coder(), [], []
    for start in range(0, len(models), SLICE):
        ends, blob = _buffers(_folded(models.names[start : start + SLICE]))
        offsets, letters = pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(plain[blob])
        split = pc.ascii_split_whitespace(pa.Array.from_buffers(pa.string(), len(ends) - 1, [None, offsets, letters]))
        codes.append(coder.encode(pc.list_flatten(split)))
        parents.append(pc.list_parent_indices(split).to_numpy().astype(np.uint32) + np.uint32(start))
    return _posted(len(models), coder.values, _whole(codes, np.int32), _whole(parents, np.uint32))


def _folded(names: pa.Array) -> pa.Array:
    """The names, those with letters of other scripts as words are looked for in them."""
    other = pc.invert(pc.string_is_ascii(names))
    if not pc.any(other).as_py():
        return names
    return pc.replace_with_mask(names, other, pa.array([folded(name) for name in names.filter(other).to_pylist()]))


def _write_other_names(folder: Path, models: Models) -> int:
    """The rows whose names have letters of other scripts, which no postings hold; how many there are."""
    rows = np.flatnonzero(pc.invert(pc.string_is_ascii(models.names)).to_numpy(zero_copy_only=False))
    if len(rows):
        names = [folded(name) for name in models.names.take(pa.array(rows)).to_pylist()]
        np.save(folder / "other_rows.npy", rows.astype(np.uint32))
        np.save(folder / "other_names.npy", np.frombuffer("\n".join(names).encode(), np.uint8))
    return len(rows)


def _whole(parts: list[Array], kind: Any) -> Array:
    """The parts as one; they are given up."""
    found = np.concatenate(parts) if parts else np.empty(0, kind)
    parts.clear()
    return found


def _posted(count: int, values: Sequence[str], codes: Array, parents: Array) -> postings.Postings:
    """The words in order; the empty one, which is no word, is left out."""
    vocabulary = [value.encode() for value in values]
    order = sorted(range(1, len(vocabulary)), key=vocabulary.__getitem__)
    rank = np.empty(len(vocabulary), np.uint32)
    rank[order] = np.arange(len(order), dtype=np.uint32)
    filled = codes > 0
    if not filled.all():
        codes, parents = codes[filled], parents[filled]
    return postings.build(count, [vocabulary[place] for place in order], rank[codes], parents)


def _write_numbers(folder: Path, models: Models) -> None:
    """Each measure, the rows in its descending order, and the place of each row in that."""
    for name in SORTED:
        column = models.numbers[name]
        np.save(folder / f"{name}.npy", column)
        if name == "downloads":  # rows are in this order
            continue
        order = np.argsort(-column, kind="stable").astype(np.uint32)
        place = np.empty(len(order), np.uint32)
        place[order] = np.arange(len(order), dtype=np.uint32)
        np.save(folder / f"{name}_order.npy", order)
        np.save(folder / f"{name}_place.npy", place)


def _write_combined(folder: Path, models: Models, derived: Sequence[Array]) -> dict[str, Any]:
    """What is the same in many models is kept once: a number per row, and what each number means."""
    columns = [*(models.codes[name] for name in COMBINED), *derived, models.flags["gated"], models.flags["private"]]
    combined, first = unique_rows(columns)
    np.save(folder / "combined.npy", _narrow(combined))
    np.save(folder / "combinations.npy", np.stack([column[first].astype(np.int64) for column in columns], axis=1))
    return {name: models.coders[name].values for name in (*COMBINED, "formats", "quants", "architecture")}


def _write_usual(folder: Path, values: Mapping[str, Any]) -> list[list[str]]:
    """The rows of each value that many models have, as bits; the filter and the value of each, in order."""
    combined, table = np.load(folder / "combined.npy"), np.load(folder / "combinations.npy")
    counts = np.bincount(combined, minlength=len(table))
    least = max(len(combined) // USUAL, 1)
    found: list[tuple[int, str, str, Array]] = []
    for key, (column, name) in VALUED.items():
        for code, value in enumerate(values[name]):
            meant = _meaning(key, code, table[:, column], values)
            total = int(counts[meant].sum())
            if value and total >= least:
                found.append((total, key, value, meant))
    found = sorted(found, key=lambda one: -one[0])[:MOST_USUAL]
    bits = [pack_where(meant, combined) for _, _, _, meant in found]
    np.save(folder / "usual.npy", np.stack(bits) if bits else np.empty((0, width(len(combined))), np.uint64))
    return [[key, value] for _, key, value, _ in found]


def _meaning(key: str, code: int, column: Array, values: Mapping[str, Any]) -> Array:
    """Which combinations have a value."""
    if key != "format":
        return np.asarray(column == code)
    return np.array([code in members for members in values["format_sets"]], np.bool_)[column]


def _narrow(codes: Array) -> Array:
    """In two bytes each, where that is enough."""
    return codes.astype(np.uint16) if not len(codes) or codes.max() < 1 << 16 else codes


def _sets(models: Models, name: str, ordered: Callable[[Sequence[int], Sequence[str]], list[int]]) -> _Sets:
    """The number of each row's set, and the members of each number in order."""
    values = models.coders[name].values
    codes, members = sets_of(models.lists[name], len(values))
    return codes, [ordered(one, values) for one in members]


def _in_order(members: Sequence[int], formats: Sequence[str]) -> list[int]:
    """The preferred format first, as cards have them."""
    rank = {name: number for number, name in enumerate(PREFERRED_FORMATS)}
    return sorted(members, key=lambda code: (rank.get(formats[code], len(rank)), formats[code]))


def _by_text(members: Sequence[int], values: Sequence[str]) -> list[int]:
    return sorted(members, key=values.__getitem__)


def _write_lists(folder: Path, models: Models) -> None:
    np.save(folder / "architecture.npy", models.codes["architecture"].astype(np.uint32))
    tags = models.lists["tags"]
    np.save(folder / "tags_ends.npy", tags.ends.astype(np.uint32))
    np.save(folder / "tags_codes.npy", tags.codes)
    _write_texts(folder, "tags", models.coders["tags"].values)
    vocabulary = [value.lower().encode() for value in models.coders["tags"].values]
    postings.save(folder, "tag", _tagged(len(models), vocabulary, tags))


def _write_texts(folder: Path, name: str, values: Sequence[str]) -> None:
    ends, blob = _buffers(pa.array(values, pa.string()))
    np.save(folder / f"{name}_text.npy", blob)
    np.save(folder / f"{name}_text_ends.npy", ends)


def _tagged(count: int, vocabulary: Sequence[bytes], tags: Lists) -> postings.Postings:
    """Tags differ in upper and lower case alone now and then: they count as one."""
    words = sorted(set(vocabulary))
    number = {word: place for place, word in enumerate(words)}
    codes = np.array([number[word] for word in vocabulary], np.int64)[tags.codes]
    parents = np.repeat(np.arange(count, dtype=np.uint32), np.diff(tags.ends))
    return postings.build(count, words, codes, parents)


def write_parquet(models: Models, file: Path) -> None:
    """The same models for notebooks and other programs, in the order of the rows."""
    schema = stock.SCHEMA.append(pa.field("source", pa.string()))
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for start in range(0, max(len(models), 1), SLICE):
            writer.write_table(_slice(models, slice(start, min(start + SLICE, len(models))), schema))


def _slice(models: Models, part: slice, schema: pa.Schema) -> pa.Table:
    columns: dict[str, Any] = {
        "id": models.names[part.start : part.stop],
        "commit": models.commits[part.start : part.stop],
    }
    for name, codes in models.codes.items():
        columns[name] = _texts(codes[part], models.coders[name].values)
    for name, lists in models.lists.items():
        ends = lists.ends[part.start : part.stop + 1]
        flat = _texts(lists.codes[ends[0] : ends[-1]], models.coders[name].values)
        columns[name] = pa.ListArray.from_arrays(pa.array((ends - ends[0]).astype(np.int32)), flat)
    for name, column in models.numbers.items():
        known = pa.array(column[part], mask=column[part] < 0)
        columns[name] = known.cast(schema.field(name).type)
    for name, column in models.flags.items():
        columns[name] = pa.array(column[part])
    return pa.table([columns[name] for name in schema.names], schema=schema)


def _texts(codes: Array, values: Sequence[str]) -> pa.Array:
    """Texts from codes; 0 is null."""
    table = pa.array([None, *values[1:]], pa.string())
    return table.take(pa.array(codes))
