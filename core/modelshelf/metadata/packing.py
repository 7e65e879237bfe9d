"""Facts as a short row of bytes, and back: for the database, which outlives the process."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from modelshelf.metadata.facts import ModelFacts, TensorInfo

VERSION = 1  # of what facts hold; raise it when a reader learns something new, so that old rows are read anew
MAX_UNPACKED = 64 << 20
_COLUMNS = ("name", "type", "shape", "size", "offset")


class UnusableError(Exception):
    """The bytes are no facts, or not of this version's."""


def pack(facts: ModelFacts) -> bytes:
    """The facts as compressed JSON; tensors column by column, which takes a tenth of the room."""
    values = {item.name: getattr(facts, item.name) for item in fields(facts)}
    values["abilities"] = sorted(facts.abilities)
    for name in ("keys", "generation", "origins"):
        values[name] = dict(values[name])
    values["tensors"] = [[getattr(tensor, column) for tensor in facts.tensors] for column in _COLUMNS]
    return zlib.compress(json.dumps(values, separators=(",", ":")).encode(), 6)


def unpack(data: bytes) -> ModelFacts:
    """The facts that were packed.

    Raises:
        UnusableError: the bytes are damaged or something else.
    """
    try:
        stream = zlib.decompressobj()
        text = stream.decompress(data, MAX_UNPACKED)
        if not stream.eof:
            raise UnusableError
        return _facts(dict(json.loads(text)))
    except (zlib.error, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UnusableError from error


def _facts(values: dict[str, Any]) -> ModelFacts:
    names, types, shapes, sizes, offsets = values.pop("tensors")
    tensors = tuple(
        TensorInfo(name, type_, tuple(shape), size, offset)
        for name, type_, shape, size, offset in zip(names, types, shapes, sizes, offsets, strict=True)
    )
    return ModelFacts(
        **{
            **values,
            "abilities": frozenset(values["abilities"]),
            "heads_kv": tuple(values["heads_kv"]),
            "keys": _tuples(values["keys"]),
            "tensors": tensors,
        }
    )


def _tuples(keys: Mapping[str, Any]) -> Mapping[str, Any]:
    """Lists are what JSON makes of tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in keys.items()}
