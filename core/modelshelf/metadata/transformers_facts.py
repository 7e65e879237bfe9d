"""From the files of a transformers folder, configuration and safetensors headers, to what the model is."""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from modelshelf.metadata import abilities, experts, packed, quantised
from modelshelf.metadata.beside import ADAPTER, CONFIG, MAX_CONFIG, NOTHING, README, Beside, read_config
from modelshelf.metadata.facts import ModelFacts, TensorInfo
from modelshelf.metadata.origins import with_origins
from modelshelf.metadata.quantised import Method
from modelshelf.metadata.sense import check_config

__all__ = ["MAX_CONFIG", "MAX_LAYERS", "facts", "read_config"]

MAX_LAYERS = 65_536
MAX_LIST = 8192
MAX_TEXT = 500

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
    "window": ("sliding_window", "sliding_window_size"),
}
_ADAPTER_TENSORS = (".lora_", "base_model.model.", "prompt_embeddings")
_OF_CONFIG = (
    "architecture", "name", "layers", "embedding", "feed_forward", "heads", "heads_kv", "key_length", "value_length",
    "vocabulary", "context", "window",
)  # fmt: skip
_DTYPES = {"bfloat16": "BF16", "float16": "F16", "float32": "F32"}


def facts(
    config: Mapping[str, Any],
    tensors: Sequence[TensorInfo] = (),
    *,
    size: int,
    weights: int | None = None,
    metadata: Mapping[str, str] | None = None,
    beside: Beside = NOTHING,
) -> ModelFacts:
    """What the configuration and the tensors say; `size` is that of all weight files, `weights` that of their tensors.

    A model with several parts (text and vision) keeps the language part under `text_config`. `metadata` is that of the
    safetensors headers, `beside` what the other files say.
    """
    if _adapts(beside, tensors):
        return _adapter(beside, tensors, size, weights)
    text, exact = _text_part(config), bool(tensors)
    check_config(text, "config.json")
    read = {fact: _first(text, names) for fact, names in _NAMES.items()}
    method = quantised.method_of(config, tensors, metadata)
    counts = tuple(packed.values(tensors, method))
    counted = exact and packed.countable(tensors, method)
    keys = _keys(text)
    heads, embedding, layers = read["heads"], read["embedding"], read["layers"]
    head_size = read["head_size"] or (embedding // heads if embedding and heads else None)
    heads_kv = read["heads_kv"] if read["heads_kv"] is not None else heads
    architectures = config.get("architectures")
    named = architectures[0] if isinstance(architectures, list) and architectures else None
    found = ModelFacts(
        format=quantised.format_of(method, metadata or {}),
        size=size,
        architecture=_text(config.get("model_type")) or _text(named),
        name=_text(config.get("_name_or_path")),
        parameters=sum(count for _, count in counts) if counted else None,
        active=experts.by_tensors(counts, keys) if counted else None,
        layers=layers,
        embedding=embedding,
        feed_forward=read["feed_forward"],
        heads=heads,
        heads_kv=(heads_kv,) * layers if heads_kv is not None and layers and layers <= MAX_LAYERS else (),
        key_length=head_size,
        value_length=head_size,
        vocabulary=read["vocabulary"],
        context=read["context"],
        window=(read["window"] or None) if text.get("use_sliding_window") is not False else None,
        quantisation=method.label if method else _usual_type(config, tensors),
        licence=beside.licence,
        base=beside.base,
        abilities=_abilities(config, beside),
        generation=beside.generation,
        chat_template=beside.templates[0] if beside.templates else None,
        weights=sum(tensor.size for tensor in tensors) if exact else weights,
        tensors=tuple(tensors),
        keys=keys,
        tier=2 if exact else 1,
    )
    return with_origins(found, _origins(exact, method, beside))


def _adapts(beside: Beside, tensors: Sequence[TensorInfo]) -> bool:
    """An adapter may lie beside a whole model: then the names of the tensors tell which of them was read."""
    if any(mark in tensor.name for tensor in tensors for mark in _ADAPTER_TENSORS):
        return True
    return beside.adapter is not None and not beside.config


def _adapter(beside: Beside, tensors: Sequence[TensorInfo], size: int, weights: int | None) -> ModelFacts:
    """An adapter has matrices for some layers of the model that it goes with, and none of that model's measures."""
    config = beside.adapter or {}
    exact = bool(tensors)
    found = ModelFacts(
        format="safetensors",
        size=size,
        role="adapter",
        base=beside.base,
        licence=beside.licence,
        parameters=sum(prod(tensor.shape) for tensor in tensors) if exact else None,
        quantisation=_usual_type({}, tensors),
        weights=sum(tensor.size for tensor in tensors) if exact else weights,
        tensors=tuple(tensors),
        keys=_keys(config),
        tier=2 if exact else 1,
    )
    role = "tensors" if beside.adapter is None else ADAPTER
    return with_origins(found, {**_origins(exact, None, beside), "role": role})


def _origins(exact: bool, method: Method | None, beside: Beside) -> Mapping[str, str]:
    """Where facts of these names come from, should they be known."""
    template = beside.template_origin or "chat_template.jinja"
    return {
        **dict.fromkeys(_OF_CONFIG, CONFIG),
        "role": CONFIG if beside.config else "tensors",
        "weights": "tensors" if exact else "file sizes",
        "parameters": "tensors",
        "active": "tensors",
        "quantisation": method.origin if method else "tensors" if exact else CONFIG,
        "generation": "generation_config.json",
        "chat_template": template,
        "abilities": "modules.json" if beside.embeds else template if beside.templates else CONFIG,
        "licence": README,
        "base": README if beside.adapter is None else ADAPTER,
    }


def _abilities(config: Mapping[str, Any], beside: Beside) -> frozenset[str]:
    found = abilities.of_templates(beside.templates) | abilities.of_encoders(config)
    if beside.embeds:
        return abilities.without_chat(found, abilities.EMBED)
    if "sentence_transformers" in config and _marks(config):
        return abilities.without_chat(found, abilities.RERANK)
    return found


def _marks(config: Mapping[str, Any]) -> bool:
    """Whether it gives a pair of texts one mark."""
    named = config.get("architectures")
    return isinstance(named, list) and any(str(item).endswith("ForSequenceClassification") for item in named)


def _text_part(config: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in ("text_config", "llm_config", "language_config"):
        part = config.get(name)
        if isinstance(part, dict) and _first(part, _NAMES["layers"]) is not None:
            return part
    return config


def _keys(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is a word, a number or a list of such; lists become tuples, so that nobody changes them."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        if _plain(value):
            found[key] = value
        elif isinstance(value, list) and len(value) <= MAX_LIST:
            if all(map(_plain, value)):
                found[key] = tuple(value)
        elif key == "ffn_config" and isinstance(value, dict):  # where DBRX keeps the counts of its experts
            found |= {name: number for name, number in value.items() if type(number) is int and _plain(number)}
    return found


def _plain(value: object) -> bool:
    """A word, or a number that fits into 64 bits."""
    if isinstance(value, int):
        return -(1 << 63) <= value < 1 << 64
    return isinstance(value, str | float)


def _first(config: Mapping[str, Any], names: Sequence[str]) -> int | None:
    for name in names:
        value = config.get(name)
        if type(value) is int and 0 <= value < 1 << 48:
            return value
    return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= MAX_TEXT and value.isprintable() else None


def _usual_type(config: Mapping[str, Any], tensors: Sequence[TensorInfo]) -> str | None:
    """The type that most values have, or that the configuration names."""
    values: Counter[str] = Counter()
    for tensor in tensors:
        values[tensor.type] += prod(tensor.shape)
    if values:
        return values.most_common(1)[0][0]
    return _DTYPES.get(_text(config.get("dtype")) or _text(config.get("torch_dtype")) or "")
