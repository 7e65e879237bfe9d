"""Shapes of many more architectures, on which `tests/data/llama_cpp_memory_more.csv` was measured.

The keys are those of real models; the tensors and their shapes are what the engine itself asked for.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.shapes.shape import Shape, Tensor, Value

TABLE = Path(__file__).parents[1] / "data" / "llama_cpp_shapes.json"


@cache
def more() -> Mapping[str, Shape]:
    """All of them by name."""
    return {name: _shape(entry) for name, entry in json.loads(TABLE.read_text()).items()}


def _shape(entry: Mapping[str, Any]) -> Shape:
    keys = _values(entry["keys"])
    return Shape(
        entry["architecture"],
        entry["vocabulary"],
        entry["keys"]["embedding_length"],
        len(entry["layers"]),
        _layers([_tensors(kind) for kind in entry["kinds"]], entry["layers"]),
        keys,
        tuple(_tensors(entry["outside"])),
        extra=_values(entry["extra"]),
    )


def _layers(kinds: list[list[Tensor]], order: list[int]) -> Callable[[int], Iterator[Tensor]]:
    return lambda index: iter(kinds[order[index]])


def _tensors(listed: list[Any]) -> list[Tensor]:
    return [(name, tuple(shape)) for name, shape in listed]


def _values(keys: Mapping[str, Any]) -> dict[str, Value]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in keys.items()}
