"""How many parameters are in tensors that hold several in one number, and scales that are none."""

from collections.abc import Iterator, Mapping, Sequence
from math import prod

from modelshelf.metadata.facts import TensorInfo
from modelshelf.metadata.quantised import MLX_GROUP, TRELLIS_TILE, Method

# What stands beside the packed weights in the files of all methods.
_BESIDE = frozenset(
    {
        "qzeros", "scales", "biases", "g_idx", "suh", "svh", "su", "sv", "mcg", "mul1", "q_scale", "q_scale_max",
        "q_groups", "q_group_map", "q_invperm", "q_perm", "weight_scale", "weight_scale_inv", "weight_scale_2",
        "input_scale", "output_scale", "k_scale", "v_scale", "weight_global_scale", "input_global_scale",
        "weight_zero_point", "weight_shape", "weight_g_idx", "absmax", "quant_map", "nested_absmax",
        "nested_quant_map", "bitsandbytes__nf4", "bitsandbytes__fp4", "SCB", "weight_format", "_scale", "_shift",
        "scale", "zero",
    }
)  # fmt: skip

_BY_BITS = frozenset({"qweight", "weight_packed", "W_q", "_data"})
_WIDTH: Mapping[str, int] = {"I8": 8, "U8": 8, "I16": 16, "I32": 32, "U32": 32, "I64": 64}


def values(tensors: Sequence[TensorInfo], method: Method | None) -> Iterator[tuple[str, int]]:
    """The names of the tensors that hold parameters, and how many."""
    if method is None:
        yield from ((tensor.name, prod(tensor.shape)) for tensor in tensors)
        return
    by_name = {tensor.name: tensor for tensor in tensors}
    for tensor in tensors:
        if tensor.name.rpartition(".")[2] not in _BESIDE and not tensor.name.endswith("_scales"):
            yield tensor.name, _values(tensor, by_name, method)


def countable(tensors: Sequence[TensorInfo], method: Method | None) -> bool:
    """Whether it is known how many values the packed numbers hold."""
    if method is None or method.bits is not None:
        return True
    return all(tensor.name.rpartition(".")[2] not in _BY_BITS for tensor in tensors)


def _values(tensor: TensorInfo, by_name: Mapping[str, TensorInfo], method: Method) -> int:
    stem, _, last = tensor.name.rpartition(".")
    count, width = prod(tensor.shape), _WIDTH.get(tensor.type, 0)
    if last == "trellis" and len(tensor.shape) == 3:
        return prod(tensor.shape[:2]) * TRELLIS_TILE
    if last == "q_weight":
        rows = by_name.get(f"{stem}.q_invperm") or by_name.get(f"{stem}.q_perm")
        return prod(rows.shape) * tensor.shape[-1] if rows and tensor.shape else 0
    if last == "weight" and f"{stem}.scales" in by_name and tensor.type == "U32":
        group = (method.groups or {}).get(stem) or method.group or MLX_GROUP
        return prod(by_name[f"{stem}.scales"].shape) * group
    halves = last == "weight" and (f"{tensor.name}.absmax" in by_name or f"{stem}.weight_scale_2" in by_name)
    if tensor.type == "U8" and (halves or tensor.name.endswith("_blocks")):
        return count * 2
    if last in _BY_BITS and width and method.bits and method.bits <= width:
        return round(count * width / method.bits)
    return count
