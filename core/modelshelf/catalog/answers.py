"""The last good answer of each source to each question, kept in the database."""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from modelshelf.catalog.types import RepoCard
from modelshelf.errors import StoreError
from modelshelf.store import Store
from modelshelf.store.tables import AnswerRow, now

KEPT = timedelta(days=30)
KEPT_PER_SOURCE = 300
LOOKED_THROUGH = 100
_TUPLES = ("tags", "formats", "quantisations")
_MOMENTS = ("created", "modified")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a source said, and when."""

    rows: tuple[RepoCard, ...]
    at: datetime

    @property
    def age(self) -> timedelta:
        """How long ago it was."""
        return now() - self.at


class Answers:
    """Keeps answers; a database that fails only means that none is kept."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, source: str, question: str) -> Answer | None:
        """The last good answer."""
        try:
            row = await self._store.read(_find, source, question)
        except StoreError:
            return None
        return _decode(row) if row else None

    async def recall(self, source: str, text: str, limit: int) -> Answer | None:
        """What the newest kept answers to any question hold for these words: the best there is without the source."""
        try:
            rows = await self._store.read(_newest, source)
        except StoreError:
            return None
        return await asyncio.to_thread(_matching, rows, text.lower().split(), limit)

    async def put(self, source: str, question: str, rows: Sequence[RepoCard]) -> Answer:
        """Keep an answer in place of an earlier one."""
        answer = Answer(tuple(rows), now())
        payload = json.dumps([asdict(card) for card in rows], default=datetime.isoformat, separators=(",", ":"))
        with suppress(StoreError):
            row = AnswerRow(source=source, question=question, payload=payload, at=answer.at)
            await self._store.write(_replace, row)
        return answer


def question(endpoint: str, text: str, limit: int) -> str:
    """The key of a question. The endpoint is part of it: another hub under the same name has other answers."""
    return hashlib.sha256(f"{endpoint}\0{' '.join(text.lower().split())}\0{limit}".encode()).hexdigest()


def _find(session: Session, source: str, question: str) -> AnswerRow | None:
    return session.get(AnswerRow, (source, question))


def _newest(session: Session, source: str) -> Sequence[AnswerRow]:
    query = select(AnswerRow).where(AnswerRow.source == source).order_by(AnswerRow.at.desc()).limit(LOOKED_THROUGH)
    return session.scalars(query).all()


def _matching(rows: Sequence[AnswerRow], words: Sequence[str], limit: int) -> Answer | None:
    found: dict[str, tuple[RepoCard, datetime]] = {}
    for answer in filter(None, map(_decode, rows)):
        for card in answer.rows:
            if card.repo not in found and all(word in card.repo.lower() for word in words):
                found[card.repo] = card, answer.at
    best = sorted(found.values(), key=lambda item: -(item[0].downloads or 0))[:limit]
    return Answer(tuple(card for card, _ in best), min(at for _, at in best)) if best else None


def _replace(session: Session, row: AnswerRow) -> None:
    session.merge(row)
    kept = select(AnswerRow.question).where(AnswerRow.source == row.source).order_by(AnswerRow.at.desc())
    oldest = session.scalars(kept.offset(KEPT_PER_SOURCE)).all()
    session.execute(delete(AnswerRow).where(AnswerRow.source == row.source, AnswerRow.question.in_(oldest)))
    session.execute(delete(AnswerRow).where(AnswerRow.at < now() - KEPT))


def _decode(row: AnswerRow) -> Answer | None:
    try:
        return Answer(tuple(_card(item) for item in json.loads(row.payload)), row.at)
    except (ValueError, TypeError, KeyError):
        return None  # written by another version


def _card(item: dict[str, Any]) -> RepoCard:
    values = dict(item)
    for name in _TUPLES:
        values[name] = tuple(values[name])
    for name in _MOMENTS:
        values[name] = datetime.fromisoformat(values[name]) if values[name] else None
    return RepoCard(**values)
