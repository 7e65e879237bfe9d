"""How the weights of a transformers folder are quantised, by its configuration, or by the names of its tensors.

The same method goes by many names, and some files come without a configuration: then what the tensors are called tells.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelshelf.metadata.facts import TensorInfo

_WORD = re.compile(r"(?:uint|int|float|fp|nf)(\d{1,2})", re.IGNORECASE)
_BY_NAME = ("fp8", "fbgemm_fp8", "finegrained_fp8", "mxfp4", "nvfp4")
_SAME = {
    "auto-round": "autoround", "intel/auto-round": "autoround", "auto_round": "autoround", "quantized_awq": "awq",
    "gptq_marlin": "gptq", "awq_marlin": "awq", "fbgemm_fp8": "fp8", "finegrained_fp8": "fp8",
    "compressed_tensors": "compressed-tensors",
}  # fmt: skip
_FOLDERS = {"exl2": "exl2", "exl3": "exl3", "mlx": "mlx"}
MLX_GROUP, MAX_GROUP = 64, 1 << 20
TRELLIS_TILE = 256  # values of a tile of 16 x 16 that `16 x bits` numbers of 16 bits hold


@dataclass(frozen=True, slots=True)
class Method:
    """A method of quantisation: `label` is what people call it, `format` the kind of folder that it makes.

    `bits` is what a weight takes on average, `group` how many weights share a scale, `groups` where some tensors have
    another number; `origin` tells what it was read from.
    """

    name: str
    label: str
    format: str = "safetensors"
    bits: float | None = None
    group: int | None = None
    groups: Mapping[str, int] | None = None
    origin: str = "config.json"


def method_of(
    config: Mapping[str, Any], tensors: Sequence[TensorInfo] = (), metadata: Mapping[str, str] | None = None
) -> Method | None:
    """The method by which a model was quantised; None for one that was not. `metadata` is a safetensors header's."""
    said = _said(config)
    of_mlx = (metadata or {}).get("format") == "mlx"
    if said is not None:
        found = _of_config(said)
        of_mlx = of_mlx or ("group_size" in said and "quant_method" not in said)
        return _of_mlx(said) if of_mlx else found
    return _of_tensors({tensor.name: tensor for tensor in tensors}, of_mlx)


def format_of(method: Method | None, metadata: Mapping[str, str]) -> str:
    """What kind of folder it is: MLX says so in its files even where nothing is quantised."""
    if method is not None and method.format != "safetensors":
        return method.format
    return "mlx" if metadata.get("format") == "mlx" else "safetensors"


def _said(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    text = config.get("text_config")
    for holder in (config, text if isinstance(text, dict) else {}):
        for key in ("quantization", "quantization_config", "compression_config"):
            value = holder.get(key)
            if isinstance(value, dict) and value:
                return value
    return None


def _of_mlx(said: Mapping[str, Any]) -> Method:
    bits, group = _number(said.get("bits")), _group(said)
    groups = {name: size for name, value in said.items() if (size := _group(_mapping(value))) is not None}
    return Method("mlx", _with_bits("MLX", bits), "mlx", bits, MLX_GROUP if group is None else group, groups)


def _of_config(said: Mapping[str, Any]) -> Method:
    name = str(said.get("quant_method") or said.get("quant_algo") or "quantised").lower()[:40]
    name = _SAME.get(name, name if name.isprintable() else "quantised")
    bits = _number(said.get("bits") or said.get("w_bit") or said.get("nbits"))
    if name == "bitsandbytes":
        return _bitsandbytes(said)
    if name == "compressed-tensors":
        return _compressed(said)
    if name == "modelopt":
        name = str(said.get("quant_algo") or name).lower()[:40]
    if name in _BY_NAME:
        return Method(name, name.upper(), bits=4 if name.endswith("4") else 8)
    if name == "hqq":
        weights = _mapping(_mapping(said.get("quant_config")).get("weight_quant_params"))
        bits = bits or _number(weights.get("nbits"))
    elif name == "quanto":
        bits = _word_bits(said.get("weights"))
    elif name == "torchao":
        bits = _word_bits(str(said.get("quant_type"))[:2000])
    return Method(name, _with_bits(name.upper(), bits), _FOLDERS.get(name, "safetensors"), bits)


def _bitsandbytes(said: Mapping[str, Any]) -> Method:
    if said.get("load_in_4bit") or said.get("_load_in_4bit"):
        kind = str(said.get("bnb_4bit_quant_type") or "fp4").upper()[:8]
        return Method("bitsandbytes", kind, bits=4)
    return Method("bitsandbytes", "INT8", bits=8)


def _compressed(said: Mapping[str, Any]) -> Method:
    """A scheme of compressed-tensors: bits of weights and of activations, whole numbers or floating ones."""
    groups = [_mapping(group) for group in _mapping(said.get("config_groups")).values()]
    weights = _mapping(groups[0].get("weights")) if groups else {}
    inputs = _mapping(groups[0].get("input_activations")) if groups else {}
    bits, size = _number(weights.get("num_bits")), _group(weights)
    form = str(said.get("format"))
    if weights.get("type") == "float":
        small = "MXFP4" if "mxfp4" in form or size == 32 else "NVFP4"
        label = small if bits == 4 else _with_bits("FP", bits, joined=True)
    else:
        label = f"W{bits:g}A{_number(inputs.get('num_bits')) or 16:g}" if bits else "COMPRESSED-TENSORS"
    return Method("compressed-tensors", label, bits=bits, group=size)


def _of_tensors(tensors: Mapping[str, TensorInfo], of_mlx: bool) -> Method | None:
    """The first of the tensors that only one method writes."""
    for name, tensor in tensors.items():
        stem, _, last = name.rpartition(".")
        if last == "trellis" and tensor.shape:
            bits = tensor.shape[-1] / 16
            return Method("exl3", _with_bits("EXL3", bits), "exl3", bits, origin="tensors")
        if last == "q_weight" and f"{stem}.q_scale" in tensors:
            return Method("exl2", "EXL2", "exl2", origin="tensors")
        if last in {"bitsandbytes__nf4", "bitsandbytes__fp4"}:
            return Method("bitsandbytes", last[-3:].upper(), bits=4, origin="tensors")
        if last == "SCB":
            return Method("bitsandbytes", "INT8", bits=8, origin="tensors")
        if last == "qweight" and f"{stem}.scales" in tensors:
            return _of_packed(tensors, stem)
        if last in {"weight_global_scale", "weight_scale_2"} and _whole(tensors, stem) == "U8":
            return Method("nvfp4", "NVFP4", bits=4, origin="tensors")
        if last == "weight_scale_inv":
            return Method("fp8", "FP8", bits=8, origin="tensors")
        if last == "W_q":
            return Method("hqq", "HQQ", origin="tensors")
        if name.endswith("_blocks") and tensor.type == "U8" and f"{name[:-7]}_scales" in tensors:
            return Method("mxfp4", "MXFP4", bits=4, origin="tensors")
        if last == "weight" and tensor.type == "U32" and f"{stem}.scales" in tensors:
            return _of_mlx_tensors(tensor, tensors[f"{stem}.scales"], of_mlx or f"{stem}.biases" in tensors)
    return None


def _whole(tensors: Mapping[str, TensorInfo], stem: str) -> str | None:
    found = tensors.get(f"{stem}.weight_packed") or tensors.get(f"{stem}.weight")
    return found.type if found else None


def _of_packed(tensors: Mapping[str, TensorInfo], stem: str) -> Method:
    """GPTQ packs the weights of a column, so that a row is as long as that of its scales; AWQ packs those of a row."""
    zeros, scales = tensors.get(f"{stem}.qzeros"), tensors[f"{stem}.scales"]
    bits = None
    if zeros and zeros.shape and scales.shape and scales.shape[-1]:
        bits = _number(32 * zeros.shape[-1] / scales.shape[-1])
    columns = tensors[f"{stem}.qweight"].shape[-1:] == scales.shape[-1:]
    name = "gptq" if columns or f"{stem}.g_idx" in tensors else "awq"
    return Method(name, _with_bits(name.upper(), bits), bits=bits, origin="tensors")


def _of_mlx_tensors(weight: TensorInfo, scales: TensorInfo, of_mlx: bool) -> Method | None:
    if not of_mlx or not weight.shape or not scales.shape or not scales.shape[-1]:
        return None
    bits = _number(32 * weight.shape[-1] / (scales.shape[-1] * MLX_GROUP))
    return Method("mlx", _with_bits("MLX", bits), "mlx", bits, MLX_GROUP, origin="tensors")


def _number(value: object) -> float | None:
    """Bits: half a bit at least, at most 64."""
    good = isinstance(value, int | float) and not isinstance(value, bool) and 0.5 <= value <= 64
    return float(value) if good and isinstance(value, int | float) else None


def _group(said: Mapping[str, Any]) -> int | None:
    """How many weights share a scale."""
    size = said.get("group_size")
    return size if type(size) is int and 0 < size <= MAX_GROUP else None


def _word_bits(value: object) -> float | None:
    match = _WORD.search(value) if isinstance(value, str) else None
    return _number(int(match[1])) if match else None


def _with_bits(label: str, bits: float | None, *, joined: bool = False) -> str:
    if bits is None:
        return label
    return f"{label}{bits:g}" if joined else f"{label}-{round(bits, 2):g}bit"


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
