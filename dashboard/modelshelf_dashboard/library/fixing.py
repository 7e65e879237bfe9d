"""A proposal is carried out: the file it names is fetched, the provider it names is shown, or what it names changes."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from modelshelf.compat.types import Compatibility, Fix
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.transfers import Transfers

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf


class Fixing:
    """What the buttons of proposals do, wherever they stand. `changed` is called when fits may have become others."""

    def __init__(
        self, shelf: "Shelf", session: Session, transfers: Transfers, changed: Callable[[], None] = lambda: None
    ) -> None:
        self._shelf = shelf
        self._session = session
        self._transfers = transfers
        self.changed = changed

    def make(self, model: str, answer: Compatibility | None, one: Fix | None) -> None:
        """Carry it out; without one, the answer has become another since: then that is shown."""
        if answer is None or one is None:
            self.changed()
        elif one.code == "PROVIDER":
            self._session.navigation.navigate_to_model_library(model=model, by=str(one.apply.get("provider", "")))
        elif one.code == "FILE":
            self._session.run(self._take(model, str(one.apply.get("file", ""))), what=f"download {model}")
        else:
            self._session.run(self._apply(answer, one), what="fix")

    async def _take(self, model: str, file: str) -> None:
        """The file with all its parts."""
        ranked = await self._shelf.compatibility.rank(await self._shelf.catalog.detail(model))
        files = next((one.files for one in ranked if file in one.files), (file,))
        self._transfers.start(model, files)

    async def _apply(self, answer: Compatibility, one: Fix) -> None:
        done = await self._shelf.compatibility.apply(answer, one)
        self._session.notice(done, tone="good", id="fix")
        self.changed()
