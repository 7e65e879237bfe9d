"""What each transfer took, kept for statistics: bytes, seconds, tries, connections, and from where."""

import logging
import time
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from modelshelf.downloads.hashing import Digest
from modelshelf.downloads.transfer import FileTransfer
from modelshelf.downloads.types import DownloadPlan, PlannedFile
from modelshelf.errors import ModelshelfError, StoreError
from modelshelf.store import Store
from modelshelf.store.tables import TransferRow

log = logging.getLogger(__name__)

DONE, STOPPED = "done", "stopped"


class TransferLog:
    """The rows of transfers in a database."""

    def __init__(self, store: Store) -> None:
        self._store = store
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
            self._rows.append(_row(plan, file, transfer, transfer.done - before, seconds, outcome))
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
        return await self._store.read(lambda session: _recent(session, count))


def _recent(session: Session, count: int) -> list[TransferRow]:
    rows = session.scalars(select(TransferRow).order_by(TransferRow.id.desc()).limit(count)).all()
    session.expunge_all()
    return list(rows)


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
