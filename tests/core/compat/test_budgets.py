"""Memory of vLLM, SGLang, Transformers and MLX by their own rules, against figures that they log or document."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelshelf.compat import memory as llama_cpp
from modelshelf.compat.budgets import (
    bytes_per_token,
    estimate,
    room,
    sglang_reserve,
    tokens_that_fit,
    vllm_batch,
)
from modelshelf.compat.caches import cache_of
from modelshelf.compat.machine import Gpu, Machine
from modelshelf.compat.measures import measure
from modelshelf.compat.types import Confidence, Memory, Settings
from modelshelf.errors import FormatError
from modelshelf.metadata.facts import ModelFacts
from modelshelf.metadata.transformers_facts import facts as facts_of

MIB, GIB = 1 << 20, 1 << 30
FAMILIES = ("mlx", "sglang", "transformers", "vllm")
LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "num_hidden_layers": 32,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 8192,
    "torch_dtype": "bfloat16",
}
WEIGHTS = 16_060_522_496
DEEPSEEK = {
    **LLAMA,
    "model_type": "deepseek_v3",
    "num_hidden_layers": 61,
    "num_attention_heads": 128,
    "num_key_value_heads": 128,
    "kv_lora_rank": 512,
    "qk_rope_head_dim": 64,
    "qk_nope_head_dim": 128,
    "v_head_dim": 128,
}


def model(config: dict[str, Any], weights: int = WEIGHTS) -> ModelFacts:
    return facts_of(config, size=weights, weights=weights)


def machine(*cards: Gpu, ram: int = 32 * GIB) -> Machine:
    return Machine("test", "cpu", 8, ram, ram, cards)


def card(gib: float, free: float | None = None) -> Gpu:
    total = int(gib * GIB)
    return Gpu("card", "nvidia", total, total if free is None else int(free * GIB))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_token_of_llama_3_8b_takes_what_its_maths_say(family: str) -> None:
    assert bytes_per_token(model(LLAMA), Settings(), family) == 131_072


@pytest.mark.parametrize(
    ("family", "kv", "size"),
    [
        ("vllm", "q8_0", 65_536),
        ("sglang", "fp8", 65_536),
        ("vllm", "q4_0", 65_536),
        ("mlx", "q8_0", 69_632),
        ("mlx", "q4_0", 36_864),
        ("transformers", "q8_0", 131_072),
    ],
)
def test_a_smaller_cache_type(family: str, kv: str, size: int) -> None:
    assert bytes_per_token(model(LLAMA), Settings(kv=kv), family) == size


def test_the_peak_that_vllm_logged_for_llama_3_8b() -> None:
    # vllm-project/vllm#10511: 8,192 tokens at once, 256 sequences, 1.26 GiB.
    found = estimate(model(LLAMA), Settings(), family="vllm", card_memory=80 * GIB).memory.compute
    sequences = 12 * (1024 - 256) * 128256  # newer versions take 1,024 sequences on such a card
    assert (found - sequences - 32 * 8 * MIB - 512 * MIB) / GIB == pytest.approx(1.26, rel=0.02)


def test_the_cache_that_vllm_had_left_for_llama_3_8b() -> None:
    # The same log: 79.22 GiB, weights 14.96 GiB, 53.29 GiB of cache.
    gpu = card(79.22)
    tokens = tokens_that_fit(model(LLAMA), Settings(gpu_share=0.9), machine(gpu), "vllm")
    assert tokens * 131_072 / GIB == pytest.approx(53.29, rel=0.02)


def test_deepseek_is_kept_compressed_but_not_by_transformers() -> None:
    facts = model(DEEPSEEK)
    assert bytes_per_token(facts, Settings(), "vllm") == 61 * 576 * 2
    assert bytes_per_token(facts, Settings(), "transformers") == 61 * 128 * (128 + 64 + 128) * 2


def test_sliding_layers_keep_their_window_and_vllm_a_batch_more() -> None:
    kinds = ["sliding_attention", "full_attention"] * 16
    facts = model({**LLAMA, "layer_types": kinds, "sliding_window": 1024})
    asked = Settings(context=65_536)
    half = 16 * 2 * 8 * 128 * 2
    assert estimate(facts, asked, family="sglang").memory.kv == half * (65_536 + 1024)
    assert estimate(facts, asked, family="vllm").memory.kv == half * (65_536 + 3072 + 16)
    assert estimate(facts, Settings(context=512), family="mlx").memory.kv == half * 1024


@pytest.mark.parametrize(
    ("config", "full", "sliding", "states"),
    [
        ({"model_type": "gemma3_text", "sliding_window": 1024, "num_hidden_layers": 26}, 4, 22, 0),
        ({"model_type": "gemma2", "sliding_window": 4096, "num_hidden_layers": 26}, 13, 13, 0),
        ({"model_type": "mistral", "sliding_window": 4096}, 0, 32, 0),
        ({"model_type": "qwen2", "sliding_window": 4096, "use_sliding_window": False}, 32, 0, 0),
        (
            {"model_type": "qwen2", "sliding_window": 4096, "use_sliding_window": True, "max_window_layers": 28},
            28,
            4,
            0,
        ),
        ({"layer_types": ["linear_attention"] * 3 + ["full_attention"], "num_hidden_layers": 4}, 1, 0, 3),
        ({"full_attention_interval": 4, "num_hidden_layers": 8}, 2, 0, 6),
        ({"attn_layer_period": 8, "attn_layer_offset": 4, "num_hidden_layers": 16}, 2, 0, 14),
        ({"attn_layer_indices": [3, 7], "num_hidden_layers": 8}, 2, 0, 6),
        ({"hybrid_override_pattern": "M-M-*-", "num_hidden_layers": 6}, 1, 0, 2),
        ({"layer_types": ["full_attention"] * 32, "num_kv_shared_layers": 10}, 22, 0, 0),
        ({"layer_types": ["hybrid"] * 32}, 32, 0, 32),
        ({"layer_types": ["full_attention"] * 32, "num_kv_shared_layers": 99}, 32, 0, 0),
        ({"attn_layer_indices": 3, "layer_types": 7, "sliding_window": "wide"}, 32, 0, 0),
    ],
)
def test_each_layer_by_its_kind(config: dict[str, Any], full: int, sliding: int, states: int) -> None:
    facts = model({**LLAMA, "mamba_d_state": 16, "mamba_expand": 2, "mamba_d_conv": 4, **config})
    cache = cache_of(facts, measure(facts))
    row, state = 2 * 8 * 128, 16 * 8192 + 3 * 8192
    if facts.keys.get("layer_types") and states:
        state = cache.state // states
    assert (cache.full, cache.sliding, cache.state) == (full * row, sliding * row, states * state)


def test_the_states_of_recurrent_layers() -> None:
    linear = {
        "layer_types": ["linear_attention"] * 32,
        "linear_num_value_heads": 32,
        "linear_num_key_heads": 16,
        "linear_key_head_dim": 128,
        "linear_value_head_dim": 128,
        "linear_conv_kernel_dim": 4,
    }
    facts = model({**LLAMA, **linear})
    assert cache_of(facts, measure(facts)).state == 32 * (32 * 128 * 128 + 3 * (2 * 16 * 128 + 32 * 128))
    short = model({**LLAMA, "layer_types": ["conv"] * 32, "conv_L_cache": 3})
    assert cache_of(short, measure(short)).state == 32 * 2 * 4096
    odd = model({**LLAMA, "layer_types": ["mamba"] * 32})
    assert not cache_of(odd, measure(odd)).sure
    assert estimate(odd, Settings(), family="vllm").confidence is Confidence.ESTIMATE


def test_what_sglang_keeps_back() -> None:
    # memory_hook.py: T4 2,048 tokens and 8 sequences; 4090 4,096 and 48; H100 8,192 and 256, but 10 GiB at least.
    assert sglang_reserve(16 * GIB) == (512 + 3072 + 16 + 128) * MIB
    assert sglang_reserve(24 * GIB) == (512 + 6144 + 96 + 128) * MIB
    assert sglang_reserve(80 * GIB) == (512 + 12288 + 512 + 128) * MIB
    assert sglang_reserve(61 * GIB) >= 10 * GIB
    assert sglang_reserve(180 * GIB) == (512 + 24576 + 1024 + 128) * MIB
    chosen = estimate(model(LLAMA), Settings(gpu_share=0.75), family="sglang", card_memory=24 * GIB)
    assert chosen.memory.compute == 6 * GIB


def test_what_vllm_takes_at_once() -> None:
    assert [vllm_batch(gib * GIB).tokens for gib in (0, 24, 80, 192)] == [2048, 2048, 8192, 16384]


def test_weights_as_each_engine_holds_them() -> None:
    wide = replace(model(LLAMA), quantisation="F32")
    assert estimate(wide, Settings(), family="vllm").memory.weights == WEIGHTS // 2
    assert estimate(wide, Settings(), family="transformers").memory.weights == WEIGHTS
    assert bytes_per_token(wide, Settings(), "transformers") == 262_144
    packed = replace(model(LLAMA, 5 * GIB), format="gguf", quantisation="Q4_K_M", parameters=8_030_261_248, tensors=())
    assert estimate(packed, Settings(), family="transformers").memory.weights == 2 * 8_030_261_248
    assert estimate(packed, Settings(), family="sglang").memory.weights == 5 * GIB


def test_room_on_a_machine() -> None:
    asked = Settings(gpu_share=0.8)
    two = machine(card(24), card(24, free=10))
    assert room("vllm", asked, two) == 20 * GIB
    assert room("sglang", asked, machine(card(24))) == 24 * GIB
    assert room("transformers", asked, two) == 34 * GIB
    assert room("vllm", asked, machine(ram=16 * GIB)) == 16 * GIB
    apple = Gpu("Apple M4", "apple", 24 * GIB, 24 * GIB, unified=True)
    assert room("mlx", asked, machine(apple, ram=20 * GIB)) == 20 * GIB
    assert room("mlx", asked, machine(card(24))) == 0


def test_several_cards_share_the_weights_and_each_has_its_own_peak() -> None:
    def held(config: dict[str, Any], cards: int, family: str = "vllm") -> Memory:
        return estimate(model(config), Settings(), family=family, card_memory=24 * GIB, cards=cards).memory

    one, two = held(LLAMA, 1), held(LLAMA, 2)
    assert (two.weights, two.kv, two.compute) == (one.weights, one.kv, 2 * one.compute)
    assert held(LLAMA, 16).kv == 2 * one.kv  # of eight heads every card has one at least
    assert held(DEEPSEEK, 4).kv == 4 * held(DEEPSEEK, 1).kv
    assert held(LLAMA, 2, "transformers") == held(LLAMA, 1, "transformers")
    asked, pair = Settings(), machine(card(24), card(24))
    alone = tokens_that_fit(model(LLAMA), asked, machine(card(24)), "vllm")
    assert tokens_that_fit(model(LLAMA), asked, pair, "vllm") > 2 * alone


def test_the_llama_cpp_family_keeps_its_own_formulas() -> None:
    facts = model(LLAMA)
    assert estimate(facts, Settings()) == llama_cpp.estimate(facts, Settings())
    assert estimate(facts, Settings(), family="unheard-of") == llama_cpp.estimate(facts, Settings())


def test_without_layers_it_is_an_estimate_from_the_size() -> None:
    found = estimate(ModelFacts("safetensors", GIB, weights=GIB), Settings(), family="vllm")
    assert found.confidence is Confidence.ESTIMATE
    assert found.memory.weights == GIB


@given(
    family=st.sampled_from(FAMILIES),
    context=st.integers(1, 1 << 20),
    more=st.integers(0, 1 << 20),
    slots=st.integers(1, 64),
    gib=st.integers(0, 200),
)
@settings(max_examples=150, deadline=1000)
def test_a_longer_context_never_needs_less(family: str, context: int, more: int, slots: int, gib: int) -> None:
    facts = model({**LLAMA, "model_type": "gemma2", "sliding_window": 4096})
    small, large = (
        estimate(facts, Settings(context=tokens, slots=slots), family=family, card_memory=gib * GIB)
        for tokens in (context, context + more)
    )
    assert small.memory.total <= large.memory.total
    assert 0 <= small.low <= small.memory.total <= small.high


@given(st.dictionaries(st.sampled_from([*LLAMA, "layer_types", "sliding_window", "kv_lora_rank"]), st.integers()))
@settings(max_examples=200, deadline=1000)
def test_odd_configurations_are_answered(config: dict[str, Any]) -> None:
    try:
        facts = model(config, 1)
    except FormatError:  # a count that no model has
        return
    for family in FAMILIES:
        assert estimate(facts, Settings(), family=family).memory.total >= 0
