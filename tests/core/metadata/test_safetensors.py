"""Safetensors headers, the index, config.json, and folders of them."""

import json
from pathlib import Path

import pytest

from modelshelf.errors import FormatError, NotFound
from modelshelf.metadata import local, transformers_facts
from modelshelf.metadata.safetensors import read_header, read_index
from modelshelf.metadata.source import WindowSource
from tests.core.vetting import ggufs, safe

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "num_hidden_layers": 2,
    "hidden_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 128,
    "vocab_size": 100,
    "max_position_embeddings": 512,
}


def test_tensors_and_metadata_are_those_written() -> None:
    header = read_header(WindowSource(safe.build(safe.GOOD, 32)))
    assert [(tensor.name, tensor.type, tensor.shape, tensor.size) for tensor in header.tensors] == [
        ("a", "F32", (2, 3), 24),
        ("b", "BF16", (4,), 8),
    ]
    assert header.metadata == {"format": "pt"}


@pytest.mark.parametrize(
    ("name", "data"), [pytest.param(*case, id=case[0]) for case in safe.bad() if case[0][:4] != "name"]
)
def test_a_broken_header_is_refused(name: str, data: bytes) -> None:
    with pytest.raises(FormatError):
        read_header(WindowSource(data, name=name))


def test_an_index_names_its_parts() -> None:
    index = {"metadata": {"total_size": 10.0}, "weight_map": {"a": "m-2.safetensors", "b": "m-1.safetensors"}}
    found = read_index(json.dumps(index).encode())
    assert found.files == ("m-1.safetensors", "m-2.safetensors")
    assert found.total_size == 10


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"weight_map": {"a": "../x"}}',
        b'{"weight_map": [1]}',
        b'{"weight_map": {"a": 1}}',
        b"\xff",
        b"{}x",
    ],
)
def test_a_broken_index_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        read_index(data)


def test_a_folder_is_read_as_one_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "model-00001-of-00002.safetensors").write_bytes(safe.build(safe.GOOD, 32))
    second = {"c": safe.entry("BF16", [100], 0, 200)}
    (tmp_path / "model-00002-of-00002.safetensors").write_bytes(safe.build(second, 200))
    facts = local.read(tmp_path)
    assert facts == local.read(tmp_path / "model-00001-of-00002.safetensors")
    assert (facts.weights, facts.parameters, facts.quantisation) == (232, 110, "BF16")
    assert (facts.architecture, facts.layers, facts.heads_kv, facts.key_length) == ("llama", 2, (2, 2), 16)
    assert (facts.context, facts.vocabulary, facts.tier) == (512, 100, 2)


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    (tmp_path / "model-00001-of-00002.safetensors").write_bytes(safe.build(safe.GOOD, 32))
    with pytest.raises(NotFound, match="model-00002-of-00002"):
        local.read(tmp_path / "model-00001-of-00002.safetensors")


def test_a_file_without_a_configuration_is_still_a_model(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(safe.build(safe.GOOD, 32))
    assert local.read(tmp_path / "x.safetensors").layers is None


def test_the_file_is_known_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "renamed.bin").write_bytes(ggufs.build())
    assert local.read(tmp_path / "renamed.bin").format == "gguf"
    assert local.read(tmp_path) == local.read(tmp_path / "renamed.bin")
    (tmp_path / "renamed.bin").write_bytes(b"no weights at all")
    with pytest.raises(NotFound):
        local.read(tmp_path)
    with pytest.raises(FormatError, match=r"renamed\.bin is neither GGUF"):
        local.read(tmp_path / "renamed.bin")
    with pytest.raises(NotFound):
        local.read(tmp_path / "none")


@pytest.mark.parametrize(
    ("config", "label"),
    [
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "GPTQ-4bit"),
        ({"quantization_config": {"quant_method": "awq", "bits": 4}}, "AWQ-4bit"),
        ({"quantization_config": {"quant_method": "fp8"}}, "FP8"),
        (
            {
                "quantization_config": {
                    "quant_method": "bitsandbytes",
                    "load_in_4bit": True,
                    "bnb_4bit_quant_type": "nf4",
                }
            },
            "NF4",
        ),
        ({"quantization": {"group_size": 64, "bits": 4}}, "MLX-4bit"),
        ({"torch_dtype": "bfloat16"}, "BF16"),
        ({}, None),
    ],
)
def test_the_method_of_quantisation_is_recognised(config: dict[str, object], label: str | None) -> None:
    assert transformers_facts.facts(config, size=1).quantisation == label


def test_packed_weights_count_as_what_they_hold() -> None:
    config = {"quantization_config": {"quant_method": "gptq", "bits": 4}}
    tensors = {
        "l.qweight": safe.entry("I32", [8, 64], 0, 2048),
        "l.qzeros": safe.entry("I32", [1, 8], 2048, 2080),
        "l.scales": safe.entry("F16", [1, 64], 2080, 2208),
    }
    header = read_header(WindowSource(safe.build(tensors, 2208)))
    assert transformers_facts.facts(config, header.tensors, size=1).parameters == 64 * 64


def test_a_model_of_several_parts_tells_of_its_language_part() -> None:
    facts = transformers_facts.facts({"model_type": "vlm", "text_config": CONFIG, "vision_config": {}}, size=1)
    assert (facts.architecture, facts.layers) == ("vlm", 2)


@pytest.mark.parametrize("data", [b"", b"[1]", b'{"a": 1, "a": 2}', b"[" * 100_000, b" " * (1 << 21), b'{"a": NaN}'])
def test_a_broken_configuration_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        transformers_facts.read_config(data)


@pytest.mark.parametrize(
    ("key", "value"),
    [("num_hidden_layers", 10**15), ("num_hidden_layers", 0), ("vocab_size", -1), ("hidden_size", True)],
)
def test_numbers_that_no_model_has_are_refused_by_name(key: str, value: object) -> None:
    with pytest.raises(FormatError, match=key):
        transformers_facts.facts({**CONFIG, key: value}, size=1)
