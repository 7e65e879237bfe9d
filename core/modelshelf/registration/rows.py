"""The table of registrations; functions of a session."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from modelshelf.errors import NotFound
from modelshelf.registration.types import Made, Registration, Status
from modelshelf.store.tables import RegistrationRow, now

Key = tuple[str, str, str, str]  # provider, repo, commit, path
_READ = (
    "id", "provider", "repo", "commit", "path", "name", "way", "wish", "size", "copied", "place", "given", "automatic",
    "command", "error", "remedy", "principal", "created", "updated",
)  # fmt: skip


def every(session: Session, repo: str = "", provider: str = "") -> list[Registration]:
    """The registrations, of one repository or provider if named, the oldest first."""
    query = select(RegistrationRow).order_by(RegistrationRow.created, RegistrationRow.id)
    if repo:
        query = query.where(RegistrationRow.repo == repo)
    if provider:
        query = query.where(RegistrationRow.provider == provider)
    return [read(row) for row in session.scalars(query)]


def get(session: Session, registration: str) -> Registration:
    """One by its id.

    Raises:
        NotFound: there is none.
    """
    row = session.get(RegistrationRow, registration)
    if row is None:
        raise NotFound(f"There is no registration {registration}.", remedy="`modelshelf registrations` lists them.")
    return read(row)


def claim(
    session: Session, key: Key, me: str, lease: float, changes: Mapping[str, Any], *, new: bool = False
) -> Registration | None:
    """The registration, made if need be, now in the hands of `me`; None while another process is at it.

    `new`: only if there is none yet, for what is done by itself once.
    """
    row = _find(session, key)
    if row is not None and new:
        return None
    if row is None:
        provider, repo, commit, path = key
        row = RegistrationRow(id=uuid.uuid4().hex[:12], provider=provider, repo=repo, commit=commit, path=path)
        row.links = []
        session.add(row)
    elif row.owner not in {"", me} and row.lease_until and row.lease_until > now():
        return None
    row.owner, row.lease_until, row.status = me, now() + timedelta(seconds=lease), Status.REGISTERING.value
    _change(row, {"error": "", "remedy": "", **changes})
    session.flush()
    return read(row)


def renew(session: Session, registration: str, me: str, lease: float) -> None:
    """Go on holding it."""
    row = session.get(RegistrationRow, registration)
    if row is not None and row.owner == me:
        row.lease_until = now() + timedelta(seconds=lease)


def change(session: Session, registration: str, changes: Mapping[str, Any]) -> Registration | None:
    """Write what is new and let go of it; None if it is not there any more."""
    row = session.get(RegistrationRow, registration)
    if row is None:
        return None
    _change(row, changes)
    row.owner, row.lease_until = "", None
    return read(row)


def drop(session: Session, registrations: Collection[str]) -> None:
    """Forget some."""
    for name in registrations:
        if (row := session.get(RegistrationRow, name)) is not None:
            session.delete(row)


def release(session: Session, me: str) -> None:
    """Let go of everything that `me` holds."""
    for row in session.scalars(select(RegistrationRow).where(RegistrationRow.owner == me)):
        row.lease_until = None


def left_behind(session: Session) -> list[Registration]:
    """Those that a process was at which is gone."""
    query = select(RegistrationRow).where(RegistrationRow.status == Status.REGISTERING.value)
    return [read(row) for row in session.scalars(query) if not row.lease_until or row.lease_until <= now()]


def links_of(session: Session, registration: str) -> list[Made]:
    """The names that were made for it."""
    row = session.get(RegistrationRow, registration)
    return [Made(**_made(item)) for item in row.links] if row is not None else []


def mark_of(session: Session, registration: str) -> str:
    """What the provider's list said of it when it was given."""
    row = session.get(RegistrationRow, registration)
    return row.mark if row is not None else ""


def links_everywhere(session: Session) -> list[tuple[str, Made]]:
    """Every name that was made, with the repository that it is of."""
    rows = session.scalars(select(RegistrationRow))
    return [(row.repo, Made(**_made(item))) for row in rows for item in row.links]


def read(row: RegistrationRow) -> Registration:
    """A row as others see it."""
    told = {name: getattr(row, name) for name in _READ}
    links = tuple(str(item.get("path", "")) for item in row.links or () if item.get("size") != -1)
    return Registration(**told, status=Status(row.status), links=links)


def _find(session: Session, key: Key) -> RegistrationRow | None:
    provider, repo, commit, path = key
    query = select(RegistrationRow).where(RegistrationRow.provider == provider, RegistrationRow.repo == repo)
    rows: Sequence[RegistrationRow] = session.scalars(
        query.where(RegistrationRow.commit == commit, RegistrationRow.path == path)
    ).all()
    return rows[0] if rows else None


def _change(row: RegistrationRow, changes: Mapping[str, Any]) -> None:
    for name, value in changes.items():
        setattr(row, name, value.value if isinstance(value, Status) else value)
    row.updated = now()


def _made(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item[name] for name in ("path", "device", "inode", "size", "theirs")}
