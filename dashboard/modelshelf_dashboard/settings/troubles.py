"""What is wrong, the worst first, each line with the button that mends it; and what was resolved lately, with undo."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import panel as pn

from modelshelf.integration.conflict_types import Conflict, Mending
from modelshelf.integration.issues import WARNING, WRONG, Action, Issue
from modelshelf_dashboard import figures
from modelshelf_dashboard.components.dialog import Dialog
from modelshelf_dashboard.components.notices import Notices
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import N_, _

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

SHOWN = 25  # lines of one kind; who mends some sees the next
UNDOABLE = 3  # of what was resolved lately
TOPIC = "conflicts"
_WORDS = {
    "restart": N_("Start it again"),
    "key": N_("Enter a key"),
    "test": N_("Test again"),
    "enable": N_("Switch it on"),
    "download": N_("Download it"),
    "find": N_("Find a model"),
    "source": N_("Ask again"),
    "installed": N_("Show it"),
    "quarantine": N_("Look at them"),
}


class Troubles:
    """One session's list. `deeds` gets what is said of a provider: `{do: key | test | enable, id}`."""

    def __init__(
        self, shelf: "Shelf", session: Session, dialog: Dialog, deeds: Callable[[dict[str, Any]], None]
    ) -> None:
        self._shelf = shelf
        self._session = session
        self._dialog = dialog
        self._deeds = deeds
        self._dismissed: set[str] = set()
        self.wrong = Notices(heard=self._heard)
        self.mended = Notices(heard=self._mended_heard)
        self.view = pn.Column(self.mended, self.wrong, margin=0, sizing_mode="stretch_width")
        names = ["issues", "conflicts", "mended", "loaded"]
        session.follower.watch(shelf.integration_state, names, self._draw)
        session.navigation.param.watch(lambda *_events: self._look(), ["tab", "section"])
        self._draw()
        self._look()

    def _look(self) -> None:
        """What could be had is asked for when somebody looks, once for all pages."""
        nav = self._session.navigation
        if nav.tab == "settings" and nav.section == "status":
            self._session.run(self._ask(), key="integration")

    async def _ask(self) -> None:
        await self._shelf.integration.status()

    def _draw(self) -> None:
        state = self._shelf.integration_state
        issues = [_issue(item) for item in state.issues[:SHOWN]]
        conflicts = [_conflict(item) for item in state.conflicts[:SHOWN]]
        shown = sorted([*issues, *conflicts], key=lambda item: _TONES.index(item["tone"]))
        if state.loaded and not shown:
            shown = [{"id": "well", "tone": "good", "text": _("Nothing is wrong."), "remedy": "", "lasting": True}]
        with pn.io.hold():
            self.wrong.items = shown
            self.mended.items = [_mending(one) for one in state.mended if self._tells(one)][:UNDOABLE]

    def _tells(self, one: Mending) -> bool:
        return one.undo is not None and not one.undone and one.id not in self._dismissed

    def _heard(self, message: dict[str, Any]) -> None:
        state, name = self._shelf.integration_state, str(message.get("id", ""))
        if message["do"] == "resolve":
            conflict = next((item for item in state.conflicts if item.id == name), None)
            if conflict is not None:
                self._resolve(conflict)
            return
        if message["do"] == "choose":
            self._choose(next((item for item in state.conflicts if item.id == name), None))
            return
        issue = next((item for item in state.issues if item.id == name), None)
        if issue is not None and issue.action is not None:
            self._mend(issue.action)

    def _mend(self, action: Action) -> None:
        shelf, nav, about = self._shelf, self._session.navigation, action.context
        match action.do:
            case "key":
                nav.navigate_to_llm_settings(section="providers", provider=about["provider"])
                self._deeds({"do": "key", "id": about["provider"]})
            case "test" | "enable" as do:
                self._deeds({"do": do, "id": about["provider"]})
            case "restart":
                self._run(shelf.restart(about["service"]), action.do)
            case "source":
                self._run(shelf.catalog.find("", sources=[about["source"]], refresh=True), action.do)
            case "download":
                self._run(shelf.downloads.start(about["model"]), action.do)
            case "find":
                filters = ["is:fits", f"provider:{about['provider']}"]
                nav.navigate_to_model_library(view="discover", q="", filters=filters, collection="", model="")
            case "installed":
                nav.navigate_to_model_library(view="installed", model=about["model"].partition("@")[0])
            case "quarantine":
                nav.navigate_to_model_library(view="quarantine", model="")

    def _choose(self, conflict: Conflict | None) -> None:
        """Where somebody has to choose: among profiles for one that lost its model, else among what is installed."""
        nav = self._session.navigation
        if conflict is not None and "profile" in conflict.about:
            nav.navigate_to_llm_settings(section="profiles")
        else:
            nav.navigate_to_model_library(view="installed", model="")

    def _resolve(self, conflict: Conflict) -> None:
        if conflict.undoable:
            self._run(self._shelf.conflicts.resolve(conflict.id), conflict.id)
            return
        self._dialog.listen(lambda answer: self._answered(conflict, answer))
        lines = [conflict.text, conflict.remedy, _("This cannot be undone.")]
        word = _("Free {size}", size=figures.size(conflict.freed)) if conflict.freed else _("Resolve")
        self._dialog.ask(
            id=f"resolve {conflict.id}", title=_("Resolve this for good?"), lines=lines, word=word, kind="trouble",
            help=TOPIC,
        )  # fmt: skip

    def _answered(self, conflict: Conflict, answer: dict[str, Any]) -> None:
        self._dialog.close()
        if answer["do"] == "confirmed":
            self._run(self._shelf.conflicts.resolve(conflict.id), conflict.id)

    def _mended_heard(self, message: dict[str, Any]) -> None:
        name = str(message.get("id", ""))
        if message["do"] == "undo":
            self._run(self._shelf.conflicts.undo(name), name)
        else:
            self._dismissed.add(name)
            self._draw()

    def _run(self, work: Coroutine[Any, Any, object], what: str) -> None:
        self._session.run(work, what=what)


_TONES = ("bad", "warn", "note", "good")
_BY_SEVERITY = {WRONG: "bad", WARNING: "warn"}


def _issue(item: Issue) -> dict[str, Any]:
    tone = _BY_SEVERITY.get(item.severity, "note")
    action = None
    if item.action is not None:
        action = {"do": item.action.do, "word": _(_WORDS[item.action.do]), "help": "selfTest"}
    return {
        "id": item.id, "tone": tone, "text": item.text, "remedy": item.remedy, "action": action, "lasting": True,
    }  # fmt: skip


def _conflict(item: Conflict) -> dict[str, Any]:
    word = _("Resolve")
    if item.freed:
        word = _("Resolve, frees {size}", size=figures.size(item.freed))
    action = {"do": "resolve", "word": word, "help": TOPIC}
    if item.deed is None:
        action = {"do": "choose", "word": _("Choose"), "help": TOPIC}
    return {
        "id": item.id,
        "tone": _BY_SEVERITY.get(item.severity, "note"),
        "text": item.text,
        "remedy": f"{item.why} {item.remedy}",
        "action": action,
        "lasting": True,
    }


def _mending(one: Mending) -> dict[str, Any]:
    undo = {"do": "undo", "word": _("Undo"), "help": TOPIC}
    return {"id": one.id, "tone": "good", "text": _("Resolved:"), "remedy": one.text, "action": undo}
