"""What each person keeps: searches, favourites, and the models looked at last."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from modelshelf.access import current
from modelshelf.store import Store
from modelshelf.store.tables import MarkedModelRow, SavedSearchRow, now

FAVOURITE, RECENT = "favourite", "recent"
MOST_RECENT = 100
MOST_FAVOURITES = 10_000


class Kept:
    """The rows of whoever asks."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def searches(self) -> Sequence[SavedSearchRow]:
        """Kept searches by name."""
        return await self._store.read(_searches, current().name)

    async def save(self, name: str, query: str, sort: str) -> None:
        """Keep a search in place of one of the same name."""
        await self._store.write(_save, SavedSearchRow(person=current().name, name=name, query=query, sort=sort))

    async def forget(self, name: str) -> bool:
        """Let go of a search; False if there was none."""
        return await self._store.write(_forget, current().name, name)

    async def look(self, name: str, at: datetime) -> bool:
        """Note that a search was looked at; False if there is none."""
        return await self._store.write(_look, current().name, name, at)

    async def mark(self, mark: str, model: str) -> None:
        """Mark a model; of those looked at the oldest are forgotten."""
        most = MOST_RECENT if mark == RECENT else MOST_FAVOURITES
        await self._store.write(_mark, MarkedModelRow(person=current().name, mark=mark, model=model, at=now()), most)

    async def unmark(self, mark: str, model: str) -> None:
        """Take a mark away."""
        await self._store.write(_unmark, current().name, mark, model)

    async def marked(self, mark: str) -> list[str]:
        """Marked models, the last marked first."""
        return await self._store.read(_marked, current().name, mark)


def _searches(session: Session, person: str) -> Sequence[SavedSearchRow]:
    query = select(SavedSearchRow).where(SavedSearchRow.person == person).order_by(SavedSearchRow.name)
    return session.scalars(query).all()


def _save(session: Session, row: SavedSearchRow) -> None:
    session.merge(row)


def _forget(session: Session, person: str, name: str) -> bool:
    row = session.get(SavedSearchRow, (person, name))
    if row is not None:
        session.delete(row)
    return row is not None


def _look(session: Session, person: str, name: str, at: datetime) -> bool:
    row = session.get(SavedSearchRow, (person, name))
    if row is not None:
        row.looked = at
    return row is not None


def _mark(session: Session, row: MarkedModelRow, most: int) -> None:
    session.merge(row)
    session.flush()
    mine = (MarkedModelRow.person == row.person) & (MarkedModelRow.mark == row.mark)
    last = select(MarkedModelRow.model).where(mine).order_by(MarkedModelRow.at.desc())
    oldest = session.scalars(last.offset(most)).all()
    session.execute(delete(MarkedModelRow).where(mine & MarkedModelRow.model.in_(oldest)))


def _unmark(session: Session, person: str, mark: str, model: str) -> None:
    row = session.get(MarkedModelRow, (person, mark, model))
    if row is not None:
        session.delete(row)


def _marked(session: Session, person: str, mark: str) -> list[str]:
    mine = (MarkedModelRow.person == person) & (MarkedModelRow.mark == mark)
    return list(session.scalars(select(MarkedModelRow.model).where(mine).order_by(MarkedModelRow.at.desc())))
