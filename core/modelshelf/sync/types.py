"""How a machine differs from a lock file."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from modelshelf.errors import UsageError
from modelshelf.library.types import InstalledModel
from modelshelf.sync.lockfile import LockedModel


@dataclass(frozen=True, slots=True)
class Difference:
    """A locked model: `missing` and `damaged` are paths, `refs` names that lead elsewhere, `extra` files besides."""

    model: LockedModel
    missing: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    refs: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether everything that is locked is here, verified, under the locked names."""
        return not (self.missing or self.damaged or self.refs)


@dataclass(frozen=True, slots=True)
class SyncReport:
    """Every locked model, and the installed ones that no lock names (`extra`)."""

    models: tuple[Difference, ...]
    extra: tuple[InstalledModel, ...] = ()

    @property
    def same(self) -> bool:
        """Whether nothing is missing; what is too much does not count."""
        return all(model.same for model in self.models)


class Stopped(UsageError):
    """What was being done was stopped by a person, or by the end of the program; nothing of it was kept."""

    remedy = "Begin it again."


class Gauge:
    """How far something is, in bytes. What reports to a `stop`ped one is ended by that."""

    def __init__(self) -> None:
        self.done = self.total = 0
        self._stopped = False

    def expect(self, total: int) -> None:
        """So much there will be."""
        self.total = total

    def add(self, count: int) -> None:
        """So much more is done.

        Raises:
            Stopped: it is to end.
        """
        if self._stopped:
            raise Stopped("It was stopped.")
        self.done += count

    def stop(self) -> None:
        """Let it end at its next report."""
        self._stopped = True


@dataclass(frozen=True, slots=True)
class Errand:
    """Writing or bringing in a bundle. Sizes in bytes; `error` and `remedy` belong to failed."""

    id: str
    kind: Literal["export", "import"]
    name: str
    status: Literal["running", "done", "failed", "stopped"]
    done: int
    total: int
    models: tuple[str, ...]
    started: datetime
    ended: datetime | None = None
    error: str = ""
    remedy: str = ""
