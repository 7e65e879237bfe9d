"""What a GGUF header says beside the measures: what the file is for, what it comes from, and what it can do."""

import math
import re
from collections.abc import Mapping, Sequence

from modelshelf.errors import FormatError
from modelshelf.metadata import abilities
from modelshelf.metadata.facts import TensorInfo
from modelshelf.metadata.gguf import GgufHeader, Value

PROJECTOR_ARCHITECTURE = "clip"
EMBEDDING_ARCHITECTURES = frozenset(
    {
        "bert", "eurobert", "gemma-embedding", "jina-bert-v2", "jina-bert-v3", "llama-embed", "modern-bert", "neo-bert",
        "nomic-bert", "nomic-bert-moe", "t5encoder",
    }
)  # fmt: skip
POOLS, RANKS = frozenset({1, 2, 3}), 4  # the mean, the first or the last token's; a single mark
TEMPLATE = "tokenizer.chat_template"
MOST_TEXT = 500

# What publishers advise, by the names that engines use everywhere else.
_SAMPLING: Mapping[str, str] = {
    "temp": "temperature",
    "top_k": "top_k",
    "top_p": "top_p",
    "min_p": "min_p",
    "xtc_probability": "xtc_probability",
    "xtc_threshold": "xtc_threshold",
    "penalty_last_n": "repeat_last_n",
    "penalty_repeat": "repetition_penalty",
    "mirostat": "mirostat",
    "mirostat_tau": "mirostat_tau",
    "mirostat_eta": "mirostat_eta",
}
_HUB = re.compile(r"^https?://(?:www\.)?(?:huggingface\.co|hf\.co)/([\w.-]+/[\w.-]+)/?$")


def role(header: GgufHeader, name: str) -> str:
    """model, projector or adapter, by what the header says.

    Raises:
        FormatError: it is none of them, but measurements for quantising.
    """
    kind = header.metadata.get("general.type")
    if kind == "imatrix" or header.metadata.get("general.architecture") == "imatrix":
        raise FormatError(f"{name}: “general.type” says imatrix: it is no model.", field="general.type")
    if kind == "adapter" or "adapter.type" in header.metadata:
        return "adapter"
    projects = kind in {"mmproj", "projector"}
    return "projector" if projects or header.metadata.get("general.architecture") == PROJECTOR_ARCHITECTURE else "model"


def base(metadata: Mapping[str, Value]) -> str | None:
    """The first of the models that it was made of: `org/name` where the header has the address, else its name."""
    for key in ("general.base_model.0.repo_url", "general.base_model.0.url"):
        address = metadata.get(key)
        if isinstance(address, str) and (match := _HUB.match(address[:MOST_TEXT])):
            return match[1]
    return text(metadata, "general.base_model.0.name")


def text(metadata: Mapping[str, Value], key: str) -> str | None:
    """A short text; None for what is none."""
    value = metadata.get(key)
    return value if isinstance(value, str) and 0 < len(value) <= MOST_TEXT else None


def generation(metadata: Mapping[str, Value]) -> Mapping[str, float | int | bool]:
    """What the publisher advises for sampling."""
    found: dict[str, float | int | bool] = {}
    for key, name in _SAMPLING.items():
        value = metadata.get(f"general.sampling.{key}")
        if isinstance(value, int | float) and math.isfinite(value):
            # Stored in 32 bits: 0.95 comes back as 0.949999988.
            found[name] = round(value, 6) if isinstance(value, float) else value
    return found


def templates(metadata: Mapping[str, Value]) -> Sequence[str]:
    """Every chat template, the one that is used by default first."""
    found = {key: value for key, value in metadata.items() if key == TEMPLATE or key.startswith(f"{TEMPLATE}.")}
    return [value for _, value in sorted(found.items()) if isinstance(value, str)]


def can(header: GgufHeader, role_: str, pooling: object, tensors: Sequence[TensorInfo]) -> frozenset[str]:
    """What the file can do; a projector, what it adds to its model."""
    if role_ == "projector":
        return _projects(header.metadata, tensors)
    if role_ == "adapter":
        return frozenset()
    found = abilities.of_templates(templates(header.metadata))
    if pooling == RANKS:
        return abilities.without_chat(found, abilities.RERANK)
    embeds = header.metadata.get("general.architecture") in EMBEDDING_ARCHITECTURES
    if embeds or (isinstance(pooling, int) and pooling in POOLS):
        return abilities.without_chat(found, abilities.EMBED)
    return found


def _projects(metadata: Mapping[str, Value], tensors: Sequence[TensorInfo]) -> frozenset[str]:
    said = {
        abilities.VISION: metadata.get("clip.has_vision_encoder"),
        abilities.AUDIO: metadata.get("clip.has_audio_encoder"),
    }
    found = {ability for ability, value in said.items() if value is True}
    if not found and any(key.startswith("clip.vision.") for key in metadata):
        found.add(abilities.VISION)  # written before there were any that hear
    if not found and any(tensor.name.startswith("v.") for tensor in tensors):
        found.add(abilities.VISION)
    return frozenset(found)
