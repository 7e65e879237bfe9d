"""Folders of models on this machine: read whole, by what lies in them."""

import json
from pathlib import Path
from typing import Any

import pytest

from modelshelf.errors import FormatError, NotFound
from modelshelf.metadata import local
from tests.core.metadata import files
from tests.core.vetting import ggufs

WEIGHTS = files.tensors({"l.weight": ("BF16", [64, 64])}, {"format": "pt"})
CARD = "---\nlicense: apache-2.0\nbase_model: org/base\ntags:\n- x\n---\n# A model\nlicense: mit\n"


def test_everything_beside_the_weights_is_read(tmp_path: Path) -> None:
    files.write(
        tmp_path,
        {
            "model.safetensors": WEIGHTS,
            "config.json": {**files.LLAMA, "sliding_window": 128, "vision_config": {"depth": 2}},
            "generation_config.json": {"temperature": 0.6, "top_k": 20, "do_sample": True, "eos_token_id": [1, 2]},
            "tokenizer_config.json": {"chat_template": files.TOOLS},
            "README.md": CARD,
        },
    )
    facts = local.read(tmp_path)
    assert (facts.format, facts.role, facts.window, facts.tier) == ("safetensors", "model", 128, 2)
    assert facts.abilities == {"chat", "tools", "vision"}
    assert facts.generation == {"temperature": 0.6, "top_k": 20, "do_sample": True}
    assert (facts.licence, facts.base, facts.gated) == ("apache-2.0", "org/base", None)
    assert facts.chat_template == files.TOOLS
    assert facts.origins["chat_template"] == "tokenizer_config.json"
    assert facts.origins["licence"] == "README.md"
    assert local.read(tmp_path / "model.safetensors") == facts


@pytest.mark.parametrize(
    ("beside", "can", "origin"),
    [
        ({"chat_template.jinja": files.THINKS}, {"chat", "reasoning"}, "chat_template.jinja"),
        ({"chat_template.json": {"chat_template": files.TOOLS}}, {"chat", "tools"}, "chat_template.json"),
        (
            {"chat_template.jinja": files.PLAIN, "tokenizer_config.json": {"chat_template": files.TOOLS}},
            {"chat"},
            "chat_template.jinja",
        ),
        (
            {
                "tokenizer_config.json": {
                    "chat_template": [
                        {"name": "tool_use", "template": files.TOOLS},
                        {"name": "default", "template": files.PLAIN},
                    ]
                }
            },
            {"chat", "tools"},
            "tokenizer_config.json",
        ),
        (
            {"chat_template.jinja": files.PLAIN, "additional_chat_templates/tool_use.jinja": files.TOOLS},
            {"chat", "tools"},
            "chat_template.jinja",
        ),
    ],
)
def test_chat_templates_are_found_wherever_they_are_kept(
    tmp_path: Path, beside: dict[str, Any], can: set[str], origin: str
) -> None:
    files.write(tmp_path, {"model.safetensors": WEIGHTS, "config.json": dict(files.LLAMA), **beside})
    facts = local.read(tmp_path)
    assert facts.abilities == can
    assert facts.origins["chat_template"] == origin
    if "tools" in can and len(can) == 2 and len(beside) == 1 and origin == "tokenizer_config.json":
        assert facts.chat_template == files.PLAIN


@pytest.mark.parametrize(
    "beside",
    [
        {"modules.json": [{"type": "sentence_transformers.models.Transformer"}, {"type": "a.Pooling"}]},
        {"1_Pooling/config.json": {"pooling_mode_mean_tokens": True}},
    ],
)
def test_what_sentence_transformers_pools_embeds(tmp_path: Path, beside: dict[str, Any]) -> None:
    config = {"tokenizer_config.json": {"chat_template": files.TOOLS}, "config.json": dict(files.LLAMA)}
    files.write(tmp_path, {"model.safetensors": WEIGHTS, **config, **beside})
    assert local.read(tmp_path).abilities == {"embed"}


def test_a_cross_encoder_ranks(tmp_path: Path) -> None:
    config = {"architectures": ["BertForSequenceClassification"], "sentence_transformers": {"version": "4"}}
    files.write(tmp_path, {"model.safetensors": WEIGHTS, "config.json": config})
    assert local.read(tmp_path).abilities == {"rerank"}


def test_parts_of_a_model_that_hears(tmp_path: Path) -> None:
    config = {"model_type": "x", "audio_config": {"a": 1}, "text_config": {**files.LLAMA, "use_sliding_window": False}}
    files.write(tmp_path, {"model.safetensors": WEIGHTS, "config.json": config})
    facts = local.read(tmp_path)
    assert (set(facts.abilities), facts.layers, facts.window) == ({"audio"}, 2, None)


LORA = files.tensors(
    {"base_model.model.q.lora_A.weight": ("F32", [8, 64]), "base_model.model.q.lora_B.weight": ("F32", [64, 8])}
)


def test_an_adapter_names_its_base(tmp_path: Path) -> None:
    config = {"peft_type": "LORA", "r": 8, "lora_alpha": 16, "base_model_name_or_path": "org/base"}
    files.write(tmp_path, {"adapter_model.safetensors": LORA, "adapter_config.json": config})
    facts = local.read(tmp_path)
    assert (facts.role, facts.base, facts.parameters, facts.active) == ("adapter", "org/base", 1024, None)
    assert (facts.keys["r"], facts.keys["lora_alpha"], facts.keys["peft_type"]) == (8, 16, "LORA")
    assert (facts.layers, facts.architecture, facts.abilities) == (None, None, frozenset())
    (tmp_path / "adapter_config.json").unlink()
    assert local.read(tmp_path).role == "adapter"


def test_an_adapter_of_mlx_and_one_beside_a_whole_model(tmp_path: Path) -> None:
    mlx = files.tensors({"model.layers.0.q_proj.lora_a": ("F32", [64, 8])})
    config = {"fine_tune_type": "lora", "model": "org/base", "lora_parameters": {"rank": 8}}
    files.write(tmp_path / "mlx", {"adapters.safetensors": mlx, "adapter_config.json": config})
    facts = local.read(tmp_path / "mlx")
    assert (facts.role, facts.base) == ("adapter", "org/base")
    both = {"model.safetensors": WEIGHTS, "config.json": dict(files.LLAMA), "adapter_model.safetensors": LORA}
    files.write(tmp_path / "both", {**both, "adapter_config.json": config})
    assert local.read(tmp_path / "both").role == "model"
    assert local.read(tmp_path / "both" / "adapter_model.safetensors").role == "adapter"


def test_weights_are_never_counted_twice(tmp_path: Path) -> None:
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    shards = [files.tensors({f"{name}.weight": ("BF16", [64, 64])}) for name in "ab"]
    files.write(tmp_path, dict(zip(names, shards, strict=True)) | {"config.json": dict(files.LLAMA)})
    parts = local.read(tmp_path)
    assert parts.parameters == 2 * 4096
    files.write(tmp_path, {"consolidated.safetensors": WEIGHTS, "model.safetensors": WEIGHTS})
    assert local.read(tmp_path).tensors == parts.tensors
    index = {"metadata": {"total_size": 8192}, "weight_map": {"l.weight": "model.safetensors"}}
    files.write(tmp_path, {"model.safetensors.index.json": index})
    assert local.read(tmp_path).parameters == 4096
    index["weight_map"] = {"x": "gone.safetensors"}
    files.write(tmp_path, {"model.safetensors.index.json": index})
    with pytest.raises(NotFound, match=r"gone\.safetensors is missing"):
        local.read(tmp_path)


def test_a_repository_of_the_hubs_cache_is_its_main_commit(tmp_path: Path) -> None:
    snapshots = tmp_path / "snapshots"
    for commit, layers in (("a" * 40, 2), ("b" * 40, 3)):
        config = {**files.LLAMA, "num_hidden_layers": layers}
        files.write(snapshots / commit, {"config.json": config, "model.safetensors": WEIGHTS})
    files.write(tmp_path, {"refs/main": "a" * 40})
    assert local.read(tmp_path).layers == 2
    files.write(tmp_path, {"refs/main": "../../etc"})
    assert local.read(tmp_path).layers in (2, 3)
    assert local.read(snapshots / ("b" * 40)).layers == 3


def test_links_of_a_snapshot_are_followed(tmp_path: Path) -> None:
    files.write(tmp_path / "blobs", {"x": WEIGHTS, "y": dict(files.LLAMA)})
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot" / "model.safetensors").symlink_to(tmp_path / "blobs" / "x")
    (tmp_path / "snapshot" / "config.json").symlink_to(tmp_path / "blobs" / "y")
    assert local.read(tmp_path / "snapshot").layers == 2


def test_a_projector_beside_a_model_lets_it_see(tmp_path: Path) -> None:
    model = ggufs.build()
    files.write(tmp_path, {"m.gguf": model, "anything": files.projector()})
    facts = local.read(tmp_path / "m.gguf")
    assert (facts.role, set(facts.abilities), facts.origins["abilities"]) == ("model", {"vision"}, "projector")
    assert local.read(tmp_path) == facts
    files.write(tmp_path, {"z.gguf": model, "anything": files.projector(999)})
    assert local.read(tmp_path / "m.gguf").abilities == frozenset()
    files.write(tmp_path, {"anything": files.projector(32, hears=True)})
    assert local.read(tmp_path / "m.gguf").abilities == {"audio"}


@pytest.mark.parametrize("name", ["x.bin", "x", "model.safetensors", "x-00001-of-00002", "ünï cödé.txt"])
def test_the_name_changes_nothing(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    contents = (ggufs.build(), WEIGHTS, files.onnx([files.initialiser("w", [2], raw=bytes(8))]))
    for data, kind in zip(contents, ("gguf", "safetensors", "onnx"), strict=True):
        (tmp_path / "plain").write_bytes(data)
        expected = local.read(tmp_path / "plain")
        (tmp_path / "plain").unlink()
        file.write_bytes(data)
        assert local.read(file) == expected
        assert local.read(tmp_path) == expected
        assert expected.format == kind


@pytest.mark.parametrize("name", ["config.json", "adapter_config.json"])
@pytest.mark.parametrize("data", [b"", b"[1]", b"[" * 50_000, b'{"a": NaN}', b"{}" + b" " * (1 << 20), b"\xff\xfe{"])
def test_a_broken_configuration_is_named(tmp_path: Path, name: str, data: bytes) -> None:
    files.write(tmp_path, {"model.safetensors": WEIGHTS, name: data})
    with pytest.raises(FormatError, match=name):
        local.read(tmp_path)


@pytest.mark.parametrize(
    "name", ["generation_config.json", "tokenizer_config.json", "chat_template.json", "modules.json", "README.md"]
)
@pytest.mark.parametrize(
    "data", [b"", b"[1]", b"null", b"[" * 50_000, b'{"chat_template": [1, {"template": 5}]}', b"\xff\xfe{"]
)
def test_a_broken_file_that_only_advises_says_nothing(tmp_path: Path, name: str, data: bytes) -> None:
    files.write(tmp_path, {"model.safetensors": WEIGHTS, "config.json": dict(files.LLAMA), name: data})
    facts = local.read(tmp_path)
    assert (facts.layers, facts.abilities, facts.generation, facts.licence) == (2, frozenset(), {}, None)


@pytest.mark.parametrize("value", [float(10**12), 10**300, True, "0.7", None, [0.7]])
def test_advice_that_cannot_be_is_left_out(tmp_path: Path, value: object) -> None:
    advice = json.dumps({"temperature": value, "top_p": 0.9})
    files.write(tmp_path, {"model.safetensors": WEIGHTS, "generation_config.json": advice})
    found = local.read(tmp_path).generation
    assert found["top_p"] == 0.9
    assert found.get("temperature") in (None, True, 10**12)


def test_a_folder_without_weights_or_that_is_none_says_so(tmp_path: Path) -> None:
    files.write(tmp_path, {"config.json": dict(files.LLAMA), "pytorch_model.bin": b"\x80\x02}q\x00."})
    with pytest.raises(NotFound, match="holds no GGUF, safetensors or ONNX"):
        local.read(tmp_path)
    with pytest.raises(FormatError, match="without running it"):
        local.read(tmp_path / "pytorch_model.bin")
    with pytest.raises(NotFound):
        local.read(tmp_path / "nothing")
