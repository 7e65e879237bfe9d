"""Facts of models on this machine: one file, the parts of a split one, or a folder with a configuration."""

import re
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from modelshelf.errors import FormatError, NotFound
from modelshelf.metadata import gguf, gguf_facts, safetensors, transformers_facts
from modelshelf.metadata.facts import ModelFacts
from modelshelf.metadata.source import FileSource

_SHARD = re.compile(r"-(\d{5})-of-(\d{5})(\.gguf|\.safetensors)$")
MAX_PARTS = 1000


def read(path: Path | str) -> ModelFacts:
    """What the file or folder is, read from its headers alone.

    Raises:
        NotFound: there is nothing, or nothing that holds weights.
        FormatError: a header is broken; the message names the field.
    """
    path = Path(path)
    if path.is_dir():
        return _folder(path)
    with FileSource(path) as source:
        magic = source.read(0, 4)
    if magic == b"GGUF":
        return _gguf(parts(path))
    return _safetensors(parts(path), path.parent)


def parts(path: Path) -> tuple[Path, ...]:
    """Every part of a split model, in order; the path alone if it is no part.

    Raises:
        NotFound: a part is missing.
    """
    match = _SHARD.search(path.name)
    if match is None:
        return (path,)
    count, stem = int(match[2]), path.name[: match.start()]
    if not 1 <= count <= MAX_PARTS:
        return (path,)
    found = tuple(path.with_name(f"{stem}-{number:05}-of-{match[2]}{match[3]}") for number in range(1, count + 1))
    for part in found:
        if not part.is_file():
            raise NotFound(f"{part.name} is missing beside {path.name}.", remedy="Download the missing part.")
    return found


def _folder(folder: Path) -> ModelFacts:
    tensors = tuple(sorted(folder.glob("*.safetensors")))
    if tensors:
        return _safetensors(tensors, folder)
    files = sorted(folder.glob("*.gguf"))
    if not files:
        raise NotFound(f"{folder} holds no GGUF or safetensors file.", remedy="Name the model's own folder or file.")
    return _gguf(parts(files[0]))


def _gguf(paths: Sequence[Path]) -> ModelFacts:
    headers = []
    for path in paths:
        with FileSource(path) as source:
            headers.append(gguf.read_header(source))
    return gguf_facts.facts(headers)


def _safetensors(paths: Sequence[Path], folder: Path) -> ModelFacts:
    headers = []
    for path in paths:
        with FileSource(path) as source:
            headers.append(safetensors.read_header(source))
    config = folder / "config.json"
    try:
        with config.open("rb") as handle:
            data = handle.read(transformers_facts.MAX_CONFIG + 1)
    except FileNotFoundError:
        data = b"{}"
    except OSError as error:
        raise FormatError(f"{config} cannot be read: {error.strerror}.") from error
    tensors = tuple(chain.from_iterable(header.tensors for header in headers))
    return transformers_facts.facts(
        transformers_facts.read_config(data), tensors, size=sum(header.size for header in headers)
    )
