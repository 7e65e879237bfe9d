"""Messages to webhooks in the database: they outlive the process, and one process sends each at a time."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from modelshelf.config import WebhookConfig
from modelshelf.store.tables import JobRow, WebhookDeliveryRow, now

PENDING, DELIVERED, GIVEN_UP = "pending", "delivered", "given up"
LEASE = timedelta(seconds=60)
KEPT = timedelta(days=30)
# Pauses before the second try and those after it; a receiver may be away for most of a day.
PAUSES = tuple(timedelta(seconds=s) for s in (10, 60, 300, 1800, 7200, 14400, 28800))


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message to a webhook as it may be shown."""

    id: str
    webhook: str
    event: str
    about: str
    status: str
    attempts: int
    answer: str
    created: datetime
    next_at: datetime
    ended: datetime | None


def note_end(session: Session, job: str, webhooks: Sequence[WebhookConfig]) -> int:
    """Keep a message on how a job ended for each webhook that is told of it; how many are new.

    Several processes may hear of the same end: the message has the same id for all of them.
    """
    row = session.get(JobRow, job)
    if row is None or row.ended is None:
        return 0
    added = 0
    for webhook in webhooks:
        if webhook.events and row.status not in webhook.events:
            continue
        told = f"{webhook.name}|{row.id}|{row.status}|{row.ended.isoformat()}"
        name = hashlib.sha256(told.encode()).hexdigest()[:32]
        if session.get(WebhookDeliveryRow, name) is None:
            event = f"job.{row.status}"
            payload = json.dumps({"type": event, "timestamp": row.ended.isoformat(), "data": told_of(row)})
            about = f"{row.source}:{row.repo}"
            session.add(WebhookDeliveryRow(id=name, webhook=webhook.name, event=event, about=about, payload=payload))
            added += 1
    return added


def told_of(row: JobRow) -> dict[str, Any]:
    """What a job's end is, for a hook or a webhook; nothing of this machine's paths."""
    return {
        "job": row.id,
        "status": row.status,
        "model": f"{row.source}:{row.repo}@{row.commit}",
        "source": row.source,
        "repo": row.repo,
        "commit": row.commit,
        "files": row.result.get("files", []),
        "total": row.bytes_total,
        "error": {name: row.error[name] for name in ("code", "error", "remedy") if name in row.error},
    }


def claim(session: Session, lease: timedelta = LEASE) -> WebhookDeliveryRow | None:
    """The message that is due longest, held for a while by who asks."""
    moment = now()
    free = (WebhookDeliveryRow.lease_until.is_(None)) | (WebhookDeliveryRow.lease_until < moment)
    due = (WebhookDeliveryRow.status == PENDING) & (WebhookDeliveryRow.next_at <= moment) & free
    row = session.scalars(select(WebhookDeliveryRow).where(due).order_by(WebhookDeliveryRow.next_at).limit(1)).first()
    if row is not None:
        row.lease_until = moment + lease
    return row


def settle(session: Session, name: str, answer: str, *, arrived: bool, hopeless: bool = False) -> str:
    """Write how a try went: it arrived, is tried again later, or is given up; the new status."""
    row = session.get(WebhookDeliveryRow, name)
    if row is None:
        return GIVEN_UP
    row.attempts, row.answer, row.lease_until = row.attempts + 1, answer[:500], None
    if arrived or hopeless or row.attempts > len(PAUSES):
        row.status, row.ended = DELIVERED if arrived else GIVEN_UP, now()
    else:
        row.next_at = now() + PAUSES[row.attempts - 1]
    return row.status


def release(session: Session, name: str) -> None:
    """Let another one send a message that was held."""
    if row := session.get(WebhookDeliveryRow, name):
        row.lease_until = None


def next_due(session: Session) -> datetime | None:
    """When the next message is due."""
    found: datetime | None = session.scalar(
        select(func.min(WebhookDeliveryRow.next_at)).where(WebhookDeliveryRow.status == PENDING)
    )
    return found


def forget_old(session: Session) -> None:
    """Drop what was settled long ago."""
    old = (WebhookDeliveryRow.status != PENDING) & (WebhookDeliveryRow.created < now() - KEPT)
    session.execute(delete(WebhookDeliveryRow).where(old))


def newest(session: Session, limit: int) -> list[Delivery]:
    """The newest messages first."""
    rows = session.scalars(select(WebhookDeliveryRow).order_by(WebhookDeliveryRow.created.desc()).limit(limit))
    names = Delivery.__slots__
    return [Delivery(**{name: getattr(row, name) for name in names}) for row in rows]


def retry(session: Session) -> int:
    """Make every message that waits, or was given up within a day, due now; how many."""
    since = now() - timedelta(days=1)
    again = (WebhookDeliveryRow.status == PENDING) | (
        (WebhookDeliveryRow.status == GIVEN_UP) & (WebhookDeliveryRow.ended > since)
    )
    rows = session.scalars(select(WebhookDeliveryRow).where(again)).all()
    for row in rows:
        row.status, row.next_at, row.ended = PENDING, now(), None
    return len(rows)
