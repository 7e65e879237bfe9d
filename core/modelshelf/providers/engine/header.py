"""What the first bytes of a model's file tell about how it is served."""

from functools import lru_cache
from pathlib import Path

from modelshelf.errors import FormatError
from modelshelf.metadata import gguf_facts
from modelshelf.metadata.gguf import read_header
from modelshelf.metadata.source import ShortError, WindowSource

WINDOW = 64 << 10  # an architecture's keys come before its vocabulary
KEPT = 2048
_VECTORS = frozenset({1, 2, 3})  # the mean, the first or the last token's; 4 ranks, 0 pools nothing


def makes_vectors(file: Path) -> bool:
    """Whether the file is a model made for embeddings: its header tells how a text's vectors become one. Blocking."""
    try:
        found = file.stat()
    except OSError:
        return False
    return _pooling(file, found.st_size, found.st_mtime_ns) in _VECTORS


@lru_cache(KEPT)
def _pooling(file: Path, size: int, _modified: int) -> object:
    try:
        with file.open("rb") as handle:
            header = read_header(WindowSource(handle.read(WINDOW), size, file.name), partial=True)
        return gguf_facts.facts([header], size=size).keys.get("pooling_type")
    except (OSError, FormatError, ShortError):
        return None
