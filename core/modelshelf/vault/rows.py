"""The vault's rows: short transactions, called through the store. What they hold is sealed; keys come from outside."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from modelshelf.errors import VaultError
from modelshelf.store.tables import DataKeyRow, SecretRow
from modelshelf.vault.sealing import Key, MasterKey, NotGenuine, Sealed
from modelshelf.vault.types import Rotation

FIELD = "value"


@dataclass(frozen=True, slots=True)
class Locks:
    """The data key in use, if there is one, and how many secrets there are."""

    active: DataKeyRow | None
    secrets: int

    @property
    def master(self) -> str | None:
        """The fingerprint of the master key without which secrets would be lost; None if there are none."""
        return self.active.master if self.active and self.secrets else None


def locks(session: Session) -> Locks:
    """What is locked, and with what."""
    return Locks(_active(session), session.scalar(select(func.count()).select_from(SecretRow)) or 0)


def one(session: Session, name: str) -> tuple[SecretRow, DataKeyRow | None] | None:
    """A secret and the data key that opens it."""
    row = session.get(SecretRow, name)
    return (row, session.get(DataKeyRow, row.data_key)) if row else None


def every(session: Session) -> Sequence[tuple[SecretRow, DataKeyRow | None]]:
    """All secrets by name, each with its data key."""
    keys = {row.id: row for row in session.scalars(select(DataKeyRow))}
    return [(row, keys.get(row.data_key)) for row in session.scalars(select(SecretRow).order_by(SecretRow.name))]


def named(session: Session, prefix: str) -> Sequence[SecretRow]:
    """The secrets whose names begin so, by name."""
    query = select(SecretRow).where(SecretRow.name.startswith(prefix, autoescape=True))
    return session.scalars(query.order_by(SecretRow.name)).all()


def begin(session: Session, lock: DataKeyRow) -> None:
    """Start with a data key of its own, in place of any that opens nothing.

    Raises:
        VaultError: there are secrets by now.
    """
    if locks(session).secrets:
        raise VaultError("Another process has just saved secrets.", remedy="Try again.")
    session.execute(delete(DataKeyRow))
    session.add(lock)


def save(session: Session, secret: SecretRow) -> bool:
    """Keep a sealed secret; False if another data key is in use by now than the one that sealed it."""
    current = _active(session)
    if current is None or current.id != secret.data_key:
        return False
    session.merge(secret)
    return True


def remove(session: Session, name: str) -> bool:
    """Forget a secret; False if there is none of that name."""
    row = session.get(SecretRow, name)
    if row is not None:
        session.delete(row)
    return row is not None


def renew(session: Session, master: MasterKey, fresh: DataKeyRow, key: Key) -> Rotation:
    """Seal every secret with a fresh data key. What cannot be opened stays as it is, with the key it has.

    Raises:
        VaultError: another process has changed the master key in the meantime.
    """
    keys = _opened(session, master)
    renewed, damaged = 0, []
    for row in session.scalars(select(SecretRow).order_by(SecretRow.name)):
        try:
            plain = keys[row.data_key].open(Sealed(row.nonce, row.sealed), SecretRow.__tablename__, row.name, FIELD)
        except (NotGenuine, KeyError):
            damaged.append(row)
            continue
        sealed = key.seal(plain, SecretRow.__tablename__, row.name, FIELD)
        row.nonce, row.sealed, row.data_key = sealed.nonce, sealed.text, fresh.id
        renewed += 1
    needed = {row.data_key for row in damaged}
    session.execute(delete(DataKeyRow).where(DataKeyRow.id.not_in(needed)))
    for old in session.scalars(select(DataKeyRow)):
        old.active = False
    session.add(fresh)
    return Rotation(renewed, tuple(row.name for row in damaged))


def rewrap(session: Session, old: MasterKey, new: MasterKey) -> None:
    """Wrap every data key with a new master key. A damaged one stays as it is.

    Raises:
        VaultError: another process has changed the master key in the meantime.
    """
    keys = _opened(session, old)
    for row in session.scalars(select(DataKeyRow).where(DataKeyRow.id.in_(keys))):
        seal(row, keys[row.id], new)


def seal(row: DataKeyRow, key: Key, master: MasterKey) -> None:
    """Write a data key into its row, wrapped."""
    sealed = master.wrap(key, DataKeyRow.__tablename__, row.id)
    row.nonce, row.wrapped, row.master = sealed.nonce, sealed.text, master.fingerprint


def unseal(row: DataKeyRow | None, master: MasterKey) -> Key:
    """The data key in a row.

    Raises:
        NotGenuine: the row was changed, or is gone.
    """
    if row is None:
        raise NotGenuine
    return master.unwrap(Sealed(row.nonce, row.wrapped), DataKeyRow.__tablename__, row.id)


def _active(session: Session) -> DataKeyRow | None:
    return session.scalars(select(DataKeyRow).where(DataKeyRow.active).order_by(DataKeyRow.created.desc())).first()


def _opened(session: Session, master: MasterKey) -> dict[str, Key]:
    current = _active(session)
    if current is None or current.master != master.fingerprint:
        raise VaultError("Another process has just changed the master key.", remedy="Try again.")
    keys = {}
    for row in session.scalars(select(DataKeyRow)):
        try:
            keys[row.id] = unseal(row, master)
        except NotGenuine:
            continue
    return keys
