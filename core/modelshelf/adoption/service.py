"""Adoption: what other programs keep on this machine is shown, linked into the library, and not kept twice."""

import asyncio
import logging
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from modelshelf.access import AccessService, Role, require
from modelshelf.adoption import records
from modelshelf.adoption.around import Around
from modelshelf.adoption.background import Background
from modelshelf.adoption.comparing import Known
from modelshelf.adoption.giving import clean, give_back, separate
from modelshelf.adoption.planning import found_model, way_of
from modelshelf.adoption.survey import holders, survey
from modelshelf.adoption.types import (
    Comparing,
    Duplicate,
    Elsewhere,
    Given,
    Inode,
    Plan,
    Shared,
    Standing,
    Store,
    Survey,
)
from modelshelf.config import ConfigManager
from modelshelf.errors import DownloadError, NotFound
from modelshelf.events import EventBus, StoresChanged
from modelshelf.imports import ImportService
from modelshelf.imports.types import Imported
from modelshelf.store import Store as Database

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelshelf.library import ModelLibrary

log = logging.getLogger(__name__)

FRESH_SECONDS = 5.0
SHARE = 20


class AdoptionService:
    """Reads the stores of other programs. Nothing of theirs is changed but by `give_back` and `separate`."""

    name = "adoption"

    def __init__(
        self,
        config: ConfigManager,
        store: Database,
        events: EventBus,
        access: AccessService,
        library: "ModelLibrary",
        imports: ImportService,
        leads: "Callable[[], bool]",
    ) -> None:
        self.access = access
        self._config = config
        self._store = store
        self._events = events
        self._library = library
        self._imports = imports
        self._turn = asyncio.Lock()
        self._survey = Survey()
        self._looked = float("-inf")
        self._rest = FRESH_SECONDS
        self._background = Background(config, store, events, leads, self._known)

    async def start(self) -> None:
        """Begin to compare files in the background, some seconds from now."""
        self._background.start()

    async def stop(self) -> None:
        """End the comparison where it is; what was read is kept."""
        await self._background.stop()

    @property
    def comparing(self) -> Comparing:
        """How far the comparison of this process is."""
        return self._background.state

    async def look(self, *, fresh: bool = False) -> Survey:
        """Everything that other programs keep here; what was seen a few seconds ago counts, unless `fresh`."""
        async with self._turn:
            if fresh or time.monotonic() - self._looked > self._rest:
                before, begun = self._survey, time.monotonic()
                self._survey = await asyncio.to_thread(survey, self._around())
                if self._survey != before and self._looked > 0:
                    self._events.publish(StoresChanged())
                # Large stores on a slow disk are looked at less often.
                self._looked = time.monotonic()
                self._rest = max(FRESH_SECONDS, SHARE * (self._looked - begun))
            return self._survey

    async def stores(self) -> tuple[Store, ...]:
        """What was found, with sizes and what is wrong there."""
        return (await self.look()).stores

    async def models(self) -> tuple[Standing, ...]:
        """Every model of every store, and whether the library or another store has the same bytes."""
        return tuple(await asyncio.to_thread((await self._known()).standings))

    async def duplicates(self) -> tuple[Duplicate, ...]:
        """The same bytes twice, as far as files were compared; the largest gain first."""
        return tuple(await asyncio.to_thread((await self._known()).duplicates))

    async def shared(self) -> tuple[Shared, ...]:
        """The files that were given back and can be made files of their own again."""
        return await asyncio.to_thread(_shared, await self._store.read(records.given))

    async def elsewhere(self) -> Elsewhere:
        """All of it at once, of one look."""
        known, found = await self._known(), await self.look()
        models, duplicates, wanted = await asyncio.to_thread(
            lambda: (known.standings(), known.duplicates(), known.wanted())
        )
        state = self.comparing
        left = Comparing(len(wanted), sum(file.size for file in wanted), state.done, state.total, state.why)
        return Elsewhere(found.stores, models, duplicates, await self.shared(), left)

    async def model(self, name: str) -> Standing:
        """A stored model by its id, or by its name if only one store has it.

        Raises:
            NotFound: there is none, or it is in several stores.
        """
        found = await self._named(name)
        if not found:  # it may have come this moment
            await self.look(fresh=True)
            found = await self._named(name)
        exact = [one for one in found if one.model.id == name] or found
        if len(exact) == 1:
            return exact[0]
        if exact:
            ids = ", ".join(one.model.id for one in exact)
            raise NotFound(f"Several stores have {name}.", remedy=f"Name one of them: {ids}.")
        raise NotFound(f"No store on this machine has {name}.", remedy="List them: modelshelf stores models")

    async def compare(self) -> Comparing:
        """Read, now and as fast as the disk allows, whatever must be read to know what is the same."""
        return await self._background.round(rate=0.0)

    async def plan(self, name: str) -> Plan:
        """How adopting a model would be done here, and what it would take.

        Raises:
            NotFound: no store has it.
        """
        standing = await self.model(name)
        model = standing.model
        if standing.library:
            return Plan(model.id, "there", 0, 0)
        way = await asyncio.to_thread(way_of, model, self._config.paths.parts)
        return Plan(model.id, way, 0, model.size)

    @require(Role.ADMIN, "stores.folders")
    async def add_folder(self, path: str) -> tuple[str, ...]:
        """Look at this folder too from now on, a whole path or one below `~/`; all that are looked at.

        Raises:
            NotFound: there is no such folder.
            ConfigError: the settings cannot be written.
        """
        place = self._around().at(path)
        if place is None or not await asyncio.to_thread(place.is_dir):
            raise NotFound(f"There is no folder “{path}”.", remedy="Write its whole path on the server's machine.")
        folders = self._config.config.adoption.folders
        return await self._set_folders(list(dict.fromkeys([*folders, str(place)])))

    @require(Role.ADMIN, "stores.folders")
    async def drop_folder(self, path: str) -> tuple[str, ...]:
        """Look at this folder no more; all that are left.

        Raises:
            NotFound: it is not one that was added.
            ConfigError: the settings cannot be written.
        """
        folders = self._config.config.adoption.folders
        left = [folder for folder in folders if folder not in (path, str(self._around().at(path)))]
        if len(left) == len(folders):
            raise NotFound(f"“{path}” is not looked at.", remedy="List those that are: modelshelf stores list")
        return await self._set_folders(left)

    @require(Role.OPERATOR, "stores.adopt")
    async def adopt(self, name: str, *, copy: bool = False) -> Imported:
        """Bring a stored model into the library by a link; vetted as everything. What became of it.

        With `copy`, where no bytes can be shared, they are copied, as `plan` says what that takes; else the library
        gets a link that leads to them.

        Raises:
            NotFound: no store has it.
        """
        model = (await self.model(name)).model
        done = await self._imports.bring(found_model(model), copy=copy)
        await self.access.record("stores.adopt", model.id, done.status, done.error)
        self._events.publish(StoresChanged())
        return done

    @require(Role.ADMIN, "stores.give-back")
    async def give_back(self, duplicate: str) -> Given:
        """Make a duplicate, by its id, another name of the bytes that stay; both are read anew before.

        Raises:
            NotFound: there is no such duplicate any more.
            DownloadError, ChecksumMismatch, Unreachable, FolderNotWritable: it cannot be; nothing was changed.
        """
        found = next((one for one in await self.duplicates() if one.id == duplicate), None)
        if found is None:
            raise NotFound(f"There is no duplicate {duplicate}.", remedy="List them: modelshelf stores duplicates")
        if not found.possible:
            raise DownloadError(found.why, remedy="Delete one of them with the program it belongs to.")
        keep, freed, done = found.keep.places[0], 0, []
        for place in found.give.places:
            freed += found.size * await self._give(keep, place, found.sha256)
            done.append(place)
        given = Given(tuple(done), keep, freed)
        await self.access.record("stores.give-back", str(found.give.places[0]), "done", f"{freed} bytes, as {keep}")
        await self._changed()
        return given

    @require(Role.ADMIN, "stores.separate")
    async def separate(self, place: str) -> int:
        """Take a giving back back: the file has bytes of its own again, which are returned.

        Raises:
            NotFound: it was not given back here.
            DownloadError, ChecksumMismatch, Unreachable, FolderNotWritable, NotEnoughDisk.
        """
        given = await self._store.read(records.given)
        if (sha256 := given.get(Path(place))) is None:
            raise NotFound(f"{place} was not given back here.", remedy="List those that were: modelshelf stores shared")
        size = await asyncio.to_thread(separate, Path(place), sha256)
        await self._store.write(records.forget_given, Path(place))
        await self.access.record("stores.separate", place, "done", f"{size} bytes")
        await self._changed()
        return size

    def holders(self, inodes: Collection[Inode]) -> Mapping[Inode, Mapping[Path, str]]:
        """Where other programs hold these bytes, each place with the program's name. For threads."""
        return holders(survey(self._around()), inodes)

    async def _set_folders(self, folders: Sequence[str]) -> tuple[str, ...]:
        await asyncio.to_thread(self._config.set, "adoption.folders", list(folders))
        await self._changed()
        return self._config.config.adoption.folders

    async def _named(self, name: str) -> list[Standing]:
        return [one for one in await self.models() if name in (one.model.id, one.model.name)]

    async def _give(self, keep: Path, place: Path, sha256: str) -> bool:
        """It is written down first: whatever ends this process, it can be taken back."""
        await asyncio.to_thread(clean, place.parent)
        await self._store.write(records.note_given, [place], sha256)
        done = False
        try:
            gone = await asyncio.to_thread(give_back, keep, place, sha256)
            done = True
        finally:
            if not done:
                await self._store.write(records.forget_given, place)
        return gone

    async def _changed(self) -> None:
        await self.look(fresh=True)
        self._events.publish(StoresChanged())

    async def _known(self) -> Known:
        found = await self.look()
        installed = await self._library.models()
        sums = await self._store.read(records.checksums)
        return await asyncio.to_thread(Known, found, installed, sums)

    def _around(self) -> Around:
        config = self._config
        return Around(config.environ, config.config.adoption.folders, config.paths.cache)


def _shared(given: Mapping[Path, str]) -> tuple[Shared, ...]:
    found = []
    for place in given:
        with suppress(OSError):
            status = place.lstat()
            if status.st_nlink > 1:
                found.append(Shared(place, status.st_size))
    return tuple(found)
