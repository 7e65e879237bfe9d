"""Encryption as the vault uses it: AES-256-GCM, every text bound to the place it belongs to."""

import base64
import binascii
import hashlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, Self

from modelshelf.vault import redaction

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12
LEAST_DIFFERENT = 8
"""Of 32 random bytes fewer than this many different ones never come; zeros and repeated words do."""


class NotGenuine(ValueError):
    """What is sealed was changed, belongs to another place, or was sealed with another key."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A text nobody reads or changes without the key."""

    nonce: bytes
    text: bytes


class Key:
    """A key of 256 bits. No repr, copy or pickle shows it."""

    __slots__ = ("_raw",)

    def __init__(self, raw: bytes) -> None:
        if len(raw) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes")
        self._raw = raw

    @classmethod
    def new(cls) -> Self:
        """A random key."""
        return cls(os.urandom(KEY_BYTES))

    def seal(self, plain: bytes, *place: str) -> Sealed:
        """Encrypt for one place: table, row, field."""
        nonce = os.urandom(NONCE_BYTES)
        return Sealed(nonce, self._cipher().encrypt(nonce, plain, _bound(place)))

    def open(self, sealed: Sealed, *place: str) -> bytes:
        """Decrypt what was sealed for this place.

        Raises:
            NotGenuine: it is not what was sealed here with this key.
        """
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher().decrypt(sealed.nonce, sealed.text, _bound(place))
        except (InvalidTag, ValueError):
            raise NotGenuine from None

    def wrap(self, key: "Key", *place: str) -> Sealed:
        """Encrypt another key."""
        return self.seal(key._raw, *place)

    def unwrap(self, sealed: Sealed, *place: str) -> "Key":
        """The key that was wrapped for this place.

        Raises:
            NotGenuine: as `open`.
        """
        return Key(self.open(sealed, *place))

    def _cipher(self) -> "AESGCM":
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # most commands need no secret

        return AESGCM(self._raw)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A key is neither pickled nor copied.")


class MasterKey(Key):
    """The key of the keys. `fingerprint` names it in the database and cannot lead to it."""

    __slots__ = ()

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        redaction.remember(self.text())
        redaction.remember(raw.hex())

    @classmethod
    def parse(cls, text: str) -> Self:
        """A key as people write it: 32 random bytes in Base64 or in hexadecimal digits.

        Raises:
            ValueError: it is something else, or no random key.
        """
        written = text.strip()
        redaction.remember(written)
        try:
            raw = bytes.fromhex(written) if len(written) == 2 * KEY_BYTES else _decoded(written)
        except (ValueError, binascii.Error):
            raise ValueError("it is neither Base64 nor hexadecimal") from None
        if len(raw) != KEY_BYTES:
            raise ValueError(f"it has {len(raw)} bytes, not {KEY_BYTES}")
        if len(set(raw)) < LEAST_DIFFERENT:
            raise ValueError("it is no random key")
        return cls(raw)

    def text(self) -> str:
        """The key as `parse` reads it, for the place that keeps it."""
        return base64.urlsafe_b64encode(self._raw).decode()

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal digits, the same for the same key."""
        return hashlib.sha256(b"modelshelf master key\0" + self._raw).hexdigest()


def _decoded(text: str) -> bytes:
    text = text.rstrip("=").replace("+", "-").replace("/", "_")
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars="-_", validate=True)


def _bound(place: tuple[str, ...]) -> bytes:
    # As JSON, no two different places give the same bytes.
    return json.dumps(place).encode()
