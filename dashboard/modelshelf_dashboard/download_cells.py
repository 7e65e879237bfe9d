"""Downloads in a cell of a notebook, or inside another Panel app: the list, and what is new, by themselves."""

import asyncio
from typing import TYPE_CHECKING, Any

import panel as pn

from modelshelf_dashboard.bell import Bell
from modelshelf_dashboard.library.downloads import Downloads as View
from modelshelf_dashboard.notebook import Cell, InCell, begin

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf


class Downloads(InCell):
    """What runs, waits and ended, as the page shows it: `Downloads(shelf)` in a cell or a layout.

    It goes on by itself while downloads run. `ready` is the task that starts the shelf, where that is still to come.
    """

    def __init__(self, shelf: "Shelf", *, ready: "asyncio.Task[None] | None" = None, **params: Any) -> None:
        self._shelf, self._ready = shelf, ready
        super().__init__(**params)

    def __panel__(self) -> pn.viewable.Viewable:
        session, notices = begin(self._shelf, self._ready)
        view = View(self._shelf, session)
        return Cell(notices, view.view, session=session, margin=0, sizing_mode="stretch_width", min_width=320)


class DownloadNews(InCell):
    """What ended and what needs a decision, until somebody has seen it: `DownloadNews(shelf)` in a cell or a layout.

    `ready` is the task that starts the shelf, where that is still to come.
    """

    def __init__(self, shelf: "Shelf", *, ready: "asyncio.Task[None] | None" = None, **params: Any) -> None:
        self._shelf, self._ready = shelf, ready
        super().__init__(**params)

    def __panel__(self) -> pn.viewable.Viewable:
        session, notices = begin(self._shelf, self._ready)
        bell = Bell(self._shelf, session, inline=True)
        return Cell(notices, bell.piece, session=session, margin=0, sizing_mode="stretch_width", min_width=320)
