"""Every method of quantisation: by what the configuration says, and by the tensors where it says nothing."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelshelf.metadata import transformers_facts
from modelshelf.metadata.facts import ModelFacts, TensorInfo
from modelshelf.metadata.packing import pack, unpack
from modelshelf.metadata.safetensors import read_header
from modelshelf.metadata.source import WindowSource
from tests.core.metadata import files

MLX = {"format": "mlx"}


def read(
    config: dict[str, Any], shapes: files.Shapes | None = None, metadata: dict[str, str] | None = None
) -> ModelFacts:
    header = read_header(WindowSource(files.tensors(shapes or {}, metadata)))
    return transformers_facts.facts(config, header.tensors, size=header.size, metadata=header.metadata)


def compressed(bits: int, kind: str, form: str, group: int | None = None, inputs: int | None = None) -> dict[str, Any]:
    weights = {"num_bits": bits, "type": kind, "group_size": group}
    activations = {"num_bits": inputs, "type": kind} if inputs else None
    return {
        "quant_method": "compressed-tensors",
        "format": form,
        "config_groups": {"group_0": {"weights": weights, "input_activations": activations, "targets": ["Linear"]}},
    }


SAID: list[tuple[dict[str, Any], str, str]] = [
    ({"quant_method": "gptq", "bits": 4, "group_size": 128}, "GPTQ-4bit", "safetensors"),
    ({"quant_method": "gptq", "bits": 3}, "GPTQ-3bit", "safetensors"),
    ({"quant_method": "awq", "w_bit": 4}, "AWQ-4bit", "safetensors"),
    ({"quant_method": "auto-round", "bits": 4}, "AUTOROUND-4bit", "safetensors"),
    ({"quant_method": "intel/auto-round", "bits": 2}, "AUTOROUND-2bit", "safetensors"),
    ({"quant_method": "fp8", "activation_scheme": "dynamic"}, "FP8", "safetensors"),
    ({"quant_method": "fbgemm_fp8"}, "FP8", "safetensors"),
    ({"quant_method": "modelopt", "quant_algo": "FP8"}, "FP8", "safetensors"),
    ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "NVFP4", "safetensors"),
    ({"quant_method": "mxfp4"}, "MXFP4", "safetensors"),
    ({"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}, "NF4", "safetensors"),
    ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "FP4", "safetensors"),
    ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "INT8", "safetensors"),
    (compressed(4, "int", "pack-quantized", 128), "W4A16", "safetensors"),
    (compressed(8, "int", "int-quantized", None, 8), "W8A8", "safetensors"),
    (compressed(8, "float", "float-quantized", None, 8), "FP8", "safetensors"),
    (compressed(4, "float", "nvfp4-pack-quantized", 16, 4), "NVFP4", "safetensors"),
    (compressed(4, "float", "mxfp4-pack-quantized", 32), "MXFP4", "safetensors"),
    ({"quant_method": "compressed-tensors"}, "COMPRESSED-TENSORS", "safetensors"),
    ({"quant_method": "hqq", "quant_config": {"weight_quant_params": {"nbits": 4}}}, "HQQ-4bit", "safetensors"),
    ({"quant_method": "quanto", "weights": "int8"}, "QUANTO-8bit", "safetensors"),
    ({"quant_method": "torchao", "quant_type": "int4_weight_only"}, "TORCHAO-4bit", "safetensors"),
    (
        {"quant_method": "torchao", "quant_type": {"default": {"_type": "Int8WeightOnlyConfig"}}},
        "TORCHAO-8bit",
        "safetensors",
    ),
    ({"quant_method": "exl2", "bits": 4.25, "head_bits": 6}, "EXL2-4.25bit", "exl2"),
    ({"quant_method": "exl3", "bits": 3.0}, "EXL3-3bit", "exl3"),
    ({"group_size": 64, "bits": 4}, "MLX-4bit", "mlx"),
    ({"quant_method": "new\nname", "bits": 4}, "QUANTISED-4bit", "safetensors"),
    ({"quant_method": ["x"], "bits": True}, "['X']", "safetensors"),
]


@pytest.mark.parametrize(("said", "label", "kind"), SAID)
def test_the_configuration_tells(said: dict[str, Any], label: str, kind: str) -> None:
    facts = read({"quantization_config": said})
    assert (facts.quantisation, facts.format) == (label, kind)
    assert facts.origins["quantisation"] == "config.json"
    nested = read({"model_type": "vlm", "text_config": {"quantization_config": said}})
    assert nested.quantisation == label


# The tensors of a layer of 64 x 64 values and a norm of 64, and how many of its values they hold.
FOUND: list[tuple[files.Shapes, str, str, int | None]] = [
    ({"l.weight": ("BF16", [64, 64])}, "BF16", "safetensors", 4096),
    (
        {
            "l.qweight": ("I32", [8, 64]),
            "l.qzeros": ("I32", [2, 8]),
            "l.scales": ("F16", [2, 64]),
            "l.g_idx": ("I32", [64]),
        },
        "GPTQ-4bit",
        "safetensors",
        4096,
    ),
    ({"l.qweight": ("I32", [8, 64]), "l.scales": ("F16", [2, 64])}, "GPTQ", "safetensors", None),
    (
        {"l.weight": ("U32", [64, 8]), "l.scales": ("F16", [64, 1]), "l.biases": ("F16", [64, 1])},
        "MLX-4bit",
        "mlx",
        4096,
    ),
    (
        {"l.qweight": ("I32", [64, 8]), "l.qzeros": ("I32", [2, 8]), "l.scales": ("F16", [2, 64])},
        "AWQ-4bit",
        "safetensors",
        4096,
    ),
    (
        {
            "l.weight": ("U8", [2048, 1]),
            "l.weight.absmax": ("F32", [64]),
            "l.weight.quant_map": ("F32", [16]),
            "l.weight.quant_state.bitsandbytes__nf4": ("U8", [90]),
        },
        "NF4",
        "safetensors",
        4096,
    ),
    (
        {
            "l.weight": ("U8", [2048, 1]),
            "l.weight.absmax": ("F32", [64]),
            "l.weight.quant_state.bitsandbytes__fp4": ("U8", [90]),
        },
        "FP4",
        "safetensors",
        4096,
    ),
    ({"l.weight": ("I8", [64, 64]), "l.SCB": ("F32", [64])}, "INT8", "safetensors", 4096),
    ({"l.weight": ("F8_E4M3", [64, 64]), "l.weight_scale_inv": ("F32", [1, 1])}, "FP8", "safetensors", 4096),
    (
        {
            "l.weight_packed": ("U8", [64, 32]),
            "l.weight_scale": ("F8_E4M3", [64, 4]),
            "l.weight_global_scale": ("F32", [1]),
        },
        "NVFP4",
        "safetensors",
        4096,
    ),
    (
        {"l.weight": ("U8", [64, 32]), "l.weight_scale": ("F8_E4M3", [64, 4]), "l.weight_scale_2": ("F32", [])},
        "NVFP4",
        "safetensors",
        4096,
    ),
    ({"l_blocks": ("U8", [64, 2, 16]), "l_scales": ("U8", [64, 2])}, "MXFP4", "safetensors", 4096),
    (
        {"l.trellis": ("I16", [4, 4, 48]), "l.suh": ("F16", [64]), "l.svh": ("F16", [64])},
        "EXL3-3bit",
        "exl3",
        4096,
    ),
    ({"l.trellis": ("I16", [4, 4, 56]), "l.suh": ("F16", [64])}, "EXL3-3.5bit", "exl3", 4096),
    (
        {"l.q_weight": ("I32", [8, 64]), "l.q_scale": ("I32", [2, 8]), "l.q_invperm": ("I32", [64])},
        "EXL2",
        "exl2",
        4096,
    ),
    ({"l.W_q": ("U8", [64, 64]), "l.scale": ("F16", [64])}, "HQQ", "safetensors", None),
]


@pytest.mark.parametrize(("shapes", "label", "kind", "count"), FOUND)
def test_the_tensors_tell_where_the_configuration_does_not(
    shapes: files.Shapes, label: str, kind: str, count: int | None
) -> None:
    facts = read(dict(files.LLAMA), {**shapes, "norm.weight": ("F32", [64])})
    assert (facts.quantisation, facts.format) == (label, kind)
    assert facts.parameters == (None if count is None else count + 64)
    assert facts.active == facts.parameters
    assert facts.origins["quantisation"] == "tensors"


@pytest.mark.parametrize("bits", [2, 3, 4, 6, 8])
def test_mlx_packs_rows_tightly(bits: int) -> None:
    shapes: files.Shapes = {
        "l.weight": ("U32", [64, 2 * bits]),
        "l.scales": ("BF16", [64, 1]),
        "l.biases": ("BF16", [64, 1]),
    }
    facts = read({}, shapes, MLX)
    assert (facts.format, facts.quantisation, facts.parameters) == ("mlx", f"MLX-{bits}bit", 4096)
    said = read({"quantization": {"group_size": 64, "bits": bits}}, shapes, MLX)
    assert (said.format, said.quantisation, said.parameters) == ("mlx", f"MLX-{bits}bit", 4096)


def test_mlx_layers_may_have_groups_of_their_own() -> None:
    config = {"quantization": {"group_size": 64, "bits": 4, "l": {"group_size": 32, "bits": 8}, "m": False}}
    facts = read(config, {"l.weight": ("U32", [64, 16]), "l.scales": ("BF16", [64, 2])}, MLX)
    assert facts.parameters == 4096


def test_mlx_without_quantisation_is_told_by_its_files() -> None:
    facts = read(dict(files.LLAMA), {"l.weight": ("BF16", [64, 64])}, MLX)
    assert (facts.format, facts.quantisation, facts.parameters) == ("mlx", "BF16", 4096)


def test_a_configuration_of_compressed_tensors_says_how_wide_the_packed_are() -> None:
    shapes: files.Shapes = {
        "l.weight_packed": ("I32", [64, 8]),
        "l.weight_scale": ("BF16", [64, 1]),
        "l.weight_shape": ("I64", [2]),
    }
    facts = read({"quantization_config": compressed(4, "int", "pack-quantized", 64)}, shapes)
    assert (facts.quantisation, facts.parameters) == ("W4A16", 4096)


EXPERTS: list[files.Shapes] = [
    {f"model.layers.0.mlp.experts.{index}.up_proj.weight": ("BF16", [16, 16]) for index in range(8)},
    {"model.layers.0.mlp.experts.gate_up_proj": ("BF16", [8, 16, 16])},
    {"model.layers.0.block_sparse_moe.input_linear.weight": ("BF16", [8, 16, 16])},
]


@pytest.mark.parametrize("shapes", EXPERTS)
@pytest.mark.parametrize(
    "keys",
    [
        {"num_experts": 8, "num_experts_per_tok": 2},
        {"num_local_experts": 8, "num_experts_per_tok": 2},
        {"n_routed_experts": 8, "num_experts_per_tok": 2},
        {"ffn_config": {"moe_num_experts": 8, "moe_top_k": 2}},
    ],
)
def test_of_the_experts_only_those_chosen_are_active(shapes: files.Shapes, keys: dict[str, Any]) -> None:
    shared: files.Shapes = {"model.layers.0.mlp.shared_experts.up_proj.weight": ("BF16", [16, 16])}
    facts = read(keys, {**shapes, **shared})
    assert (facts.parameters, facts.active) == (9 * 256, 3 * 256)


@pytest.mark.parametrize("keys", [{}, {"num_experts": 0}, {"num_experts": 8}, {"num_experts": "8"}])
def test_experts_that_nobody_counted_leave_the_active_unknown(keys: dict[str, Any]) -> None:
    assert read(keys, EXPERTS[0]).active is None


texts = st.text(max_size=6)
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
words = st.sampled_from(
    ["quant_method", "bits", "group_size", "config_groups", "weights", "quant_type", "quant_config", "load_in_4bit"]
)
methods = st.sampled_from(["gptq", "exl3", "compressed-tensors", "hqq", "quanto", "torchao", "modelopt", "mxfp4", None])
said_at_random = st.dictionaries(words | texts, documents, max_size=6)
endings = st.sampled_from(
    ["weight", "qweight", "qzeros", "scales", "trellis", "q_weight", "q_scale", "q_invperm", "weight_packed", "W_q",
     "weight_global_scale", "weight.absmax", "mlp.experts.0.weight", "blocks_blocks", "blocks_scales", "_data"]
)  # fmt: skip
tensors_at_random = st.lists(
    st.builds(
        lambda name, kind, shape: TensorInfo(f"l.{name}", kind, tuple(shape), 1),
        endings,
        st.sampled_from(["U8", "I32", "U32", "I16", "BF16", "F4"]),
        st.lists(st.integers(0, 1 << 40), max_size=4),
    ),
    max_size=6,
)


@settings(max_examples=1000, deadline=500)
@given(said_at_random, methods, tensors_at_random, st.dictionaries(texts, documents, max_size=3), st.booleans())
def test_whatever_is_said_gives_facts(
    said: dict[str, Any], method: str | None, tensors: list[TensorInfo], config: dict[str, Any], of_mlx: bool
) -> None:
    whole = {**config, "quantization_config": {**said, **({"quant_method": method} if method else {})}}
    facts = transformers_facts.facts(whole, tensors, size=1, metadata=MLX if of_mlx else {})
    assert facts.parameters is None or facts.parameters >= 0
    assert unpack(pack(facts)).parameters == facts.parameters
    transformers_facts.facts(config, tensors, size=1, metadata=MLX if of_mlx else {})
