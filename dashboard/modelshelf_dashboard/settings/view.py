"""The tab LLM Settings. It is filled when it is first shown: nobody waits for it who only looks for a model."""

from typing import TYPE_CHECKING

import panel as pn

from modelshelf_dashboard.components.dialog import Dialog
from modelshelf_dashboard.components.tabs import Tabs
from modelshelf_dashboard.library.view import PADDING
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.settings.accounts import Accounts
from modelshelf_dashboard.settings.doctor import DoctorView
from modelshelf_dashboard.settings.hooks import HooksView
from modelshelf_dashboard.settings.machine import ThisMachine
from modelshelf_dashboard.settings.profiles import Profiles
from modelshelf_dashboard.settings.providers import Providers
from modelshelf_dashboard.settings.selftest import SelfTestView
from modelshelf_dashboard.settings.status import Status
from modelshelf_dashboard.settings.troubles import Troubles
from modelshelf_dashboard.settings.try_it import TryIt
from modelshelf_dashboard.texts import _

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf


class LLMSettings:
    """Side, body and drawer of the settings."""

    def __init__(self, shelf: "Shelf", session: Session, dialog: Dialog) -> None:
        self._shelf = shelf
        self._session = session
        self._dialog = dialog
        self._filled = False
        self.sections = Tabs(value=session.navigation.section, label=_("Sections of the settings"), aside=True)
        self.sections.views = [
            {"key": "providers", "label": _("Providers"), "topic": "llmSettings"},
            {"key": "profiles", "label": _("Profiles"), "topic": "profiles"},
            {"key": "accounts", "label": _("Accounts"), "topic": "hubAccount"},
            {"key": "machine", "label": _("This machine"), "topic": "memory"},
            {"key": "status", "label": _("Status"), "topic": "selfTest"},
        ]
        self.side = self.sections
        self.body = pn.Column(pn.Spacer(height=0), margin=0, sizing_mode="stretch_width", styles=PADDING)
        self.drawer = pn.Column(pn.Spacer(height=0), margin=0, sizing_mode="stretch_width", styles={"height": "100%"})
        nav = session.navigation
        self.sections.param.watch(lambda event: nav.param.update(section=event.new), "value")
        nav.param.watch(lambda event: self._switch(), ["section"])

    def ensure(self) -> None:
        """Fill the tab if it is shown and was not before."""
        if self._filled or self._session.navigation.tab != "settings":
            return
        self._filled = True
        self.providers = Providers(self._shelf, self._session, self._dialog)
        self.profiles = Profiles(self._shelf, self._session, self._dialog)
        self.accounts = Accounts(self._shelf, self._session, self._dialog)
        self.machine = ThisMachine(self._shelf, self._session)
        self.troubles = Troubles(self._shelf, self._session, self._dialog, self.providers.deeds.heard)
        self.status = Status(self._shelf, self._session)
        self.selftest = SelfTestView(self._shelf, self._session)
        self.doctor = DoctorView(self._shelf, self._session)
        self.hooks = HooksView(self._shelf, self._session)
        self.try_it = TryIt(self._shelf, self._session)
        self._views = {
            "providers": self.providers.view,
            "profiles": self.profiles.view,
            "accounts": self.accounts.cards,
            "machine": self.machine.cards,
            "status": pn.Column(
                self.troubles.view,
                self.status.cards,
                self.selftest.list,
                self.doctor.list,
                self.hooks.list,
                margin=0,
                sizing_mode="stretch_width",
            ),
        }
        self._switch()
        with pn.io.hold():
            self.body[:] = list(self._views.values())
            self.drawer[:] = [self.try_it.view]

    def _switch(self) -> None:
        section = self._session.navigation.section
        self.sections.value = section
        if self._filled:
            for name, view in self._views.items():
                view.visible = name == section
