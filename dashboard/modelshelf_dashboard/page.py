"""The page: the two tabs with what belongs to both, for a browser session or a notebook cell."""

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import panel as pn

from modelshelf.access import OWNER, Principal
from modelshelf_dashboard import texts, theme
from modelshelf_dashboard.bell import Bell
from modelshelf_dashboard.components.dialog import Dialog
from modelshelf_dashboard.components.help_panel import HelpPanel
from modelshelf_dashboard.components.notices import Notices
from modelshelf_dashboard.components.router import Router
from modelshelf_dashboard.components.shell import Shell
from modelshelf_dashboard.components.top_bar import TopBar
from modelshelf_dashboard.header import Header
from modelshelf_dashboard.help import keys, topics
from modelshelf_dashboard.library.view import ModelLibrary
from modelshelf_dashboard.notebook import Cell, InCell
from modelshelf_dashboard.secure import session_principal
from modelshelf_dashboard.session import TO_LIBRARY, TO_SETTINGS, Session, open_session
from modelshelf_dashboard.settings.view import LLMSettings
from modelshelf_dashboard.texts import _
from modelshelf_dashboard.transfers import Transfers

if TYPE_CHECKING:
    from panel_material_ui.template.base import Page

    from modelshelf.shelf import Shelf

EVENTS = "api/events"

log = logging.getLogger(__name__)


class Parts:
    """Everything on the page, put together; the session's navigation is the only thing they share."""

    def __init__(self, shelf: "Shelf", session: Session, *, embedded: bool) -> None:
        self.session = session
        self.navigation = session.navigation
        self.embedded = embedded
        self.dialog = Dialog()
        self.notices = Notices(heard=self._noticed)
        session.tell = self._tell
        self.transfers = Transfers(shelf, session)
        self.library = ModelLibrary(shelf, session, self.dialog, self.transfers)
        self.settings = LLMSettings(shelf, session, self.dialog)
        ui = shelf.config.config.ui
        beside = str(id(self))
        self.top = TopBar(beside=beside, tab=self.navigation.tab, theme=ui.theme, embedded=embedded)
        self.header = Header(shelf, session, self.top)
        self.bell = Bell(shelf, session)
        self.shell = self._build_shell()
        self.router = Router(heard=self._routed, events=[TO_LIBRARY, TO_SETTINGS], embedded=embedded)
        self._bind()

    def _build_shell(self) -> Shell:
        help_panel = HelpPanel(topics=topics(), keys=keys())
        shell = Shell(
            library_side=self.library.side,
            library_body=self.library.body,
            library_drawer=self.library.drawer,
            settings_side=self.settings.side,
            settings_body=self.settings.body,
            settings_drawer=self.settings.drawer,
            notices=self.notices,
            dock=self.transfers.dock,
            overlays=pn.Column(self.library.verdicts.panel, self.dialog, help_panel, self.bell.piece, margin=0),
            tab=self.navigation.tab,
            beside=self.top.beside,
            embedded=self.embedded,
        )
        shell.listen(self._closed)
        return shell

    def _bind(self) -> None:
        nav = self.navigation
        self.top.param.watch(lambda event: nav.param.update(tab=event.new), "tab")
        nav.param.watch(self._moved, [name for name in nav.param if name != "name"])
        self._moved()

    def _moved(self, *changes: Any) -> None:
        """Follow the navigation. Typing replaces the address, everything else is a step one can go back from.

        The address goes out first and with the rest: who sees the new view and goes back at once leaves that view.
        """
        nav = self.navigation
        drawer = bool(nav.model) if nav.tab == "library" else bool(nav.chat)
        with pn.io.hold():
            names = {change.name for change in changes} - {"focus"}
            if names and not self._reading:
                typing = "q" in names and names <= {"q", "page", "collection"}
                self.router.go(nav.address(), self._title(), push=not typing)
            self.router.title = self._title()
            self.top.tab = nav.tab
            self.shell.param.update(tab=nav.tab, drawer=drawer, wide=nav.tab == "settings" and bool(nav.beside))
            self.settings.ensure()

    _reading = False

    def _routed(self, message: dict[str, Any]) -> None:
        match message["do"]:
            case "address":
                self._reading = True
                try:
                    self.navigation.read(str(message.get("search", "")))
                finally:
                    self._reading = False
                self.router.answer(self.navigation.address(), _count(message.get("asked")))
            case name if name == TO_LIBRARY:
                self.navigation.navigate_to_model_library(**_context(message))
            case name if name == TO_SETTINGS:
                self.navigation.navigate_to_llm_settings(**_context(message))

    def _closed(self, _message: dict[str, Any]) -> None:
        nav = self.navigation
        nav.param.update(**({"model": "", "by": ""} if nav.tab == "library" else {"chat": "", "beside": ""}))

    def _title(self) -> str:
        nav = self.navigation
        here = nav.chat or _("LLM Settings") if nav.tab == "settings" else nav.model or nav.q or _("Model Library")
        return f"{here} · Modelshelf"

    def _tell(self, notice: dict[str, Any]) -> None:
        others = [item for item in self.notices.items if item["id"] != notice["id"]]
        self.notices.items = [*others, notice][-3:]

    def _noticed(self, message: dict[str, Any]) -> None:
        self.notices.items = [item for item in self.notices.items if item["id"] != message.get("id")]


def create_page(
    shelf: "Shelf",
    principal: Principal | None = None,
    *,
    events: str = EVENTS,
    ready: "asyncio.Task[None] | None" = None,
) -> "Page":
    """The page of one browser session.

    Args:
        shelf: shared by all sessions.
        principal: who looks at it; by default whom the server says.
        events: where the server's events are, seen from the page; empty if there is no such server.
        ready: what starts the shelf, if it does not run yet.
    """
    # Not before it is needed: once imported it gives its looks to everything, in a notebook also to what others made.
    from panel_material_ui.template.base import Page

    texts.choose(shelf.config.config.ui.language)
    session = open_session(principal or session_principal(), events=events, ready=ready)
    address = (pn.state.location.search or "") if pn.state.location is not None else ""
    try:
        session.navigation.read(address)
        parts = Parts(shelf, session, embedded=False)
    except Exception:  # the last door before a bare traceback: whatever is in an address, a page is shown
        log.exception("the address “%s” cannot be shown", address[:500])
        session.close()
        session = open_session(principal or session_principal(), events=events, ready=ready)
        parts = Parts(shelf, session, embedded=False)
        session.notice(_("This address cannot be shown; here is the start."), id="address")
    page = Page(
        header=[parts.top, parts.router],
        main=[parts.shell],
        title="",
        meta_title="Modelshelf",
        theme_config=theme.material(),
        theme_toggle=False,
        busy_indicator=None,
        sidebar_open=False,
        sidebar_variant="permanent",
        raw_css=[theme.page_css()],
        sx={
            ".MuiAppBar-root": {"bgcolor": "primary.contrastText", "color": "primary.main"},
            ".MuiLinearProgress-root, .MuiToolbar-root > h5": {"display": "none"},
        },
    )
    parts.top.param.watch(lambda event: page.param.update(dark_theme=event.new), "dark")
    _unbind(page)
    return page


class Dashboard(InCell):
    """The same views for a notebook cell, or for any Panel app: `shelf.dashboard()`.

    It acts for the owner of the account, as everything in a notebook does.
    """

    def __init__(self, shelf: "Shelf") -> None:
        super().__init__()
        self.shelf = shelf

    def __panel__(self) -> pn.Column:
        texts.choose(self.shelf.config.config.ui.language)
        session = open_session(OWNER, drawn=False)
        parts = Parts(self.shelf, session, embedded=True)
        shown = (parts.top, parts.router, parts.shell)
        return Cell(*shown, session=session, margin=0, sizing_mode="stretch_width", min_width=360)


def _count(asked: object) -> int:
    return asked if isinstance(asked, int) else 0


def _context(message: dict[str, Any]) -> dict[str, Any]:
    context = message.get("context")
    return {str(name): value for name, value in context.items()} if isinstance(context, dict) else {}


def _unbind(page: "Page") -> None:
    """Let go of what pmui.Page holds on to: it follows whether Panel is busy, which nothing here shows.

    That would keep every page alive. Worse, it would write to every page from the threads in which Panel works:
    a `pn.io.hold` of the loop that overlaps such a write is never let go, and the page is told nothing any more.
    """
    for reference in list(page._param__private.ref_watchers or []):
        watcher: Any = reference if hasattr(reference, "inst") else reference[-1]
        (watcher.inst or watcher.cls).param.unwatch(watcher)
