"""From `config.json` and safetensors headers to what the model is."""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from modelshelf.errors import FormatError
from modelshelf.metadata.facts import ModelFacts, TensorInfo
from modelshelf.metadata.json_pieces import load

MAX_CONFIG = 1 << 20

# The first name that a configuration has wins: families call the same thing by different names.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "layers": ("num_hidden_layers", "n_layer", "num_layers", "n_layers"),
    "embedding": ("hidden_size", "n_embd", "d_model", "dim"),
    "feed_forward": ("intermediate_size", "n_inner", "ffn_dim", "d_ff"),
    "heads": ("num_attention_heads", "n_head", "n_heads"),
    "heads_kv": ("num_key_value_heads", "n_head_kv", "multi_query_group_num", "num_kv_heads"),
    "head_size": ("head_dim", "attention_head_dim", "kv_channels"),
    "vocabulary": ("vocab_size", "padded_vocab_size", "n_vocab"),
    "context": ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length", "max_seq_len", "n_ctx"),
}


def read_config(data: bytes, name: str = "config.json") -> dict[str, Any]:
    """Parse a configuration of at most a mebibyte.

    Raises:
        FormatError: too long, or no JSON object.
    """
    if len(data) > MAX_CONFIG:
        raise FormatError(f"{name} has {len(data):,} bytes, more than {MAX_CONFIG:,}.")
    config = load(data, name)
    if not isinstance(config, dict):
        raise FormatError(f"{name} is not a JSON object.")
    return config


def facts(
    config: Mapping[str, Any], tensors: Sequence[TensorInfo] = (), *, size: int, weights: int | None = None
) -> ModelFacts:
    """What the configuration and the tensors say; `size` is that of all weight files, `weights` that of their tensors.

    A model with several parts (text and vision) keeps the language part under `text_config`.
    """
    text = _text_part(config)
    read = {fact: _first(text, names) for fact, names in _NAMES.items()}
    heads, embedding, layers = read["heads"], read["embedding"], read["layers"]
    head_size = read["head_size"] or (embedding // heads if embedding and heads else None)
    heads_kv = read["heads_kv"] if read["heads_kv"] is not None else heads
    architectures = config.get("architectures")
    named = architectures[0] if isinstance(architectures, list) and architectures else None
    exact = bool(tensors)
    return ModelFacts(
        format="safetensors",
        size=size,
        architecture=_text(config.get("model_type")) or _text(named),
        name=_text(config.get("_name_or_path")),
        parameters=_parameters(tensors, config) if exact else None,
        layers=layers,
        embedding=embedding,
        feed_forward=read["feed_forward"],
        heads=heads,
        heads_kv=(heads_kv,) * layers if heads_kv is not None and layers and layers <= 65_536 else (),
        key_length=head_size,
        value_length=head_size,
        vocabulary=read["vocabulary"],
        context=read["context"],
        quantisation=_quantisation(config, tensors),
        weights=sum(tensor.size for tensor in tensors) if exact else weights,
        tensors=tuple(tensors),
        keys={key: value for key, value in text.items() if isinstance(value, str | int | float | bool | list)},
        tier=2 if exact else 1,
        origins={"weights": "tensors" if exact else "file sizes", "context": "config.json", "layers": "config.json"},
    )


def _text_part(config: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in ("text_config", "llm_config", "language_config"):
        part = config.get(name)
        if isinstance(part, dict) and _first(part, _NAMES["layers"]) is not None:
            return part
    return config


def _first(config: Mapping[str, Any], names: Sequence[str]) -> int | None:
    for name in names:
        value = config.get(name)
        if type(value) is int and 0 <= value < 1 << 48:
            return value
    return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _quantisation(config: Mapping[str, Any], tensors: Sequence[TensorInfo]) -> str | None:
    """The method that the configuration names with its bits, else the type that most values have."""
    method = config.get("quantization_config") or config.get("quantization")
    if isinstance(method, dict):
        bits = method.get("bits") or (4 if method.get("load_in_4bit") else 8 if method.get("load_in_8bit") else None)
        label = str(method.get("quant_method") or ("mlx" if "group_size" in method else "quantised")).upper()
        if label == "BITSANDBYTES" and method.get("load_in_4bit"):
            return str(method.get("bnb_4bit_quant_type") or "NF4").upper()
        return f"{label}-{bits}bit" if isinstance(bits, int) and label not in {"FP8", "MXFP4"} else label
    values: Counter[str] = Counter()
    for tensor in tensors:
        values[tensor.type] += prod(tensor.shape)
    if values:
        return values.most_common(1)[0][0]
    dtype = _text(config.get("dtype")) or _text(config.get("torch_dtype"))
    return {"bfloat16": "BF16", "float16": "F16", "float32": "F32"}.get(dtype or "")


def _parameters(tensors: Sequence[TensorInfo], config: Mapping[str, Any]) -> int:
    """The values in all tensors; GPTQ and AWQ pack several into an integer and add scales, which are no parameters."""
    method = config.get("quantization_config")
    bits = method.get("bits") if isinstance(method, dict) else None
    if bits not in (2, 3, 4, 8):
        return sum(prod(tensor.shape) for tensor in tensors)
    extras = (".qzeros", ".scales", ".g_idx")
    return sum(
        prod(tensor.shape) * (32 // bits if tensor.name.endswith(".qweight") else 1)
        for tensor in tensors
        if not tensor.name.endswith(extras)
    )
