"""Folders that a person added: whichever way they are laid out."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from modelshelf.adoption.around import Around
from modelshelf.adoption.grouping import by_folders
from modelshelf.adoption.looking import Look
from modelshelf.adoption.readers.hub import in_cache
from modelshelf.adoption.readers.ollama import OllamaStore
from modelshelf.adoption.types import StoredModel
from modelshelf.library.cache import repositories


class FolderStore:
    """Each of `adoption.folders`."""

    name = "folder"
    label = "Folder"

    def places(self, around: Around) -> Sequence[Path]:
        """Those that are written as whole paths."""
        return [place for text in around.folders if (place := around.at(text))]

    def read(self, look: Look) -> Iterable[StoredModel]:
        """A cache of the Hub, a store of Ollama, `org/name/…`, loose files, or folders that are one model."""
        if repositories(look.root):
            return in_cache(look, self.name, look.root)
        if (look.root / "manifests").is_dir() and (look.root / "blobs").is_dir():
            return _as_own(OllamaStore().read(look))
        return by_folders(look, self.name, look.files(look.root))


def _as_own(models: Iterable[StoredModel]) -> Iterable[StoredModel]:
    for one in models:
        yield replace(one, id=f"folder:{one.name}", store="folder")
