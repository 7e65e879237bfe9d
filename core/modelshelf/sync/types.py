"""How a machine differs from a lock file."""

from dataclasses import dataclass

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
