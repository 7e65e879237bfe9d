"""Several installed models at once: verified, updated or removed, with a report of what could not be done and why."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from modelshelf.errors import ModelshelfError
from modelshelf.library.types import InstalledModel
from modelshelf_dashboard import figures
from modelshelf_dashboard.components.dialog import Dialog
from modelshelf_dashboard.components.table import Table
from modelshelf_dashboard.library.where import lost_with
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import _, _n

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

REPORT = "report"
One = Callable[[InstalledModel], Awaitable[str]]  # does it with one; what to report of it, empty for nothing special


class InstalledPicks:
    """The bar over the ticked rows of what is installed, and what it does."""

    def __init__(self, shelf: "Shelf", session: Session, dialog: Dialog, table: Table) -> None:
        self._shelf, self._session, self._dialog, self._table = shelf, session, dialog, table
        table.picks = True
        table.param.watch(self._tell, ["picked", "rows"])

    def _chosen(self) -> list[InstalledModel]:
        return [model for model in self._shelf.models_state.installed if str(model.id) in self._table.picked]

    def _tell(self, *_events: Any) -> None:
        chosen = self._chosen()
        size = figures.size(sum(model.size for model in chosen))
        text = _n("{n} model chosen, {size}", "{n} models chosen, {size}", len(chosen), size=size)
        actions = [
            {"do": "verify-picked", "word": _("Verify")},
            {"do": "update-picked", "word": _("Update")},
            {"do": "remove-picked", "word": _("Remove"), "kind": "trouble"},
        ]
        self._table.bar = {"text": text, "actions": actions} if chosen else {}

    def do(self, name: str) -> None:
        """What a button of the bar says."""
        chosen = self._chosen()
        if not chosen:
            return
        match name:
            case "verify-picked":
                done = _n("{n} model was read, every file is what it should be.", "{n} models were read, every file is "
                          "what it should be.", len(chosen))  # fmt: skip
                self._run(chosen, self._verify, _("Verifying"), done)
            case "update-picked":
                done = _n("{n} model was looked at.", "{n} models were looked at.", len(chosen))
                self._run(chosen, self._update, _("Looking for newer commits"), done)
            case "remove-picked":
                self._session.run(self._ask_to_remove(chosen), what=name)

    def _run(self, chosen: Sequence[InstalledModel], one: One, doing: str, done: str) -> None:
        self._session.run(self._each(chosen, one, doing, done), what=REPORT)

    async def _each(self, chosen: Sequence[InstalledModel], one: One, doing: str, done: str) -> None:
        told: list[str] = []
        failed = 0
        for place, model in enumerate(chosen, 1):
            at = _("{place} of {n}: {name}", place=place, n=len(chosen), name=model.repo)
            self._session.notice(f"{doing}.", at, tone="good", id=REPORT)
            try:
                told += [f"{model.repo}: {said}"] if (said := await one(model)) else []
            except ModelshelfError as error:
                failed += 1
                told.append(f"{model.repo}: {error} {error.remedy}".strip())
        self._table.picked = []
        if failed:
            done = _n("{n} of {all} could not be done.", "{n} of {all} could not be done.", failed, all=len(chosen))
        self._session.notice(done, "", tone="warn" if failed else "good", id=REPORT)
        if told:
            self._dialog.listen(lambda _answer: self._dialog.close())
            self._dialog.ask(id=REPORT, title=done, lines=told, help="batchSelection")

    async def _verify(self, model: InstalledModel) -> str:
        async with aclosing(self._shelf.library.verify(model)) as results:
            bad = [result.path async for result in results if result.status not in {"ok", "recorded"}]
        if not bad:
            return ""
        raise _Damaged(
            _n("{n} file is not what it should be: {names}.", "{n} files are not what they should be: {names}.",
               len(bad), names=", ".join(bad[:5])),
            remedy=_("Download it again."),
        )  # fmt: skip

    async def _update(self, model: InstalledModel) -> str:
        job = await self._shelf.updates.update(f"{model.repo}@{model.commit}")
        return _("its newest commit is being fetched.") if job else _("it is the newest.")

    async def _ask_to_remove(self, chosen: Sequence[InstalledModel]) -> None:
        lines, freed = [], 0
        for model in chosen:
            removal = await self._shelf.library.removal(str(model.id))
            freed += removal.freed
            used = [_("Also used by: {names}. They keep it.", names=", ".join(removal.used_by))]
            told = [*(used if removal.used_by else []), *lost_with(await self._shelf.registration.breaks(model))]
            lines.append(" ".join([f"{model.repo}: {figures.size(removal.freed)}.", *told]))
        self._dialog.listen(lambda answer: self._answered(chosen, answer))
        self._dialog.ask(
            id="remove picked",
            title=_n("Remove {n} model?", "Remove {n} models?", len(chosen)),
            lines=[_("This frees {size} on the disk. It can be downloaded again.", size=figures.size(freed)), *lines],
            word=_n("Remove {n} model", "Remove {n} models", len(chosen)),
            kind="trouble",
            help="storageManagement",
        )

    def _answered(self, chosen: Sequence[InstalledModel], answer: dict[str, Any]) -> None:
        self._dialog.close()
        if answer["do"] == "confirmed":
            done = _n("{n} model is removed.", "{n} models are removed.", len(chosen))
            self._run(chosen, self._remove, _("Removing"), done)

    async def _remove(self, model: InstalledModel) -> str:
        await self._shelf.library.remove(str(model.id))
        return ""


class _Damaged(ModelshelfError):
    """A model whose bytes are others now."""
