"""Safetensors files byte by byte."""

import json
import struct
from collections.abc import Iterator
from typing import Any


def build(header: Any, data: int = 0, *, raw: bytes | None = None, length: int | None = None) -> bytes:
    text = json.dumps(header).encode() if raw is None else raw
    return struct.pack("<Q", len(text) if length is None else length) + text + bytes(data)


def entry(dtype: str, shape: list[int], start: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


GOOD = {"__metadata__": {"format": "pt"}, "a": entry("F32", [2, 3], 0, 24), "b": entry("BF16", [4], 24, 32)}


def bad() -> Iterator[tuple[str, bytes]]:
    """(name, bytes) that must block."""
    cases: dict[str, bytes] = {
        "tail": build(GOOD, 33),
        "cut": build(GOOD, 31),
        "length beyond": build(GOOD, 32, length=1 << 40),
        "length zero": build(GOOD, 32, length=0),
        "length past": build(GOOD, 32, length=500),
        "no brace": build(None, raw=b" " + json.dumps(GOOD).encode(), data=32),
        "array": build(None, raw=b"[]", data=0),
        "broken": build(None, raw=b'{"a": {', data=0),
        "more after": build(None, raw=json.dumps(GOOD).encode() + b"x", data=32),
        "twice": build(
            None,
            raw=b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
            data=1,
        ),
        "twice inside": build(None, raw=b'{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}', data=1),
        "more keys": build({"a": {**entry("U8", [1], 0, 1), "x": 1}}, 1),
        "fewer keys": build({"a": {"dtype": "U8", "shape": [1]}}, 1),
        "dtype": build({"a": entry("PICKLE", [1], 0, 1)}, 1),
        "dtype number": build({"a": {**entry("U8", [1], 0, 1), "dtype": 3}}, 1),
        "overlap": build({"a": entry("U8", [2], 0, 2), "b": entry("U8", [2], 1, 3)}, 3),
        "gap": build({"a": entry("U8", [1], 0, 1), "b": entry("U8", [1], 2, 3)}, 3),
        "late": build({"a": entry("U8", [1], 1, 2)}, 2),
        "backwards": build({"a": entry("U8", [1], 1, 0)}, 1),
        "negative": build({"a": entry("U8", [-1], 0, 1)}, 1),
        "overflow": build({"a": entry("U8", [1 << 40, 1 << 40], 0, 1)}, 1),
        "size": build({"a": entry("F32", [2], 0, 2)}, 2),
        "float": build(None, raw=b'{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}', data=1),
        "truth": build(None, raw=b'{"a":{"dtype":"U8","shape":[true],"data_offsets":[0,1]}}', data=1),
        "nested": build(None, raw=b'{"a":{"dtype":"U8","shape":[{}],"data_offsets":[0,1]}}', data=1),
        "metadata number": build({"__metadata__": {"a": 1}}),
        "metadata nested": build({"__metadata__": {"a": {"b": "c"}}}),
        "metadata text": build({"__metadata__": "x"}),
        "not UTF-8": build(None, raw=b'{"\xff": 1}'),
        "depth": build(None, raw=b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}"),
        "shape long": build({"a": entry("U8", [1] * 40, 0, 1)}, 1),
        "pickle behind": build(GOOD, 32) + b"\x80\x02cos\nsystem\n(X\x02\0\0\0idtR.",
        "zip behind": build(GOOD, 32) + b"PK\x05\x06" + bytes(18),
        "name": build({"a\0b": entry("U8", [1], 0, 1)}, 1),
    }
    yield from ((f"{name}.safetensors", data) for name, data in cases.items())


def good() -> Iterator[tuple[str, bytes]]:
    """(name, bytes) as writers make them."""
    yield "plain.safetensors", build(GOOD, 32)
    yield "empty.safetensors", build({})
    yield "metadata only.safetensors", build({"__metadata__": {"format": "np", "note": 'with "quotes" and {braces}'}})
    yield "padded.safetensors", build(None, raw=json.dumps(GOOD).encode() + b"   ", data=32)
    yield "scalar.safetensors", build({"a": entry("I64", [], 0, 8)}, 8)
    yield "nothing in it.safetensors", build({"a": entry("F32", [0, 5], 0, 0), "b": entry("U8", [3], 0, 3)}, 3)
    yield "any order.safetensors", build({"b": entry("U8", [1], 1, 2), "a": entry("U8", [1], 0, 1)}, 2)
    eights = ("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0")
    yield "types.safetensors", build({name: entry(name, [2], 2 * i, 2 * i + 2) for i, name in enumerate(eights)}, 12)
    yield "fours.safetensors", build({"a": entry("F4", [4], 0, 2)}, 2)
    many = {f"model.layers.{i}.mlp.weight": entry("BF16", [2], 4 * i, 4 * i + 4) for i in range(3000)}
    yield "many.safetensors", build(many, 12_000)
