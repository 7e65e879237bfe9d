"""llama.cpp: files beside notes that say where they are from; of late it keeps them in the Hub's cache instead."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from modelshelf.adoption.around import Around
from modelshelf.adoption.grouping import by_folders, stored
from modelshelf.adoption.looking import Look
from modelshelf.adoption.types import StoredModel
from modelshelf.imports.find import survey
from modelshelf.imports.types import FoundModel


class LlamaCppStore:
    """LLAMA_CACHE, else `llama.cpp` among the caches."""

    name = "llamacpp"
    label = "llama.cpp"

    def places(self, around: Around) -> Sequence[Path]:
        """One."""
        return [around.path("LLAMA_CACHE") or around.caches / "llama.cpp"]

    def read(self, look: Look) -> Iterable[StoredModel]:
        """What its notes name, and GGUF files without a note."""
        names = [entry.name for entry in look.entries(look.root)]
        if not any(name.startswith("manifest=") or name.endswith(".gguf.json") for name in names):
            yield from by_folders(look, self.name, look.files(look.root))
            return
        for found in recognised(look, look.root):
            yield from stored(look, self.name, found)


def recognised(look: Look, folder: Path) -> Iterable[FoundModel]:
    """What an import would find in a folder; what is wrong there is noted."""
    try:
        models, broken = survey(folder)
    except (OSError, RuntimeError, ValueError) as error:
        look.notes.add(folder, f"cannot be read: {(getattr(error, 'strerror', None) or 'it leads nowhere').lower()}")
        return ()
    for sentence in broken:
        look.notes.add(folder, f"holds a model that is not whole: {sentence.rstrip('.')}")
    return models
