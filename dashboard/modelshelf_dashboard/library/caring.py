"""Several installed models at once: verified, updated, registered, pinned or removed, with a report of what failed."""

from collections.abc import Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from modelshelf.integration.bulk import Outcome
from modelshelf.library.types import InstalledModel
from modelshelf_dashboard import figures
from modelshelf_dashboard.components.dialog import Dialog
from modelshelf_dashboard.components.table import Table
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import N_, _, _n

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

REPORT = "report"
RUNNING = "bulk"
PICKED = "-picked"
_WORDS = {
    "verify": N_("Verify"),
    "update": N_("Update"),
    "register": N_("Register"),
    "pin": N_("Pin"),
    "unpin": N_("Unpin"),
    "delete": N_("Remove"),
}
_DOING = {
    "verify": N_("Verifying"),
    "update": N_("Looking for newer commits"),
    "register": N_("Telling the providers"),
    "pin": N_("Pinning"),
    "unpin": N_("Unpinning"),
    "delete": N_("Removing"),
}


class InstalledPicks:
    """The bar over the ticked rows of what is installed, and what it does."""

    def __init__(self, shelf: "Shelf", session: Session, dialog: Dialog, table: Table) -> None:
        self._shelf, self._session, self._dialog, self._table = shelf, session, dialog, table
        self._going = ""
        table.picks = True
        table.param.watch(self._tell, ["picked", "rows"])

    def _chosen(self) -> list[InstalledModel]:
        return [model for model in self._shelf.models_state.installed if str(model.id) in self._table.picked]

    def _tell(self, *_events: Any) -> None:
        chosen = self._chosen()
        size = figures.size(sum(model.size for model in chosen))
        text = self._going or _n("{n} model chosen, {size}", "{n} models chosen, {size}", len(chosen), size=size)
        actions = [{"do": "stop" + PICKED, "word": _("Stop")}] if self._going else self._actions(chosen)
        self._table.change(bar={"text": text, "actions": actions} if chosen else {})

    def _actions(self, chosen: Sequence[InstalledModel]) -> list[dict[str, Any]]:
        """What makes sense for these: who is pinned can be let go, who is not can be pinned."""
        pinned = {model.pinned for model in chosen}
        left_out = {"pin"} if pinned == {True} else {"unpin"} if pinned == {False} else set()
        names = [deed for deed in _WORDS if deed not in left_out]
        return [
            {"do": deed + PICKED, "word": _(_WORDS[deed]), "kind": "trouble" if deed == "delete" else ""}
            for deed in names
        ]

    def do(self, name: str) -> None:
        """What a button of the bar says."""
        deed, chosen = name.removesuffix(PICKED), [str(model.id) for model in self._chosen()]
        if deed == "stop":
            self._session.stop(RUNNING)
        elif self._going or not chosen:
            return
        elif deed == "delete":
            self._session.run(self._ask(chosen), what=name)
        elif deed in _WORDS:
            self._run(deed, chosen)

    def _run(self, deed: str, chosen: Sequence[str]) -> None:
        self._session.run(self._each(deed, chosen), what=REPORT, key=RUNNING)

    async def _each(self, deed: str, chosen: Sequence[str]) -> None:
        found: list[Outcome] = []
        self._at(deed, 1, chosen)
        try:
            async with aclosing(self._shelf.bulk.run(deed, chosen)) as outcomes:
                async for outcome in outcomes:
                    found.append(outcome)
                    self._at(deed, len(found) + 1, chosen)
        finally:  # also when somebody stopped it: what was done is told
            self._going = ""
            self._table.picked = [] if len(found) == len(chosen) else list(chosen[len(found) :])
            self._tell()
            self._report(deed, found, len(chosen))

    def _at(self, deed: str, place: int, chosen: Sequence[str]) -> None:
        if place <= len(chosen):
            name = chosen[place - 1].partition("@")[0].partition(":")[2] or chosen[place - 1]
            at = _("{place} of {n}: {name}", place=place, n=len(chosen), name=name)
            self._going = f"{_(_DOING[deed])} · {at}"
            self._tell()

    def _report(self, deed: str, found: Sequence[Outcome], asked: int) -> None:
        failed = [outcome for outcome in found if outcome.status == "failed"]
        done = _done(deed, len(found))
        if len(found) < asked:
            done = _("Stopped after {n} of {all}.", n=len(found), all=asked)
        elif failed:
            done = _n("{n} of {all} could not be done.", "{n} of {all} could not be done.", len(failed), all=asked)
        self._session.notice(done, "", tone="warn" if failed else "good", id=REPORT)
        lines = [f"{_name(one)}: {one.error} {one.remedy}".strip() for one in failed]
        if deed == "update":
            lines += [f"{_name(one)}: {one.detail}." for one in found if one.status == "done"]
        if lines:
            self._dialog.listen(lambda _answer: self._dialog.close())
            self._dialog.ask(id=REPORT, title=done, lines=lines, help="batchSelection")

    async def _ask(self, chosen: Sequence[str]) -> None:
        """Once, with what all of them free together, and what breaks."""
        plan = await self._shelf.bulk.deletion(chosen)
        lines = [_("This frees {size} on the disk. It can be downloaded again.", size=figures.size(plan.freed))]
        lines += plan.breaks
        lines += [_("{name} is pinned and stays.", name=name.partition("@")[0]) for name in plan.kept]
        count = len(plan.models)
        if not count:
            self._session.notice(lines[-1], _("Unpin it first."), tone="warn", id=REPORT)
            return
        self._dialog.listen(lambda answer: self._answered(plan.models, answer))
        self._dialog.ask(
            id="remove picked",
            title=_n("Remove {n} model?", "Remove {n} models?", count),
            lines=lines,
            word=_n("Remove {n} model", "Remove {n} models", count),
            kind="trouble",
            help="storageManagement",
        )

    def _answered(self, chosen: Sequence[str], answer: dict[str, Any]) -> None:
        self._dialog.close()
        if answer["do"] == "confirmed":
            self._run("delete", chosen)


def _done(deed: str, count: int) -> str:
    match deed:
        case "verify":
            return _n("{n} model was read, every file is what it should be.", "{n} models were read, every file is "
                      "what it should be.", count)  # fmt: skip
        case "update":
            return _n("{n} model was looked at.", "{n} models were looked at.", count)
        case "delete":
            return _n("{n} model is removed.", "{n} models are removed.", count)
        case "register":
            return _n("{n} model was given to the providers.", "{n} models were given to the providers.", count)
        case "pin":
            return _n("{n} model stays as it is.", "{n} models stay as they are.", count)
        case _:
            return _n("{n} model may change again.", "{n} models may change again.", count)


def _name(outcome: Outcome) -> str:
    return outcome.model.partition("@")[0].partition(":")[2] or outcome.model
