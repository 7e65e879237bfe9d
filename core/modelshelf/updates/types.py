"""What is newer than what is installed, and what a rollback did."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Update:
    """A name in the library and where its source leads it now: status is current | outdated | pinned | unknown.

    What is pinned is not updated, though its source leads elsewhere. `missing` are the bytes that the newer commit
    would fetch; `error` and `remedy` belong to unknown.
    """

    repo: str
    source: str | None
    ref: str
    commit: str
    newest: str = ""
    status: str = "current"
    missing: int = 0
    error: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Rollback:
    """A name in the library that leads to an earlier commit again."""

    repo: str
    ref: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Updating:
    """The jobs that fetch newer commits, and what could not be looked at or begun, with why."""

    jobs: tuple[str, ...]
    failed: tuple[Update, ...]
