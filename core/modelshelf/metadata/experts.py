"""How many parameters one token uses: in a model of experts only those that were chosen for it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# Stacked or single experts of llama.cpp, and of transformers; experts that every token uses are named otherwise.
_EXPERT = re.compile(
    r"_exps\.|ffn_(?:gate|up|down)\.\d+\.|(?:^|\.)experts\.|block_sparse_moe\.(?:input|output)_linear\."
)
_COUNT = (
    "expert_count", "num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts", "num_moe_experts",
)  # fmt: skip
_USED = (
    "expert_used_count", "num_experts_per_tok", "num_experts_per_token", "moe_top_k", "moe_topk", "top_k_experts",
    "experts_per_token", "num_selected_experts",
)  # fmt: skip
_INNER = ("expert_feed_forward_length", "moe_intermediate_size", "expert_dim")
_DENSE = ("leading_dense_block_count", "first_k_dense_replace")
_STEP = ("interleave_moe_layer_step", "moe_every_n_layers", "decoder_sparse_step")
MATRICES = 3  # of a gated feed-forward block


def by_tensors(values: Iterable[tuple[str, int]], keys: Mapping[str, Any]) -> int | None:
    """Of all parameters, given as names and counts, those that a token uses; None if the keys do not say.

    The tables of the vocabulary count whole, as most publishers count them.
    """
    rest = experts = 0
    for name, count in values:
        if _EXPERT.search(name):
            experts += count
        else:
            rest += count
    if not experts:
        return rest
    part = _part(keys)
    return None if part is None else rest + round(experts * part)


def by_keys(total: int | None, layers: int | None, embedding: int | None, keys: Mapping[str, Any]) -> int | None:
    """The same from the keys and the number of all parameters alone; None where these do not suffice."""
    count, part = _first(keys, _COUNT), _part(keys)
    if total is None or not count:
        return total
    inner = _first(keys, _INNER) or _first(keys, ("feed_forward_length", "intermediate_size"))
    if part is None or not layers or not embedding or not inner:
        return None
    sparse = max(layers - (_first(keys, _DENSE) or 0), 0) // max(_first(keys, _STEP) or 1, 1)
    active = total - round(sparse * count * MATRICES * embedding * inner * (1 - part))
    return active if 0 < active <= total else None


def _part(keys: Mapping[str, Any]) -> float | None:
    count, used = _first(keys, _COUNT), _first(keys, _USED)
    return min(used / count, 1.0) if count and used else None


def _first(keys: Mapping[str, Any], names: Sequence[str]) -> int | None:
    for name in names:
        value = keys.get(name)
        if isinstance(value, tuple):  # a number for each layer
            value = max((item for item in value if type(item) is int), default=None)
        if type(value) is int and 0 <= value < 1 << 48:
            return value
    return None
