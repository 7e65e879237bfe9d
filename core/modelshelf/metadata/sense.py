"""Whether the counts of a header can be those of a model: an engine would end, or worse, on what cannot."""

from collections.abc import Mapping
from typing import Any

from modelshelf.errors import FormatError

# The least and the most that any model may say; a list has one for each layer.
BOUNDS: Mapping[str, tuple[int, int]] = {
    "block_count": (1, 4096),
    "context_length": (1, 1 << 31),
    "embedding_length": (1, 1 << 24),
    "feed_forward_length": (0, 1 << 26),
    "attention.head_count": (0, 1 << 16),
    "attention.head_count_kv": (0, 1 << 16),
    "attention.key_length": (0, 1 << 20),
    "attention.value_length": (0, 1 << 20),
    "attention.sliding_window": (0, 1 << 31),
    "expert_count": (0, 1 << 16),
    "expert_used_count": (0, 1 << 16),
    "vocab_size": (0, 1 << 28),
}
CONFIG: Mapping[str, tuple[int, int]] = {
    "num_hidden_layers": (1, 4096),
    "hidden_size": (1, 1 << 24),
    "intermediate_size": (0, 1 << 26),
    "num_attention_heads": (0, 1 << 16),
    "num_key_value_heads": (0, 1 << 16),
    "vocab_size": (0, 1 << 28),
    "max_position_embeddings": (-1, 1 << 31),
}
_ATTENDS = ("attn_q.weight", "attn_qkv.weight")


def check_keys(keys: Mapping[str, Any], prefix: str, name: str) -> None:
    """Look at the architecture's keys of a GGUF header.

    Raises:
        FormatError: a count cannot be; the message names the file and the field.
    """
    for key, bounds in BOUNDS.items():
        if key in keys:
            _check(keys[key], bounds, f"{prefix}{key}", name)
    recurrent = any(key.startswith(("ssm.", "wkv.", "shortconv.")) for key in keys)
    if keys.get("attention.head_count") == 0 and not recurrent:
        _fail(0, f"{prefix}attention.head_count", name)


def check_config(config: Mapping[str, Any], name: str) -> None:
    """Look at the counts of a configuration.

    Raises:
        FormatError: one cannot be; the message names the file and the field.
    """
    for key, bounds in CONFIG.items():
        if config.get(key) is not None:
            _check(config[key], bounds, key, name)


def _check(value: object, bounds: tuple[int, int], field: str, name: str) -> None:
    low, high = bounds
    for one in value if isinstance(value, tuple | list) else (value,):
        if not isinstance(one, int) or isinstance(one, bool) or not low <= one <= high:
            _fail(one, field, name)


def _fail(value: object, field: str, name: str) -> None:
    shown = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else f"“{str(value)[:20]}”"
    raise FormatError(f"{name}: “{field}” is {shown}, which no model has.", field=field)
