"""ONNX files: read by their graph, never their data, whatever the bytes."""

import time
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelshelf.errors import FormatError
from modelshelf.metadata import local, onnx, protobuf
from modelshelf.metadata.source import FileSource, ShortError, WindowSource
from tests.core.metadata import files
from tests.core.metadata.files import field, initialiser, node

HUGE = (1 << 63) - 1
SMALL = files.onnx([node("MatMul"), initialiser("w", [4, 8], raw=bytes(128)), initialiser("b", [8], 10, raw=bytes(16))])


def read(data: bytes) -> onnx.OnnxModel:
    return onnx.read_model(WindowSource(data, name="x.onnx"))


def test_a_graph_is_read_with_its_tensors(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(SMALL)
    facts = local.read(tmp_path / "x.onnx")
    assert (facts.format, facts.name, facts.tier, facts.quantisation) == ("onnx", "main", 2, "F32")
    assert (facts.parameters, facts.weights, facts.size) == (40, 144, len(SMALL))
    assert [(tensor.name, tensor.type, tensor.shape) for tensor in facts.tensors] == [
        ("w", "F32", (4, 8)),
        ("b", "F16", (8,)),
    ]
    assert facts.keys == {"onnx.ir_version": 8, "onnx.producer": "pytorch", "onnx.opset": 17}


def test_a_folder_of_its_own_is_described_by_the_one_above(tmp_path: Path) -> None:
    files.write(
        tmp_path,
        {
            "onnx/model.onnx": SMALL,
            "onnx/model_q4.onnx": files.onnx([initialiser("w", [2], raw=bytes(8))]),
            "config.json": dict(files.LLAMA),
            "1_Pooling/config.json": {},
        },
    )
    facts = local.read(tmp_path)
    assert (facts.format, facts.layers, set(facts.abilities), facts.parameters) == ("onnx", 2, {"embed"}, 40)
    assert local.read(tmp_path / "onnx" / "model.onnx") == facts


def outside(size: int, **more: str) -> dict[str, str]:
    return {"location": "model.onnx_data", "offset": "0", "length": str(size)} | more


def test_data_in_another_file_counts(tmp_path: Path) -> None:
    graph = files.onnx([initialiser("w", [64, 64], outside=outside(16384))])
    files.write(tmp_path, {"model.onnx": graph, "model.onnx_data": bytes(16384)})
    facts = local.read(tmp_path)
    assert (facts.weights, facts.size) == (16384, 16384 + len(graph))
    files.write(tmp_path, {"model.onnx_data": bytes(16383)})
    with pytest.raises(FormatError, match=r"model\.onnx_data is truncated"):
        local.read(tmp_path)
    (tmp_path / "model.onnx_data").unlink()
    with pytest.raises(FormatError, match=r"the data file model\.onnx_data is missing"):
        local.read(tmp_path)


@pytest.mark.parametrize("place", ["../x", "/etc/passwd", "", "a\\b", "a\nb"])
def test_data_elsewhere_is_refused(place: str) -> None:
    with pytest.raises(FormatError, match=r"initialiser “w”"):
        read(files.onnx([initialiser("w", [2], outside=outside(8, location=place))]))


@pytest.mark.parametrize(
    ("parts", "label", "count"),
    [
        ([initialiser("w", [4, 4], 10, raw=bytes(32))], "F16", 16),
        ([initialiser("w", [4, 4], 3, raw=bytes(16)), node("QLinearMatMul")], "INT8", 16),
        ([initialiser("w", [4, 4], 2, raw=bytes(16)), node("MatMulInteger")], "INT8", 16),
        ([initialiser("w", [4, 4], 21, raw=bytes(8))], "INT4", 16),
        ([node("MatMulNBits", bits=4, K=32, N=8), initialiser("w", [8, 1, 16], 2, raw=bytes(128))], "INT4", 256),
        ([node("MatMulNBits", bits=HUGE), initialiser("w", [8, 1, 16], 2, raw=bytes(128))], "INT4", 256),
        ([node("Relu")], None, 0),
    ],
)
def test_the_quantisation_is_what_the_graph_computes_with(
    tmp_path: Path, parts: Sequence[bytes], label: str | None, count: int
) -> None:
    (tmp_path / "x.onnx").write_bytes(files.onnx(parts))
    facts = local.read(tmp_path / "x.onnx")
    assert (facts.quantisation, facts.parameters) == (label, count)


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (SMALL[:60], "the model ends before its field 7"),
        (SMALL[:3], "the model"),
        (SMALL + b"\x07", "the model"),
        (SMALL + field(7, b""), "2 graphs"),
        (field(1, 8) + field(2, "x"), "0 graphs"),
        (field(7, b""), "ir_version"),
        (files.onnx([initialiser("w", [HUGE, HUGE])]), "“w” has the impossible shape"),
        (files.onnx([initialiser("w", [1] * 40)]), "“w” has more than 16 dimensions"),
        (files.onnx([initialiser("w", [2], 99)]), "“w” has the unknown type 99"),
        (files.onnx([initialiser("w", [2], raw=bytes(7))]), "“w” has 7 bytes instead of 8"),
        (files.onnx([initialiser("w", [2]), initialiser("w", [2])]), "“w” is there twice"),
        (files.onnx([initialiser("w" * 2000, [2])]), "text of 2,000 bytes"),
        (files.onnx([field(5, field(8, b"\xff\xff"))]), "not UTF-8"),
        (files.onnx([initialiser("w", [2], outside=outside(8, length="7"))]), "external_data"),
        (files.onnx([initialiser("w", [2], outside=outside(8, offset="-1"))]), "external_data"),
        (files.onnx([b"\x2a\xff\xff\xff\xff\xff\xff\xff\xff\x7f"]), "“graph” ends before its field 5"),
        (files.onnx([b"\x2b"]), "unknown kind 3"),
        (files.onnx([b"\xff" * 20]), "does not end"),
        (files.onnx([b"\x00\x01"]), "impossible number 0"),
    ],
)
def test_a_broken_graph_is_refused_by_its_field(data: bytes, named: str) -> None:
    with pytest.raises(FormatError, match=r"x\.onnx") as caught:
        read(data)
    assert named in str(caught.value)


def test_the_first_bytes_tell_what_they_hold() -> None:
    data = files.onnx([node("MatMul"), initialiser("w", [1024, 1024], raw=bytes(1 << 22)), initialiser("b", [1])])
    with pytest.raises(ShortError) as short:
        onnx.read_model(WindowSource(data[:4096], len(data)))
    assert short.value.offset > 1 << 22
    model = onnx.read_model(WindowSource(data[:4096], len(data)), partial=True)
    assert (model.complete, model.ir_version, model.operators) == (False, 8, {"MatMul": 1})


def test_data_is_passed_by_unread(tmp_path: Path) -> None:
    parts = [initialiser(f"w{index}", [256, 256], raw=bytes(1 << 18)) for index in range(40)]
    (tmp_path / "x.onnx").write_bytes(files.onnx(parts))
    with FileSource(tmp_path / "x.onnx") as source:
        message = protobuf.Message(source)
        list(message.fields(0, source.size))
        tracemalloc.start()
        model = onnx.read_model(source)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert len(model.tensors) == 40
    assert peak < 1 << 20
    assert message.fetched < 200_000


def test_more_fields_than_anybody_needs_end_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protobuf, "MAX_FIELDS", 1000)
    model = read(files.onnx([node("Relu")] * 2000))
    assert not model.complete
    monkeypatch.undo()
    monkeypatch.setattr(protobuf, "MAX_READ", 100_000)
    assert not read(files.onnx([node("Relu" * 50)] * 2000)).complete


def test_a_large_graph_takes_no_time(tmp_path: Path) -> None:
    parts = [node("MatMul") for _ in range(5000)] + [
        initialiser(f"w{index}", [4, 4], raw=bytes(64)) for index in range(1000)
    ]
    (tmp_path / "x.onnx").write_bytes(files.onnx(parts))
    start = time.process_time()
    assert len(local.read(tmp_path / "x.onnx").tensors) == 1000
    assert time.process_time() - start < 0.5


@settings(max_examples=1000, deadline=500)
@given(st.data())
def test_any_bytes_give_a_model_or_a_format_error(data: st.DataObject) -> None:
    noise = bytearray(SMALL)
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(noise) - 1))
        noise[place : place + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    try:
        model = read(bytes(noise))
    except FormatError:
        return
    assert model.parameters >= 0


@settings(max_examples=300, deadline=500)
@given(st.integers(0, len(SMALL)))
def test_a_window_says_no_more_than_the_whole(length: int) -> None:
    try:
        model = onnx.read_model(WindowSource(SMALL[:length], len(SMALL)), partial=True)
    except ShortError:
        assert length < 12  # a number may take ten bytes
        return
    assert model.tensors == read(SMALL).tensors[: len(model.tensors)]
