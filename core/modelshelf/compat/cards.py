"""Well-known graphics cards: memory, bandwidth and what they can compute, as their makers publish them.

Bandwidth in GB/s. Of a card that comes with several sizes the first one is meant where no size is said.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Card:
    """A card: memory in GiB, bandwidth in bytes per second."""

    name: str
    vendor: str
    memory: int
    bandwidth: float
    compute: str | None
    unified: bool = False


# Maker and generation -> name, GiB and GB/s of each size.
_NVIDIA: Mapping[str, tuple[tuple[str, int, float], ...]] = {
    "12.0": (
        ("RTX PRO 6000 Blackwell", 96, 1792),
        ("RTX 5090", 32, 1792),
        ("RTX 5080", 16, 960),
        ("RTX 5070 Ti", 16, 896),
        ("RTX 5070", 12, 672),
        ("RTX 5060 Ti", 16, 448),
        ("RTX 5060 Ti", 8, 448),
        ("RTX 5060", 8, 448),
    ),
    "10.0": (("B200", 180, 8000),),
    "9.0": (
        ("H200", 141, 4800),
        ("H100 NVL", 94, 3938),
        ("H100 PCIe", 80, 2039),
        ("H100", 80, 3352),
        ("GH200", 96, 4000),
    ),
    "8.9": (
        ("RTX 6000 Ada", 48, 960),
        ("L40S", 48, 864),
        ("L40", 48, 864),
        ("L4", 24, 300),
        ("RTX 4090", 24, 1008),
        ("RTX 4080 Super", 16, 736),
        ("RTX 4080", 16, 717),
        ("RTX 4070 Ti Super", 16, 672),
        ("RTX 4070 Ti", 12, 504),
        ("RTX 4070 Super", 12, 504),
        ("RTX 4070", 12, 504),
        ("RTX 4060 Ti", 16, 288),
        ("RTX 4060 Ti", 8, 288),
        ("RTX 4060", 8, 272),
    ),
    "8.6": (
        ("RTX A6000", 48, 768),
        ("A40", 48, 696),
        ("A10G", 24, 600),
        ("A10", 24, 600),
        ("RTX A5000", 24, 768),
        ("RTX A4000", 16, 448),
        ("RTX 3090 Ti", 24, 1008),
        ("RTX 3090", 24, 936),
        ("RTX 3080 Ti", 12, 912),
        ("RTX 3080", 10, 760),
        ("RTX 3080", 12, 912),
        ("RTX 3070 Ti", 8, 608),
        ("RTX 3070", 8, 448),
        ("RTX 3060 Ti", 8, 448),
        ("RTX 3060", 12, 360),
        ("RTX 3060", 8, 240),
        ("RTX 3050", 8, 224),
    ),
    "8.0": (("A100", 80, 1935), ("A100", 40, 1555), ("A30", 24, 933)),
    "7.5": (
        ("T4", 16, 320),
        ("Quadro RTX 8000", 48, 672),
        ("RTX 2080 Ti", 11, 616),
        ("RTX 2080", 8, 448),
        ("RTX 2070", 8, 448),
        ("RTX 2060", 6, 336),
        ("RTX 2060", 12, 336),
        ("GTX 1660 Ti", 6, 288),
    ),
    "7.0": (("V100", 16, 900), ("V100", 32, 900)),
    "6.1": (("P40", 24, 346), ("GTX 1080 Ti", 11, 484), ("GTX 1080", 8, 320), ("GTX 1070", 8, 256)),
    "6.0": (("P100", 16, 732),),
}
_AMD: Mapping[str, tuple[tuple[str, int, float], ...]] = {
    "gfx950": (("MI355X", 288, 8000), ("MI350X", 288, 8000)),
    "gfx942": (("MI325X", 256, 6000), ("MI300X", 192, 5300)),
    "gfx90a": (("MI210", 64, 1638),),
    "gfx908": (("MI100", 32, 1229),),
    "gfx1201": (("Radeon AI PRO R9700", 32, 640), ("RX 9070 XT", 16, 640), ("RX 9070", 16, 640)),
    "gfx1200": (("RX 9060 XT", 16, 320), ("RX 9060 XT", 8, 320)),
    "gfx1100": (
        ("Radeon PRO W7900", 48, 864),
        ("Radeon PRO W7800", 32, 576),
        ("RX 7900 XTX", 24, 960),
        ("RX 7900 XT", 20, 800),
        ("RX 7900 GRE", 16, 576),
    ),
    "gfx1101": (("RX 7800 XT", 16, 624), ("RX 7700 XT", 12, 432)),
    "gfx1102": (("RX 7600 XT", 16, 288), ("RX 7600", 8, 288)),
    "gfx1030": (("RX 6900 XT", 16, 512), ("RX 6800 XT", 16, 512), ("RX 6800", 16, 512)),
    "gfx1031": (("RX 6700 XT", 12, 384),),
    "gfx1032": (("RX 6600 XT", 8, 256), ("RX 6600", 8, 224)),
}
_INTEL: tuple[tuple[str, int, float], ...] = (
    ("Arc Pro B60", 24, 456),
    ("Arc Pro B50", 16, 224),
    ("Arc B580", 12, 456),
    ("Arc B570", 10, 380),
    ("Arc A770", 16, 560),
    ("Arc A770", 8, 512),
    ("Arc A750", 8, 512),
    ("Arc A580", 8, 512),
    ("Arc A380", 6, 186),
)
# Chips whose memory is the machine's own; Apple's stand in `modelshelf.compat.vendors.apple`.
_SHARED: tuple[Card, ...] = (
    Card("GB10", "nvidia", 128, 273e9, "12.1", unified=True),
    Card("Ryzen AI Max+ 395", "amd", 128, 256e9, "gfx1151", unified=True),
)
# What drivers and shops write around a name: makers, and forms of a card, some of which are cards of their own.
_MAKERS = re.compile(r"\b(nvidia|geforce|tesla|amd|radeon|instinct|intel|graphics|generation)\b")
_FORMS = re.compile(r"\b(sxm\d?|pcie|hbm\d\w?)\b")
_SERIES = re.compile(r"^(rtx|gtx|rx|arc)(?=[a-z]?\d{3})")  # people leave it out
_SIZE = re.compile(r"\b(\d{1,4}) ?(?:gb|gib|g)\b")


@cache
def well_known() -> tuple[Card, ...]:
    """The table, by maker and generation."""
    nvidia = [Card(name, "nvidia", size, rate * 1e9, cap) for cap, rows in _NVIDIA.items() for name, size, rate in rows]
    amd = [Card(name, "amd", size, rate * 1e9, gfx) for gfx, rows in _AMD.items() for name, size, rate in rows]
    intel = [Card(name, "intel", size, rate * 1e9, None) for name, size, rate in _INTEL]
    return (*nvidia, *amd, *intel, *_SHARED)


def find_card(name: str, memory: float | None = None) -> Card | None:
    """The card of a name, however a driver or a person writes it; `memory` in GiB chooses among its sizes.

    None: not in the table, or not in that size. A size may stand in the name, too.
    """
    said = _SIZE.search(plain(name))
    wanted = memory if memory is not None else float(said[1]) if said else None
    sizes = _sizes().get(_key(name)) or _sizes().get(_key(_FORMS.sub(" ", plain(name)))) or ()
    if wanted is None:
        return sizes[0] if sizes else None
    # Drivers tell less than the makers: 79.2 of 80, and 22.5 of 24 where memory corrects errors.
    near = [card for card in sizes if abs(card.memory - wanted) <= max(1.0, card.memory * 0.08)]
    return min(near, key=lambda card: abs(card.memory - wanted), default=None)


def plain(name: str) -> str:
    """Without marks, in small letters, one space between words."""
    bare = re.sub(r"\((?:r|tm|c|radv[^)]*)\)", " ", name.lower())
    return " ".join(re.sub(r"[^a-z0-9+.]+", " ", bare).split())


def _key(name: str) -> str:
    return _MAKERS.sub(" ", _SIZE.sub(" ", plain(name))).replace(" ", "")


@cache
def _sizes() -> Mapping[str, tuple[Card, ...]]:
    found: dict[str, tuple[Card, ...]] = {}
    for card in well_known():
        key = _key(card.name)
        for said in {key, _SERIES.sub("", key)}:
            found[said] = (*found.get(said, ()), card)
    return found
