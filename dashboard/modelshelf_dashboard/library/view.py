"""The tab Model Library."""

from typing import TYPE_CHECKING

import panel as pn

from modelshelf_dashboard.components.dialog import Dialog
from modelshelf_dashboard.components.tabs import Tabs
from modelshelf_dashboard.library.compare import Compare
from modelshelf_dashboard.library.detail import Detail
from modelshelf_dashboard.library.discover import Discover
from modelshelf_dashboard.library.downloads import Downloads
from modelshelf_dashboard.library.installed import Installed
from modelshelf_dashboard.library.quarantine import Quarantine, waiting
from modelshelf_dashboard.library.verdicts import Verdicts
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import _
from modelshelf_dashboard.transfers import Transfers

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

PADDING = {"padding": "16px clamp(12px, 1.5vw, 20px)", "box-sizing": "border-box"}


class ModelLibrary:
    """Side, body and drawer of the library."""

    def __init__(self, shelf: "Shelf", session: Session, dialog: Dialog, transfers: Transfers) -> None:
        self._shelf = shelf
        self._session = session
        nav = session.navigation
        self.discover = Discover(shelf, session, transfers, dialog)
        self.verdicts = Verdicts(shelf, session, dialog)
        self.installed = Installed(shelf, session, dialog, transfers, self.verdicts)
        self.compare = Compare(shelf, session, self.discover, transfers)
        self.downloads = Downloads(shelf, session, transfers)
        self.quarantine = Quarantine(shelf, session, self.verdicts)
        self.detail = Detail(shelf, session, transfers, changed=self._refresh)
        self.detail.beforehand.verdicts = self.verdicts
        self.discover.fixing.changed = self.installed.fixing.changed = self.detail.settle
        self.tabs = Tabs(value=nav.view, label=_("Views of the library"))
        found = pn.Column(self.discover.sources, self.discover.table, margin=0, sizing_mode="stretch_width")
        self._views = {
            "discover": found,
            "installed": self.installed.view,
            "compare": self.compare.view,
            "downloads": self.downloads.view,
            "quarantine": self.quarantine.table,
        }
        self.side = self.discover.filters
        self.drawer = self.detail.drawer
        self.body = pn.Column(
            self.discover.search,
            self.tabs,
            *self._views.values(),
            margin=0,
            sizing_mode="stretch_width",
            styles=PADDING,
        )
        self.tabs.param.watch(lambda event: nav.param.update(view=event.new), "value")
        self.discover.search.param.watch(self._searched, ["text", "tokens"])
        nav.param.watch(self._switch, ["view"])
        session.follower.watch(shelf.models_state, ["installed", "quarantined"], self._count)
        session.follower.watch(shelf.downloads_state, ["open"], self._count)
        session.follower.watch_items(shelf.downloads_state, "jobs", ["status"], self._count)
        self._switch()
        self._count()

    def _searched(self, *_events: object) -> None:
        self._session.navigation.view = self.discover.results_view()

    def _refresh(self) -> None:
        """A setting was changed that scores depend on."""
        self.discover.redo()
        self.installed.judge()
        self.compare.ask()

    def _switch(self, *_events: object) -> None:
        view = self._session.navigation.view
        with pn.io.hold():
            self.tabs.value = view
            for name, shown in self._views.items():
                shown.visible = name == view

    def _count(self) -> None:
        models = self._shelf.models_state
        held = models.quarantined + len(waiting(self._shelf.downloads_state.jobs))
        self.tabs.views = [
            {"key": "discover", "label": _("Discover"), "topic": "modelLibrary"},
            {
                "key": "installed",
                "label": _("Installed"),
                "count": len(models.installed),
                "topic": "storageManagement",
            },
            {"key": "compare", "label": _("Compare"), "topic": "compareFits"},
            {
                "key": "downloads",
                "label": _("Downloads"),
                "count": self._shelf.downloads_state.open,
                "topic": "downloadProcess",
            },
            {"key": "quarantine", "label": _("Quarantine"), "count": held, "topic": "quarantine"},
        ]
