"""The settings alone, for a notebook cell or inside another Panel app."""

import asyncio
from typing import TYPE_CHECKING, Any

import panel as pn
import param

from modelshelf.access import OWNER
from modelshelf_dashboard import texts
from modelshelf_dashboard.components.dialog import Dialog
from modelshelf_dashboard.components.notices import Notices
from modelshelf_dashboard.components.overlay import Overlay
from modelshelf_dashboard.components.shell import Shell
from modelshelf_dashboard.notebook import Cell, InCell
from modelshelf_dashboard.session import TO_LIBRARY, Session, open_session
from modelshelf_dashboard.settings.view import LLMSettings
from modelshelf_dashboard.texts import _

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf


class SettingsDialog(InCell):
    """A button that opens LLM Settings over the page it is on; `is_open` opens and closes it from Python.

    `SettingsDialog(shelf)` in a cell or a layout; with `button=False` it is only opened by `is_open`, and
    `section` chooses what it shows first. `ready` is the task that starts the shelf, where that is still to come. It
    acts for the owner of the account, as everything in a notebook does.
    """

    is_open = param.Boolean(default=False, doc="whether it is shown")
    button = param.Boolean(default=True, doc="whether it has a button of its own")
    section = param.String(default="providers", doc="the section of the settings it shows")

    def __init__(self, shelf: "Shelf", *, ready: "asyncio.Task[None] | None" = None, **params: Any) -> None:
        self._shelf = shelf
        self._ready = ready
        super().__init__(**params)

    def __panel__(self) -> pn.viewable.Viewable:
        texts.choose(self._shelf.config.config.ui.language)
        session = open_session(OWNER, ready=self._ready, drawn=False)
        overlay = Overlay(
            content=_settings(self._shelf, session, self.section),
            word=_("LLM Settings") if self.button else "",
            title=_("LLM Settings"),
            open=self.is_open,
        )
        self.param.watch(lambda event: overlay.param.update(open=event.new), "is_open")
        overlay.param.watch(lambda event: self.param.update(is_open=event.new), "open")
        return Cell(overlay, session=session, margin=0)


def _settings(shelf: "Shelf", session: Session, section: str) -> Shell:
    """The settings in the frame of the page, without the library."""
    nav = session.navigation
    nav.navigate_to_llm_settings(section=section)
    dialog, notices = Dialog(), Notices()
    notices.listen(lambda message: _let_go(notices, message))
    session.tell = lambda notice: _tell(notices, notice)
    settings = LLMSettings(shelf, session, dialog)
    settings.ensure()
    nothing = {name: pn.Spacer(height=0) for name in ("library_side", "library_body", "library_drawer", "dock")}
    shell = Shell(
        **nothing,
        settings_side=settings.side,
        settings_body=settings.body,
        settings_drawer=settings.drawer,
        notices=notices,
        overlays=dialog,
        tab="settings",
        embedded=True,
    )
    shell.listen(lambda _message: nav.param.update(chat="", beside=""))
    nav.param.watch(
        lambda *_events: shell.param.update(drawer=bool(nav.chat), wide=bool(nav.beside)), ["chat", "beside"]
    )
    nav.param.watch(lambda event: _stay(session, event.new), ["tab"])
    return shell


def _stay(session: Session, tab: str) -> None:
    """There is no library here to go to."""
    if tab != "settings":
        session.navigation.tab = "settings"
        session.notice(_("The library is on the whole page: shelf.dashboard()."), tone="good", id=TO_LIBRARY)


def _tell(notices: Notices, notice: dict[str, Any]) -> None:
    notices.items = [*(item for item in notices.items if item["id"] != notice["id"]), notice][-3:]


def _let_go(notices: Notices, message: dict[str, Any]) -> None:
    notices.items = [item for item in notices.items if item["id"] != message.get("id")]
