"""What sources say: repositories, their files, and how each source fared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from ssl import SSLContext
from typing import Literal

from modelshelf.ids import ModelId


@dataclass(frozen=True, slots=True)
class RepoFile:
    """A file of a commit. `sha256` is published for LFS files only, `git_sha1` (the blob id) for all others."""

    path: str
    size: int
    sha256: str | None = None
    git_sha1: str | None = None


@dataclass(frozen=True, slots=True)
class RepoCard:
    """A repository as a search finds it. None means that the source does not say.

    `size` is in bytes: the weights that most people would load, so of several GGUF quantisations one, else all parts.
    """

    source: str
    repo: str
    commit: str | None = None
    task: str | None = None
    library: str | None = None
    licence: str | None = None
    tags: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    quantisations: tuple[str, ...] = ()
    downloads: int | None = None
    likes: int | None = None
    trending: int | None = None
    gated: bool = False
    private: bool = False
    created: datetime | None = None
    modified: datetime | None = None
    parameters: int | None = None
    size: int | None = None
    context: int | None = None
    architecture: str | None = None

    @property
    def id(self) -> ModelId:
        """The name to use everywhere, with its source."""
        return ModelId(self.repo, self.source)


@dataclass(frozen=True, slots=True)
class RepoDetail:
    """One commit of a repository with everything in it."""

    card: RepoCard
    commit: str
    files: tuple[RepoFile, ...]
    readme: str | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit as its source lists it; what it does not say is empty."""

    id: str
    date: datetime | None = None
    title: str = ""
    authors: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class History:
    """The newest commits, the last first; `more` says whether there are older ones, `link` where a person reads all."""

    commits: tuple[Commit, ...]
    more: bool = False
    link: str = ""


@dataclass(frozen=True, slots=True)
class FileScan:
    """What a source's own scanners say of a file.

    `status` is as the source names it (safe, unsafe, suspicious, caution, queued, …); `scanners` have their own.
    """

    path: str
    status: str
    scanners: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SecurityStatus:
    """What a source's own scanners say of a commit; `done` is False while some of them are still at it."""

    done: bool
    files: tuple[FileScan, ...] = ()


@dataclass(frozen=True, slots=True)
class Location:
    """Where the bytes of one file are: a URL with what its request needs, or a path on this machine.

    `hosts` are further origins (`https://host:port`) that the source declares for redirects; every other origin must
    resolve to global addresses. `headers` go to the first origin only; `renewable` says that they hold a token which
    may run out, so that a refusal is a reason to ask for the location again.
    """

    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ssl: SSLContext | None = None
    hosts: frozenset[str] = frozenset()
    path: Path | None = None
    renewable: bool = False


RepoAccess = Literal["open", "granted", "ask", "waiting", "refused", "unknown"]
"""open to everyone | gated: granted, to be asked for, waiting for an answer, refused | the Hub does not tell."""


@dataclass(frozen=True, slots=True)
class HfAccount:
    """Whose token it is, and what that may do.

    `permission` is as the Hub names it (read, write, fineGrained …); `gated` tells whether it opens the gated
    repositories that let the account in, None where that is not said; `label` is the token's own name; `expires` is
    None for never. `origin` is where the token is from: vault | file | the name of an environment variable.
    """

    name: str
    kind: str = "user"
    orgs: tuple[str, ...] = ()
    permission: str = ""
    gated: bool | None = None
    label: str = ""
    expires: datetime | None = None
    origin: str = ""


@dataclass(frozen=True, slots=True)
class SourceReport:
    """How one source fared in a search: status is fresh | stale | failed | off.

    `as_of` is when its rows were said; None together with fresh means that it was not asked yet.
    """

    source: str
    label: str
    status: str
    found: int = 0
    seconds: float | None = None
    as_of: datetime | None = None
    error: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """The rows of all sources that answered, and what became of each source."""

    text: str
    rows: tuple[RepoCard, ...]
    sources: tuple[SourceReport, ...]
    seconds: float
