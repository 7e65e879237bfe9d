"""What a GGUF file is for, what it comes from and what it can do."""

from pathlib import Path
from typing import Any

import pytest

from modelshelf.errors import FormatError
from modelshelf.metadata import abilities, experts, gguf_facts, local
from modelshelf.metadata.facts import ModelFacts
from modelshelf.metadata.gguf import read_header
from modelshelf.metadata.source import WindowSource
from tests.core.metadata import files
from tests.core.vetting import ggufs
from tests.shapes import SHAPES, write


def read(*pairs: ggufs.Pair, **options: Any) -> ModelFacts:
    given = {pair[0] for pair in pairs}
    keys = [*(item for item in ggufs.KEYS if item[0] not in given), *pairs]
    return gguf_facts.facts([read_header(WindowSource(ggufs.build(keys, **options)))], name="x.gguf")


def text(key: str, value: str) -> ggufs.Pair:
    return key, ggufs.STRING, value


def test_a_plain_model_says_what_it_is() -> None:
    facts = read(text("general.license", "apache-2.0"), ("llama.attention.sliding_window", ggufs.U32, 128))
    assert (facts.role, facts.base, facts.licence, facts.window) == ("model", None, "apache-2.0", 128)
    assert (facts.abilities, facts.chat_template, facts.gated) == (frozenset(), None, None)
    assert facts.active == facts.parameters
    assert facts.origins["licence"] == "general.license"
    assert facts.origins["window"] == "llama.attention.sliding_window"
    assert sum(facts.bytes_by_type.values()) == facts.weights


def test_an_adapter_names_its_base_and_its_rank() -> None:
    facts = read(
        text("general.type", "adapter"),
        text("adapter.type", "lora"),
        ("adapter.lora.alpha", ggufs.F32, 16.0),
        ("general.base_model.count", ggufs.U32, 1),
        text("general.base_model.0.name", "Tiny"),
        text("general.base_model.0.repo_url", "https://huggingface.co/org/tiny"),
        tensors=[
            ("blk.0.attn_q.weight.lora_a", ggufs.F32_TENSOR, (32, 8)),
            ("blk.0.attn_q.weight.lora_b", ggufs.F32_TENSOR, (8, 32)),
        ],
    )
    assert (facts.role, facts.base, facts.active, facts.parameters) == ("adapter", "org/tiny", None, 512)
    assert (facts.keys["adapter.lora.alpha"], facts.keys["adapter.rank"]) == (16.0, 8)


@pytest.mark.parametrize("address", ["https://example.org/org/tiny", "https://huggingface.co/a/b/c", 5])
def test_a_base_without_a_usable_address_is_named(address: object) -> None:
    kind = ggufs.STRING if isinstance(address, str) else ggufs.U32
    facts = read(("general.base_model.0.repo_url", kind, address), text("general.base_model.0.name", "Tiny"))
    assert facts.base == "Tiny"


@pytest.mark.parametrize(("hears", "ability"), [(False, "vision"), (True, "audio")])
def test_a_projector_tells_what_it_adds(tmp_path: Path, hears: bool, ability: str) -> None:
    (tmp_path / "anything.gguf").write_bytes(files.projector(hears=hears))
    facts = local.read(tmp_path / "anything.gguf")
    assert (facts.role, set(facts.abilities), facts.active) == ("projector", {ability}, None)
    assert local.read(tmp_path) == facts


def test_an_old_projector_is_known_by_its_architecture() -> None:
    facts = read(text("general.architecture", "clip"), ("clip.vision.block_count", ggufs.U32, 2))
    assert (facts.role, set(facts.abilities)) == ("projector", {"vision"})


def test_an_importance_matrix_is_no_model() -> None:
    with pytest.raises(FormatError, match=r"x\.gguf: “general\.type” says imatrix"):
        read(text("general.type", "imatrix"))


@pytest.mark.parametrize(
    ("template", "can"),
    [
        (files.PLAIN, {"chat"}),
        (files.TOOLS, {"chat", "tools"}),
        (files.THINKS, {"chat", "reasoning"}),
        ("{{ raise_exception('no tools here') }}{{ messages }}", {"chat"}),
        (
            "{% for m in messages %}{{ m.tool_calls }}{{ m.reasoning_content }}{% endfor %}",
            {"chat", "tools", "reasoning"},
        ),
    ],
)
def test_a_template_tells_abilities(template: str, can: set[str]) -> None:
    facts = read(text("tokenizer.chat_template", template))
    assert (set(facts.abilities), facts.chat_template) == (can, template)
    assert facts.origins["chat_template"] == "tokenizer.chat_template"


def test_several_templates_count_together_and_the_default_is_told() -> None:
    facts = read(
        text("tokenizer.chat_template.tool_use", files.TOOLS),
        text("tokenizer.chat_template.thinking", files.THINKS),
        text("tokenizer.chat_template", files.PLAIN),
    )
    assert facts.chat_template == files.PLAIN
    assert facts.abilities == {"chat", "tools", "reasoning"}


@pytest.mark.parametrize(
    "template", ["{{" * 500_000, "{% raise_exception(" * 50_000, "{%" + "tools" * 100_000, "{{ '\ud7ff"]
)
def test_a_hostile_template_takes_no_time(template: str) -> None:
    assert "chat" in abilities.of_templates([template])


@pytest.mark.parametrize(
    ("architecture", "pooling", "can"),
    [
        ("llama", None, {"chat"}),
        ("llama", 0, {"chat"}),
        ("qwen3", 3, {"embed"}),
        ("bert", 1, {"embed"}),
        ("nomic-bert", None, {"embed"}),
        ("bert", 4, {"rerank"}),
    ],
)
def test_a_model_that_pools_embeds_and_does_not_chat(architecture: str, pooling: int | None, can: set[str]) -> None:
    pairs = [text("general.architecture", architecture), text("tokenizer.chat_template", files.PLAIN)]
    if pooling is not None:
        pairs.append((f"{architecture}.pooling_type", ggufs.U32, pooling))
    assert read(*pairs).abilities == can


def test_what_the_publisher_advises_is_told_by_the_usual_names() -> None:
    facts = read(
        ("general.sampling.temp", ggufs.F32, 0.6),
        ("general.sampling.top_p", ggufs.F32, 0.95),
        ("general.sampling.top_k", ggufs.U32, 20),
        ("general.sampling.penalty_repeat", ggufs.F32, float("nan")),
        text("general.sampling.sequence", "kp"),
    )
    assert facts.generation == {"temperature": 0.6, "top_p": 0.95, "top_k": 20}
    assert facts.origins["generation"] == "general.sampling"


@pytest.mark.parametrize(
    ("name", "active"),
    [("qwen3moe_30b", 3.35e9), ("mixtral_8x7b", 12.9e9), ("gptoss_20b", 4.19e9), ("llama32_1b", 1.24e9)],
)
def test_of_the_experts_only_those_used_are_active(tmp_path: Path, name: str, active: float) -> None:
    facts = local.read(write(SHAPES[name], tmp_path / "x.gguf"))
    assert facts.active == pytest.approx(active, rel=0.02)
    assert facts.origins["active"] == "tensors"


def test_the_first_bytes_tell_the_active_parameters_where_the_label_does() -> None:
    keys = ggufs.build([text("general.size_label", "30B-A3B"), *ggufs.KEYS])
    cut = read_header(WindowSource(keys[:1000], len(keys)), partial=True)
    facts = gguf_facts.facts([cut])
    assert (facts.tier, facts.parameters, facts.active) == (1, 30_000_000_000, 3_000_000_000)


def test_keys_alone_tell_the_active_parameters_of_a_known_whole() -> None:
    shape = SHAPES["qwen3moe_30b"]
    whole = sum(
        t.shape[0] * t.shape[1] * (t.shape[2] if len(t.shape) > 2 else 1) for t in shape.tensors() if len(t.shape) > 1
    )
    keys = dict(shape.keys)
    assert experts.by_keys(whole, shape.layers, shape.embedding, keys) == pytest.approx(3.35e9, rel=0.01)
    assert experts.by_keys(whole, None, shape.embedding, keys) is None
    assert experts.by_keys(whole, 1, 1, {}) == whole
    assert experts.by_keys(10, shape.layers, shape.embedding, keys) is None


def test_the_first_bytes_tell_the_vocabulary(tmp_path: Path) -> None:
    file = write(SHAPES["gemma3_4b"], tmp_path / "x.gguf")
    with file.open("rb") as handle:
        head = read_header(WindowSource(handle.read(65_536), file.stat().st_size), partial=True)
    assert gguf_facts.facts([head]).vocabulary == SHAPES["gemma3_4b"].vocabulary


@pytest.mark.parametrize(
    "key", ["general.type", "general.license", "general.base_model.0.name", "general.sampling.temp"]
)
def test_a_key_of_another_type_says_nothing(key: str) -> None:
    facts = read((key, ggufs.ARRAY, (ggufs.U32, [1, 2])))
    assert (facts.role, facts.licence, facts.base, facts.generation) == ("model", None, None, {})
