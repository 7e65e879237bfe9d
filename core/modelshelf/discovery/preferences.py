"""What each person prefers, by name: it holds in every browser and in notebooks."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from modelshelf.access import current
from modelshelf.errors import UsageError
from modelshelf.store import Store
from modelshelf.store.tables import PreferenceRow

LOOKED = "catalogue looked"
LONGEST = 10_000


class Preferences:
    """The preferences of whoever asks. A value that is not of the kind asked for counts as none."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def texts(self, name: str) -> tuple[str, ...] | None:
        """A list of texts; None if there is none."""
        value = await self._get(name)
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            return None
        return tuple(value)

    async def keep_texts(self, name: str, value: Sequence[str]) -> None:
        """Keep a list of texts.

        Raises:
            UsageError: it is too long.
        """
        await self._put(name, list(value))

    async def moment(self, name: str) -> datetime | None:
        """A moment in UTC; None if there is none."""
        value = await self._get(name)
        try:
            found = datetime.fromisoformat(value) if isinstance(value, str) else None
        except ValueError:
            return None
        return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)

    async def keep_moment(self, name: str, value: datetime) -> None:
        """Keep a moment."""
        await self._put(name, value.isoformat())

    async def _get(self, name: str) -> Any:
        value = await self._store.read(_read, current().name, name)
        try:
            return None if value is None else json.loads(value)
        except ValueError:
            return None

    async def _put(self, name: str, value: Any) -> None:
        text = json.dumps(value)
        if len(text) > LONGEST:
            raise UsageError(f"What is to be kept has {len(text):,} characters.", remedy=f"At most {LONGEST:,} are.")
        await self._store.write(_write, PreferenceRow(person=current().name, name=name, value=text))


def _read(session: Session, person: str, name: str) -> str | None:
    row = session.get(PreferenceRow, (person, name))
    return row.value if row else None


def _write(session: Session, row: PreferenceRow) -> None:
    session.merge(row)
