"""The GGUF reader: real layouts read exactly, hostile ones refused with the field's name, long ones in no time."""

import contextlib
import time
import tracemalloc
from pathlib import Path

import pytest

from modelshelf.errors import FormatError
from modelshelf.metadata import gguf, gguf_facts
from modelshelf.metadata.ggml import TYPES, quantisation
from modelshelf.metadata.gguf import GgufHeader, Skipped, read_header
from modelshelf.metadata.source import FileSource, ShortError, WindowSource
from tests.core.vetting import ggufs
from tests.shapes import SHAPES, write


def read(data: bytes) -> GgufHeader:
    return read_header(WindowSource(data, name="x.gguf"))


def test_keys_values_and_tensors_are_those_written() -> None:
    header = read(ggufs.build())
    assert header.metadata["general.architecture"] == "llama"
    assert header.metadata["tokenizer.ggml.tokens"] == Skipped("array", 100)
    assert header.count("tokenizer.ggml.tokens") == 100
    assert header.types["tokenizer.ggml.tokens"] == "array:string"
    assert [(tensor.name, tensor.type, tensor.shape, tensor.size) for tensor in header.tensors] == [
        ("token_embd.weight", "Q4_0", (32, 100), 1800),
        ("output_norm.weight", "F32", (32,), 128),
        ("output.weight", "F16", (32, 100), 6400),
    ]
    assert header.tensors[1].offset == 1824
    assert header.data_start % 32 == 0


@pytest.mark.parametrize("kind", [kind for kind in range(13) if kind not in (ggufs.STRING, ggufs.ARRAY, ggufs.BOOL)])
def test_every_kind_of_number_is_read(kind: int) -> None:
    header = read(ggufs.with_key(("a.b", kind, 7), ("a.c", ggufs.ARRAY, (kind, [1, 2, 3]))))
    assert header.metadata["a.b"] == 7
    assert header.metadata["a.c"] == (1, 2, 3)


REFUSED = [case for case in ggufs.bad() if "template" not in case[0]]


@pytest.mark.parametrize(("name", "data"), [pytest.param(*case, id=case[0]) for case in REFUSED])
def test_a_hostile_header_is_refused_or_read_but_never_breaks(name: str, data: bytes) -> None:
    tracemalloc.start()
    with contextlib.suppress(FormatError):
        read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (ggufs.build(version=9), "version"),
        (ggufs.build(counts=((1 << 63) - 1, 1)), "tensor_count"),
        (ggufs.build(counts=(1, (1 << 63) - 1)), "metadata_kv_count"),
        (ggufs.with_key(("a.b", ggufs.STRING, b"\xff")), "a.b"),
        (ggufs.build(tensors=[("t.weight", 200, (32,))]), "t.weight"),
        (ggufs.with_key(("general.alignment", ggufs.U32, 5)), "general.alignment"),
        (ggufs.build()[:700], "tokenizer"),
    ],
)
def test_the_error_names_the_field(data: bytes, field: str) -> None:
    with pytest.raises(FormatError, match=field):
        read(data)


def test_a_window_that_ends_early_gives_what_it_holds() -> None:
    data = ggufs.build()
    with pytest.raises(ShortError):
        read_header(WindowSource(data[:600], len(data)))
    header = read_header(WindowSource(data[:900], len(data)), partial=True)
    assert not header.complete
    assert header.metadata["llama.block_count"] == 2
    assert header.tensors == ()
    assert header.wanted >= header.reached


def test_many_texts_are_walked_across_buffers(tmp_path: Path) -> None:
    words = ["w" * (index % 300) for index in range(40_000)]
    file = tmp_path / "x.gguf"
    file.write_bytes(ggufs.with_key(("a.b", ggufs.ARRAY, (ggufs.STRING, words)), ("a.c", ggufs.U32, 5)))
    with FileSource(file) as source:
        header = gguf.check(source)
    assert header.count("a.b") == 40_000
    assert header.metadata["a.c"] == 5


def test_memory_stays_bounded_whatever_is_announced() -> None:
    texts = [(f"k{index}", ggufs.STRING, "x" * 1_000_000) for index in range(40)]
    with pytest.raises(FormatError, match="brings the header's texts"):
        read(ggufs.with_key(*texts))


@pytest.mark.parametrize("name", ["gemma3_4b", "llama31_8b", "qwen3moe_30b"])
def test_a_large_vocabulary_takes_no_time(name: str, tmp_path: Path) -> None:
    file = write(SHAPES[name], tmp_path / "x.gguf", merges=500_000)
    best = 10.0
    for _ in range(3):
        start = time.process_time()
        with FileSource(file) as source:
            facts = gguf_facts.facts([gguf.check(source)])
        best = min(best, time.process_time() - start)
    assert best < 0.2
    assert facts.vocabulary == SHAPES[name].vocabulary
    assert facts.architecture == SHAPES[name].architecture
    assert facts.weights == sum(tensor.size for tensor in facts.tensors)


def test_facts_of_a_model_whose_layers_differ() -> None:
    keys = [item for item in ggufs.KEYS if "head_count_kv" not in item[0]]
    header = read(ggufs.build([*keys, ("llama.attention.head_count_kv", ggufs.ARRAY, (ggufs.U32, [0, 2]))]))
    facts = gguf_facts.facts([header])
    assert facts.heads_kv == (0, 2)
    assert (facts.layers, facts.heads, facts.embedding, facts.key_length) == (2, 4, 32, 8)
    assert facts.keys["attention.head_count_kv"] == (0, 2)
    assert facts.origins["layers"] == "llama.block_count"
    assert facts.parameters == 32 * 100 * 2 + 32
    assert facts.vocabulary == 100


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("llama.block_count", 0),
        ("llama.block_count", 0xFFFFFFFF),
        ("llama.embedding_length", 0),
        ("llama.attention.head_count", 0),
        ("llama.attention.head_count", 0x80000000),
        ("llama.context_length", 0),
    ],
)
def test_counts_that_no_model_has_are_refused_by_name(key: str, value: int) -> None:
    with pytest.raises(FormatError, match=key) as caught:
        gguf_facts.facts([read(ggufs.changed(key, ggufs.U32, value))])
    assert caught.value.facts["field"] == key


def test_the_parts_of_a_split_model_add_up() -> None:
    header = read(ggufs.build())
    facts = gguf_facts.facts([header, header])
    assert facts.weights == 2 * (1800 + 128 + 6400)
    assert facts.tier == 2
    part = gguf_facts.facts([header], size=100_000, whole=False)
    assert part.tier == 1
    assert part.weights == 100_000 - header.data_start


@pytest.mark.parametrize(
    ("file_type", "values", "label"),
    [
        (15, {"Q4_K": 100, "Q6_K": 20}, "Q4_K_M"),
        (0, {"Q4_K": 100, "Q6_K": 20}, "Q4_K_M"),
        (None, {"Q4_K": 100, "Q6_K": 5}, "Q4_K_S"),
        (None, {"Q8_0": 10, "F32": 1}, "Q8_0"),
        (15, {"F16": 10}, "F16"),
        (1024 + 7, {"Q8_0": 1}, "Q8_0"),
        (999, {"IQ4_XS": 1}, "IQ4_XS"),
        (38, {"MXFP4": 9, "Q8_0": 3}, "MXFP4_MOE"),
        (15, {}, "Q4_K_M"),
        (None, {}, None),
    ],
)
def test_the_quantisation_is_what_the_tensors_hold(
    file_type: int | None, values: dict[str, int], label: str | None
) -> None:
    assert quantisation(file_type, values) == label


def test_a_block_of_every_type_has_its_size() -> None:
    sizes = {"Q4_0": 4.5, "Q8_0": 8.5, "Q4_K": 4.5, "Q6_K": 6.5625, "IQ2_XXS": 2.0625, "MXFP4": 4.25, "BF16": 16}
    for block in TYPES.values():
        if block.name in sizes:
            assert block.size * 8 / block.values == sizes[block.name]
