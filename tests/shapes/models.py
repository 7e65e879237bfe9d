"""The shapes on which `tests/data/llama_cpp_memory.csv` was measured."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.shapes import parts
from tests.shapes.shape import Shape, Tensor, Value

STEP = "rope.scaling.original_context_length"


def _outside(width: int, words: int, *, tied: bool = False, norm: bool = True) -> tuple[Tensor, ...]:
    found: list[Tensor] = [("token_embd.weight", (width, words))]
    if norm:
        found.append(("output_norm.weight", (width,)))
    if not tied:
        found.append(("output.weight", (width, words)))
    return tuple(found)


def _keys(
    context: int, layers: int, width: int, inner: int, heads: int, kv: Any = None, length: int = 0
) -> dict[str, Value]:
    found: dict[str, Value] = {
        "context_length": context,
        "block_count": layers,
        "embedding_length": width,
        "feed_forward_length": inner,
        "attention.head_count": heads,
        "attention.layer_norm_rms_epsilon": 1e-5,
        "rope.freq_base": 10000.0,
    }
    if kv is not None:
        found["attention.head_count_kv"] = kv
    if length:
        found |= {"attention.key_length": length, "attention.value_length": length, "rope.dimension_count": length}
    return found


def _dense(
    architecture: str,
    layers: int,
    width: int,
    inner: int,
    heads: int,
    kv: int,
    length: int,
    words: int,
    context: int,
    *,
    tied: bool = False,
    bias: bool = False,
    norm: int = 0,
    before: tuple[str, ...] = ("attn_norm", "ffn_norm"),
    experts: tuple[int, int, int] | None = None,
    given: bool = True,
    **extra: Value,
) -> Shape:
    """Every layer alike; `experts` are how many, how wide and how many used; `given`: keys name the heads' length."""

    def layer(_: int) -> Iterator[Tensor]:
        yield from parts.norms(width, *before)
        yield from parts.attention(width, heads, kv, length, bias=bias, norm=norm)
        if experts:
            yield from parts.experts(width, experts[1], experts[0])
        else:
            yield from parts.feed_forward(width, inner)

    keys = _keys(context, layers, width, inner, heads, kv, length if given else 0)
    if experts:
        keys |= {"expert_count": experts[0], "expert_used_count": experts[2]}
        if given:
            keys["expert_feed_forward_length"] = experts[1]
    keys |= {name.replace("__", "."): value for name, value in extra.items()}
    return Shape(architecture, words, width, layers, layer, keys, _outside(width, words, tied=tied))


def _phi3() -> Shape:
    layers, width, inner, heads = 32, 3072, 8192, 32

    def layer(_: int) -> Iterator[Tensor]:
        yield from parts.norms(width, "attn_norm", "ffn_norm")
        yield "attn_qkv.weight", (width, 3 * width)
        yield "attn_output.weight", (width, width)
        yield "ffn_up.weight", (width, 2 * inner)
        yield "ffn_down.weight", (inner, width)

    keys = _keys(131072, layers, width, inner, heads, heads)
    keys |= {"rope.dimension_count": 96, STEP: 4096, "rope.scaling.attn_factor": 1.19}
    factors = (("rope_factors_long.weight", (48,)), ("rope_factors_short.weight", (48,)))
    return Shape("phi3", 32064, width, layers, layer, keys, (*_outside(width, 32064), *factors))


def _deepseek2() -> Shape:
    layers, width, heads, words = 27, 2048, 16, 102400
    rank, rope, plain, value = 512, 64, 128, 128

    def layer(index: int) -> Iterator[Tensor]:
        yield from parts.norms(width, "attn_norm", "ffn_norm")
        yield from parts.norms(rank, "attn_kv_a_norm")
        yield "attn_q.weight", (width, heads * (plain + rope))
        yield "attn_kv_a_mqa.weight", (width, rank + rope)
        yield "attn_k_b.weight", (plain, rank, heads)
        yield "attn_v_b.weight", (rank, value, heads)
        yield "attn_output.weight", (heads * value, width)
        if index < 1:
            yield from parts.feed_forward(width, 10944)
        else:
            yield from parts.experts(width, 1408, 64)
            yield from parts.shared_experts(width, 2816)

    keys = _keys(163840, layers, width, 10944, heads, 1) | {
        "attention.key_length": 576,
        "attention.value_length": 512,
        "attention.key_length_mla": 192,
        "attention.value_length_mla": 128,
        "attention.kv_lora_rank": rank,
        "rope.dimension_count": rope,
        "leading_dense_block_count": 1,
        "expert_count": 64,
        "expert_used_count": 6,
        "expert_shared_count": 2,
        "expert_feed_forward_length": 1408,
        "expert_weights_scale": 1.0,
        "vocab_size": words,
        "rope.scaling.type": "yarn",
        "rope.scaling.factor": 40.0,
        STEP: 4096,
        "rope.scaling.yarn_log_multiplier": 0.0707,
    }
    return Shape("deepseek2", words, width, layers, layer, keys, _outside(width, words))


def _recurrent(
    context: int, layers: int, width: int, kernel: int, inner: int, state: int, steps: int, groups: int = 0
) -> dict[str, Value]:
    keys = _keys(context, layers, width, 0, 0)
    del keys["rope.freq_base"]
    return keys | _ssm(kernel, inner, state, steps, groups)


def _ssm(kernel: int, inner: int, state: int, steps: int, groups: int = 0) -> dict[str, Value]:
    found: dict[str, Value] = {
        "ssm.conv_kernel": kernel,
        "ssm.inner_size": inner,
        "ssm.state_size": state,
        "ssm.time_step_rank": steps,
    }
    return found | {"ssm.group_count": groups} if groups else found


def _mamba() -> Shape:
    layers, width, words, inner, state, kernel, steps = 64, 2560, 50280, 5120, 16, 4, 160

    def layer(_: int) -> Iterator[Tensor]:
        yield from parts.norms(width, "attn_norm")
        yield "ssm_in.weight", (width, 2 * inner)
        yield "ssm_conv1d.weight", (kernel, inner)
        yield "ssm_conv1d.bias", (inner,)
        yield "ssm_x.weight", (inner, steps + 2 * state)
        yield "ssm_dt.weight", (steps, inner)
        yield "ssm_dt.bias", (inner,)
        yield "ssm_a", (state, inner)
        yield "ssm_d", (inner,)
        yield "ssm_out.weight", (inner, width)

    keys = _recurrent(1048576, layers, width, kernel, inner, state, steps)
    return Shape("mamba", words, width, layers, layer, keys, _outside(width, words, tied=True))


def _mamba2() -> Shape:
    layers, width, words = 64, 2560, 50288

    def layer(_: int) -> Iterator[Tensor]:
        yield from parts.norms(width, "attn_norm")
        yield from parts.mamba2(width, 5120, 128, 1, 80, 4)

    keys = _recurrent(1048576, layers, width, 4, 5120, 128, 80, 1)
    return Shape("mamba2", words, width, layers, layer, keys, _outside(width, words, tied=True))


def _falcon_h1() -> Shape:
    layers, width, inner, heads, kv, length, words = 24, 2048, 4096, 8, 2, 128, 65537

    def layer(_: int) -> Iterator[Tensor]:
        yield from parts.mamba2(width, 3072, 256, 1, 48, 4)
        yield from parts.attention(width, heads, kv, length)
        yield from parts.norms(width, "attn_norm")
        yield "ffn_norm", (width,)
        yield from parts.feed_forward(width, inner)

    keys = _keys(131072, layers, width, inner, heads, kv, length) | _ssm(4, 3072, 256, 48, 1)
    keys["rope.freq_base"] = 1e11
    return Shape("falcon-h1", words, width, layers, layer, keys, _outside(width, words))


def _gpt_oss() -> Shape:
    layers, width, heads, kv, length, count, words = 24, 2880, 64, 8, 64, 32, 201088

    def layer(_: int) -> Iterator[Tensor]:
        yield from parts.norms(width, "attn_norm", "post_attention_norm")
        yield from parts.attention(width, heads, kv, length, bias=True)
        yield "attn_output.bias", (width,)
        yield "attn_sinks.weight", (heads,)
        yield from parts.experts(width, width, count)
        yield "ffn_gate_inp.bias", (count,)
        for name in ("gate", "up", "down"):
            yield f"ffn_{name}_exps.bias", (width, count)

    keys = _keys(131072, layers, width, width, heads, kv, length) | {
        "rope.freq_base": 150000.0,
        "expert_count": count,
        "expert_used_count": 4,
        "expert_feed_forward_length": width,
        "attention.sliding_window": 128,
        "rope.scaling.type": "yarn",
        "rope.scaling.factor": 32.0,
        STEP: 4096,
    }
    return Shape("gpt-oss", words, width, layers, layer, keys, _outside(width, words), mix="MXFP4")


def _qwen3next() -> Shape:
    layers, width, heads, kv, length, words = 48, 2048, 16, 2, 256, 151936
    key_row, value_row, state, wide = 2048, 4096, 128, 512

    def layer(index: int) -> Iterator[Tensor]:
        yield from parts.norms(width, "attn_norm", "post_attention_norm")
        if (index + 1) % 4 == 0:
            yield from parts.attention(width, heads, kv, length, norm=length, wider_queries=2)
        else:
            yield "attn_qkv.weight", (width, 2 * key_row + value_row)
            yield "attn_gate.weight", (width, value_row)
            yield "ssm_conv1d.weight", (4, 2 * key_row + value_row)
            yield "ssm_dt.bias", (32,)
            yield "ssm_a", (32,)
            yield "ssm_ba.weight", (width, 64)
            yield "ssm_norm.weight", (state,)
            yield "ssm_out.weight", (value_row, width)
        yield from parts.experts(width, wide, 512)
        yield "ffn_gate_inp_shexp.weight", (width,)
        yield from parts.shared_experts(width, wide)

    keys = _keys(262144, layers, width, 5120, heads, kv, length) | _ssm(4, value_row, state, 32, 16)
    keys |= {
        "rope.freq_base": 1e7,
        "rope.dimension_count": 64,
        "expert_count": 512,
        "expert_used_count": 10,
        "expert_feed_forward_length": wide,
        "expert_shared_feed_forward_length": wide,
    }
    return Shape("qwen3next", words, width, layers, layer, keys, _outside(width, words))


def _lfm2() -> Shape:
    layers, width, inner, heads, length, words = 16, 2048, 8192, 32, 64, 65536
    attending = {2, 5, 8, 10, 12, 14}

    def layer(index: int) -> Iterator[Tensor]:
        yield from parts.norms(width, "attn_norm", "ffn_norm")
        yield from parts.feed_forward(width, inner)
        if index in attending:
            yield from parts.attention(width, heads, 8, length, norm=length)
        else:
            yield "shortconv.conv.weight", (3, width)
            yield "shortconv.in_proj.weight", (width, 3 * width)
            yield "shortconv.out_proj.weight", (width, width)

    kv = tuple(8 if index in attending else 0 for index in range(layers))
    keys = _keys(128000, layers, width, inner, heads, kv) | {"shortconv.l_cache": 3, "vocab_size": words}
    outside = (*_outside(width, words, tied=True, norm=False), ("token_embd_norm.weight", (width,)))
    return Shape("lfm2", words, width, layers, layer, keys, outside)


def _cohere2() -> Shape:
    return _dense(
        "cohere2", 32, 4096, 14336, 32, 8, 128, 256000, 131072, tied=True, before=("attn_norm",),
        attention__sliding_window=4096, logit_scale=0.25, attention__layer_norm_epsilon=1e-5, vocab_size=256000,
    )  # fmt: skip


def _granite() -> Shape:
    layers, width, inner, heads, kv, length, words = 40, 2048, 8192, 32, 8, 64, 100352
    attending = {5, 15, 25, 35}

    def layer(index: int) -> Iterator[Tensor]:
        yield from parts.norms(width, "attn_norm", "ffn_norm")
        yield from parts.feed_forward(width, inner)
        if index in attending:
            yield from parts.attention(width, heads, kv, length)
        else:
            yield from parts.mamba2(width, 4096, 128, 1, 64, 4)

    counts = tuple(kv if index in attending else 0 for index in range(layers))
    keys = _keys(131072, layers, width, inner, heads, counts) | _ssm(4, 4096, 128, 64, 1)
    keys |= {"vocab_size": words, "embedding_scale": 12.0, "residual_scale": 0.22, "logit_scale": 8.0}
    keys["attention.scale"] = 0.015
    return Shape("granitehybrid", words, width, layers, layer, keys, _outside(width, words, tied=True))


_AROUND = ("attn_norm", "ffn_norm", "post_attention_norm", "post_ffw_norm")
_WINDOW = "attention__sliding_window"

SHAPES: Mapping[str, Shape] = {
    "llama32_1b": _dense("llama", 16, 2048, 8192, 32, 8, 64, 128256, 131072, tied=True),
    "llama31_8b": _dense("llama", 32, 4096, 14336, 32, 8, 128, 128256, 131072),
    "llama2_7b": _dense("llama", 32, 4096, 11008, 32, 32, 128, 32000, 4096),
    "mistral_7b": _dense("llama", 32, 4096, 14336, 32, 8, 128, 32768, 32768),
    "mixtral_8x7b": _dense("llama", 32, 4096, 14336, 32, 8, 128, 32000, 32768, experts=(8, 14336, 2)),
    "qwen2_7b": _dense("qwen2", 28, 3584, 18944, 28, 4, 128, 152064, 32768, bias=True),
    "qwen3_8b": _dense("qwen3", 36, 4096, 12288, 32, 8, 128, 151936, 40960, norm=128),
    "qwen3moe_30b": _dense("qwen3moe", 48, 2048, 6144, 32, 4, 128, 151936, 40960, norm=128, experts=(128, 768, 8)),
    "gemma2_9b": _dense(
        "gemma2", 42, 3584, 14336, 16, 8, 256, 256000, 8192, tied=True, before=_AROUND,
        attention__sliding_window=4096, attn_logit_softcapping=50.0, final_logit_softcapping=30.0,
    ),
    "gemma3_4b": _dense(
        "gemma3", 34, 2560, 10240, 8, 4, 256, 262144, 131072, tied=True, before=_AROUND, norm=256,
        attention__sliding_window=1024,
    ),
    "gemma3_12b": _dense(
        "gemma3", 48, 3840, 15360, 16, 8, 256, 262144, 131072, tied=True, before=_AROUND, norm=256,
        attention__sliding_window=1024,
    ),
    "olmoe_7b": _dense(
        "olmoe", 16, 2048, 1024, 16, 16, 128, 50304, 4096, norm=2048, experts=(64, 1024, 8), given=False,
    ),
    "olmo2_7b": _dense(
        "olmo2", 32, 4096, 11008, 32, 32, 128, 100352, 4096, norm=4096,
        before=("post_attention_norm", "post_ffw_norm"), given=False,
    ),
    "phi3_mini": _phi3(),
    "deepseek2_lite": _deepseek2(),
    "mamba_2_8b": _mamba(),
    "mamba2_2_7b": _mamba2(),
    "falcon_h1_1_5b": _falcon_h1(),
    "gptoss_20b": _gpt_oss(),
    "qwen3next_80b": _qwen3next(),
    "lfm2_1_2b": _lfm2(),
    "command_r7b": _cohere2(),
    "granite_hybrid": _granite(),
}  # fmt: skip
