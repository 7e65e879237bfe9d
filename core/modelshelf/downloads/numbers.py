"""What each transfer took, kept for statistics: bytes, seconds, tries, connections, and from where."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from modelshelf.downloads.hashing import Digest
from modelshelf.downloads.transfer import FileTransfer
from modelshelf.downloads.types import DownloadPlan, PlannedFile
from modelshelf.errors import ModelshelfError, StoreError
from modelshelf.events import EventBus, TransferEnded
from modelshelf.store import Store
from modelshelf.store.tables import TransferRow

log = logging.getLogger(__name__)

DONE, STOPPED = "done", "stopped"


class TransferLog:
    """The rows of transfers in a database; what ends is told as an event too, where `events` are given."""

    def __init__(self, store: Store, events: EventBus | None = None) -> None:
        self._store = store
        self._events = events
        self._rows: list[TransferRow] = []

    async def measure(self, plan: DownloadPlan, file: PlannedFile, transfer: FileTransfer) -> Digest:
        """Run a transfer and note what it took, also when it fails or is stopped; `flush` writes it down.

        Raises:
            As `FileTransfer.run`.
        """
        began, before, outcome = time.monotonic(), transfer.done, STOPPED
        try:
            digest = await transfer.run()
            outcome = DONE
        except ModelshelfError as error:
            outcome = error.code
            raise
        finally:
            seconds = time.monotonic() - began
            row = _row(plan, file, transfer, transfer.done - before, seconds, outcome)
            self._rows.append(row)
            if self._events is not None:
                self._events.publish(_event(row))
        return digest

    async def flush(self) -> None:
        """Write down what was noted: many small files are one write. That it cannot be written is logged only."""
        rows, self._rows = self._rows, []
        if rows:
            try:
                await self._store.write(lambda session: session.add_all(rows))
            except StoreError as error:
                log.warning("the numbers of %d transfers cannot be written: %s", len(rows), error)

    async def recent(self, count: int = 1000) -> Sequence[TransferRow]:
        """The last transfers, the newest first.

        Raises:
            StoreError.
        """
        return await self._store.read(recent, count)


@dataclass(frozen=True, slots=True)
class Summary:
    """All transfers together: bytes that came, those that came again or in vain, seconds, tries, and where from."""

    transfers: int = 0
    received: int = 0
    refetched: int = 0
    seconds: float = 0.0
    retries: int = 0
    failed: int = 0
    hosts: tuple[tuple[str, int], ...] = ()  # who sent how many bytes, the most first

    @property
    def rate(self) -> float:
        """Bytes per second over all transfers."""
        return self.received / self.seconds if self.seconds > 0 else 0.0


def recent(session: Session, limit: int, offset: int = 0) -> Sequence[TransferRow]:
    """Transfers, the latest first."""
    rows = session.scalars(select(TransferRow).order_by(TransferRow.id.desc()).limit(limit).offset(offset)).all()
    session.expunge_all()
    return rows


def summary(session: Session, hosts: int = 5) -> Summary:
    """All transfers that are known, together."""
    row = TransferRow
    failed = case((row.outcome.in_((DONE, STOPPED)), 0), else_=1)
    sums = [
        func.coalesce(func.sum(item), 0) for item in (row.received, row.refetched, row.seconds, row.retries, failed)
    ]
    count, received, refetched, seconds, retries, wrong = session.execute(select(func.count(), *sums)).one()
    sent = func.sum(row.received)
    best = session.execute(select(row.host, sent).group_by(row.host).order_by(sent.desc()).limit(hosts))
    senders = tuple((host, int(total)) for host, total in best if host)
    return Summary(count, int(received), int(refetched), float(seconds), int(retries), int(wrong), senders)


def _row(
    plan: DownloadPlan, file: PlannedFile, transfer: FileTransfer, kept: int, seconds: float, outcome: str
) -> TransferRow:
    tally = transfer.tally
    return TransferRow(
        source=plan.source,
        repo=plan.repo,
        commit=plan.commit,
        path=file.path,
        host=tally.host,
        size=file.size,
        received=tally.received,
        refetched=max(tally.received - max(kept, 0), 0),
        seconds=seconds,
        rate=tally.received / seconds if seconds > 0 else 0.0,
        retries=tally.retries,
        connections=tally.connections,
        outcome=outcome,
    )


def _event(row: TransferRow) -> TransferEnded:
    return TransferEnded(
        source=row.source, repo=row.repo, path=row.path, host=row.host, size=row.size, received=row.received,
        refetched=row.refetched, seconds=row.seconds, rate=row.rate, retries=row.retries, connections=row.connections,
        outcome=row.outcome,
    )  # fmt: skip
