"""Secrets and data keys as rows: checked, sealed, opened."""

import json
import re
import uuid
from collections.abc import Sequence

from modelshelf.errors import NotFound, UsageError
from modelshelf.store.tables import DataKeyRow, SecretRow, now
from modelshelf.vault import rows
from modelshelf.vault.sealing import Key, MasterKey, NotGenuine, Sealed
from modelshelf.vault.secret import Secret
from modelshelf.vault.types import SecretInfo

LONGEST = 64 << 10
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./:@*-]{0,199}")


def check(name: str, secret: Secret) -> None:
    """Refuse what makes no sense.

    Raises:
        UsageError: the name is none, or the secret is empty or too long.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            "That is no name of a secret.", remedy="Use up to 200 letters, digits and ._-/:@*, a letter or digit first."
        )
    if not secret:
        raise UsageError(f"The secret “{name}” is empty.", remedy="Enter it; to take it away, delete it.")
    if len(secret.reveal()) > LONGEST:
        raise UsageError(f"The secret “{name}” has more than {LONGEST:,} characters.", remedy="Enter a key or a token.")


def given(new: Secret) -> MasterKey:
    """The master key that somebody gives.

    Raises:
        UsageError: it is none.
    """
    try:
        return MasterKey.parse(new.reveal())
    except ValueError as error:
        raise UsageError(
            f"The new master key is none: {error}.",
            remedy="A master key is 32 random bytes in Base64, for example from `openssl rand -base64 32`.",
        ) from None


def wrapped(master: MasterKey) -> tuple[DataKeyRow, Key]:
    """A new data key and its row."""
    row, key = DataKeyRow(id=uuid.uuid4().hex, active=True), Key.new()
    rows.seal(row, key, master)
    return row, key


def sealed(name: str, secret: Secret, bound_to: str, lock: DataKeyRow, key: Key) -> SecretRow:
    """The row of a secret."""
    # The half of a character that JSON from outside may hold is written as JSON writes it.
    plain = json.dumps({"value": secret.reveal(), "for": bound_to}).encode()
    kept = key.seal(plain, SecretRow.__tablename__, name, rows.FIELD)
    return SecretRow(
        name=name,
        data_key=lock.id,
        nonce=kept.nonce,
        sealed=kept.text,
        last4=secret.last4,
        fingerprint=secret.fingerprint if secret.last4 else "",  # a short one could be guessed by it
        updated=now(),
    )


def opened(row: SecretRow, key: Key, bound_to: str) -> Secret:
    """The secret of a row.

    Raises:
        NotGenuine: the row was changed.
        NotFound: it was saved for another use.
    """
    kept = json.loads(_plain(row, key))
    if kept["for"] != bound_to:
        raise NotFound(
            f"The secret “{row.name}” was saved for {kept['for'] or 'another use'}.",
            remedy="Save one for this use.",
        )
    return Secret(kept["value"])


def damaged(found: Sequence[tuple[SecretRow, DataKeyRow | None]], master: MasterKey) -> tuple[str, ...]:
    """The names of the secrets that cannot be opened."""
    keys: dict[str, Key] = {}
    names = []
    for row, lock in found:
        try:
            if row.data_key not in keys:
                keys[row.data_key] = rows.unseal(lock, master)
            _plain(row, keys[row.data_key])
        except NotGenuine:
            names.append(row.name)
    return tuple(names)


def info(row: SecretRow) -> SecretInfo:
    """What may be shown of a secret."""
    return SecretInfo(row.name, row.last4, row.fingerprint, row.updated)


def unknown(name: str) -> NotFound:
    """The error for a secret that does not exist."""
    return NotFound(f"No secret “{name}” is saved.", remedy="`modelshelf secrets list` shows the names.")


def _plain(row: SecretRow, key: Key) -> bytes:
    return key.open(Sealed(row.nonce, row.sealed), SecretRow.__tablename__, row.name, rows.FIELD)
