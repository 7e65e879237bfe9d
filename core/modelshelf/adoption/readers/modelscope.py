"""ModelScope: `org/name/…`, in which a dot of a name is written as three underscores."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from modelshelf.adoption.around import Around
from modelshelf.adoption.grouping import Walked, by_folders
from modelshelf.adoption.looking import Look
from modelshelf.adoption.types import StoredModel

DOT = "___"
_UNFINISHED = ("._____temp", "temp")


class ModelScopeStore:
    """MODELSCOPE_CACHE, else `modelscope/hub` among the caches; newer versions put `models` below it."""

    name = "modelscope"
    label = "ModelScope"

    def places(self, around: Around) -> Sequence[Path]:
        """One, whichever version wrote it."""
        named = around.path("MODELSCOPE_CACHE")
        base = named or around.home / ".cache" / "modelscope"
        ways = [base / "hub" / "models", base / "models", base / "hub", *([base] if named else [])]
        return [next((place for place in ways if place.is_dir()), ways[0])]

    def read(self, look: Look) -> Iterable[StoredModel]:
        """Each folder of a model."""
        return by_folders(look, self.name, _walked(look))


def _walked(look: Look) -> Iterator[Walked]:
    for path, place, status in look.files(look.root):
        parts = path.split("/")
        if len(parts) >= 3 and parts[0] not in _UNFINISHED:
            yield "/".join([parts[0], parts[1].replace(DOT, "."), *parts[2:]]), place, status
