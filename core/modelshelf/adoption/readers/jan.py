"""Jan: a `model.yml` (before: `model.json`) for each model, which names its file by a path below Jan's data folder."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from modelshelf.adoption.around import Around
from modelshelf.adoption.grouping import model_of
from modelshelf.adoption.looking import Look, settings_of
from modelshelf.adoption.types import StoredModel
from modelshelf.catalog.files import format_of
from modelshelf.catalog.sources.cards import is_path, is_repo
from modelshelf.catalog.sources.folder import LOOSE, plain_name
from modelshelf.catalog.sources.said import listing, mapping

NOTE, OLD_NOTE = "model.yml", "model.json"
_MODELS = ("llamacpp/models", "cortex.cpp/models", "models")


class JanStore:
    """JAN_DATA_FOLDER, the folder that Jan's settings name, its default, and `jan` of the home as it was before."""

    name = "jan"
    label = "Jan"

    def places(self, around: Around) -> Sequence[Path]:
        """Data folders; models lie below them."""
        if named := around.path("JAN_DATA_FOLDER"):
            return [named]
        told = mapping(settings_of(around.settings / "Jan" / "settings.json")).get("data_folder")
        roaming = around.settings if around.system == "win32" else around.data
        return [around.at(told) or roaming / "Jan" / "data", around.home / "jan"]

    def read(self, look: Look) -> Iterable[StoredModel]:
        """Every model with a note."""
        for below in _MODELS:
            folder = look.root / below
            if folder.is_dir():
                for path, place, _ in look.files(folder):
                    if place.name in (NOTE, OLD_NOTE) and (raw := look.read(place)):
                        yield from self._model(look, place, path.removeprefix(f"{below}/"), raw)

    def _model(self, look: Look, note: Path, path: str, raw: bytes) -> Iterable[StoredModel]:
        said = flat(raw) if note.name == NOTE else {}
        named = [said[key] for key in ("model_path", "mmproj_path") if said.get(key)] or _old(raw)
        if not named:
            look.notes.add(note, "names no file")
            return
        name = str(PurePosixPath(path).parent)
        repo = name if is_repo(name) else f"{LOOSE}/{plain_name(PurePosixPath(name).name)}"
        places = {}
        for text in named:
            place = self._place(look, note, text)
            if place is not None and format_of(place.name):
                places[place.name] = place
        yield from model_of(look, self.name, name, repo, places)

    def _place(self, look: Look, note: Path, text: str) -> Path | None:
        """The file that a note names: below the data folder, beside the note, or by a whole path that is inside."""
        path = Path(text)
        if not path.is_absolute() and not is_path(text.replace("\\", "/")):
            look.notes.add(note, "names a file outside of its store")
            return None
        text = text.replace("\\", "/")
        choices = [path] if path.is_absolute() else [look.root / text, note.parent / text]
        place = next((choice for choice in choices if _exists(choice)), None)
        if place is None:
            look.notes.add(note, "names a file that is not there")
        elif not Path(os.path.normpath(place)).is_relative_to(look.root):
            look.notes.add(note, "names a file outside of its store")
            return None
        return place


def flat(raw: bytes) -> Mapping[str, str]:
    """The plain `key: text` lines at the first level of a YAML file, which is all that such a note has."""
    found: dict[str, str] = {}
    for line in raw.decode("utf-8", "replace").splitlines():
        key, colon, text = line.partition(":")
        text = text.strip()
        if colon and key and key == key.strip() and not key.startswith(("#", "-")):
            quoted = len(text) >= 2 and text[0] == text[-1] and text[0] in "'\""
            found.setdefault(key, text[1:-1] if quoted else text)
    return found


def _old(raw: bytes) -> Sequence[str]:
    """The files that a note of an older version names: of addresses the last part."""
    try:
        said = mapping(json.loads(raw))
    except (ValueError, RecursionError):
        return ()
    sources = [mapping(row) for row in listing(said.get("sources"))]
    names = [row.get("filename") or str(row.get("url") or "").rpartition("/")[2] for row in sources]
    return [name for name in names if isinstance(name, str) and name]


def _exists(place: Path) -> bool:
    try:
        return place.exists()
    except (OSError, ValueError):
        return False
