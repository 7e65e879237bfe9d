"""What is at odds with itself, and what was done about it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class ConflictKind(StrEnum):
    """What kind of conflict it is."""

    DUPLICATE = "duplicate"  # the same bytes lie on the disk more than once
    TWO_NAMES = "two names"  # one model is offered under several names
    MISMATCH = "mismatch"  # a model is to be loaded otherwise than it was made for
    ONE_ADDRESS = "one address"  # two providers are the same program
    ORPHAN = "orphan"  # something is left that nothing uses
    LOW_DISK = "low disk"
    PROFILE = "profile"  # a profile has lost its model


@dataclass(frozen=True, slots=True)
class Deed:
    """Something to do: `do` names it, `what` holds what it is done with, ready for JSON."""

    do: str
    what: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Conflict:
    """One conflict, in plain words: `text` says what, `why` what comes of it, `remedy` what resolving it does.

    `id` stays the same as long as it is the same conflict. Without a `deed` it cannot be resolved by itself. `freed`
    are the bytes that resolving frees, `undoable` whether it can be taken back. severity is wrong | warning | advice.
    """

    id: str
    kind: ConflictKind
    severity: str
    text: str
    why: str
    remedy: str
    deed: Deed | None = None
    undoable: bool = True
    freed: int = 0
    about: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """As JSON, without how it is done."""
        names = ("id", "severity", "text", "why", "remedy", "undoable", "freed")
        told: dict[str, Any] = {name: getattr(self, name) for name in names}
        return told | {"kind": self.kind.value, "resolvable": self.deed is not None, "about": dict(self.about)}


@dataclass(frozen=True, slots=True)
class Mending:
    """A conflict that was resolved: `undo` is what takes it back, None where nothing can (any more)."""

    id: str
    conflict: str
    kind: str
    text: str
    at: datetime
    undo: Deed | None = None
    undone: bool = False

    def as_dict(self) -> dict[str, Any]:
        """As JSON, without how it is taken back."""
        names = ("id", "conflict", "kind", "text", "undone")
        told: dict[str, Any] = {name: getattr(self, name) for name in names}
        return told | {"at": self.at, "undoable": self.undo is not None}


def conflict_id(kind: ConflictKind, *subject: str) -> str:
    """A short name that is the same for the same conflict in every process."""
    return hashlib.sha256("\n".join((kind.value, *subject)).encode()).hexdigest()[:10]
