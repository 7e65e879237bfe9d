"""How much of a model its quantisation leaves.

The figures follow what perplexity and tests of well-known models lose on average; they order quantisations and promise
nothing about one model.
"""

import re
from collections.abc import Mapping
from itertools import pairwise

UNKNOWN = 0.7

# How much of a model is left, by the letters its quantisation's name begins with; the longest match counts.
FIDELITY: Mapping[str, float] = {
    "F64": 1.0,
    "F32": 1.0,
    "F16": 1.0,
    "BF16": 1.0,
    "Q8": 0.99,
    "FP8": 0.97,
    "F8": 0.97,
    "Q6": 0.97,
    "Q5": 0.94,
    "Q5_K": 0.95,
    "MXFP4": 0.93,
    "NVFP4": 0.92,
    "Q4_K": 0.9,
    "IQ4": 0.88,
    "Q4": 0.85,
    "AWQ": 0.87,
    "GPTQ": 0.86,
    "NF4": 0.85,
    "FP4": 0.84,
    "INT8": 0.97,
    "INT4": 0.84,
    "W8": 0.97,
    "W4": 0.86,
    "Q3_K_L": 0.78,
    "Q3": 0.74,
    "IQ3": 0.72,
    "Q2": 0.5,
    "IQ2": 0.45,
    "TQ": 0.4,
    "IQ1": 0.25,
    "Q1": 0.25,
}

# Methods that are named with their bits, such as `GPTQ-4bit` or `EXL2-4.5bit`: what so many bits leave; between two of
# these steps the value goes evenly.
BY_BITS: Mapping[float, float] = {1: 0.25, 2: 0.48, 3: 0.75, 4: 0.87, 5: 0.94, 6: 0.97, 8: 0.985, 16: 1.0}
_BITS = re.compile(r"-(\d{1,2}(?:\.\d{1,3})?)BIT$")


def fidelity(quantisation: str | None) -> float:
    """The part of a model, 0 to 1, that its quantisation leaves; a middling value where it is not known."""
    name = (quantisation or "").upper().removeprefix("UD-")
    if bits := _BITS.search(name):
        return _between(float(bits[1]))
    best = max((start for start in FIDELITY if name.startswith(start)), key=len, default=None)
    return FIDELITY[best] if best else UNKNOWN


def _between(bits: float) -> float:
    steps = sorted(BY_BITS)
    if bits <= steps[0]:
        return BY_BITS[steps[0]]
    for low, high in pairwise(steps):
        if bits <= high:
            return BY_BITS[low] + (BY_BITS[high] - BY_BITS[low]) * (bits - low) / (high - low)
    return BY_BITS[steps[-1]]
