"""Whether an installed model is whole: every part that its index or its split names, and headers that fit the bytes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from modelshelf.errors import ModelshelfError
from modelshelf.metadata import gguf, safetensors
from modelshelf.metadata.source import FileSource

if TYPE_CHECKING:
    from modelshelf.library.types import InstalledFile, InstalledModel

MAX_INDEX = 64 << 20


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a file: status is incomplete (a part of it is missing) | broken (its bytes contradict it)."""

    path: str
    status: str
    detail: str


def flaws(model: "InstalledModel") -> Iterator[Flaw]:
    """What is wrong with a model. For threads."""
    present = {file.path for file in model.files}
    for file in model.files:
        if file.path.endswith(".index.json"):
            yield from _index(file, present)
        elif file.path.endswith((".gguf", ".safetensors")):
            yield from _header(file, model)


def _index(file: "InstalledFile", present: set[str]) -> Iterator[Flaw]:
    folder = PurePosixPath(file.path).parent
    try:
        weights = json.loads(file.file.read_bytes()[:MAX_INDEX])["weight_map"]
        named = {str(folder / str(name)) for name in weights.values()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        yield Flaw(file.path, "broken", f"The index cannot be read: {type(error).__name__}.")
        return
    if missing := sorted(named - present):
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        yield Flaw(file.path, "incomplete", f"{missing[0]}{more} is not there.")


def _header(file: "InstalledFile", model: "InstalledModel") -> Iterator[Flaw]:
    try:
        with FileSource(file.file) as source:
            if file.path.endswith(".gguf"):
                yield from _split(file, gguf.check(source), model)
            else:
                safetensors.read_header(source)
    except ModelshelfError as error:
        yield Flaw(file.path, "broken", error.message)


def _split(file: "InstalledFile", header: gguf.GgufHeader, model: "InstalledModel") -> Iterator[Flaw]:
    number, count = header.metadata.get("split.no"), header.metadata.get("split.count")
    if not isinstance(count, int) or count < 2 or number != 0:
        return
    stem = file.path.rpartition("-00001-of-")[0]
    parts = [other.path for other in model.files if stem and other.path.startswith(f"{stem}-")]
    if len(parts) < count:
        yield Flaw(file.path, "incomplete", f"{count - len(parts)} of its {count} parts are not there.")
