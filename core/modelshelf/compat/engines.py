"""What engines can run, from a dated snapshot (`engines.json`, written by `python -m modelshelf.compat.snapshot`).

Unknown is unknown, never yes: an architecture that a snapshot does not name is refused only where the list is complete.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine as of a version. `complete`: what is not in `architectures` is not supported; else it is unknown.

    gpus: it can use graphics cards with memory of their own. ours: we judge by the memory of this machine.
    """

    kind: str
    label: str
    version: str
    date: str
    formats: frozenset[str]
    architectures: frozenset[str]
    quantisations: frozenset[str]
    complete: bool
    gpus: bool

    def supports(self, architecture: str | None) -> bool | None:
        """Whether it runs an architecture; None: not known."""
        if architecture is None:
            return None
        if architecture in self.architectures:
            return True
        return False if self.complete else None


@cache
def engines() -> Mapping[str, Engine]:
    """The engines that run files on this machine, by the provider's kind."""
    text = (resources.files("modelshelf.compat") / "engines.json").read_text(encoding="utf-8")
    return {
        kind: Engine(
            kind=kind,
            label=entry["label"],
            version=entry["version"],
            date=entry["date"],
            formats=frozenset(entry["formats"]),
            architectures=frozenset(entry["architectures"]),
            quantisations=frozenset(entry["quantisations"]),
            complete=entry["complete"],
            gpus=entry["gpus"],
        )
        for kind, entry in json.loads(text).items()
    }


def engine(kind: str) -> Engine | None:
    """The engine behind a kind of provider; None for cloud services and others that run nothing here."""
    return engines().get(kind)
