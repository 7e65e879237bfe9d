"""How a provider would take a model of the library: by which way, under which name, and what that copies."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol, runtime_checkable

from modelshelf.providers.chats import Progress
from modelshelf.providers.served import ServedModel


class Way(StrEnum):
    """How a model's bytes come to a provider, the cheapest first. Only an upload copies them."""

    PATH = "path"  # it is told where they lie, or is started with that
    HARD_LINK = "hard link"  # a second name in a folder of its own, on the same file system
    REFLINK = "reflink"  # a second file that shares them
    SYMLINK = "symlink"  # a name that leads to the library
    UPLOAD = "upload"  # over HTTP: it keeps a copy


# What an adapter's `register` says at its end, and the way that was.
SAID: Mapping[str, Way] = {
    "linked": Way.HARD_LINK, "reflinked": Way.REFLINK, "there": Way.UPLOAD, "copied": Way.UPLOAD,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Goods:
    """A model to give to providers: one that an engine opens by one file, or as a whole folder. `size` in bytes.

    `files` are its weights in their order; `folder` is the commit's. `name` is what it would be called; `given` is the
    name under which this provider was given it before, if it was. `quantisation` is as its facts say; `source` is where
    the library has it from, empty where that is not known. `beside` is what goes with it: the projector for pictures.
    """

    repo: str
    commit: str
    folder: Path
    files: tuple[Path, ...]
    format: str
    size: int
    name: str
    sha256: str | None = None
    context: int | None = None
    quantisation: str | None = None
    given: str = ""
    source: str = ""
    beside: tuple[Path, ...] = ()

    @property
    def first(self) -> Path:
        """The file to open."""
        return self.files[0]


@dataclass(frozen=True, slots=True)
class Taking:
    """What giving a model to a provider would mean; `copies` in bytes.

    `place` is where it would lie, `links` the names that would be made there, and `shared` those that the provider
    removes by itself when it forgets the model. `there`: the provider has it under that
    name already, whoever put it there. `command` starts the provider with it, where it takes no model while it runs.
    `refused` says why it takes it not at all, and `remedy` what to do.
    """

    name: str = ""
    way: Way = Way.PATH
    copies: int = 0
    place: str = ""
    links: tuple[Path, ...] = ()
    shared: tuple[Path, ...] = ()
    there: bool = False
    command: str = ""
    refused: str = ""
    remedy: str = ""


@runtime_checkable
class Taker(Protocol):
    """A provider that can be given models of the library; `Adapter` is one, by the abilities that it declares."""

    async def taking(self, goods: Goods) -> Taking:
        """How it would take a model; nothing is changed.

        Raises:
            Unreachable, NotSignedIn, ProviderError: it cannot be asked.
        """
        ...

    def take(self, goods: Goods, taking: Taking) -> AsyncGenerator[Progress, None]:
        """Have it take a model as said; doing it twice is doing it once.

        Raises:
            UsageError, NotFound, FolderNotWritable, Unsupported, Unreachable, ProviderError.
        """
        ...

    def shows(self, name: str, served: ServedModel) -> bool:
        """Whether an entry of its list is the model that it was given under a name."""
        ...

    async def let_go(self, name: str) -> None:
        """Have it forget a model that it was given; names that we made in its folder are gone by then.

        Raises:
            Unreachable, ProviderError.
        """
        ...
