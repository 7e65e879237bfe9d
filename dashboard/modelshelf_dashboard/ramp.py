"""The colours of the heat map: one hue that only grows stronger, so that nobody needs to tell hues apart.

Light: from the pale ground to deep teal; dark: from the dim ground to bright teal. Lightness alone carries the order,
and each figure is written in whichever of two inks stands out more from its colour.
"""

from collections.abc import Sequence

# from poor to good, as OKLab lightness, a, b
_LIGHT = ((0.93, -0.004, 0.018), (0.78, -0.055, 0.012), (0.46, -0.072, -0.004))
_DARK = ((0.33, -0.012, -0.004), (0.52, -0.050, 0.000), (0.80, -0.095, -0.006))
INKS = ("#000000", "#ffffff")


def colour(score: int, *, dark: bool) -> str:
    """The colour of a score from 0 to 100."""
    stops = _DARK if dark else _LIGHT
    at = min(max(score, 0), 100) / 100 * (len(stops) - 1)
    first = min(int(at), len(stops) - 2)
    part = at - first
    mixed = [a + (b - a) * part for a, b in zip(stops[first], stops[first + 1], strict=True)]
    return "#" + "".join(f"{round(255 * _gamma(value)):02x}" for value in _linear(mixed))


def ink(ground: str) -> str:
    """The ink that can be read on a colour."""
    return max(INKS, key=lambda one: contrast(one, ground))


def contrast(one: str, other: str) -> float:
    """The contrast of two colours as WCAG reckons it, 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    """How light a colour is, 0 to 1."""
    red, green, blue = (_ungamma(int(colour[i : i + 2], 16) / 255) for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(lab: Sequence[float]) -> tuple[float, float, float]:
    """OKLab to linear sRGB (Björn Ottosson, 2020), cut to what a screen shows."""
    light, a, b = lab
    long = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (light - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    red, green, blue = (min(max(value, 0.0), 1.0) for value in (red, green, blue))
    return red, green, blue


def _gamma(value: float) -> float:
    return 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055


def _ungamma(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
