"""Repositories that are kept as they are: neither updated nor deleted with others."""

from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from modelshelf.access import AccessService, Role, require
from modelshelf.events import EventBus, LibraryChanged
from modelshelf.store import Store
from modelshelf.store.tables import PinRow

if TYPE_CHECKING:
    from modelshelf.library.service import ModelLibrary, Name


class Pins:
    """Pins are for everybody who uses this home; `InstalledModel.pinned` tells of them."""

    def __init__(self, store: Store, events: EventBus, access: AccessService, library: "ModelLibrary") -> None:
        self.access = access
        self._store = store
        self._events = events
        self._library = library

    @require(Role.OPERATOR, "library.pin")
    async def pin(self, model: "Name") -> str:
        """Keep all commits of a model's repository as they are; returns the repository.

        Raises:
            NotFound: it is not installed.
        """
        return await self._put(model, True)

    @require(Role.OPERATOR, "library.unpin")
    async def unpin(self, model: "Name") -> str:
        """Let a model be updated and deleted with others again; returns the repository.

        Raises:
            NotFound: it is not installed.
        """
        return await self._put(model, False)

    async def _put(self, model: "Name", wanted: bool) -> str:
        repo = (await self._library.get(model)).repo
        await self._store.write(_put, repo, wanted)
        self._events.publish(LibraryChanged(repo=repo))
        return repo


def _put(session: Session, repo: str, wanted: bool) -> None:
    row = session.get(PinRow, repo)
    if wanted and row is None:
        session.add(PinRow(repo=repo))
    elif not wanted and row is not None:
        session.delete(row)
