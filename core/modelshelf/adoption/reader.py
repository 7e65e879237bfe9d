"""The door for stores: a reader knows where a program keeps its models and how."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from modelshelf.adoption.around import Around
from modelshelf.adoption.looking import Look
from modelshelf.adoption.types import StoredModel


class StoreReader(Protocol):
    """Reads the stores of one program. It never raises for what it finds there: that goes into the look's notes."""

    name: str
    label: str

    def places(self, around: Around) -> Sequence[Path]:
        """Where its models may be, whether or not anything is there; absolute paths."""
        ...

    def read(self, look: Look) -> Iterable[StoredModel]:
        """The models below `look.root`. For threads."""
        ...
