"""What a shield opens: the verdict on every file, what was found in plain words, and what can be done about it."""

from typing import TYPE_CHECKING, Any

from modelshelf.access import Role
from modelshelf.errors import ModelshelfError
from modelshelf.library.types import InstalledModel
from modelshelf.vetting.types import ScanReport
from modelshelf_dashboard.components.dialog import Dialog
from modelshelf_dashboard.components.verdict import Verdict as Panel
from modelshelf_dashboard.library import reporting, telling
from modelshelf_dashboard.library.deciding import Deciding, doubts, policy_speaks
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import _

if TYPE_CHECKING:
    from modelshelf.downloads.types import Job
    from modelshelf.shelf import Shelf
    from modelshelf.vetting.prescan import Prescan
    from modelshelf.vetting.quarantine import Held

HELD, JOB, MODEL, LOOKED = "held", "job", "model", "looked"


class Verdicts:
    """The panel of one session. What it shows is named by a kind and an id, and is read when it is opened."""

    def __init__(self, shelf: "Shelf", session: Session, dialog: Dialog) -> None:
        self._shelf, self._session = shelf, session
        self.panel = Panel(heard=self._heard)
        self.deciding = Deciding(shelf, session, dialog, self._decided)
        self._at = ("", "")
        self._held: Held | None = None
        self._job: Job | None = None
        self._reports: list[ScanReport] = []

    def open_installed(self, model: str) -> None:
        """Show what is known of an installed model."""
        self._open(MODEL, model, model.partition("@")[0].rpartition("/")[2])

    def open_held(self, item: str, file: str = "") -> None:
        """Show what was found in a held file."""
        self._open(HELD, item, file.rpartition("/")[2])

    def open_job(self, job: str, title: str = "") -> None:
        """Show what a download waits for."""
        self._open(JOB, job, title)

    def open_looked(self, found: "Prescan") -> None:
        """Show what a look before the download found."""
        self._at, self._reports = (LOOKED, found.repo), list(found.reports)
        shown = {**telling.looked(found), "actions": reporting.actions()}
        self.panel.param.update(state="ready", shown=shown, note={}, busy="")

    def _open(self, kind: str, name: str, title: str) -> None:
        self._at, self._reports = (kind, name), []
        self.panel.param.update(state="loading", shown={"id": name, "title": title}, note={}, busy="")
        self._session.run(self._read(), key="verdict")

    async def _read(self) -> None:
        kind, name = self._at
        try:
            if kind == HELD:
                await self._read_held(name)
            elif kind == JOB:
                await self._read_job(name)
            else:
                await self._read_model(name)
        except ModelshelfError as error:
            again = {"do": "again", "word": _("Try again")}
            note = {"text": str(error), "remedy": error.remedy, "action": again}
            state = "stale" if self.panel.state in {"ready", "stale"} else "error"
            self.panel.param.update(state=state, note=note, busy="")

    async def _read_held(self, name: str) -> None:
        self._held = held = await self._shelf.vetting.quarantine.get(name)
        self._reports = [reporting.of_held(held)]
        deciding = self.deciding
        actions = [
            {"do": "release", "word": _("Release"), "why": deciding.why_not(Role.ADMIN)},
            {"do": "delete", "word": _("Delete"), "kind": "trouble", "why": deciding.why_not(Role.OPERATOR)},
            *reporting.actions(),
        ]
        self._show({**telling.held(held), "actions": actions})

    async def _read_job(self, name: str) -> None:
        self._job = job = await self._shelf.downloads.job(name)
        self._reports = telling.reports_of(doubts(job))
        why = self.deciding.why_not(Role.ADMIN)
        if not why and policy_speaks(job):
            why = _("Your policy wants the decision: change policy.toml, then try the download again.")
        actions = [
            {"do": "accept", "word": _("Accept"), "why": why},
            {"do": "refuse", "word": _("Reject"), "kind": "trouble", "why": self.deciding.why_not(Role.OPERATOR)},
            *reporting.actions(),
        ]
        self._show({**telling.waiting(job, self._reports), "actions": actions})

    async def _read_model(self, name: str) -> None:
        model = await self._shelf.library.get(name)
        await self._show_model(model)
        self._session.run(self._ask_source(model), key="verdict signal")

    async def _show_model(self, model: InstalledModel) -> None:
        known = await self._shelf.vetting.known(model)
        self._reports = reporting.of_files(known)
        again = {"do": "rescan", "word": _("Scan again"), "why": self.deciding.why_not(Role.OPERATOR)}
        signal = [fact for fact in self.panel.shown.get("facts", ()) if fact.get("key") == telling.SIGNAL]
        shown = telling.installed(model, known)
        shown["facts"] += signal or [telling.signal_fact(_("being asked …"))]
        self._show({**shown, "actions": [again, *reporting.actions()]})

    async def _ask_source(self, model: InstalledModel) -> None:
        """What the source's own scanners say, as soon as it answers; that it does not answer is no trouble here."""
        at = self._at
        try:
            if model.source is None:
                said = _("It came from another program; there is no source to ask.")
            else:
                said = (await self._shelf.vetting.hub_signal(model.id, [file.path for file in model.files])).sentence
        except ModelshelfError as error:
            said = _("The source does not answer: {why}", why=str(error))
        if self._at == at and self.panel.state in {"ready", "stale"}:
            facts = [fact for fact in self.panel.shown["facts"] if fact.get("key") != telling.SIGNAL]
            self.panel.shown = {**self.panel.shown, "facts": [*facts, telling.signal_fact(said)]}

    def _show(self, shown: dict[str, Any]) -> None:
        if self.panel.state != "closed":
            shown = {"id": self._at[1], **shown}
            self.panel.param.update(state="ready", shown=shown, note={}, busy="")

    async def _rescan(self, name: str) -> None:
        at = self._at
        try:
            await self._shelf.vetting.rescan(name, self._shelf.library)
        except ModelshelfError as error:
            self.panel.param.update(state="stale", note={"text": str(error), "remedy": error.remedy}, busy="")
            return
        if self._at == at:
            await self._show_model(await self._shelf.library.get(name))

    def _decided(self) -> None:
        """A decision was made: what it was about is gone from here, or the panel says why it is not."""
        if self._at[0] in {HELD, JOB} and self.panel.state != "closed":
            self._session.run(self._look_again(), key="verdict")

    async def _look_again(self) -> None:
        kind, name = self._at
        held = {item.id for item in await self._shelf.vetting.quarantine.items()} if kind == HELD else set()
        waits = kind == JOB and (await self._shelf.downloads.job(name)).status == "review"
        if name not in held and not waits:
            self.close()

    def close(self) -> None:
        """Take the panel away."""
        self._at = ("", "")
        self.panel.param.update(state="closed", busy="", note={})

    def _heard(self, message: dict[str, Any]) -> None:
        kind, name = self._at
        match message["do"]:
            case "closed":
                self.close()
            case "again":
                self._session.run(self._read(), key="verdict")
            case "rescan" if kind == MODEL:
                self.panel.busy = _("Reading and scanning every file …")
                self._session.run(self._rescan(name), key="verdict scan")
            case "release" if self._held is not None and kind == HELD:
                self.deciding.release(self._held)
            case "delete" if self._held is not None and kind == HELD:
                self.deciding.delete(self._held)
            case "accept" if self._job is not None and kind == JOB:
                self.deciding.accept(self._job)
            case "refuse" if self._job is not None and kind == JOB:
                self.deciding.refuse(self._job)
            case deed if deed in reporting.FORMS:
                reporting.give(self.panel, self._title(), self._reports, deed)

    def _title(self) -> str:
        return str(self.panel.shown.get("title", ""))
