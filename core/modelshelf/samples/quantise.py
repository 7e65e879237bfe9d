"""ggml's number formats, as far as the sample models use them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float32]
BLOCK = 32


@dataclass(frozen=True, slots=True)
class Quantisation:
    """A format: its name in file names, ggml's number of the tensor type and of the file type, and the coder."""

    name: str
    kind: int
    file_type: int
    encode: Callable[[Weights], bytes]


def f32(weights: Weights) -> bytes:
    """32-bit floats."""
    return weights.astype("<f4").tobytes()


def f16(weights: Weights) -> bytes:
    """16-bit floats."""
    return weights.astype("<f2").tobytes()


def q8_0(weights: Weights) -> bytes:
    """Blocks of 32: a 16-bit scale and 32 signed bytes."""
    blocks = weights.reshape(-1, BLOCK)
    scale = (np.abs(blocks).max(axis=1, keepdims=True) / 127).astype(np.float32)
    packed = np.empty(len(blocks), dtype=[("d", "<f2"), ("q", "i1", BLOCK)])
    packed["d"] = scale[:, 0]
    packed["q"] = np.rint(blocks * _inverse(scale))
    return packed.tobytes()


def q4_0(weights: Weights) -> bytes:
    """Blocks of 32: a 16-bit scale and 32 four-bit numbers, the first half in the low nibbles."""
    blocks = weights.reshape(-1, BLOCK)
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=1)[:, None], axis=1)
    scale: Weights = largest / np.float32(-8)
    numbers = np.clip(np.floor(blocks * _inverse(scale) + 8.5), 0, 15).astype(np.uint8)
    packed = np.empty(len(blocks), dtype=[("d", "<f2"), ("q", "u1", BLOCK // 2)])
    packed["d"] = scale[:, 0]
    packed["q"] = numbers[:, : BLOCK // 2] | numbers[:, BLOCK // 2 :] << 4
    return packed.tobytes()


def _inverse(scale: Weights) -> Weights:
    return np.divide(1, scale, out=np.zeros_like(scale), where=scale != 0)


F32 = Quantisation("F32", 0, 0, f32)
F16 = Quantisation("F16", 1, 1, f16)
Q4_0 = Quantisation("Q4_0", 2, 2, q4_0)
Q8_0 = Quantisation("Q8_0", 8, 7, q8_0)

BY_NAME: Mapping[str, Quantisation] = {kind.name: kind for kind in (F32, F16, Q4_0, Q8_0)}
