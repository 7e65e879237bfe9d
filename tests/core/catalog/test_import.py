"""Parquet files of others: what can be taken is taken, and what cannot is said clearly."""

import asyncio
import random
import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelshelf.access import AccessService
from modelshelf.catalog import CatalogService, stock
from modelshelf.catalog.builder import build
from modelshelf.catalog.columns.generations import Generations
from modelshelf.catalog.sync.service import CatalogSync
from modelshelf.catalog.types import RepoCard
from modelshelf.config import ConfigManager
from modelshelf.errors import NotEnoughDisk, NotFound, UsageError
from modelshelf.events import EventBus, SyncChanged

# Enough of them to be worth a process of its own.
MANY = [
    RepoCard("hub", f"org/model-{number}", commit=sha256(b"%d" % number).hexdigest()[:40]) for number in range(20_000)
]


def parquet(file: Path, **columns_: Any) -> Path:
    pq.write_table(pa.table(columns_), file)
    return file


@pytest.fixture
def sync(config: ConfigManager, events: EventBus, access: AccessService, catalog: CatalogService) -> CatalogSync:
    return CatalogSync(config, events, access, catalog, lambda: True)


def no_text() -> pa.Array:
    """Two texts of which one is no UTF-8, as other programs write them."""
    ends = pa.py_buffer(b"\0\0\0\0\4\0\0\0\7\0\0\0")
    return pa.Array.from_buffers(pa.string(), 2, [None, ends, pa.py_buffer(b"a/b\xffc/d")])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pa.table({"id": no_text()}), "cannot be read to its end: .*UTF8"),
        (pa.table({"id": ["a/b", "c/d"], "license": no_text()}), "cannot be read to its end: .*UTF8"),
    ],
)
def test_what_other_programs_write_by_mistake_is_refused_in_a_sentence(
    table: pa.Table, message: str, tmp_path: Path
) -> None:
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(UsageError, match=message):
        stock.take(tmp_path / "a.parquet", tmp_path / "b.parquet")
    assert not (tmp_path / "b.parquet").exists()


def test_a_file_that_is_broken_inside_is_named(tmp_path: Path) -> None:
    file = parquet(tmp_path / "a.parquet", id=[f"org/model-{number}" for number in range(20_000)])
    written = file.read_bytes()
    file.write_bytes(written[:1000] + bytes(4000) + written[5000:])
    with pytest.raises(UsageError, match=r"a\.parquet cannot be read to its end"):
        stock.take(file, tmp_path / "b.parquet")


async def test_columns_with_nothing_in_them_are_not_said(
    sync: CatalogSync, catalog: CatalogService, tmp_path: Path
) -> None:
    nothing = {name: pa.nulls(3) for name in ("tags", "license", "created", "modified", "private", "likes")}
    figures = {"downloads": [None, 5, -3], "params": [None, 7, None], "gated": ["False", "auto", None]}
    await sync.take(parquet(tmp_path / "a.parquet", id=["org/a", "org/b", "org/c"], **nothing, **figures))
    rows = {row.card.repo: row.card for row in (await catalog.index.page("")).rows}
    assert [(rows[name].downloads, rows[name].gated) for name in sorted(rows)] == [
        (None, False), (5, True), (None, False),
    ]  # fmt: skip
    assert (rows["org/a"].parameters, rows["org/a"].created) == (None, None)


async def test_a_file_with_names_alone_makes_a_catalogue_and_bad_ones_leave_it(
    sync: CatalogSync, catalog: CatalogService, tmp_path: Path
) -> None:
    taken, built = await sync.take(parquet(tmp_path / "a.parquet", id=["org/a", "org/b", "🙂", "org/a\u202eb", ""]))
    assert (taken.rows, taken.left_out, taken.first, built.rows) == (2, 3, "🙂", 2)
    assert {row.card.id for row in (await catalog.index.page("")).rows} == {
        row.card.id for row in (await catalog.index.page("org")).rows
    }
    bad = {
        "has no column “id”": parquet(tmp_path / "b.parquet", name=["org/a"]),
        "The column “downloads” of .* holds string, where whole numbers belong": parquet(
            tmp_path / "c.parquet", id=["org/c"], downloads=["many"]
        ),
        "The column “tags” of .* holds string, where lists of text belong": parquet(
            tmp_path / "d.parquet", id=["org/c"], tags=["a,b"]
        ),
        "No row of .* has an id of the form org/name; the first is “🙂”": parquet(tmp_path / "e.parquet", id=["🙂"]),
        "is no Parquet file": tmp_path / "f.parquet",
    }
    (tmp_path / "f.parquet").write_bytes(b"PAR1 this is none")
    for message, file in bad.items():
        with pytest.raises(UsageError, match=message):
            await sync.take(file)
        assert (await catalog.index.page("")).total == 2
    with pytest.raises(NotFound, match="There is no file"):
        await sync.take(tmp_path / "nothing")
    with pytest.raises(UsageError, match="cannot be a source's name"):
        await sync.take(tmp_path / "a.parquet", "../up")


async def test_names_in_other_scripts_are_kept_found_and_shown_beside_all_others(
    sync: CatalogSync, catalog: CatalogService, tmp_path: Path
) -> None:
    ids = ["org/plain", "عربي/نموذج-7B", "🙂/😀-tiny", "Ünï/Café", "中文/大模型", "org/Übung"]
    taken, built = await sync.take(parquet(tmp_path / "a.parquet", id=ids, downloads=[6, 5, 4, 3, 2, 1]))
    assert (taken.rows, taken.left_out, built.rows) == (6, 0, 6)

    async def found(text: str) -> list[str]:
        return [row.card.repo for row in (await catalog.index.page(text)).rows]

    assert await found("") == ids
    assert await found("7b") == ["عربي/نموذج-7B"]
    assert await found("موذ") == ["عربي/نموذج-7B"]
    assert await found("😀 tiny") == ["🙂/😀-tiny"]
    assert await found("CAFE") == await found("café") == await found("author:ünï") == ["Ünï/Café"]
    assert await found("模型") == await found("author:中文") == ["中文/大模型"]
    assert await found("ubung") == await found("ÜBUNG") == ["org/Übung"]
    assert await found("-模型 -😀 -موذ -café -übung") == ["org/plain"]
    assert set(await catalog.index.rows(ids)) == set(ids)
    assert await catalog.index.complete("author:中") == ["author:中文"]
    assert await catalog.index.complete("author:Ün") == ["author:Ünï"]
    await catalog.index.export(tmp_path / "out.parquet")
    assert stock.take(tmp_path / "out.parquet", tmp_path / "again.parquet") == stock.Taken(6)


def test_every_column_may_be_missing_or_of_a_kindred_type(tmp_path: Path) -> None:
    file = parquet(
        tmp_path / "in.parquet",
        id=pa.array(["org/a", "org/b"]).dictionary_encode(),
        downloads=pa.array([5, None], pa.uint32()),
        likes=pa.array([-3, 7]),
        license=pa.array(["mit", None]).dictionary_encode(),
        tags=pa.array([["x", "license:mit"], None]),
        formats=pa.array([["gguf"], []], pa.large_list(pa.string())),
        created=[date(2026, 1, 2), None],
        modified=[datetime(2026, 1, 2, 3, 4, 5, 678), None],
        gated=["auto", "false"],
        something=[1, 2],
    )
    assert stock.take(file, tmp_path / "out.parquet") == stock.Taken(2)
    read = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [row["gated"] for row in read] == [True, False]
    assert read[0]["created"] == datetime(2026, 1, 2, tzinfo=UTC)
    assert read[0]["modified"] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert (read[0]["formats"], read[0]["size"], read[1]["license"]) == (["gguf"], None, None)


def texts(*values: bytes) -> pa.Array:
    """A column of texts of whatever bytes."""
    ends = pa.array([0, *accumulate(map(len, values))], pa.int32())
    return pa.Array.from_buffers(pa.string(), len(values), [None, ends.buffers()[1], pa.py_buffer(b"".join(values))])


def test_texts_that_are_none_and_columns_that_come_twice_are_refused(tmp_path: Path) -> None:
    odd = {
        "Invalid UTF8 sequence": pa.table({"id": texts(b"org/a", b"org/\xff")}),
        "Invalid UTF8": pa.table({"id": ["org/a"], "license": texts(b"\xff").dictionary_encode()}),
        "List child array invalid": pa.table(
            {"id": ["org/a"], "tags": pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), texts(b"\xff"))}
        ),
        "has the column “likes” twice": pa.Table.from_arrays(
            [pa.array(["org/a"]), pa.array([1]), pa.array([2])], names=["id", "likes", "likes"]
        ),
    }
    for message, table in odd.items():
        pq.write_table(table, tmp_path / "in.parquet")
        with pytest.raises(UsageError, match=message):
            stock.take(tmp_path / "in.parquet", tmp_path / "out.parquet")


def test_a_file_with_some_bytes_wrong_or_missing_is_refused_or_read(tmp_path: Path) -> None:
    columns_ = {"id": [f"org/m{n}" for n in range(500)], "license": ["mit"] * 500, "tags": [["a"]] * 500}
    whole, chance = parquet(tmp_path / "whole.parquet", **columns_).read_bytes(), random.Random(5)
    ends: set[str] = set()
    for round_ in range(300):
        broken = bytearray(whole if round_ % 3 else whole[: chance.randrange(len(whole))])
        for _ in range(chance.choice((1, 3, 20)) if broken else 0):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        (tmp_path / "in.parquet").write_bytes(broken)
        try:
            stock.take(tmp_path / "in.parquet", tmp_path / "out.parquet")
        except UsageError:
            ends.add("refused")
        else:
            ends.add("read")
    assert ends == {"refused", "read"}


async def test_what_cannot_be_shown_is_not_said_and_amounts_beyond_belief_break_nothing(
    sync: CatalogSync, catalog: CatalogService, tmp_path: Path
) -> None:
    file = parquet(
        tmp_path / "in.parquet",
        id=pa.array(["org/a", "org/b"], pa.string_view()),
        license=["mit\u202e", "mit"],
        tags=[["ok", "x" * 501, "a\nb", None], None],
        gated=pa.array(["auto", "false"]).dictionary_encode(),
        quants=[["Q4_0", "Q8_0"]] * 2,
        params=[2**62, 2**63 - 1],
        size=[2**63 - 1, None],
        downloads=[2**63 - 1, 0],
    )
    await sync.take(file)
    first, second = [row.card for row in (await catalog.index.page("")).rows]
    assert (first.licence, first.tags, first.gated) == (None, ("ok",), True)
    assert (second.licence, second.gated, second.parameters) == ("mit", False, 2**63 - 1)
    assert (await catalog.index.page("params:>=30B downloads:>=0")).total == 2


def test_names_without_measure_are_refused(tmp_path: Path) -> None:
    file = parquet(tmp_path / "in.parquet", id=["x" * 1000] * 50)
    with pytest.raises(UsageError, match="take more than 9,999 bytes"):
        stock.take(file, tmp_path / "out.parquet", most_bytes=9_999)
    assert [path.name for path in tmp_path.iterdir()] == ["in.parquet"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("this account may mount nothing")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


async def test_a_full_disk_leaves_the_generation_in_use(tmp_path: Path, small_disk: Path) -> None:
    models = [RepoCard("hub", f"org/m{number}") for number in range(10)]
    await asyncio.to_thread(stock.write, models, tmp_path / "few.parquet")
    await asyncio.to_thread(stock.write, MANY, tmp_path / "many.parquet")
    built = await build(small_disk / "catalog", {"hub": [tmp_path / "few.parquet"]})
    with pytest.raises(NotEnoughDisk, match="The disk is full: the new catalogue was not made"):
        await build(small_disk / "catalog", {"hub": [tmp_path / "many.parquet"]})
    generations = Generations(small_disk / "catalog")
    assert generations.current() == built.generation
    assert {path.name for path in (small_disk / "catalog").iterdir() if path.is_dir()} == {built.generation}


async def test_a_build_that_is_stopped_leaves_the_generation_in_use(tmp_path: Path) -> None:
    await asyncio.to_thread(stock.write, MANY, tmp_path / "a.parquet")
    task = asyncio.create_task(build(tmp_path / "catalog", {"hub": [tmp_path / "a.parquet"]}))
    while not list(tmp_path.glob("catalog/building-*")) and not task.done():
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    generations = Generations(tmp_path / "catalog")
    assert generations.current() == ""
    assert len(generations.sweep(alone=True)) <= 1
    assert not [path for path in (tmp_path / "catalog").iterdir() if path.is_dir()]


@pytest.mark.parametrize(("file", "holds"), [("values.json", b'{"version": 0}'), ("likes_order.npy", b"no column")])
async def test_a_catalogue_that_cannot_be_read_is_made_anew_at_the_start(
    file: str, holds: bytes, sync: CatalogSync, catalog: CatalogService, config: ConfigManager, events: EventBus,
    tmp_path: Path,
) -> None:  # fmt: skip
    config.set("catalog.sync", "off")
    _taken, built = await sync.take(parquet(tmp_path / "a.parquet", id=["org/a", "org/b"]), "lab")
    catalog.index.close()
    (config.paths.catalog / built.generation / file).write_bytes(holds)
    if file == "values.json":
        status = await catalog.index.status()
        assert (status.generation, "of another version" in status.error) == ("", True)
    with events.subscribe() as told:
        await sync.start()
        try:
            async for event in told:  # a page that shows “building” hears the end of it
                if isinstance(event, SyncChanged) and event.status == "done":
                    break
        finally:
            await sync.stop()
    status = await catalog.index.status()
    assert (status.rows, status.error) == (2, "")
    assert [row.card.repo for row in (await catalog.index.page("", sort="likes")).rows] == ["org/a", "org/b"]
