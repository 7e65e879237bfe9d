"""LM Studio: `publisher/model/file` below a folder that its settings may name."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from modelshelf.adoption.around import Around
from modelshelf.adoption.grouping import by_folders
from modelshelf.adoption.looking import Look, settings_of
from modelshelf.adoption.types import StoredModel
from modelshelf.catalog.sources.said import mapping

POINTER_LIMIT = 4096


class LmStudioStore:
    """`.lmstudio/models` of the home, or what its pointer and its settings name; `.cache/lm-studio` of older ones."""

    name = "lmstudio"
    label = "LM Studio"

    def places(self, around: Around) -> Sequence[Path]:
        """The folders of models, the newest way first."""
        bases = [around.home / ".lmstudio", around.home / ".cache" / "lm-studio"]
        if pointed := around.at(_pointer(around.home / ".lmstudio-home-pointer")):
            bases.insert(0, pointed)
        named = [around.at(mapping(settings_of(base / "settings.json")).get("downloadsFolder")) for base in bases]
        return [place or base / "models" for place, base in zip(named, bases, strict=True)]

    def read(self, look: Look) -> Iterable[StoredModel]:
        """Each folder of a model."""
        return by_folders(look, self.name, look.files(look.root))


def _pointer(file: Path) -> str:
    try:
        with file.open("rb") as handle:
            return handle.read(POINTER_LIMIT).decode().strip()
    except (OSError, ValueError):
        return ""
