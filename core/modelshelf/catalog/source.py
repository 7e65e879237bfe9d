"""The door for sources: whatever implements `Source` and is named in the entry points `modelshelf.sources`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from modelshelf.catalog.types import History, Location, RepoCard, RepoDetail, SecurityStatus
from modelshelf.config import ConfigManager, SourceConfig
from modelshelf.ids import ModelId

if TYPE_CHECKING:
    from modelshelf.vault import Vault


class Source(Protocol):
    """A place where models can be had.

    `remote` means that it is asked over a network: its answers are kept, and it is off while working offline.
    """

    name: str
    label: str
    remote: bool

    async def search(self, text: str, *, limit: int = 50) -> Sequence[RepoCard]:
        """The repositories that match the words, best first.

        Raises:
            Unreachable: the source does not answer as it should.
            NotSignedIn: it refuses the token.
        """
        ...

    async def detail(self, repo: str, revision: str | None = None) -> RepoDetail:
        """One commit of a repository with its files.

        Raises:
            RepositoryNotFound, RevisionNotFound, GatedRepository, NotSignedIn, Unreachable.
        """
        ...

    async def locate(self, repo: str, commit: str, path: str) -> Location:
        """Where the bytes of a file are. Starts what must run for it (the sample hub)."""
        ...

    async def aclose(self) -> None:
        """Let go of connections and children."""
        ...


type ListOrder = Literal["created", "modified", "downloads"]
"""How a whole list is gone through: the oldest first; the last changed first; the most downloaded first."""


@dataclass(frozen=True, slots=True)
class ListPage:
    """A page of everything that a source has, and where the next one is; empty when this was the last.

    `received` are the bytes that it took on the network, 0 where nobody counted.
    """

    cards: Sequence[RepoCard]
    next: str = ""
    received: int = 0


@runtime_checkable
class Listed(Protocol):
    """A source that can be gone through from its first model to its last, page by page."""

    async def listing(self, order: ListOrder, cursor: str = "", *, size: int = 1000) -> ListPage:
        """The first page, or the one that a cursor leads to; of at most `size` models where the source obeys.

        Raises:
            Unreachable: it does not answer; `facts` hold the status (`http`), the seconds to wait (`wait`) where it
                says them, and `large` where the page was too large to take.
            NotSignedIn: it refuses the token.
        """
        ...


@runtime_checkable
class Enumerated(Protocol):
    """A source that can name all that it has at once, though it has no search."""

    async def everything(self) -> Sequence[RepoCard]:
        """Every repository, with what is known of it without asking for each.

        Raises:
            Unreachable: it does not answer, or does not tell what it has.
        """
        ...


@runtime_checkable
class Whole(Protocol):
    """A source whose models come as one Parquet file."""

    async def fetch(self, file: Path) -> None:
        """Bring the file here.

        Raises:
            Unreachable: it cannot be had.
            OSError: it cannot be written.
        """
        ...


@runtime_checkable
class WantsSecrets(Protocol):
    """A source that sends a token which a person may have saved."""

    def use_secrets(self, secrets: "Vault") -> None:
        """Where to ask for it, each time anew; called once, before the first question."""
        ...


@runtime_checkable
class TakesAddresses(Protocol):
    """A source whose models are named by addresses, as `ollama://…`. It has no search and is not looked through."""

    by_address: bool

    async def take(self, address: str, *, sha256: str = "", beside: bool = False) -> ModelId | None:
        """The model at an address; None if the address is not for this source.

        `sha256` is the checksum that a person gives; `beside` says to take the one that lies beside the file.

        Raises:
            UsageError: the address names nothing, or a checksum is missing.
            RoleRequired: not everyone may name this address.
            Unreachable, NotFound, AccessError.
        """
        ...


@runtime_checkable
class TellsSecurity(Protocol):
    """A source that scans what it offers, and says what it found."""

    async def security(self, repo: str, commit: str) -> SecurityStatus | None:
        """What its scanners say of a commit; None if it does not say.

        Raises:
            As `Source.detail`.
        """
        ...


@runtime_checkable
class TellsHistory(Protocol):
    """A source that lists the commits of what it offers."""

    async def history(self, repo: str, revision: str = "main", *, limit: int = 20) -> History:
        """The newest commits.

        Raises:
            As `Source.detail`.
        """
        ...


class SourceFactory(Protocol):
    """What an entry point names: called with the source's settings and the manager of all settings."""

    def __call__(self, settings: SourceConfig, config: ConfigManager) -> Source:
        """A source by its settings."""
        ...
