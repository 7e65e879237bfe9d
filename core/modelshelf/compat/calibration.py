"""What was measured on this machine, and what it lets one expect: every load and every chat makes estimates better."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from modelshelf.compat.machine import Machine
from modelshelf.compat.speed import Pace
from modelshelf.store import Store
from modelshelf.store.tables import MeasurementRow

CHAT, LOAD = "chat", "load"
KEPT = 400  # of a machine; the oldest go
NEWEST = 5  # of one model: what was true with last year's engine is not asked
SPREAD_EXACT = 0.1  # around the middle of a model's own measurements
SPREAD_OTHERS = 0.25  # around those of other models
LEAST_MOVED = 200e6  # bytes: what moves less by token is ruled by other things than memory
LEAST_TOKENS = 8  # of an answer: the rate of a shorter one means nothing


@dataclass(frozen=True, slots=True)
class Measurement:
    """One timed deed: `rate` in tokens (chat) or bytes (load) per second; `moved` bytes by token, or loaded in all."""

    engine: str
    model: str
    deed: str
    rate: float
    moved: float


class Calibration:
    """The measurements of this machine; read once, then kept at hand."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._machine = ""
        self._chats: dict[tuple[str, str], list[Measurement]] = defaultdict(list)
        self._loads: dict[str, list[Measurement]] = defaultdict(list)

    async def open(self, machine: Machine) -> None:
        """Read what was measured on this machine before."""
        self._machine = fingerprint(machine)
        await self.read()

    async def read(self) -> None:
        """Read it again: another process may have measured too."""
        found = await self._store.read(_read, self._machine)
        self._chats.clear()
        self._loads.clear()
        for one in found:
            self._learn(one)

    async def note(self, measurement: Measurement) -> None:
        """Keep a measurement, and go by it from now on."""
        self._learn(measurement)
        await self._store.write(_add, self._machine, measurement)

    def pace(self, engine: str, model: str) -> Pace | None:
        """What to expect of a model on an engine; by other models if this one was never timed there."""
        if own := self._chats.get((engine, model)):
            return _pace(_usual([one.rate for one in own]), SPREAD_EXACT, exact=True)
        others = [
            _middle(found)
            for (kind, _), found in self._chats.items()
            if kind == engine and median(one.moved for one in found) >= LEAST_MOVED
        ]
        return _pace(others, SPREAD_OTHERS, exact=False) if others else None

    def rate(self, engine: str, model: str) -> float | None:
        """Tokens per second in the middle of a model's own answers; None if it was never timed."""
        own = self._chats.get((engine, model))
        return median(one.rate for one in own) if own else None

    async def newest(self, engine: str, models: Collection[str]) -> datetime | None:
        """When one of these was last timed on an engine, on whatever machine; None if none ever was."""
        return await self._store.read(_newest, engine, sorted(models))

    def load_rate(self, engine: str) -> float | None:
        """Bytes per second at which an engine loads models; None if none was timed."""
        found = self._loads.get(engine)
        return median(one.rate for one in found) if found else None

    def _learn(self, one: Measurement) -> None:
        found = self._chats[one.engine, one.model] if one.deed == CHAT else self._loads[one.engine]
        found.append(one)
        del found[:-NEWEST]


def fingerprint(machine: Machine) -> str:
    """What tells machines apart that share a home: processors, memory and cards."""
    told = (machine.cpu, machine.cores, machine.ram_total >> 28, *(gpu.name for gpu in machine.gpus))
    return hashlib.sha256(repr(told).encode()).hexdigest()[:32]


def _middle(found: Sequence[Measurement]) -> float:
    """Bytes per second that answers moved."""
    return median(one.rate * one.moved for one in found)


def _usual(rates: Sequence[float]) -> Sequence[float]:
    """Without the slowest and the quickest, where there are enough."""
    return sorted(rates)[1:-1] if len(rates) >= 4 else rates


def _pace(rates: Iterable[float], spread: float, *, exact: bool) -> Pace:
    found = list(rates)
    return Pace(min(found) * (1 - spread), max(found) * (1 + spread), exact)


def _read(session: Session, machine: str) -> list[Measurement]:
    query = select(MeasurementRow).where(MeasurementRow.machine == machine).order_by(MeasurementRow.id.desc())
    rows = session.scalars(query.limit(KEPT)).all()
    return [Measurement(row.engine, row.model, row.deed, row.rate, row.moved) for row in reversed(rows)]


def _newest(session: Session, engine: str, models: Sequence[str]) -> datetime | None:
    query = select(func.max(MeasurementRow.at))
    found: datetime | None = session.scalar(
        query.where(MeasurementRow.engine == engine, MeasurementRow.model.in_(models))
    )
    return found


def _add(session: Session, machine: str, one: Measurement) -> None:
    row = MeasurementRow(
        machine=machine, engine=one.engine, model=one.model[:400], deed=one.deed, rate=one.rate, moved=one.moved
    )
    session.add(row)
    session.flush()
    ids = select(MeasurementRow.id).where(MeasurementRow.machine == machine).order_by(MeasurementRow.id.desc())
    oldest = session.scalar(ids.offset(KEPT).limit(1))
    if oldest is not None:
        session.execute(delete(MeasurementRow).where(MeasurementRow.machine == machine, MeasurementRow.id <= oldest))
