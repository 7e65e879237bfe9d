"""The looks at providers as they are kept: who looked when, what it saw, and what was offered then."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from modelshelf.providers.offers import Offering, Offers
from modelshelf.providers.spec import Health, HealthStatus
from modelshelf.store import Store
from modelshelf.store.tables import HealthRow

KEPT = timedelta(days=7)


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What one look at a provider saw; without `offer` nothing is known about its models."""

    provider: str
    health: Health
    offer: Offering | None = None


class Looks:
    """Keeps looks. What comes while a transaction is under way goes into the next one, all of it together."""

    def __init__(self, store: Store, offers: Offers) -> None:
        self._store = store
        self._offers = offers
        self._waiting: list[tuple[Look, asyncio.Future[bool]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def keep(self, look: Look) -> bool:
        """Keep a look; whether the provider offers something else than before.

        Raises:
            StoreError, UsageError: the database failed, or what was seen cannot be kept.
        """
        kept: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((look, kept))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write(), name="health.looks")
        return await kept

    async def settle(self) -> None:
        """Wait until everything that was given is kept."""
        if self._writer:
            await asyncio.wait([self._writer])

    async def after(self, seen: int, since: datetime) -> Sequence[tuple[int, str, Health]]:
        """Row, provider and health of the looks of any process after the row `seen`."""
        return await self._store.read(_after, seen, since)

    async def of(self, provider: str, since: datetime) -> Sequence[Health]:
        """What was seen of a provider, the oldest first."""
        return await self._store.read(_of, provider, since)

    async def _write(self) -> None:
        try:
            while self._waiting:
                together, self._waiting = self._waiting, []
                try:
                    await self._write_all(together)
                except Exception:  # noqa: BLE001 - each is told its own below
                    # One that cannot be kept must not take the others along.
                    for one in together:
                        await self._write_one(one)
        finally:
            self._writer = None

    async def _write_one(self, one: tuple[Look, asyncio.Future[bool]]) -> None:
        try:
            await self._write_all([one])
        except Exception as error:  # noqa: BLE001 - whoever gave the look is told
            with suppress(asyncio.InvalidStateError):
                one[1].set_exception(error)

    async def _write_all(self, together: Sequence[tuple[Look, asyncio.Future[bool]]]) -> None:
        looks = [look for look, _ in together]
        # Before the transaction: a list of thousands takes a while, and meanwhile nobody else could write.
        texts = await asyncio.to_thread(self._texts, looks)
        for (_, kept), changed in zip(together, await self._store.write(self._add, looks, texts), strict=True):
            with suppress(asyncio.InvalidStateError):  # whoever asked has gone
                kept.set_result(changed)

    def _texts(self, looks: Sequence[Look]) -> list[str | None]:
        news = (look.offer if not _is_last(self._offers, look) else None for look in looks)
        return [offer.encode() if offer else None for offer in news]

    def _add(self, session: Session, looks: Sequence[Look], texts: Sequence[str | None]) -> list[bool]:
        for look in looks:
            session.add(_row(look))
            outdated = HealthRow.at < look.health.at - KEPT
            session.execute(delete(HealthRow).where(HealthRow.provider == look.provider, outdated))
        return [
            look.offer is not None and self._offers.keep(session, look.provider, look.offer, text)
            for look, text in zip(looks, texts, strict=True)
        ]


def _is_last(offers: Offers, look: Look) -> bool:
    return look.offer is not None and offers.is_last(look.provider, look.offer)


def _row(look: Look) -> HealthRow:
    health = look.health
    return HealthRow(
        provider=look.provider,
        at=health.at,
        status=health.status,
        latency_ms=health.latency_ms,
        detail=health.detail,
        remedy=health.remedy,
        version=health.version[:100],
    )


def _after(session: Session, seen: int, since: datetime) -> list[tuple[int, str, Health]]:
    query = select(HealthRow).where(HealthRow.id > seen, HealthRow.at >= since).order_by(HealthRow.id)
    return [(row.id, row.provider, _health(row)) for row in session.scalars(query)]


def _of(session: Session, provider: str, since: datetime) -> list[Health]:
    query = select(HealthRow).where(HealthRow.provider == provider, HealthRow.at >= since).order_by(HealthRow.at)
    return [_health(row) for row in session.scalars(query)]


def _health(row: HealthRow) -> Health:
    return Health(HealthStatus(row.status), row.at, row.latency_ms, row.detail, row.remedy, row.version)
