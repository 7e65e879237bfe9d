"""What a reader found in an engine's source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# Hardware kind -> what it needs; see `modelshelf.compat.needs`.
Needs = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Found:
    """One engine's lists. `quantisations`: names, or for each name the hardware that it needs.

    architectures: GGUF names or `model_type`s; classes: names as in `architectures` of a config.json; causal: those
    architectures that write text; removed: names that were supported, with the last version that had them;
    by_format: the architectures of a format for which the engine has a list of its own.
    """

    version: str
    architectures: frozenset[str]
    classes: frozenset[str] = frozenset()
    causal: frozenset[str] = frozenset()
    removed: Mapping[str, str] = field(default_factory=dict)
    by_format: Mapping[str, frozenset[str]] = field(default_factory=dict)
    quantisations: Sequence[str] | Mapping[str, Needs] = ()
