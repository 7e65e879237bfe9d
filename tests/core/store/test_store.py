import asyncio
import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, func, inspect, select, text
from sqlalchemy.orm import Session

from modelshelf.errors import StoreError, StoreTooNew
from modelshelf.store import Store
from modelshelf.store.database import alembic_config, revisions
from modelshelf.store.tables import AnswerRow, AuditRow, Base, now

REVISIONS = [revision.revision for revision in ScriptDirectory.from_config(alembic_config()).walk_revisions()][::-1]


def upgrade(file: Path, revision: str) -> None:
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


@pytest.mark.parametrize("revision", REVISIONS)
async def test_every_revision_reaches_the_present_tables_with_its_rows(tmp_path: Path, revision: str) -> None:
    file = tmp_path / "old.db"
    upgrade(file, revision)
    with sqlite3.connect(file) as old:
        old.execute(
            "INSERT INTO answer (source, question, payload, at) VALUES ('hf', 'tiny', '[]', '2026-01-01 00:00:00')"
        )
    old.close()
    store = Store.at(file)
    await store.start()
    assert await store.read(lambda session: session.scalar(select(func.count()).select_from(AnswerRow))) == 1
    await store.stop()
    engine = create_engine(f"sqlite:///{file}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()


async def test_a_new_database_is_what_the_revisions_arrive_at(tmp_path: Path) -> None:
    upgrade(tmp_path / "grown.db", "head")
    store = Store.at(tmp_path / "new.db")
    await store.start()
    await store.stop()
    assert contents(tmp_path / "new.db") == contents(tmp_path / "grown.db")


def contents(file: Path) -> dict[str, object]:
    """The columns, keys and indices of every table, the triggers, and the revision."""
    engine = create_engine(f"sqlite:///{file}")
    with engine.connect() as connection:
        looked = inspect(connection)
        tables: dict[str, object] = {
            name: (
                sorted((c["name"], str(c["type"]), c["nullable"], c["default"]) for c in looked.get_columns(name)),
                looked.get_pk_constraint(name)["constrained_columns"],
                sorted(map(str, looked.get_indexes(name))),
                sorted(map(str, looked.get_unique_constraints(name))),
                sorted(map(str, looked.get_foreign_keys(name))),
            )
            for name in looked.get_table_names()
        }
        rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name"))
        tables["the triggers"] = rows.all()
        tables["the revision"] = connection.scalar(text("SELECT version_num FROM alembic_version"))
    engine.dispose()
    return tables


def test_the_revisions_are_known_by_their_files() -> None:
    """So that a start without a migration need not load what migrates."""
    assert list(revisions()) == REVISIONS


async def test_a_newer_database_is_refused_and_left_untouched(tmp_path: Path) -> None:
    file = tmp_path / "new.db"
    upgrade(file, "head")
    with sqlite3.connect(file) as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
    newer.close()
    before = file.read_bytes()
    with pytest.raises(StoreTooNew, match="newer"):
        await Store.at(file).start()
    assert file.read_bytes() == before


@pytest.mark.parametrize("content", [b"this is no database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 4096])
async def test_a_corrupt_database_is_one_sentence_and_kept(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "broken.db"
    file.write_bytes(content)
    with pytest.raises(StoreError, match="cannot be used") as caught:
        await Store.at(file).start()
    assert "broken.db" in str(caught.value)
    assert caught.value.remedy
    assert file.read_bytes() == content


async def test_two_processes_may_start_at_once(tmp_path: Path) -> None:
    stores = [Store.at(tmp_path / "shared.db") for _ in range(4)]
    await asyncio.gather(*(store.start() for store in stores))
    await asyncio.gather(*(store.stop() for store in stores))


def bump(session: Session) -> None:
    row = session.get(AnswerRow, ("hf", "count")) or AnswerRow(source="hf", question="count", payload="0", at=now())
    row.payload = str(int(row.payload) + 1)
    session.add(row)


async def test_writers_take_turns_and_lose_nothing(tmp_path: Path) -> None:
    stores = [Store.at(tmp_path / "shared.db") for _ in range(2)]
    for store in stores:
        await store.start()
    await asyncio.gather(*(store.write(bump) for store in stores for _ in range(25)))
    row = await stores[0].read(lambda session: session.get(AnswerRow, ("hf", "count")))
    assert row is not None
    assert row.payload == "50"
    for store in stores:
        await store.stop()


async def test_a_failing_transaction_leaves_nothing(store: Store) -> None:
    def half(session: Session) -> None:
        bump(session)
        session.flush()
        raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        await store.write(half)
    assert await store.read(lambda session: session.get(AnswerRow, ("hf", "count"))) is None


@pytest.mark.parametrize("deed", ["UPDATE audit SET outcome = 'x'", "DELETE FROM audit"])
async def test_audit_rows_are_only_ever_added(store: Store, deed: str) -> None:
    def add(session: Session) -> None:
        session.add(AuditRow(principal="owner", role="admin", action="test", outcome="done"))

    await store.write(add)
    with pytest.raises(StoreError, match="only ever added"):
        await store.write(lambda session: session.connection().exec_driver_sql(deed))


async def test_an_unopened_store_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not open"):
        await Store.at(tmp_path / "x.db").read(lambda session: session)


async def test_a_full_disk_is_not_called_damage(tmp_path: Path) -> None:
    file = tmp_path / "full.db"
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA max_page_count=3")
        with pytest.raises(sqlite3.OperationalError) as full:
            connection.execute("CREATE TABLE filler AS SELECT zeroblob(100000)")
    connection.close()
    assert "Free some space" in str(Store.at(file).unusable(full.value).remedy)


async def test_a_folder_that_is_none_is_not_called_damage(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder", "utf-8")
    (tmp_path / "folder.db").mkdir()
    for place in (tmp_path / "file" / "modelshelf.db", tmp_path / "folder.db"):
        with pytest.raises(StoreError, match="cannot be used") as caught:
            await Store.at(place).start()
        assert "move it away" not in caught.value.remedy
        assert "MODELSHELF_HOME" in caught.value.remedy
