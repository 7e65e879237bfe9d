"""How many bytes downloads fetched, by the days of this machine's calendar. Functions of a session."""

from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from modelshelf.downloads.budget import Used
from modelshelf.store.tables import TrafficRow


def add(session: Session, day: date, fetched: int) -> None:
    """Count bytes that were fetched on a day."""
    row = session.get(TrafficRow, day.isoformat())
    if row is None:
        row = TrafficRow(day=day.isoformat(), fetched=0)
        session.add(row)
    row.fetched += fetched


def used(session: Session, day: date) -> Used:
    """What was fetched on a day and in its month."""
    month = select(func.sum(TrafficRow.fetched)).where(TrafficRow.day.startswith(day.isoformat()[:8]))
    today = session.get(TrafficRow, day.isoformat())
    return Used(day, today.fetched if today else 0, session.scalar(month) or 0)
