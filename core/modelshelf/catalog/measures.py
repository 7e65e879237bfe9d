"""Amounts in queries: sizes, parameters, context lengths and ages, with bounds and ranges."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isfinite

_KI = 1024
_BYTES = {
    "": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12,
    "kib": _KI, "mib": _KI**2, "gib": _KI**3, "tib": _KI**4,
}  # fmt: skip
_COUNT = {"": 1, "k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
_TOKENS = {"": 1, "k": _KI, "m": _KI**2}
_HOUR = 3600
_AGE = {"h": _HOUR, "d": 24 * _HOUR, "w": 168 * _HOUR, "mo": 730.5 * _HOUR, "y": 8766 * _HOUR}

# Unit (lower case) -> how many bytes, parameters, tokens or seconds it is.
MEASURES: Mapping[str, Mapping[str, float]] = {
    "created": _AGE, "ctx": _TOKENS, "downloads": _COUNT, "likes": _COUNT, "params": _COUNT, "size": _BYTES,
    "updated": _AGE,
}  # fmt: skip

_NUMBER = re.compile(r"^(?P<digits>\d{1,15}(?:\.(?P<after>\d{1,6}))?)(?P<unit>[a-z]*)$")
_COMPARED = re.compile(r"^(?P<sign><=|>=|<|>|=)?(?P<rest>.+)$")


@dataclass(frozen=True, slots=True)
class Range:
    """From `low` to `high`; the bounds belong to it where `closed` says so. `text` is how it was written."""

    low: float
    high: float
    closed: tuple[bool, bool]
    text: str

    def holds(self, value: float | None) -> bool:
        """Whether the value is in it; an unknown one is not."""
        if value is None:
            return False
        above = value >= self.low if self.closed[0] else value > self.low
        below = value <= self.high if self.closed[1] else value < self.high
        return above and below

    def __str__(self) -> str:
        return self.text


def read_range(units: Mapping[str, float], text: str) -> Range | None:
    """Read `<8GB`, `3B..9B`, `..4B`, `32k`; None if it is nothing of the kind.

    An amount alone means all that rounds to it: 7B is from 6.5B up to 7.5B.
    """
    written = text.lower().strip()
    if ".." in written:
        first, _, last = written.partition("..")
        low, high = _read(units, first) if first else (0.0, 0.0), _read(units, last) if last else (inf, 0.0)
        if low is None or high is None or not (first or last) or low[0] > high[0]:
            return None
        return Range(low[0], high[0], (True, True), written)
    match = _COMPARED.match(written)
    amount = _read(units, match["rest"]) if match else None
    if match is None or amount is None:
        return None
    value, half = amount
    return {
        "<": Range(-inf, value, (True, False), written),
        "<=": Range(-inf, value, (True, True), written),
        ">": Range(value, inf, (False, True), written),
        ">=": Range(value, inf, (True, True), written),
    }.get(match["sign"] or "=", Range(value - half, value + half, (True, False), written))


def _read(units: Mapping[str, float], text: str) -> tuple[float, float] | None:
    """The amount, and half of its last digit."""
    match = _NUMBER.match(text.strip())
    if match is None or match["unit"] not in units:
        return None
    factor = units[match["unit"]]
    value = float(match["digits"]) * factor
    return (value, factor / 2 / 10 ** len(match["after"] or "")) if isfinite(value) else None
