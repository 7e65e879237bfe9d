"""What a snapshot is, from its names and, where these do not tell, from the headers of its files."""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from modelshelf.catalog.files import format_of, formats_of, is_weights, quantisation_of, variants
from modelshelf.errors import FormatError, NotFound
from modelshelf.library.cache import CachedFile, CachedSnapshot
from modelshelf.metadata import local

INDEX_BYTES = 32 * 2**20
_CONFIGS = frozenset({"config.json", "model_index.json", "adapter_config.json", "params.json"})
_PART = re.compile(r"-(\d{5})-of-(\d{5})(?=\.[a-z]+$)")


@dataclass(frozen=True, slots=True)
class Traits:
    """Format and quantisation; `complete` says whether every file that the format needs is there."""

    format: str | None
    quantisation: str | None
    complete: bool


def describe(snapshot: CachedSnapshot) -> Traits:
    """Read what must be read, at most the headers."""
    files = {file.path: file for file in snapshot.files}
    format_ = next(iter(formats_of(path for path in files if not is_auxiliary(path))), None)
    if format_ is None:
        return Traits(None, None, complete=False)
    complete = not snapshot.broken and not _lacks_parts(files) and not _lacks_indexed(files, format_)
    if format_ != "gguf":
        complete = complete and not _CONFIGS.isdisjoint(files)
    return Traits(format_, _quantisation(files, format_), complete)


def is_auxiliary(path: str) -> bool:
    """Whether a file has a model's format without being one: a projector, an importance matrix."""
    kind = format_of(path)
    return kind is not None and not is_weights(path, kind)


def _lacks_parts(paths: Iterable[str]) -> bool:
    there: dict[tuple[str, int], set[int]] = {}
    for path in paths:
        if match := _PART.search(path):
            there.setdefault((_PART.sub("", path), int(match[2])), set()).add(int(match[1]))
    return any(len(numbers) < count for (_, count), numbers in there.items())


def _lacks_indexed(files: Mapping[str, CachedFile], format_: str) -> bool:
    names = {"safetensors": "model.safetensors.index.json", "pytorch": "pytorch_model.bin.index.json"}
    index = files.get(names.get(format_, ""))
    if index is None:
        return False
    wanted = _mapping(_mapping(_json(index)).get("weight_map")).values()
    return not wanted or any(name not in files for name in wanted)


def _quantisation(files: Mapping[str, CachedFile], format_: str) -> str | None:
    if format_ == "gguf":
        firsts = [parts[0] for parts in variants(files)]
        return _joined(quantisation_of(path) or _from_header(files[path]) for path in firsts)
    config = _mapping(_json(files["config.json"])) if "config.json" in files else {}
    method = _mapping(config.get("quantization_config")).get("quant_method")
    if isinstance(method, str) and method.isprintable():
        return method.upper()[:20]
    weights = sorted(path for path in files if is_weights(path, format_))
    return _from_header(files[weights[0]]) if format_ == "safetensors" and weights else None


def _from_header(file: CachedFile) -> str | None:
    try:
        return local.read(file.file).quantisation
    except (FormatError, NotFound, OSError):
        return None


def _joined(names: Iterable[str | None]) -> str | None:
    found: Collection[str] = dict.fromkeys(name for name in names if name)
    return ", ".join(found) or None


def _json(file: CachedFile) -> Any:
    try:
        return json.loads(file.file.read_bytes()) if file.size <= INDEX_BYTES else None
    except (OSError, ValueError, RecursionError):
        return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
