"""Where this machine's programs keep things, by the environment and nothing else."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Around:
    """What a reader may ask: the environment, the folders that a person named, and the library's own cache."""

    environ: Mapping[str, str]
    folders: tuple[str, ...]
    cache: Path
    system: str = sys.platform

    @property
    def home(self) -> Path:
        """The person's home."""
        return Path(self.environ.get("HOME") or self.environ.get("USERPROFILE") or "~").expanduser()

    @property
    def data(self) -> Path:
        """Where programs keep their data."""
        if self.system == "darwin":
            return self.home / "Library" / "Application Support"
        return self._of("XDG_DATA_HOME", "LOCALAPPDATA", ".local/share")

    @property
    def settings(self) -> Path:
        """Where programs keep their settings."""
        if self.system == "darwin":
            return self.home / "Library" / "Application Support"
        return self._of("XDG_CONFIG_HOME", "APPDATA", ".config")

    @property
    def caches(self) -> Path:
        """Where programs keep what they can fetch again."""
        if self.system == "darwin":
            return self.home / "Library" / "Caches"
        return self._of("XDG_CACHE_HOME", "LOCALAPPDATA", ".cache")

    def path(self, variable: str) -> Path | None:
        """The path that a variable names, None if it names none."""
        return self.at(self.environ.get(variable))

    def at(self, text: object) -> Path | None:
        """A path as a person or a program wrote it; None for what is none."""
        if not isinstance(text, str) or not text.strip() or "\0" in text:
            return None
        text = text.strip()
        place = self.home / text[2:] if text.startswith("~/") else Path(text)
        return place if place.is_absolute() else None

    def _of(self, variable: str, windows: str, below: str) -> Path:
        return self.path(windows if self.system == "win32" else variable) or self.home / below
