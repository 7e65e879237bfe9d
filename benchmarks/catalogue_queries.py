"""Keystrokes that people might make: words begun, filters and orders, always the same for the same seed."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from benchmarks.catalogue_data import LIBRARIES, LICENCES, TASKS
from modelshelf.catalog.columns.mapped import Mapped
from modelshelf.catalog.words import tokens

SORTS = ("downloads", "likes", "trending", "created", "modified", "size")
SIZES = (2, 8, 16, 40)


@dataclass(frozen=True, slots=True)
class Keystroke:
    """What was typed and chosen. `equal`, `below` and `above` are filters by the names of the columns."""

    words: tuple[str, ...]
    sort: str = "downloads"
    equal: dict[str, str] = field(default_factory=dict)
    below: dict[str, int] = field(default_factory=dict)
    above: dict[str, int] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """As it stands in the search box."""
        keys = {"pipeline_tag": "task", "formats": "format"}
        said = [f"{keys.get(name, name)}:{value}" for name, value in self.equal.items()]
        said += [f"{name}:<{value}" for name, value in self.below.items()]
        said += [f"{name}:>{value}" for name, value in self.above.items()]
        return " ".join([*self.words, *said])

    def as_dict(self) -> dict[str, Any]:
        """For peers in another process."""
        return asdict(self)


def keystrokes(mapped: Mapped, count: int, seed: int = 5) -> list[Keystroke]:
    """So many, of the words that the names hold: the more downloads, the likelier."""
    maker = np.random.default_rng(seed)
    return [_keystroke(maker, mapped) for _ in range(count)]


def _keystroke(maker: np.random.Generator, mapped: Mapped) -> Keystroke:
    row = int(mapped.rows * maker.random() ** 4)
    parts = tokens(mapped.name(row))
    # The publisher stands first; people type what a model is called.
    words = [_begun(maker, str(word)) for word in maker.choice(parts[1:] or parts, maker.choice([1, 1, 1, 2]))]
    sort = str(maker.choice(SORTS)) if maker.random() < 0.5 else "downloads"
    key = Keystroke(tuple(words), sort)
    for _ in range(int(maker.choice([0, 0, 1, 1, 2]))):
        _narrow(maker, key)
    return key


def _begun(maker: np.random.Generator, word: str) -> str:
    """The first letters; now and then some from inside."""
    start = int(maker.integers(1, len(word) - 2)) if len(word) > 4 and maker.random() < 0.1 else 0
    return word[start : start + int(maker.integers(3 if start else 1, max(len(word), 4) + 1))]


def _narrow(maker: np.random.Generator, key: Keystroke) -> None:
    match int(maker.integers(0, 7)):
        case 0:
            key.equal["pipeline_tag"] = str(maker.choice(TASKS[:6]))
        case 1:
            key.equal["library"] = str(maker.choice(LIBRARIES[:4]))
        case 2:
            key.equal["license"] = str(maker.choice(LICENCES[:4]))
        case 3 | 4:
            key.equal["formats"] = str(maker.choice(["gguf", "safetensors"]))
        case 5:
            key.below["size"] = int(maker.choice(SIZES)) * 10**9
        case _:
            key.above["likes"] = int(maker.choice([1, 10, 100]))
