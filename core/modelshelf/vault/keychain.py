"""The operating system's keychain, where there is a real one."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from modelshelf.errors import VaultError
from modelshelf.vault.places import parsed
from modelshelf.vault.sealing import MasterKey

SERVICE = "modelshelf master key"
RECOMMENDED = 1
_NOT_REAL = ("keyring.backends.fail", "keyring.backends.null", "keyrings.alt")


class Keychain:
    """Keys in the keychain, named by their fingerprints. It may ask the person at the screen before it answers."""

    source = "keychain"
    ours = True

    def __init__(self, wanted: Callable[[], bool], backend: Callable[[], Any] | None = None) -> None:
        self._wanted = wanted
        self._backend = backend or _default

    @property
    def where(self) -> str:
        """The keychain's own name."""
        return f"the keychain ({getattr(self._chosen(), 'name', 'none')})"

    @property
    def usable(self) -> bool:
        """Whether there is one that the settings allow: not one that keeps nothing, nor one that keeps plain text."""
        return self._chosen() is not None

    def find(self, fingerprint: str | None) -> MasterKey | None:
        """The key asked for."""
        backend = self._chosen()
        if backend is None or fingerprint is None:
            return None
        text = self._asked(lambda: backend.get_password(SERVICE, fingerprint[:32]))
        if not text:
            return None
        key = parsed(str(text), self.where)
        if key.fingerprint != fingerprint:
            raise VaultError(f"{self.where} holds another key than it says.", remedy="Restore the keychain.")
        return key

    def add(self, key: MasterKey, beside: MasterKey | None = None) -> MasterKey:
        """Keep it."""
        backend = self._chosen()
        self._asked(lambda: backend.set_password(SERVICE, key.fingerprint[:32], key.text()))
        return key

    def remove(self, key: MasterKey) -> None:
        """Delete it."""
        from keyring.errors import PasswordDeleteError

        backend = self._chosen()

        def delete() -> None:
            with suppress(PasswordDeleteError):  # it is gone already
                backend.delete_password(SERVICE, key.fingerprint[:32])

        self._asked(delete)

    def _asked(self, question: Callable[[], Any]) -> Any:
        from keyring.errors import KeyringError

        try:
            return question()
        except (KeyringError, OSError) as error:
            raise VaultError(
                f"{self.where} does not answer as it should: {error}.",
                remedy="Unlock it and try again; to keep the master key in a file, set vault.keychain to false.",
            ) from error

    def _chosen(self) -> Any:
        if not self._wanted():
            return None
        backend = self._backend()
        # A chain asks its members in turn; what it keeps goes to the first.
        first = next(iter(getattr(backend, "backends", ()) or ()), backend)
        return first if _is_real(first) else None


def _is_real(backend: Any) -> bool:
    try:
        recommended: bool = backend.priority >= RECOMMENDED
    except RuntimeError:  # it cannot work here
        return False
    return recommended and not type(backend).__module__.startswith(_NOT_REAL)


def _default() -> Any:
    import keyring

    return keyring.get_keyring()
