"""GPT4All: loose GGUF files in one folder, which its settings may name."""

import configparser
from collections.abc import Iterable, Sequence
from pathlib import Path

from modelshelf.adoption.around import Around
from modelshelf.adoption.grouping import by_folders
from modelshelf.adoption.looking import NOTE_LIMIT, Look
from modelshelf.adoption.types import StoredModel

UNFINISHED = "incomplete-"


class Gpt4AllStore:
    """`nomic.ai/GPT4All` of the data folder, or what its settings name; and the cache of its Python package."""

    name = "gpt4all"
    label = "GPT4All"

    def places(self, around: Around) -> Sequence[Path]:
        """Two."""
        named = around.at(_named(around.settings / "nomic.ai" / "GPT4All.ini"))
        return [named or around.data / "nomic.ai" / "GPT4All", around.home / ".cache" / "gpt4all"]

    def read(self, look: Look) -> Iterable[StoredModel]:
        """Each file that is whole."""
        walked = (item for item in look.files(look.root) if not item[1].name.startswith(UNFINISHED))
        return by_folders(look, self.name, walked)


def _named(file: Path) -> str:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        with file.open("rb") as handle:
            parser.read_string(handle.read(NOTE_LIMIT).decode("utf-8", "replace"))
    except (OSError, ValueError, configparser.Error):
        return ""
    return parser.get("General", "modelPath", fallback="")
