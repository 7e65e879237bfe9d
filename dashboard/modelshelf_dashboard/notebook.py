"""What a view needs to live in a cell of a notebook as it does in a served page."""

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import panel as pn

from modelshelf.access import OWNER
from modelshelf_dashboard import texts
from modelshelf_dashboard.components.greeter import Greeter
from modelshelf_dashboard.components.notices import Notices
from modelshelf_dashboard.session import Session, open_session
from modelshelf_dashboard.texts import _

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf


class InCell(pn.viewable.Viewer):
    """A view that a cell can show by itself."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        """What the cell shows. The first one brings what Panel needs with it, from here: no other host is asked."""
        if not pn.extension._loaded:
            pn.extension(inline=True)
        return super()._repr_mimebundle_(include, exclude)


class Cell(pn.Column):
    """A column whose session begins when the browser has drawn it, and which hears in the loop it was made in.

    JupyterLab hands over what it says in a thread with a loop of its own, where nothing of the shelf may run. And of
    several changes in one message Panel would lose those that come after one which it answers.
    """

    def __init__(self, *objects: Any, session: Session, **params: Any) -> None:
        greeter = Greeter()
        super().__init__(*objects, greeter, **params)
        self._session = session
        self._greeter = greeter
        self._drawn = ""
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:  # made where no loop runs: there is no other to be heard in
            self._loop = None
        greeter.listen(self._greeted)
        _take_place(session)

    def _greeted(self, message: dict[str, Any]) -> None:
        who = str(message.get("who", ""))
        self._greeter.tell(who=who)
        if not self._drawn:
            self._drawn = who
            self._session.begin()
        elif who != self._drawn:  # what the notebook kept of an earlier day, or a second view of the same output
            self._session.notice(_("This page is how it was first drawn."), _("Run the cell again."), tone="warn")

    def _on_msg(self, ref: str, manager: Any, msg: Any) -> None:
        if self._loop is None:
            self._hear(ref, manager, msg)
        else:
            self._loop.call_soon_threadsafe(self._hear, ref, manager, msg)

    def _hear(self, ref: str, manager: Any, msg: Any) -> None:
        content = msg["content"]
        for event in content["events"]:
            super()._on_msg(ref, manager, {**msg, "content": {**content, "events": [event]}})


_shown: dict[str, tuple[str, list[Session]]] = {}  # by cell: the run that showed them, and what it showed


def _take_place(session: Session) -> None:
    """What an earlier run of the same cell showed is gone from the notebook: it ends."""
    shell: Any = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if not hasattr(shell, "kernel"):
        return
    asked = shell.get_parent()
    cell, run = asked.get("metadata", {}).get("cellId", ""), asked.get("header", {}).get("msg_id", "")
    before, sessions = _shown.get(cell, ("", []))
    if before != run:
        for gone in sessions:
            gone.close()
        sessions = []
    if cell:
        _shown[cell] = run, [*sessions, session]


def begin(shelf: "Shelf", ready: "asyncio.Task[None] | None") -> tuple[Session, Notices]:
    """A session of the owner of the account, as everything in a notebook has, with a place for what it tells."""
    texts.choose(shelf.config.config.ui.language)
    session, notices = open_session(OWNER, ready=ready, drawn=False), Notices()

    def tell(notice: dict[str, Any]) -> None:
        notices.items = [*(item for item in notices.items if item["id"] != notice["id"]), notice][-3:]

    def let_go(message: dict[str, Any]) -> None:
        notices.items = [item for item in notices.items if item["id"] != message.get("id")]

    notices.listen(let_go)
    session.tell = tell
    return session, notices
