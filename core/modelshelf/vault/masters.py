"""Finds the master key among the places where it may be, and says what is wrong when it is not there."""

from dataclasses import dataclass
from pathlib import Path

from modelshelf.config import ConfigManager
from modelshelf.errors import VaultError
from modelshelf.vault.keychain import Keychain
from modelshelf.vault.places import VARIABLE, KeyFile, KeyFolder, Place, given_places, keys_folder
from modelshelf.vault.sealing import MasterKey


@dataclass(frozen=True, slots=True)
class Found:
    """A master key and where it is. `made` says that it was made just now."""

    key: MasterKey
    place: Place
    made: bool = False


class Masters:
    """The places of one home's master key.

    What a person gives comes first: MODELSHELF_MASTER_KEY, a credential of systemd, the file of `vault.key_file`. What
    we keep ourselves comes after it: in a file of the account or, on a desktop, in the keychain. The keychain is asked
    last and only when a secret is needed, since it may ask the person in turn.
    """

    def __init__(self, config: ConfigManager) -> None:
        self._config = config
        self.folder = KeyFolder(keys_folder(config.environ))
        self.keychain = Keychain(lambda: config.config.vault.keychain)

    def find(self, fingerprint: str) -> Found:
        """The key of that fingerprint.

        Raises:
            VaultError: it is nowhere, another one was given, two given ones differ, or a place cannot be read.
        """
        if given := self._given(fingerprint):
            if given.key.fingerprint != fingerprint:
                raise self._another(given, fingerprint)
            return given
        for place in (self.folder, self.keychain):
            if key := place.find(fingerprint):
                return Found(key, place)
        raise VaultError(
            f"The master key of the saved secrets ({fingerprint[:8]}…) is missing. Nothing was deleted.",
            remedy=f"Restore {self.folder.file(fingerprint)}, or give the key as {VARIABLE} or vault.key_file; "
            "if it is lost, `modelshelf secrets delete` them and save them anew.",
            missing=True,
        )

    def check(self, fingerprint: str | None) -> None:
        """As `find`, without asking the keychain; without a fingerprint only what was given is looked at.

        Raises:
            VaultError: as `find`.
        """
        if fingerprint is None:
            self._given(None)
        elif self._given(fingerprint) or self.folder.find(fingerprint) or not self.keychain.usable:
            self.find(fingerprint)

    def first(self) -> Found:
        """The key for a home that has none yet: the one that was given, or a new one, kept where it is found again.

        Raises:
            VaultError: the given ones differ, or the new one cannot be kept.
        """
        if given := self._given(None):
            return given
        place: Place = self._key_file() or (self.keychain if self.keychain.usable else self.folder)
        return Found(place.add(MasterKey.new()), place, made=True)

    def _given(self, fingerprint: str | None) -> Found | None:
        file = self._key_file()
        places = [*given_places(self._config.environ), *([file] if file else [])]
        found = [Found(key, place) for place in places if (key := place.find(fingerprint))]
        for other in found[1:]:
            if other.key.fingerprint != found[0].key.fingerprint:
                raise VaultError(
                    f"{found[0].place.where} and {other.place.where} hold two different master keys.",
                    remedy="Leave only the one with which the secrets were saved.",
                )
        return found[0] if found else None

    def _another(self, given: Found, fingerprint: str) -> VaultError:
        kept = self.folder.find(fingerprint)
        right = f" That one is in {self.folder.file(fingerprint)}." if kept else ""
        return VaultError(
            f"The master key in {given.place.where} is not the one with which the secrets were saved "
            f"({fingerprint[:8]}…).{right}",
            remedy="Take the other key away, or give the right one. To change the master key, "
            "use `modelshelf secrets rotate --master`.",
            missing=True,
        )

    def _key_file(self) -> KeyFile | None:
        chosen = self._config.config.vault.key_file
        if not chosen:
            return None
        path = Path(chosen)
        if chosen.startswith("~/"):
            path = Path(self._config.environ.get("HOME", "~")) / chosen[2:]
        return KeyFile(path.expanduser().absolute())
