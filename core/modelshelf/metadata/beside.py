"""The small files beside the weights: how to chat, what is advised, what an adapter goes with, the licence."""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from modelshelf.errors import FormatError
from modelshelf.metadata.json_pieces import load

MAX_CONFIG = 1 << 20
ADAPTER = "adapter_config.json"
CONFIG = "config.json"
_POOLING = "1_Pooling/config.json"
_MORE_TEMPLATES = "additional_chat_templates/"
MOST_TEMPLATES = 8
MOST_TEXT = 500
README = "README.md"
MAX_FRONT = 64 << 10  # of its first bytes, which hold the card's fields

# Each with the most bytes that are read of it. A larger or broken one is an error where the model cannot be told
# without it, which is so for the first two; else it counts as absent.
LIMITS: Mapping[str, int] = {
    CONFIG: MAX_CONFIG,
    ADAPTER: MAX_CONFIG,
    "generation_config.json": 256 << 10,
    "tokenizer_config.json": 3 << 19,
    "chat_template.jinja": 1 << 20,
    "chat_template.json": 1 << 20,
    "modules.json": 64 << 10,
    _POOLING: 64 << 10,
}

_ADVICE = (
    "do_sample", "temperature", "top_k", "top_p", "min_p", "typical_p", "repetition_penalty", "presence_penalty",
    "frequency_penalty", "max_new_tokens",
)  # fmt: skip
_FRONT = re.compile(r"\A---\s*\n(.{0,65536}?)\n---\s*(?:\n|\Z)", re.DOTALL)
_LICENCE = re.compile(r"^license:[ \t]*[\"']?([A-Za-z0-9][\w.+-]{0,79})[\"']?[ \t]*$", re.MULTILINE)
_BASE = re.compile(r"^base_model:[ \t]*(?:\n[ \t]*-[ \t]*)?[\"']?([\w.-]+/[\w.-]+)[\"']?[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands beside the weights. `templates` begin with the default; `embeds` is what a text becomes a vector by.

    adapter: its configuration, None for a whole model. base: the model that an adapter goes with or that it comes from.
    """

    config: Mapping[str, Any] = field(default_factory=dict)
    generation: Mapping[str, float | int | bool] = field(default_factory=dict)
    templates: tuple[str, ...] = ()
    template_origin: str = ""
    embeds: bool = False
    adapter: Mapping[str, Any] | None = None
    licence: str | None = None
    base: str | None = None


NOTHING = Beside()


def wanted(paths: Collection[str], folder: str = "") -> Mapping[str, str]:
    """Which of these files to read for the weights in `folder`: what each is, and its path.

    ONNX files often lie in a folder of their own below the one that describes them.
    """
    places = [folder] if PurePosixPath(folder).name != "onnx" else [folder, str(PurePosixPath(folder).parent)]
    found: dict[str, str] = {}
    for place in places:
        start = "" if place in {"", "."} else f"{place}/"
        more = [path.removeprefix(start) for path in paths if path.startswith(start + _MORE_TEMPLATES)]
        for name in (*LIMITS, *sorted(name for name in more if name.endswith(".jinja"))[:MOST_TEMPLATES]):
            if start + name in paths:
                found.setdefault(name, start + name)
    return found


def limit(name: str) -> int:
    """The most bytes that are read of the file."""
    return MAX_FRONT if name == README else LIMITS.get(name, LIMITS["chat_template.jinja"])


def too_long(name: str, size: int) -> None:
    """Called for a file beyond its limit, which is then left out.

    Raises:
        FormatError: the model cannot be told without it.
    """
    if name in {CONFIG, ADAPTER}:
        raise FormatError(f"{name} has {size:,} bytes, more than {limit(name):,}.", field=name)


def read(files: Mapping[str, bytes]) -> Beside:
    """What the files say, given by their names below the model's folder.

    Raises:
        FormatError: the configuration of a model or of an adapter is none.
    """
    config = read_config(files[CONFIG]) if CONFIG in files else {}
    adapter = read_config(files[ADAPTER], ADAPTER) if ADAPTER in files else None
    templates, origin = _templates(files)
    front = _front(files.get(README, b""))
    named = (adapter.get("base_model_name_or_path") or adapter.get("model")) if adapter else None
    return Beside(
        config=config,
        generation=_generation(_object(files, "generation_config.json")),
        templates=templates,
        template_origin=origin,
        embeds=_embeds(files),
        adapter=adapter,
        licence=_found(_LICENCE, front),
        base=_short(named) or _found(_BASE, front),
    )


def read_config(data: bytes, name: str = CONFIG) -> dict[str, Any]:
    """Parse a configuration of at most a mebibyte.

    Raises:
        FormatError: too long, or no JSON object.
    """
    if len(data) > MAX_CONFIG:
        raise FormatError(f"{name} has {len(data):,} bytes, more than {MAX_CONFIG:,}.", field=name)
    config = load(data, name)
    if not isinstance(config, dict):
        raise FormatError(f"{name} is not a JSON object.", field=name)
    return config


def _object(files: Mapping[str, bytes], name: str) -> Mapping[str, Any]:
    found = _document(files, name)
    return found if isinstance(found, dict) else {}


def _document(files: Mapping[str, bytes], name: str) -> Any:
    try:
        return load(files[name], name) if name in files else None
    except FormatError:
        return None


def _generation(config: Mapping[str, Any]) -> Mapping[str, float | int | bool]:
    found = {}
    for name in _ADVICE:
        value = config.get(name)
        if isinstance(value, int | float) and abs(value) < 1 << 48 and math.isfinite(value):
            found[name] = value
    return found


def _templates(files: Mapping[str, bytes]) -> tuple[tuple[str, ...], str]:
    """The chat templates wherever they are kept: newer writers give each a file of its own, which then holds."""
    found: list[str] = []
    origin = ""
    if "chat_template.jinja" in files:
        found, origin = [_text(files["chat_template.jinja"])], "chat_template.jinja"
    for name in ("chat_template.json", "tokenizer_config.json"):
        if not found and (said := _named(_object(files, name).get("chat_template"))):
            found, origin = said, name
    more = [_text(data) for name, data in sorted(files.items()) if name.startswith(_MORE_TEMPLATES)]
    return tuple(text for text in [*found, *more] if text)[:MOST_TEMPLATES], origin


def _named(value: object) -> list[str]:
    """One template, or several with names, of which `default` is the first."""
    if isinstance(value, str):
        return [value] if value else []
    if not isinstance(value, list):
        return []
    rows = [item for item in value if isinstance(item, dict) and isinstance(item.get("template"), str)]
    return [row["template"] for row in sorted(rows, key=lambda row: row.get("name") != "default")]


def _embeds(files: Mapping[str, bytes]) -> bool:
    """Whether sentence-transformers pools its tokens: as modules.json says, or because the pooling is there."""
    modules = _document(files, "modules.json")
    kinds = [str(item.get("type")) for item in modules if isinstance(item, dict)] if isinstance(modules, list) else []
    return _POOLING in files or any(kind.endswith((".Pooling", ".WordWeights", ".StaticEmbedding")) for kind in kinds)


def _front(data: bytes) -> str:
    match = _FRONT.match(_text(data[:MAX_FRONT]))
    return match[1] if match else ""


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").replace("\r\n", "\n")


def _found(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return match[1] if match else None


def _short(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= MOST_TEXT and value.isprintable() else None
