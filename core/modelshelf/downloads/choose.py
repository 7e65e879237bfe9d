"""Which files of a repository a download takes."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from modelshelf.catalog.files import default_variant, format_of, is_weights, quantisation_of, variants
from modelshelf.errors import FileNotInRepository

_COMPANIONS = (".json", ".model", ".jinja", ".tiktoken")
_TEXTS = ("vocab.txt", "merges.txt", "spiece.model", "sentencepiece.bpe.model")
_WEIGHTS = ("safetensors", "pytorch", "onnx", "keras")


def choose(paths: Sequence[str], wanted: Sequence[str] = ()) -> tuple[str, ...]:
    """The files named by `wanted` (paths, patterns, quantisations), or those that the preferred format needs.

    All parts of a model in several files come together.

    Raises:
        FileNotInRepository: something wanted matches no file, or the repository is empty.
    """
    if not paths:
        raise FileNotInRepository("The repository holds no files.", remedy="Choose another repository.")
    if not wanted:
        return tuple(sorted(_by_format(paths)))
    chosen: set[str] = set()
    for pattern in wanted:
        found = _matching(paths, pattern)
        if not found:
            raise FileNotInRepository(f"No file of the repository matches “{pattern}”.")
        chosen |= found
    for parts in variants(paths):
        if chosen.intersection(parts):
            chosen |= set(parts)
    return tuple(sorted(chosen))


def _matching(paths: Sequence[str], pattern: str) -> set[str]:
    if pattern in paths:
        return {pattern}
    if any(character in pattern for character in "*?["):
        return {path for path in paths if fnmatchcase(path, pattern)}
    names = {path for path in paths if PurePosixPath(path).name == pattern}
    below = {path for path in paths if path.startswith(pattern.rstrip("/") + "/")}
    return names or below or {p for p in paths if format_of(p) == "gguf" and quantisation_of(p) == pattern.upper()}


def _by_format(paths: Sequence[str]) -> set[str]:
    """GGUF: one quantisation, alone. Others: the weights and the small files that loading them needs."""
    if gguf := default_variant(paths):
        return set(gguf)
    for format_ in _WEIGHTS:
        if weights := {path for path in paths if is_weights(path, format_) and "/" not in path}:
            return weights | {path for path in paths if _is_companion(path, format_)}
    found = {path for path in paths if format_of(path)} or set(paths)
    return found | {path for path in paths if _is_companion(path, "")}


def _is_companion(path: str, format_: str) -> bool:
    if "/" in path or path.startswith("."):
        return False
    if path.endswith(".index.json"):
        return format_ == "safetensors" if ".safetensors." in path else format_ == "pytorch"
    return path in _TEXTS or (PurePosixPath(path).suffix in _COMPANIONS and format_of(path) is None)
