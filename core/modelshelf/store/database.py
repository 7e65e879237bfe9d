"""One door to the database: migrations at start, short transactions in worker threads, one writer at a time."""

import asyncio
import errno
import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import create_engine, delete, event, func, inspect, select, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from modelshelf.errors import StoreError, StoreTooNew, UsageError
from modelshelf.store.tables import AUDIT_TRIGGERS, Base, EventRow

if TYPE_CHECKING:
    from alembic.config import Config as AlembicConfig

    from modelshelf.events import Event

P = ParamSpec("P")
T = TypeVar("T")

KEPT_EVENTS = 5000
BUSY_SECONDS = 30
_MIGRATIONS = Path(__file__).parent / "migrations"


class Store:
    """A database by URL; SQLite in WAL mode unless told otherwise.

    `await store.write(function, *args)` calls `function(session, *args)` in a worker thread inside one transaction that
    is committed when the function returns and rolled back when it raises; `read` is the same without the write lock.
    """

    name = "store"

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine: Engine | None = None

    @classmethod
    def at(cls, file: Path) -> "Store":
        """The SQLite database in this file."""
        return cls(f"sqlite:///{file}")

    async def start(self) -> None:
        """Open the database and bring its tables up to date.

        Raises:
            StoreTooNew: a newer version wrote it; it is left untouched.
            StoreError: the file is not a database, is damaged or cannot be written.
        """
        await asyncio.to_thread(self.open)

    async def stop(self) -> None:
        """Close every connection."""
        if self._engine:
            engine, self._engine = self._engine, None
            await asyncio.to_thread(engine.dispose)

    def open(self) -> None:
        """As `start`, in the calling thread."""
        try:
            if self.url.startswith("sqlite:///"):
                Path(self.url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
            engine = _engine(self.url)
        except OSError as error:
            raise self.unusable(error) from error
        try:
            # One transaction that holds the write lock: two processes starting at once migrate once.
            with engine.begin() as connection:
                self._migrate(connection)
            _use_wal(engine)
        except DBAPIError as error:
            engine.dispose()
            raise self.unusable(error.orig or error) from error
        except StoreError:
            engine.dispose()
            raise
        self._engine = engine

    async def write(self, function: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function(session, …)` in a thread, in one transaction that holds the write lock.

        Raises:
            StoreError: the store is not open, or the database failed.
        """
        return await _settled(lambda: self._call(False, function, *args, **kwargs))

    async def read(self, function: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `write`, for functions that change nothing: these never wait for a writer."""
        return await _settled(lambda: self._call(True, function, *args, **kwargs))

    def _call(
        self, reading: bool, function: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        if self._engine is None:
            raise StoreError("The database is not open.")
        bind = self._engine.execution_options(reading=reading)
        try:
            with Session(bind, expire_on_commit=False) as session, session.begin():
                return function(session, *args, **kwargs)
        except DBAPIError as error:
            raise StoreError(f"The database {_place(self.url)} failed: {error.orig}.") from error
        except UnicodeEncodeError:
            raise UsageError("A text holds a character that nothing can keep.", remedy="Type it again.") from None

    @staticmethod
    def newest_event(session: Session) -> int:
        """The id of the newest event row."""
        return session.scalar(select(func.max(EventRow.id))) or 0

    @staticmethod
    def events_after(session: Session, seen: int) -> Sequence[EventRow]:
        """The event rows after the one with id `seen`, oldest first."""
        return session.scalars(select(EventRow).where(EventRow.id > seen).order_by(EventRow.id).limit(1000)).all()

    @staticmethod
    def add_events(session: Session, process: str, events: "Sequence[Event]") -> None:
        """Write events for the other processes; rows that everyone has read long ago go."""
        rows = [EventRow(process=process, kind=item.kind, payload=json.dumps(item.payload())) for item in events]
        session.add_all(rows)
        session.flush()
        session.execute(delete(EventRow).where(EventRow.id < rows[-1].id - KEPT_EVENTS))

    def unusable(self, reason: BaseException) -> StoreError:
        """What to tell the user when the database cannot be opened for this reason."""
        return StoreError(f"The database {_place(self.url)} cannot be used: {reason}.", remedy=_remedy(reason))

    def _migrate(self, connection: Connection) -> None:
        found, known = _revision(connection), revisions()
        if found is not None and found not in known:
            raise StoreTooNew(f"The database {_place(self.url)} was written by a newer Modelshelf (revision {found}).")
        if found is None and not inspect(connection).get_table_names():
            _create(connection, known[-1])
        elif found != known[-1]:
            from alembic import command  # slow to load, and needed once for each version

            config = alembic_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _remedy(reason: BaseException) -> str:
    """What mends it. Only a damaged file is worth moving away; on a full or closed disk it is whole."""
    code = getattr(reason, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
    if code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR} or getattr(reason, "errno", None) == errno.ENOSPC:
        return "Free some space on its disk; the database is left as it is."
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM} or isinstance(reason, OSError):
        return "Give yourself write permission there, or choose another folder with MODELSHELF_HOME."
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return "Another program holds it: wait for that to end, then try again."
    return "Restore a backup, or move it away: a new one is made, and models on disk are found again."


async def _settled[R](call: Callable[[], R]) -> R:
    """Call it in a thread. A caller that is cancelled waits for the end: no transaction happens behind its back."""
    work = asyncio.ensure_future(asyncio.to_thread(call))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise


def _revision(connection: Connection) -> str | None:
    """The revision that the tables are of; None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def _create(connection: Connection, revision: str) -> None:
    """The tables as they are now, at once: a new home need not go the way of the old ones."""
    Base.metadata.create_all(connection)
    for trigger in AUDIT_TRIGGERS:
        connection.execute(text(trigger))
    connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    connection.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": revision})


def revisions() -> Sequence[str]:
    """The revisions that there are, oldest first, by the names of their files: `0001_the_first_tables.py`."""
    return sorted(path.name[:4] for path in (_MIGRATIONS / "versions").glob("[0-9][0-9][0-9][0-9]_*.py"))


def alembic_config() -> "AlembicConfig":
    """Where the migrations are."""
    from alembic.config import Config as AlembicConfig

    config = AlembicConfig()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        # The driver's own transaction handling is switched off so that BEGIN IMMEDIATE below takes the write lock
        # first: a reader that turns writer in mid-transaction would fail at once instead of waiting.
        connection.isolation_level = None
        for pragma in (
            "synchronous=NORMAL",
            "foreign_keys=ON",
            f"busy_timeout={BUSY_SECONDS * 1000}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _use_wal(engine: Engine) -> None:
    """Let readers and a writer work side by side. Kept in the file; not set before its revision is known to be ours."""
    if engine.dialect.name != "sqlite":
        return
    with closing(engine.raw_connection()) as connection, suppress(sqlite3.OperationalError):
        # Refused as locked only while another process is doing the same.
        connection.cursor().execute("PRAGMA journal_mode=WAL")


def _place(url: str) -> str:
    return url.removeprefix("sqlite:///") if url.startswith("sqlite") else url.rpartition("@")[2]
