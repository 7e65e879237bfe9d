"""Conflicts: found, explained, resolved in one step, and taken back."""

import asyncio
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from modelshelf.access import AccessService, Role, require
from modelshelf.config import ConfigManager
from modelshelf.downloads.disks import usage
from modelshelf.downloads.leftovers import leftovers, resumable, settled
from modelshelf.downloads.plan import Places
from modelshelf.errors import ModelshelfError, NotFound, UsageError
from modelshelf.events import ConflictsChanged, EventBus
from modelshelf.integration import findings
from modelshelf.integration.conflict_types import Conflict, ConflictKind, Deed, Mending
from modelshelf.integration.issues import SEVERITIES
from modelshelf.integration.menders import Mender
from modelshelf.integration.templates import Templates
from modelshelf.integration.trash import KEPT_SECONDS, Trash
from modelshelf.metadata import local
from modelshelf.providers.rows import BUILTIN
from modelshelf.store import Store
from modelshelf.store.tables import MendingRow

if TYPE_CHECKING:
    from modelshelf.library import ModelLibrary
    from modelshelf.library.served import ServedFile
    from modelshelf.providers import HealthMonitor, ProviderRegistry
    from modelshelf.providers.profiles import ProfileManager
    from modelshelf.registration import RegistrationService

SHOWN = 20

__all__ = ["Conflict", "ConflictKind", "ConflictService", "Mending"]


class ConflictService:
    """Looks for conflicts when asked, among what services know and what lies on the disk."""

    name = "conflicts"

    def __init__(
        self,
        config: ConfigManager,
        store: Store,
        events: EventBus,
        access: AccessService,
        library: "ModelLibrary",
        providers: "ProviderRegistry",
        health: "HealthMonitor",
        profiles: "ProfileManager",
        registration: "RegistrationService",
    ) -> None:
        self.access = access
        self._config = config
        self._store = store
        self._events = events
        self._library = library
        self._providers = providers
        self._health = health
        self._profiles = profiles
        self._registration = registration
        self._templates = Templates(library, providers, health)

    @property
    def trash(self) -> Trash:
        """Where what was put away waits for a week."""
        return Trash(self._config.paths.work / "trash")

    async def list(self) -> tuple[Conflict, ...]:
        """Everything that is at odds now, the worst first."""
        profiles = await self._profiles.list()
        served, made = await self._library.served(), await self._registration.list()
        found = [
            *findings.lost_models(await self._profiles.states(), {profile.name: profile for profile in profiles}),
            *findings.one_address(await self._providers.list()),
            *findings.mismatches(await self._asked(served)),
            *findings.two_names(served, profiles),
            *findings.lost_registrations(made, await self._library.models()),
            *findings.plain_copies(await self._templates.plain(made, served), profiles),
            *await self._on_disk(),
        ]
        return tuple(sorted(found, key=lambda item: SEVERITIES.index(item.severity)))

    @require(Role.OPERATOR, "conflict.resolve")
    async def resolve(self, conflict: str) -> Mending:
        """Resolve a conflict by its id.

        Raises:
            NotFound: there is no such conflict (any more).
            UsageError: it cannot be resolved by itself; the remedy says what to do.
            As the services that do it: FolderNotWritable, RoleRequired and so on.
        """
        found = next((item for item in await self.list() if item.id == conflict), None)
        if found is None:
            raise NotFound(
                f"There is no conflict “{conflict}”.", remedy="`modelshelf conflicts` lists those there are."
            )
        if found.deed is None:
            raise UsageError(found.text, remedy=found.remedy)
        undo = await self._mender().do(found.deed)
        row = _row(found, undo)
        return await self._told(await self._store.write(_add, row))

    @require(Role.OPERATOR, "conflict.undo")
    async def undo(self, mending: str = "") -> Mending:
        """Take back what resolved a conflict: the last time, or the one of this id.

        Raises:
            NotFound: there is nothing to take back.
            UsageError: it cannot be taken back (any more).
        """
        known = await self.mended()
        chosen = next((one for one in known if (one.id == mending if mending else not one.undone)), None)
        if chosen is None:
            raise NotFound("There is nothing to take back.", remedy="`modelshelf conflicts` lists what was done.")
        if chosen.undone or chosen.undo is None:
            raise UsageError(
                f"This cannot be taken back: {chosen.text}", remedy="What was deleted can be downloaded again."
            )
        await self._mender().do(chosen.undo)
        return await self._told(await self._store.write(_undone, chosen.id))

    async def mended(self, limit: int = SHOWN) -> tuple[Mending, ...]:
        """What was resolved, the last first; those whose bytes have left the trash cannot be taken back."""
        found = await self._store.read(_newest, limit)
        trash = self.trash
        return await asyncio.to_thread(lambda: tuple(_still(one, trash) for one in found))

    def _mender(self) -> Mender:
        return Mender(self._library, self._providers, self._profiles, self._registration, self.trash)

    async def _told(self, mending: Mending) -> Mending:
        self._events.publish(ConflictsChanged(mending=mending.id))
        return mending

    async def _on_disk(self) -> Sequence[Conflict]:
        models, loose = await self._library.models(), await self._library.loose()
        left = [findings.Left("file without a model", one.repo, one.paths, one.size) for one in loose]
        left += await self._unfinished()
        trash, folder = self.trash, self._config.paths.cache
        least = int(self._config.config.library.low_disk_gb * 1e9)

        def look() -> Sequence[Conflict]:
            trash.empty(KEPT_SECONDS)
            _total, free = usage(folder)
            room = findings.low_disk(folder, free, least, trash.size())
            return [*findings.duplicates(models), *findings.orphans(left), *room]

        return await asyncio.to_thread(look)

    async def _unfinished(self) -> Sequence[findings.Left]:
        """Part files that no job will go on with; plans are long, and only read where there is something to ask for."""
        places = Places(self._config.paths.cache, self._config.paths.parts)
        found = await asyncio.to_thread(settled, places)
        left = leftovers(places, found, await self._store.read(resumable)) if found else {}
        return [findings.Left("unfinished file", repo, tuple(paths), _sum(paths)) for repo, paths in left.items()]

    async def _asked(self, served: "Sequence[ServedFile]") -> Sequence[findings.Asked]:
        """How models of this machine are to be loaded, where somebody said so, and what they were made for."""
        found: list[findings.Asked] = []
        for item in served:
            settings = await self._providers.load_settings(BUILTIN.id, item.name)
            if settings.context:
                most = await asyncio.to_thread(_made_for, item.files[0].file)
                found.append(findings.Asked(f"{BUILTIN.id}/{item.name}", settings, most))
        for provider, listed in self._health.listed.items():
            for model in listed.models if provider != BUILTIN.id else ():
                if isinstance(limit := model.extra.get("max_context"), int):
                    settings = await self._providers.load_settings(provider, model.name)
                    found.append(findings.Asked(model.id, settings, limit))
        return found


def _made_for(file: Path) -> int:
    try:
        return local.read(file).context or 0
    except ModelshelfError:
        return 0  # a broken file is said elsewhere


def _sum(paths: Sequence[Path]) -> int:
    return sum(path.lstat().st_size for path in paths if path.exists())


def _still(mending: Mending, trash: Trash) -> Mending:
    undo = mending.undo
    gone = undo is not None and undo.do == "put back" and not trash.holds(undo.what["name"])
    if not gone and not mending.undone:
        return mending
    return Mending(mending.id, mending.conflict, mending.kind, mending.text, mending.at, None, mending.undone)


def _row(conflict: Conflict, undo: Deed | None) -> MendingRow:
    told = {"do": undo.do, "what": dict(undo.what)} if undo else {}
    return MendingRow(
        id=uuid.uuid4().hex[:10], conflict=conflict.id, kind=conflict.kind.value, text=conflict.text, undo=told
    )


def _mending(row: MendingRow) -> Mending:
    undo = Deed(str(row.undo["do"]), dict(row.undo["what"])) if row.undo else None
    return Mending(row.id, row.conflict, row.kind, row.text, row.at, undo, row.undone)


def _add(session: Session, row: MendingRow) -> Mending:
    row.undone = False
    session.add(row)
    session.flush()
    return _mending(row)


def _undone(session: Session, mending: str) -> Mending:
    row = session.get_one(MendingRow, mending)
    row.undone = True
    return _mending(row)


def _newest(session: Session, limit: int) -> list[Mending]:
    query = select(MendingRow).order_by(MendingRow.at.desc(), MendingRow.id).limit(limit)
    return [_mending(row) for row in session.scalars(query)]
