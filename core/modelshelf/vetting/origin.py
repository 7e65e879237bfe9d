"""Where files come from, as far as a policy asks for it."""

from dataclasses import dataclass
from typing import Protocol


class _Plan(Protocol):
    @property
    def source(self) -> str: ...
    @property
    def repo(self) -> str: ...
    @property
    def commit(self) -> str: ...
    @property
    def licence(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Origin:
    """A commit of a repository of a source; the licence is as its card states it."""

    source: str
    repo: str
    commit: str = ""
    licence: str | None = None

    @classmethod
    def of(cls, plan: _Plan) -> "Origin":
        """Where the files of a plan come from."""
        return cls(plan.source, plan.repo, plan.commit, plan.licence)

    @property
    def publisher(self) -> str:
        """What stands before the slash; empty if there is none."""
        return self.repo.rpartition("/")[0]

    def __str__(self) -> str:
        commit = f"@{self.commit[:8]}" if self.commit else ""
        return f"{self.source}:{self.repo}{commit}"
