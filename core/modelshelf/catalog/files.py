"""What file names tell: the format, the quantisation, and which files are one model in several parts."""

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

FORMATS = {
    ".gguf": "gguf",
    ".safetensors": "safetensors",
    ".bin": "pytorch",
    ".pt": "pytorch",
    ".pth": "pytorch",
    ".ckpt": "pytorch",
    ".onnx": "onnx",
    ".keras": "keras",
    ".h5": "keras",
}
PREFERRED_FORMATS = ("gguf", "safetensors", "pytorch", "onnx", "keras")
PREFERRED_QUANTISATIONS = ("Q4_K_M", "Q5_K_M", "Q4_K_S", "IQ4_XS", "Q4_0", "Q6_K", "Q8_0")

_QUANTISATION = re.compile(
    r"(?:^|[-_.])((?:I?Q[1-8](?:_[0-9A-Z]+)*)|TQ[12]_0|MXFP4(?:_MOE)?|NVFP4|BF16|F16|FP16|F32|FP32)(?=[-_.]|$)",
    re.IGNORECASE,
)
_SHARD = re.compile(r"-(?P<number>\d{5})-of-(?P<count>\d{5})$")
_PROJECTOR = re.compile(r"(?:^|[-_./])mmproj(?=[-_.])", re.IGNORECASE)
_AUXILIARY = re.compile(r"(?:^|[-_./])(?:mmproj|imatrix)(?=[-_.])", re.IGNORECASE)


def format_of(path: str) -> str | None:
    """The model format that a file name stands for: gguf, safetensors, pytorch, onnx, keras."""
    return FORMATS.get(PurePosixPath(path).suffix.lower())


def formats_of(paths: Iterable[str]) -> tuple[str, ...]:
    """The formats among these files, the preferred first."""
    found = {format_of(path) for path in paths}
    return tuple(name for name in PREFERRED_FORMATS if name in found)


def quantisation_of(path: str) -> str | None:
    """The quantisation in a GGUF file's name, upper case, for example Q4_K_M; the last one if there are several."""
    stem = _SHARD.sub("", PurePosixPath(path).name.removesuffix(".gguf"))
    found = _QUANTISATION.findall(stem) or _QUANTISATION.findall(PurePosixPath(path).parent.name)
    return {"FP16": "F16", "FP32": "F32"}.get(name := found[-1].upper(), name) if found else None


def quantisations_of(paths: Iterable[str]) -> tuple[str, ...]:
    """The quantisations of the GGUF files among these, sorted."""
    return tuple(sorted({name for path in paths if is_weights(path, "gguf") if (name := quantisation_of(path))}))


def is_weights(path: str, format_: str) -> bool:
    """Whether the file holds weights in that format; projectors and importance matrices are not meant."""
    return format_of(path) == format_ and not _AUXILIARY.search(path)


def is_projector(path: str) -> bool:
    """Whether the file turns pictures into what a model beside it reads."""
    return bool(_PROJECTOR.search(path))


def variants(paths: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """The GGUF models among these files, each as its parts in order; only the first part of a set is ever loaded."""
    groups: dict[str, list[str]] = {}
    for path in sorted(paths):
        if is_weights(path, "gguf"):
            groups.setdefault(_SHARD.sub("", path.removesuffix(path[-5:])), []).append(path)
    return tuple(tuple(group) for _, group in sorted(groups.items()))


def without_part(stem: str) -> str:
    """The name of a model in several parts from the name of one of them, both without their ending."""
    return _SHARD.sub("", stem)


def is_whole(parts: Sequence[str]) -> bool:
    """Whether no part of a set is missing."""
    match = _SHARD.search(parts[0][:-5])
    return len(parts) == int(match["count"]) if match else len(parts) == 1


def default_variant(paths: Iterable[str]) -> tuple[str, ...]:
    """The GGUF model that most people want: a balanced quantisation if there is one, else the first by name."""
    found = variants(paths)

    def rank(parts: tuple[str, ...]) -> int:
        name = quantisation_of(parts[0]) or ""
        return PREFERRED_QUANTISATIONS.index(name) if name in PREFERRED_QUANTISATIONS else len(PREFERRED_QUANTISATIONS)

    return min(found, key=rank, default=())
