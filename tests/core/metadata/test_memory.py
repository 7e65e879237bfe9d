"""The worst headers that are still allowed, and those that are not, in less than 64 MiB of memory each."""

import json
import struct
import tracemalloc
from collections.abc import Callable
from contextlib import suppress

import pytest

from modelshelf.errors import FormatError
from modelshelf.metadata import beside, gguf, onnx, safetensors
from modelshelf.metadata.source import WindowSource
from tests.core.metadata import files
from tests.core.vetting import ggufs

MOST = 64 << 20
ONE = b'{"dtype":"U8","shape":[1],"data_offsets":[%d,%d]}'


def peak(reader: Callable[[], object]) -> int:
    """The memory that reading takes beside the bytes themselves."""
    kept: object = None
    tracemalloc.start()
    with suppress(FormatError):
        kept = reader()
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    del kept
    return found


def numbers() -> bytes:
    array = struct.pack("<IIQ", ggufs.ARRAY, ggufs.U64, 8192) + struct.pack("<8192Q", *range(1 << 40, (1 << 40) + 8192))
    return ggufs.with_key(*(ggufs.string(f"k{index}") + array for index in range(200)))


def emoji() -> bytes:
    return ggufs.with_key(*((f"k{index}", ggufs.STRING, "x" * 7_000_000 + "😀") for index in range(4)))


def keys() -> bytes:
    return ggufs.with_key(*((f"k{index}", ggufs.STRING, "x" * 60) for index in range(30_000)))


def tensors() -> bytes:
    names = [(f"blk.{index}.{'x' * 60}", ggufs.F32_TENSOR, (1 << 40, 1, 1, 1)) for index in range(30_000)]
    return ggufs.build(tensors=names, offsets=[1 << 40] * 30_000, data=0)


def many_texts() -> bytes:
    return ggufs.with_key(*((f"k{i}", ggufs.ARRAY, (ggufs.STRING, ["x" * 2000] * 64)) for i in range(200)))


@pytest.mark.parametrize("make", [numbers, emoji, keys, tensors, many_texts])
def test_a_gguf_header(make: Callable[[], bytes]) -> None:
    source = WindowSource(make(), 1 << 50)
    assert peak(lambda: gguf.read_header(source, partial=True)) < MOST


def test_a_safetensors_header_a_quarter_as_large_as_any() -> None:
    entries = [b'"%s%d":%s' % (b"x" * 180, index, ONE % (index, index + 1)) for index in range(16_384)]
    data = b'{"__metadata__":{},' + b",".join(entries) + b"}"
    assert len(data) > safetensors.MAX_HEADER // 5
    source = WindowSource(struct.pack("<Q", len(data)) + data, 8 + len(data) + 16_384)
    assert peak(lambda: safetensors.read_header(source)) < MOST // 4
    wide = data.replace(b"xxxx", "😀".encode(), 1).ljust(safetensors.MAX_WIDE + 1)
    source = WindowSource(struct.pack("<Q", len(wide)) + wide, 1 << 40)
    with pytest.raises(FormatError, match="letters beyond ASCII"):
        safetensors.read_header(source)


def test_an_index_a_tenth_as_large_as_any() -> None:
    distinct = json.dumps({"weight_map": {f"{index}": f"{index}.safetensors" for index in range(50_000)}}).encode()
    assert peak(lambda: safetensors.read_index(distinct)) < MOST // 10


def test_an_onnx_graph_an_eighth_as_large_as_any() -> None:
    data = files.onnx(files.initialiser(f"{index:0120}", [1 << 40, 1], 2) for index in range(8_192))
    assert peak(lambda: onnx.read_model(WindowSource(data))) < MOST // 8
    operators = files.onnx(files.node(f"{index:01000}") for index in range(1500))
    assert peak(lambda: onnx.read_model(WindowSource(operators))) < MOST // 8


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
@pytest.mark.parametrize("piece", [b"[],", b'{"":[]},'])
def test_a_small_file(name: str, piece: bytes) -> None:
    data = b'{"a":[' + piece * (beside.limit(name) // len(piece) - 10) + b"0]}"
    assert peak(lambda: beside.read({name: data})) < MOST


def test_a_small_file_of_many_names() -> None:
    name = "tokenizer_config.json"
    table = b"{" + b",".join(b'"%x":0' % index for index in range(beside.limit(name) // 9)) + b"}"
    assert peak(lambda: beside.read({name: table})) < MOST
