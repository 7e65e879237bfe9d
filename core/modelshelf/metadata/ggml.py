"""The ggml tensor types: how many values a block holds and how many bytes it takes; and what file types are called."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BlockType:
    """A tensor type: `values` of them take `size` bytes."""

    name: str
    values: int
    size: int

    def row_bytes(self, values: int) -> int:
        """What a row of this many values takes; the count must be a multiple of the block."""
        return values // self.values * self.size


TYPES: Mapping[int, BlockType] = {
    number: BlockType(name, values, size)
    for number, name, values, size in (
        (0, "F32", 1, 4),
        (1, "F16", 1, 2),
        (2, "Q4_0", 32, 18),
        (3, "Q4_1", 32, 20),
        (6, "Q5_0", 32, 22),
        (7, "Q5_1", 32, 24),
        (8, "Q8_0", 32, 34),
        (9, "Q8_1", 32, 36),
        (10, "Q2_K", 256, 84),
        (11, "Q3_K", 256, 110),
        (12, "Q4_K", 256, 144),
        (13, "Q5_K", 256, 176),
        (14, "Q6_K", 256, 210),
        (15, "Q8_K", 256, 292),
        (16, "IQ2_XXS", 256, 66),
        (17, "IQ2_XS", 256, 74),
        (18, "IQ3_XXS", 256, 98),
        (19, "IQ1_S", 256, 50),
        (20, "IQ4_NL", 32, 18),
        (21, "IQ3_S", 256, 110),
        (22, "IQ2_S", 256, 82),
        (23, "IQ4_XS", 256, 136),
        (24, "I8", 1, 1),
        (25, "I16", 1, 2),
        (26, "I32", 1, 4),
        (27, "I64", 1, 8),
        (28, "F64", 1, 8),
        (29, "IQ1_M", 256, 56),
        (30, "BF16", 1, 2),
        (34, "TQ1_0", 256, 54),
        (35, "TQ2_0", 256, 66),
        (39, "MXFP4", 32, 17),
        (40, "NVFP4", 64, 36),
        (41, "Q1_0", 128, 18),
    )
}
BY_NAME: Mapping[str, BlockType] = {block.name: block for block in TYPES.values()}

# The numbers of `general.file_type`, which say how llama.cpp's quantize tool was told to mix the types.
FILE_TYPES: Mapping[int, str] = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    10: "Q2_K",
    11: "Q3_K_S",
    12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
    19: "IQ2_XXS",
    20: "IQ2_XS",
    21: "Q2_K_S",
    22: "IQ3_XS",
    23: "IQ3_XXS",
    24: "IQ1_S",
    25: "IQ4_NL",
    26: "IQ3_S",
    27: "IQ3_M",
    28: "IQ2_S",
    29: "IQ2_M",
    30: "IQ4_XS",
    31: "IQ1_M",
    32: "BF16",
    36: "TQ1_0",
    37: "TQ2_0",
    38: "MXFP4_MOE",
    39: "NVFP4",
    40: "Q1_0",
}
FLOATS = frozenset({"F32", "F16", "BF16", "F64"})


def quantisation(file_type: int | None, values_by_type: Mapping[str, int]) -> str | None:
    """The label of a mix: the file's own, unless its tensors (values held in each type) contradict it.

    Writers that do not know the field leave it at 0, F32: then the type that holds most values names the mix.
    """
    label = FILE_TYPES.get(file_type & ~1024) if file_type is not None and file_type >= 0 else None
    if not values_by_type:
        return label
    most = max(values_by_type, key=lambda name: values_by_type[name])
    if label is None or (label != most and (label in FLOATS or most in FLOATS)):
        return _mixed(most, values_by_type)
    return label


def _mixed(most: str, values_by_type: Mapping[str, int]) -> str:
    if most not in {"Q3_K", "Q4_K", "Q5_K"}:
        return most
    # The small mixes keep one type throughout, but for the output; the medium ones raise a part of every layer.
    finer = sum(count for name, count in values_by_type.items() if name in {"Q4_K", "Q5_K", "Q6_K"} - {most})
    return f"{most}_{'M' if finer > 0.1 * sum(values_by_type.values()) else 'S'}"
