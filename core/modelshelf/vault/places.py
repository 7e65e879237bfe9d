"""Where a master key may be: given to us, or kept by us."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from modelshelf.errors import VaultError
from modelshelf.vault.files import make_private, read_private, write_private
from modelshelf.vault.sealing import MasterKey

VARIABLE = "MODELSHELF_MASTER_KEY"
CREDENTIAL = "modelshelf-master-key"


class Place(Protocol):
    """A place for master keys. `source` is its kind; `ours` tells whether we keep the key there ourselves."""

    source: str
    ours: bool

    @property
    def where(self) -> str:
        """The place in words."""
        ...

    def find(self, fingerprint: str | None) -> MasterKey | None:
        """The key of that fingerprint; a place that was given holds one key, whatever is asked for.

        Raises:
            VaultError: what is there cannot be read, is no key, or others can read it too.
        """
        ...

    def add(self, key: MasterKey, beside: MasterKey | None = None) -> MasterKey:
        """Keep a key beside the one in use, safe from a loss of power.

        Without one in use, what is there already is not replaced: the answer is the key that is kept.

        Raises:
            VaultError: it cannot be kept there.
        """
        ...

    def remove(self, key: MasterKey) -> None:
        """Keep it no longer."""
        ...


class Given:
    """A key that somebody else keeps for us: an environment variable, or a credential of systemd."""

    ours = False

    def __init__(self, source: str, where: str, text: str) -> None:
        self.source = source
        self.where = where
        self._text = text

    def find(self, fingerprint: str | None) -> MasterKey | None:
        """The key."""
        return parsed(self._text, self.where)

    def add(self, key: MasterKey, beside: MasterKey | None = None) -> MasterKey:
        """Not ours to change."""
        raise VaultError(
            f"The master key comes from {self.where}, where Modelshelf cannot write.",
            remedy="Make a new key yourself, run `modelshelf secrets rotate --master --key-stdin`, and put it there.",
        )

    def remove(self, key: MasterKey) -> None:
        """Left to who keeps it."""


def given_places(environ: Mapping[str, str]) -> Sequence[Place]:
    """What the environment gives."""
    places: list[Place] = []
    if variable := environ.get(VARIABLE, "").strip():
        places.append(Given("environment", VARIABLE, variable))
    if folder := environ.get("CREDENTIALS_DIRECTORY"):
        file = Path(folder, CREDENTIAL)
        # Who may read it is the business of systemd, which gives it to the service's user alone.
        if (text := read_private(file, shared=True)) is not None:
            places.append(Given("credential", f"the credential {file}", text))
    return places


class KeyFile:
    """A file that the settings name. While the key is being changed it holds two, the newer first."""

    source = "key file"
    ours = True

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def where(self) -> str:
        """The file."""
        return str(self.path)

    def find(self, fingerprint: str | None) -> MasterKey | None:
        """The key asked for, or the first there is."""
        keys = self._keys()
        return next((key for key in keys if key.fingerprint == fingerprint), keys[0] if keys else None)

    def add(self, key: MasterKey, beside: MasterKey | None = None) -> MasterKey:
        """Put the key before the one in use; make the file if there is none."""
        if beside is not None:
            write_private(self.path, f"{key.text()}\n{beside.text()}\n")
        elif not write_private(self.path, f"{key.text()}\n", only_new=True):
            return self.find(None) or key
        return key

    def remove(self, key: MasterKey) -> None:
        """Leave the others."""
        left = [item for item in self._keys() if item.fingerprint != key.fingerprint]
        write_private(self.path, "".join(f"{item.text()}\n" for item in left))

    def _keys(self) -> list[MasterKey]:
        text = read_private(self.path)
        return [parsed(line, self.where) for line in (text or "").splitlines() if line.strip()]


class KeyFolder:
    """Our own files, one a key, named by its fingerprint: the database says which one it needs, wherever it lies."""

    source = "own file"
    ours = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def where(self) -> str:
        """The folder."""
        return str(self.folder)

    def find(self, fingerprint: str | None) -> MasterKey | None:
        """The key asked for."""
        if fingerprint is None:
            return None
        file = self.file(fingerprint)
        text = read_private(file)
        if text is None:
            return None
        key = parsed(text, str(file))
        if key.fingerprint != fingerprint:
            raise VaultError(f"{file} holds another key than its name says.", remedy="Restore it from a backup.")
        return key

    def add(self, key: MasterKey, beside: MasterKey | None = None) -> MasterKey:
        """Write its file."""
        make_private(self.folder)
        write_private(self.file(key.fingerprint), f"{key.text()}\n")
        return key

    def remove(self, key: MasterKey) -> None:
        """Delete its file."""
        self.file(key.fingerprint).unlink(missing_ok=True)

    def file(self, fingerprint: str) -> Path:
        """Where a key of this fingerprint is."""
        return self.folder / f"{fingerprint[:32]}.key"


def keys_folder(environ: Mapping[str, str]) -> Path:
    """The account's folder for our keys: with its settings, not with the data, so that no copy of these has both."""
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or "~").expanduser()
    if sys.platform == "win32":
        base = Path(environ.get("APPDATA") or home / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        base = home / "Library" / "Preferences"
    else:
        chosen = Path(environ.get("XDG_CONFIG_HOME") or ".")
        base = chosen if chosen.is_absolute() else home / ".config"
    return base / "modelshelf-keys"


def parsed(text: str, where: str) -> MasterKey:
    """The key in a text.

    Raises:
        VaultError: there is none.
    """
    try:
        return MasterKey.parse(text)
    except ValueError as error:
        raise VaultError(
            f"{where} holds no master key: {error}.",
            remedy="A master key is 32 random bytes in Base64, for example from `openssl rand -base64 32`.",
        ) from None
