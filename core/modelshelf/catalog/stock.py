"""What sources said, kept as Parquet: one form for crawls, imports and exports.

`id` is `org/name`; sizes in bytes, times in whole seconds UTC, a missing value is not said.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from modelshelf.catalog.types import RepoCard
from modelshelf.errors import UsageError
from modelshelf.ids import is_listed

WORDS = ("commit", "pipeline_tag", "library", "license", "architecture")
LISTS = ("tags", "formats", "quants")
NUMBERS = ("downloads", "likes", "trending", "params", "size", "context")
TIMES = ("created", "modified")
FLAGS = ("gated", "private")
SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        *(pa.field(name, pa.string()) for name in WORDS),
        *(pa.field(name, pa.list_(pa.string())) for name in LISTS),
        *(pa.field(name, pa.int64()) for name in NUMBERS),
        *(pa.field(name, pa.timestamp("s", "UTC")) for name in TIMES),
        *(pa.field(name, pa.bool_()) for name in FLAGS),
    ]
)
NAME = r"^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,94}[A-Za-z0-9_-])?/[A-Za-z0-9_]([A-Za-z0-9_.-]{0,94}[A-Za-z0-9_-])?$"
TWICE = r"\.\.|--"
LONGEST = 500
BATCH = 50_000
MOST_BYTES = 1 << 30
_WHOLE = "Have it written again: it is damaged, or was cut off."
_CARD = {"pipeline_tag": "task", "license": "licence", "params": "parameters", "quants": "quantisations", "id": "repo"}
_MEANT = {
    **dict.fromkeys(("id", *WORDS), "text"),
    **dict.fromkeys(LISTS, "lists of text"),
    **dict.fromkeys(NUMBERS, "whole numbers"),
    **dict.fromkeys(TIMES, "dates"),
    **dict.fromkeys(FLAGS, "true or false"),
}


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of a file: rows that were taken, and those left out because their id is no `org/name`."""

    rows: int
    left_out: int = 0
    first: str = ""


def table_of(cards: Iterable[RepoCard]) -> pa.Table:
    """Cards as a table."""
    rows = [{name: getattr(card, _CARD.get(name, name)) for name in SCHEMA.names} for card in cards]
    for row in rows:
        for name in TIMES:
            row[name] = row[name] and row[name].replace(microsecond=0)
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def write(cards: Sequence[RepoCard], file: Path) -> None:
    """Keep cards; the file is there whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    beside = file.with_suffix(".tmp")
    try:
        pq.write_table(table_of(cards), beside, compression="zstd")
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)


def take(source: Path, file: Path, *, most_bytes: int = MOST_BYTES) -> Taken:
    """Read a Parquet file of somebody's and keep it in our form; its names may take so many bytes together.

    Raises:
        UsageError: it is no Parquet, has no column `id`, a column is of the wrong type, or no row can be taken.
        OSError: it cannot be read, or the other cannot be written.
    """
    beside = file.with_suffix(".tmp")
    try:
        with source.open("rb") as handle:
            taken = _taken(_opened(handle, source), beside, source, most_bytes)
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)
    return taken


def _opened(handle: Any, source: Path) -> pq.ParquetFile:
    try:
        found = pq.ParquetFile(handle)
        names = found.schema_arrow.names
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{source} is no Parquet file: {_why(error)}.") from None
    if twice := [name for name in SCHEMA.names if names.count(name) > 1]:
        raise UsageError(f"{source} has the column “{twice[0]}” twice.", remedy="Leave one of them out.")
    if "id" not in names:
        shown = ", ".join(names[:10]) or "none"
        raise UsageError(f"{source} has no column “id”.", remedy=f"It must name each model; its columns: {shown}.")
    for name in names:
        if name in _MEANT and not _fits(SCHEMA.field(name).type, found.schema_arrow.field(name).type, name):
            kind = found.schema_arrow.field(name).type
            raise UsageError(
                f"The column “{name}” of {source} holds {kind}, where {_MEANT[name]} belong.",
                remedy="Convert it, or leave the column out.",
            )
    return found


def _taken(found: pq.ParquetFile, beside: Path, source: Path, most_bytes: int) -> Taken:
    rows = left_out = letters = 0
    first = ""
    columns = [name for name in SCHEMA.names if name in found.schema_arrow.names]
    with pq.ParquetWriter(beside, SCHEMA, compression="zstd") as writer:
        for table in _batches(found, columns, source):
            good = _named(table["id"])
            kept = table.filter(good)
            if kept.num_rows < table.num_rows:
                left_out += table.num_rows - kept.num_rows
                first = first or str(table.filter(pc.invert(good))["id"][0].as_py())
            rows += kept.num_rows
            letters += pc.sum(pc.binary_length(table["id"])).as_py() or 0
            if letters > most_bytes:
                raise UsageError(f"The names in {source} take more than {most_bytes:,} bytes.", remedy="Split it.")
            writer.write_table(kept)
    if not rows:
        told = f"; the first is “{first[:80]}”" if left_out else ""
        raise UsageError(f"No row of {source} has an id of the form org/name{told}.")
    return Taken(rows, left_out, first[:200])


def _batches(found: pq.ParquetFile, columns: Sequence[str], source: Path) -> Iterator[pa.Table]:
    try:
        for batch in found.iter_batches(BATCH, columns=columns):
            table = pa.Table.from_batches([batch])
            table.validate(full=True)  # texts that are no UTF-8 are found here, and nowhere later
            yield pa.table([_column(table, name) for name in SCHEMA.names], schema=SCHEMA)
    except (pa.ArrowException, OverflowError, OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{source} cannot be read to its end: {_why(error)}.", remedy=_WHOLE) from None


def _why(error: Exception) -> str:
    """What Arrow says of a file, in a line."""
    return str(error).splitlines()[0][:200].rstrip(".") if str(error) else type(error).__name__


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
    field = SCHEMA.field(name)
    if name not in table.column_names:
        return pa.chunked_array([pa.nulls(table.num_rows, field.type)])
    column = table[name]
    if pa.types.is_null(column.type):
        column = column.cast(field.type)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if name == "gated" and _is_text(column.type):
        said = pc.utf8_lower(pc.fill_null(column.cast(pa.string()), ""))
        return pc.invert(pc.is_in(said, value_set=pa.array(["", "false"])))
    if name == "id":
        return pc.fill_null(column.cast(pa.string()), "")
    if name in TIMES:
        return _moments(column).cast(field.type, safe=False)
    column = column.cast(field.type)
    if name in WORDS:
        return _shown(column)
    return pa.chunked_array([_shown_lists(part) for part in column.chunks], field.type) if name in LISTS else column


def _shown(column: Any) -> Any:
    """The texts of a column; one that is too long, or holds what cannot be shown or turns text, is not said."""
    values = pc.unique(column)
    bad = [value for value in values.to_pylist() if value and (len(value) > LONGEST or not value.isprintable())]
    if not bad:
        return column
    return pc.if_else(pc.is_in(column, value_set=pa.array(bad)), pa.scalar(None, pa.string()), column)


def _shown_lists(column: pa.Array) -> pa.Array:
    """The same for lists, which hold what is said alone."""
    texts = _shown(pc.list_flatten(column))
    said = pc.fill_null(pc.not_equal(texts, ""), False)
    if pc.all(said).as_py() in {None, True}:
        return column
    rows = pc.list_parent_indices(column).filter(said).to_numpy()
    ends = np.cumsum(np.concatenate([[0], np.bincount(rows, minlength=len(column))]))
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), texts.filter(said))


def _moments(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Days, and times without a zone, are taken to be UTC."""
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("s"), safe=False)
    return column if column.type.tz else pc.assume_timezone(column, "UTC")


def _is_text(kind: pa.DataType) -> bool:
    types: Any = pa.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _fits(wanted: pa.DataType, kind: pa.DataType, name: str) -> bool:
    types: Any = pa.types
    if types.is_null(kind):
        return True
    if types.is_dictionary(kind):
        kind = kind.value_type
    if types.is_list(wanted):
        of_lists = types.is_list(kind) or types.is_large_list(kind)
        return of_lists and _fits(pa.string(), kind.value_type, "")
    if types.is_string(wanted):
        return _is_text(kind)
    if types.is_timestamp(wanted):
        return bool(types.is_timestamp(kind) or types.is_date(kind))
    if types.is_boolean(wanted):
        return bool(types.is_boolean(kind) or (name == "gated" and _is_text(kind)))
    return bool(types.is_integer(kind))


def _named(ids: pa.ChunkedArray) -> pa.ChunkedArray:
    """Which are names as hubs allow them, or in letters of other scripts."""
    strict = pc.and_(pc.match_substring_regex(ids, NAME), pc.invert(pc.match_substring_regex(ids, TWICE)))
    other = pc.and_(pc.invert(strict), pc.invert(pc.string_is_ascii(ids)))
    if not pc.any(other).as_py():
        return strict
    asked = zip(other.to_pylist(), ids.to_pylist(), strict=True)
    return pc.or_(strict, pa.chunked_array([pa.array([ask and is_listed(name) for ask, name in asked])]))
