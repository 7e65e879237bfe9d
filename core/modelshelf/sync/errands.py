"""Bundles in the background: begun, looked at and stopped by an id, in a folder of the home, by name alone."""

import asyncio
import logging
import re
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from modelshelf.access import AccessService, Role, require
from modelshelf.errors import ModelshelfError, NotFound, UsageError
from modelshelf.sync.types import Errand, Gauge, Stopped

if TYPE_CHECKING:
    from modelshelf.sync.bundle import BundleService

log = logging.getLogger(__name__)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.tar")
KEPT = 100  # errands that are remembered
Work = Callable[[Gauge], Awaitable[tuple[str, ...]]]


@dataclass(slots=True)
class _Running:
    told: Errand
    gauge: Gauge


@dataclass(frozen=True, slots=True)
class BundleFile:
    """A bundle in the folder; its size in bytes."""

    name: str
    size: int
    modified: datetime


class Errands:
    """Writes bundles to, and brings them in from, one folder of this home. They end with the process.

    Who asks over the network names no paths: a server must not read or write where a caller says.
    """

    name = "bundles"

    def __init__(self, access: AccessService, bundles: "BundleService", folder: Path) -> None:
        self.access = access
        self.folder = folder
        self._bundles = bundles
        self._known: dict[str, _Running] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Nothing to begin."""

    async def stop(self) -> None:
        """End what is being done; nothing half is kept."""
        for running in self._known.values():
            running.gauge.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def files(self) -> tuple[BundleFile, ...]:
        """The bundles in the folder."""
        return await asyncio.to_thread(_files, self.folder)

    def place(self, name: str) -> Path:
        """Where a bundle of this name is, or will be.

        Raises:
            UsageError: it is no plain name that ends in `.tar`.
        """
        if not NAME.fullmatch(name):
            raise UsageError(
                f"“{name}” cannot be the name of a bundle.",
                remedy="Use letters, digits, dots and dashes, and end it with .tar.",
            )
        return self.folder / name

    @require(Role.OPERATOR, "library.export")
    async def export(self, name: str, models: Sequence[str]) -> Errand:
        """Begin to write models to a bundle.

        Raises:
            UsageError: the name cannot be used, or is taken.
        """
        to, wanted = self.place(name), tuple(models)
        if await asyncio.to_thread(to.exists):
            raise UsageError(f"There is a bundle {name} already.", remedy="Choose another name.")

        async def work(gauge: Gauge) -> tuple[str, ...]:
            lock = await self._bundles.export(wanted, to, gauge)
            return tuple(str(model.id) for model in lock.models)

        return self._begin("export", name, wanted, work)

    @require(Role.OPERATOR, "library.import")
    async def bring(self, name: str) -> Errand:
        """Begin to bring a bundle into the library.

        Raises:
            UsageError, NotFound: the name cannot be used, or there is no such bundle.
        """
        place = self.place(name)
        if not await asyncio.to_thread(place.exists):
            raise NotFound(f"There is no bundle {name}.", remedy=f"Put it into {self.folder}.")

        async def work(gauge: Gauge) -> tuple[str, ...]:
            return (await self._bundles.bring(place, None, gauge)).models

        return self._begin("import", name, (), work)

    def one(self, errand: str) -> Errand:
        """How an errand stands.

        Raises:
            NotFound: there is no such errand in this process.
        """
        running = self._known.get(errand)
        if running is None:
            raise NotFound(f"There is no errand “{errand}”.", remedy="They end with the process that began them.")
        return replace(running.told, done=running.gauge.done, total=running.gauge.total)

    def all(self) -> tuple[Errand, ...]:
        """Every errand that is remembered, the latest first."""
        return tuple(self.one(errand) for errand in reversed(self._known))

    @require(Role.OPERATOR, "library.stop")
    async def end(self, errand: str) -> Errand:
        """Stop an errand; nothing of it is kept.

        Raises:
            NotFound: there is no such errand.
        """
        found = self.one(errand)
        self._known[errand].gauge.stop()
        return found

    def _begin(self, kind: Literal["export", "import"], name: str, models: tuple[str, ...], work: Work) -> Errand:
        errand = Errand(uuid.uuid4().hex[:12], kind, name, "running", 0, 0, models, datetime.now(UTC))
        running = self._known[errand.id] = _Running(errand, Gauge())
        for old in [key for key, one in self._known.items() if one.told.ended][: max(len(self._known) - KEPT, 0)]:
            del self._known[old]
        task = asyncio.create_task(self._do(running, work), name=f"bundles.{errand.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return errand

    async def _do(self, running: _Running, work: Work) -> None:
        try:
            models = await work(running.gauge)
        except Stopped:
            ended = replace(running.told, status="stopped")
        except ModelshelfError as error:
            ended = replace(running.told, status="failed", error=error.message, remedy=error.remedy)
        except Exception as error:  # nobody awaits an errand: it must say how it ended in every case
            log.exception("the bundle %s failed", running.told.name)
            ended = replace(running.told, status="failed", error=f"It failed: {error}.", remedy="See the log.")
        else:
            ended = replace(running.told, status="done", models=models)
        running.told = replace(ended, ended=datetime.now(UTC))


def _files(folder: Path) -> tuple[BundleFile, ...]:
    found = [path for path in folder.glob("*.tar") if path.is_file()] if folder.is_dir() else []
    stats = [(path, path.stat()) for path in sorted(found)]
    return tuple(
        BundleFile(path.name, stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC)) for path, stat in stats
    )
