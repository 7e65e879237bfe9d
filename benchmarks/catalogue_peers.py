"""One peer of the catalogue: `catalogue_peers.py NAME models.parquet FOLDER`; prints JSON. Imports nothing of ours.

A word is looked for at the beginning of each part of a name; none of them looks inside. Each answers 50 rows in the
order that is asked for, and the exact count.
"""

import importlib
import json
import os
import re
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

COLUMNS = ["id", "pipeline_tag", "library", "license", "formats", "downloads", "likes", "trending", "size"]
COLUMNS += ["created", "modified"]

Key = dict[str, Any]
Answer = Callable[[Key], int]


def main() -> None:
    peer, data, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    queries = json.loads((folder / "queries.json").read_text())
    begun = time.process_time()
    who, answer, disk = PEERS[peer](data, folder)
    build = time.process_time() - begun
    answer(queries[0])
    spans = []
    for key in queries:
        start, waiting = time.perf_counter(), waited()
        answer(key)
        spans.append((time.perf_counter() - start - (waited() - waiting)) * 1e3)
    spans.sort()
    said = {"who": who, "p50": statistics.median(spans), "p99": spans[-1], "build": build, "disk": disk}
    print(json.dumps(said | {"memory": uss()}))


def waited() -> float:
    """Seconds that this thread was ready but had no processor."""
    return int(Path("/proc/thread-self/schedstat").read_bytes().split()[1]) / 1e9


def uss() -> int:
    """Bytes that this process has to itself."""
    rows = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(row.split()[1]) * 1024 for row in rows if row.startswith("Private"))


def rows_of(data: Path) -> Any:
    """The models, a batch of dictionaries at a time."""
    for batch in pq.ParquetFile(data).iter_batches(100_000, columns=COLUMNS):
        yield batch.to_pylist()


def pandas_(data: Path, folder: Path) -> tuple[str, Answer, int]:
    del folder
    pandas = importlib.import_module("pandas")
    frame = pandas.read_parquet(data, columns=COLUMNS, dtype_backend="pyarrow")
    for name in ("created", "modified"):
        frame[name] = frame[name].astype("int64[pyarrow]")
    frame["formats"] = frame["formats"].map(lambda names: ",".join(names) if names is not None else "").astype("string")

    def answer(key: Key) -> int:
        found = frame
        for name, value in key["equal"].items():
            found = found[found[name].str.contains(value, regex=False) if name == "formats" else found[name] == value]
        for name, value in key["below"].items():
            found = found[found[name] < value]
        for name, value in key["above"].items():
            found = found[found[name] > value]
        for word in key["words"]:
            found = found[found["id"].str.contains(rf"(?:^|[^A-Za-z0-9]){re.escape(word)}", case=False, regex=True)]
        found.nlargest(50, key["sort"])
        return len(found)

    return f"pandas {pandas.__version__}", answer, 0


def sqlite_(data: Path, folder: Path) -> tuple[str, Answer, int]:
    file = folder / "peer.sqlite"
    file.unlink(missing_ok=True)
    base = sqlite3.connect(file)
    base.execute("PRAGMA journal_mode=OFF")
    base.execute("PRAGMA synchronous=OFF")
    base.execute(f"CREATE TABLE m ({', '.join(COLUMNS)})")
    base.execute("CREATE VIRTUAL TABLE t USING fts5(id, content='', prefix='1 2 3')")
    number = 0
    for rows in rows_of(data):
        values = [_plain(row) for row in rows]
        base.executemany(f"INSERT INTO m VALUES ({','.join('?' * len(COLUMNS))})", values)
        named = [(number + place + 1, row["id"]) for place, row in enumerate(rows)]
        base.executemany("INSERT INTO t(rowid, id) VALUES (?, ?)", named)
        number += len(rows)
    for name in ("likes", "trending", "created", "modified", "size"):
        base.execute(f"CREATE INDEX i_{name} ON m({name} DESC)")
    base.commit()
    base.execute("ANALYZE")

    def answer(key: Key) -> int:
        where, values = _where(key)
        match = " AND ".join(f'"{word}"*' for word in key["words"])
        joined = f"FROM t JOIN m ON m.rowid = t.rowid WHERE t MATCH ? {where}"
        base.execute(f"SELECT m.* {joined} ORDER BY m.{key['sort']} DESC LIMIT 50", [match, *values]).fetchall()
        count: int = base.execute(f"SELECT count(*) {joined}", [match, *values]).fetchone()[0]
        return count

    return f"SQLite FTS5 {sqlite3.sqlite_version}", answer, file.stat().st_size


def _plain(row: dict[str, Any]) -> list[Any]:
    formats = ",".join(row["formats"] or ())
    row |= {"formats": formats, "created": row["created"].timestamp(), "modified": row["modified"].timestamp()}
    return [row[name] for name in COLUMNS]


def _where(key: Key, contains: str = "instr(m.formats, ?) > 0") -> tuple[str, list[Any]]:
    parts = [contains if name == "formats" else f"m.{name} = ?" for name in key["equal"]]
    parts += [f"m.{name} < ?" for name in key["below"]]
    parts += [f"m.{name} > ?" for name in key["above"]]
    return "".join(f" AND {part}" for part in parts), [
        *key["equal"].values(),
        *key["below"].values(),
        *key["above"].values(),
    ]


def duckdb_(data: Path, folder: Path) -> tuple[str, Answer, int]:
    duckdb = importlib.import_module("duckdb")
    file = folder / "peer.duckdb"
    file.unlink(missing_ok=True)
    base = duckdb.connect(str(file))
    base.execute(f"CREATE TABLE m AS SELECT {', '.join(COLUMNS)}, lower(id) AS low FROM read_parquet('{data}')")

    def answer(key: Key) -> int:
        where, values = _where(key, "list_contains(m.formats, ?)")
        named = "".join(" AND regexp_matches(m.low, ?)" for _ in key["words"])
        values += [rf"(^|[^a-z0-9]){re.escape(word)}" for word in key["words"]]
        base.execute(
            f"SELECT * FROM m WHERE true {where}{named} ORDER BY {key['sort']} DESC LIMIT 50", values
        ).fetchall()
        count: int = base.execute(f"SELECT count(*) FROM m WHERE true {where}{named}", values).fetchone()[0]
        return count

    base.execute("CHECKPOINT")
    return f"DuckDB {duckdb.__version__}", answer, file.stat().st_size


def tantivy_(data: Path, folder: Path) -> tuple[str, Answer, int]:
    tantivy = importlib.import_module("tantivy")
    schema = tantivy.SchemaBuilder().add_text_field("name", stored=True)
    for name in ("pipeline_tag", "library", "license", "formats"):
        schema.add_text_field(name, tokenizer_name="raw", fast=True)
    for name in ("downloads", "likes", "trending", "size", "created", "modified"):
        schema.add_integer_field(name, fast=True, indexed=True)
    place = folder / "peer.tantivy"
    place.mkdir(exist_ok=True)
    index = tantivy.Index(schema.build(), path=str(place), reuse=False)
    writer = index.writer(256_000_000, 1)
    for rows in rows_of(data):
        for row in rows:
            writer.add_document(_document(tantivy, row))
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    searcher = index.searcher()

    def answer(key: Key) -> int:
        must = tantivy.Occur.Must
        query = tantivy.Query
        parts = [query.regex_query(index.schema, "name", f"{re.escape(word)}.*") for word in key["words"]]
        parts += [query.term_query(index.schema, name, value) for name, value in key["equal"].items()]
        kind = tantivy.FieldType.Integer
        parts += [
            query.range_query(index.schema, name, kind, 0, most, True, False) for name, most in key["below"].items()
        ]
        parts += [
            query.range_query(index.schema, name, kind, least, 1 << 62, False, False)
            for name, least in key["above"].items()
        ]
        asked = query.boolean_query([(must, part) for part in parts])
        count: int = searcher.search(asked, 50, count=True, order_by_field=key["sort"]).count
        return count

    disk = sum(file.stat().st_size for file in place.iterdir())
    return str(tantivy.__version__).partition(",")[0].replace(" v", " "), answer, disk


def _document(tantivy: Any, row: dict[str, Any]) -> Any:
    made = tantivy.Document(name=row["id"])
    for name in ("pipeline_tag", "library", "license"):
        if row[name] is not None:
            made.add_text(name, row[name])
    for name in row["formats"] or ():
        made.add_text("formats", name)
    for name in ("downloads", "likes", "trending", "size"):
        if row[name] is not None:
            made.add_integer(name, row[name])
    for name in ("created", "modified"):
        made.add_integer(name, int(row[name].timestamp()))
    return made


PEERS = {"pandas": pandas_, "sqlite": sqlite_, "duckdb": duckdb_, "tantivy": tantivy_}

if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    main()
