"""What a registration is: a model of the library in the list of a provider, or on its way there."""

import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from modelshelf.providers.making import REGISTER
from modelshelf.providers.taking import Goods, Taking, Way

SETTING = REGISTER  # of a provider: its policy


class Policy(StrEnum):
    """Whether a provider is given models by itself; without one it is where nothing is copied, else it is asked."""

    AUTOMATIC = "automatic"
    ASK = "ask"
    NEVER = "never"


class Status(StrEnum):
    """Where a registration stands."""

    REGISTERING = "registering"  # a process is at it
    WAITING = "waiting"  # the provider is down: done when it is well again
    TO_START = "to start"  # the provider is to be started with it by hand, as `command` says
    REGISTERED = "registered"  # the provider's own list shows it
    FAILED = "failed"  # `error` says why and `remedy` what to do
    GONE = "gone"  # the provider lists it no longer, or its file is gone
    UNDONE = "undone"  # a person took it back: it is not given again by itself


HELD = frozenset({Status.REGISTERING, Status.WAITING, Status.TO_START, Status.REGISTERED, Status.GONE})


@dataclass(frozen=True, slots=True)
class Registration:
    """A model with a provider; sizes in bytes. `path` is its first file, empty for one that is a whole folder.

    `name` is what the provider calls it, `copied` what that takes of a disk once more. `links` are the names that were
    made for it, `given` is False where the provider had it already. `wish` undo: it waits to be taken back.
    """

    id: str
    provider: str
    repo: str
    commit: str
    path: str
    name: str
    way: str
    status: Status
    wish: str = "register"
    size: int = 0
    copied: int = 0
    place: str = ""
    links: tuple[str, ...] = ()
    given: bool = True
    automatic: bool = False
    command: str = ""
    error: str = ""
    remedy: str = ""
    principal: str = ""
    created: datetime | None = None
    updated: datetime | None = None

    @property
    def model(self) -> str:
        """`org/name@commit`."""
        return f"{self.repo}@{self.commit}"

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {item.name: getattr(self, item.name) for item in fields(self)} | {"model": self.model}


@dataclass(frozen=True, slots=True)
class Offer:
    """What giving a model to one provider would mean, and how it stands.

    `score` is as compatibility judges, None where it does not know. `refused` says why it cannot be, `why` why it is
    not done by itself though it could be. `automatic`: it would be done by itself when the model lands.
    """

    provider: str
    label: str
    path: str
    size: int
    score: int | None
    taking: Taking
    policy: Policy
    automatic: bool = False
    why: str = ""
    waiting: bool = False
    goods: Goods | None = field(default=None, repr=False)
    registration: Registration | None = None

    @property
    def possible(self) -> bool:
        """Whether it can be done at all."""
        return not self.taking.refused

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        names = ("provider", "label", "path", "size", "score", "automatic", "why", "waiting")
        told = {
            name: getattr(self.taking, name) for name in ("name", "copies", "place", "command", "refused", "remedy")
        }
        made = self.registration.as_dict() if self.registration else None
        return {name: getattr(self, name) for name in names} | told | {
            "way": self.taking.way.value, "policy": self.policy.value, "possible": self.possible, "registration": made,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """Every provider that a model could be given to. `commands` start servers that serve one model, by their name."""

    repo: str
    commit: str
    offers: tuple[Offer, ...] = ()
    commands: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        offers = [offer.as_dict() for offer in self.offers]
        return {"repo": self.repo, "commit": self.commit, "offers": offers, "commands": dict(self.commands)}


@dataclass(frozen=True, slots=True)
class Finding:
    """What is not as it should be with a registration; `deed` mends it: register or undo. `done`: it did.

    `problem` is `listed but file gone`, `file there but not listed` or `still to be taken back`.
    """

    registration: Registration
    problem: str
    deed: str
    detail: str
    done: bool = False

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        told = {name: getattr(self, name) for name in ("problem", "deed", "detail", "done")}
        return told | {"registration": self.registration.as_dict()}


@dataclass(frozen=True, slots=True)
class Breaks:
    """What would be lost with a model: registrations that are taken back, profiles that would have no model."""

    registrations: tuple[Registration, ...] = ()
    profiles: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        made = [item.as_dict() for item in self.registrations]
        return {"registrations": made, "profiles": list(self.profiles), "others": list(self.others)}


@dataclass(frozen=True, slots=True)
class Made:
    """A name that we made in a provider's folder, and what tells it from another that took its place since.

    `size` is in bytes, -1 for a folder. `theirs`: the provider removes it by itself when it forgets the model.
    """

    path: str
    device: int
    inode: int
    size: int
    theirs: bool = False

    @property
    def folder(self) -> bool:
        """Whether it is a folder that we made for the others."""
        return self.size < 0

    @classmethod
    def of(cls, place: Path, *, theirs: bool = False) -> "Made":
        """The name as it is now. Raises OSError: it is not there."""
        found = place.lstat()
        size = -1 if stat.S_ISDIR(found.st_mode) else found.st_size
        return cls(str(place), found.st_dev, found.st_ino, size, theirs)

    def still_ours(self) -> bool:
        """Whether the name is as we made it. Blocking."""
        try:
            return Made.of(Path(self.path), theirs=self.theirs) == self
        except OSError:
            return False

    def as_dict(self) -> dict[str, object]:
        """As the table keeps it."""
        return asdict(self)


def way_of(links: tuple[Path, ...], data: Path, said: Way) -> Way:
    """By which way names in a folder came about, as the names themselves tell. Blocking."""
    for link in links[:1]:
        try:
            if link.is_symlink():
                return Way.SYMLINK
            return Way.HARD_LINK if link.samefile(data) else Way.REFLINK
        except OSError:
            return said
    return said
