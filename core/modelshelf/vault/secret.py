"""A secret that cannot be shown by accident."""

import hashlib
import hmac
from typing import NoReturn

from modelshelf.vault import redaction

_SHORT = 12


class Secret:
    """Text that no repr, str, format, JSON, copy or pickle shows. `reveal()` is the one way to it; search for that.

    The logs of this process leave it out from now on, however it gets there.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value
        redaction.remember(value)

    def reveal(self) -> str:
        """The text itself, for the one place that must send it."""
        return self._value

    @property
    def last4(self) -> str:
        """The last four characters, so that a person knows which it is; nothing of one too short to tell four of."""
        return self._value[-4:] if len(self._value) >= _SHORT else ""

    @property
    def fingerprint(self) -> str:
        """The beginning of its SHA-256: the same for the same secret, of no use to guess a long one."""
        return hashlib.sha256(self._bytes).hexdigest()[:16]

    @property
    def _bytes(self) -> bytes:
        # What comes from outside may hold halves of characters, which have no bytes of their own.
        return self._value.encode("utf-8", "surrogatepass")

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._bytes, other._bytes)

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        return "Secret(…)"

    def __str__(self) -> NoReturn:
        raise TypeError("A secret has no text; say .reveal() where it must be sent.")

    def __format__(self, _spec: str) -> NoReturn:
        raise TypeError("A secret has no text; say .reveal() where it must be sent.")

    def __reduce__(self) -> NoReturn:
        raise TypeError("A secret is neither pickled nor copied.")
