"""Facts that were read once, kept for each commit, which never changes: a few in memory, more in the database."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from modelshelf.errors import StoreError
from modelshelf.metadata.facts import ModelFacts
from modelshelf.metadata.packing import VERSION, UnusableError, pack, unpack
from modelshelf.store import Store
from modelshelf.store.tables import FactsRow, now

log = logging.getLogger(__name__)

IN_MEMORY = 512
ROWS = 2000
MAX_ROW = 2 << 20  # bytes; the 100,000 tensors that a header may have take more, and are read anew
USED_AGAIN = timedelta(hours=1)  # a use is noted no more often: reading must not mean writing


@dataclass(frozen=True, slots=True)
class Key:
    """Whose facts: of `file`, or with "" of the file that most people want."""

    source: str
    repo: str
    commit: str
    file: str = ""


class KeptFacts:
    """Keeps facts; a database that fails only means that they are read anew."""

    def __init__(self, store: Store | None) -> None:
        self._store = store
        self._memory: dict[tuple[Key, bool], ModelFacts] = {}

    async def get(self, key: Key, *, exact: bool) -> ModelFacts | None:
        """What is kept; facts of every tensor also answer who asks for less."""
        for wanted in (True,) if exact else (True, False):
            if found := self._memory.get((key, wanted)):
                return found
        if self._store is None:
            return None
        with suppress(StoreError):
            for row in await self._store.read(_rows, key, exact):
                if (found := await self._opened(row)) is not None:
                    self._remember(key, row.exact, found)
                    return found
        return None

    async def newest(self, source: str, repo: str, file: str, *, exact: bool) -> ModelFacts | None:
        """What is kept of the commit that was read last: the best there is without the source."""
        if self._store is None:
            return None
        with suppress(StoreError):
            for row in await self._store.read(_latest, source, repo, file, exact):
                if (found := await self._opened(row)) is not None:
                    return found
        return None

    async def put(self, key: Key, facts: ModelFacts, *, exact: bool) -> None:
        """Keep facts in place of earlier ones; `exact` tells that there is no more to be read."""
        self._remember(key, exact, facts)
        if self._store is None:
            return
        data = await asyncio.to_thread(pack, facts)
        if len(data) > MAX_ROW:
            log.info("the facts of %s take %d bytes and are not kept", key.repo, len(data))
            return
        row = FactsRow(
            source=key.source,
            repo=key.repo,
            commit=key.commit,
            file=key.file,
            exact=exact,
            version=VERSION,
            payload=data,
            read_at=now(),
            used_at=now(),
        )
        with suppress(StoreError):
            await self._store.write(_replace, row)

    async def _opened(self, row: FactsRow) -> ModelFacts | None:
        try:
            found = await asyncio.to_thread(unpack, row.payload)
        except UnusableError:
            log.warning("the kept facts of %s are damaged and are read anew", row.repo)
            return None
        if self._store is not None and now() - row.used_at > USED_AGAIN:
            await self._store.write(_use, row)
        return found

    def _remember(self, key: Key, exact: bool, found: ModelFacts) -> None:
        self._memory.pop((key, exact), None)
        self._memory[key, exact] = found
        while len(self._memory) > IN_MEMORY:
            del self._memory[next(iter(self._memory))]


def _rows(session: Session, key: Key, exact: bool) -> list[FactsRow]:
    query = select(FactsRow).where(
        FactsRow.source == key.source,
        FactsRow.repo == key.repo,
        FactsRow.commit == key.commit,
        FactsRow.file == key.file,
        FactsRow.version == VERSION,
        FactsRow.exact.in_([True] if exact else [True, False]),
    )
    return [*session.scalars(query.order_by(FactsRow.exact.desc()))]


def _latest(session: Session, source: str, repo: str, file: str, exact: bool) -> list[FactsRow]:
    query = select(FactsRow).where(
        FactsRow.source == source,
        FactsRow.repo == repo,
        FactsRow.file == file,
        FactsRow.version == VERSION,
        FactsRow.exact.in_([True] if exact else [True, False]),
    )
    return [*session.scalars(query.order_by(FactsRow.read_at.desc()).limit(3))]


def _replace(session: Session, row: FactsRow) -> None:
    session.merge(row)
    session.flush()
    session.execute(delete(FactsRow).where(FactsRow.version < VERSION))
    used = select(FactsRow.used_at).order_by(FactsRow.used_at.desc())
    if (oldest := session.scalar(used.offset(ROWS - 1).limit(1))) is not None:
        session.execute(delete(FactsRow).where(FactsRow.used_at < oldest))


def _use(session: Session, row: FactsRow) -> None:
    found = session.get(FactsRow, (row.source, row.repo, row.commit, row.file, row.exact))
    if found is not None:
        found.used_at = now()
