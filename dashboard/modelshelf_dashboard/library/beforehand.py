"""What can be said of a model before its download: a look by ranges, once the drawer is open and nothing else to do."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from modelshelf.downloads.types import DownloadPlan
from modelshelf.errors import ModelshelfError
from modelshelf.vetting.prescan import Prescan
from modelshelf.vetting.types import Verdict
from modelshelf_dashboard.library import telling
from modelshelf_dashboard.library import verdict_words as words
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import _

if TYPE_CHECKING:
    from modelshelf.library.types import InstalledModel
    from modelshelf.shelf import Shelf
    from modelshelf_dashboard.library.verdicts import Verdicts

KEPT = 64  # looks that a session remembers


class Beforehand:
    """The shield of one drawer. `show` is called when it has become another one."""

    def __init__(self, shelf: "Shelf", session: Session, show: Callable[[], None]) -> None:
        self._shelf, self._session, self._show = shelf, session, show
        self.verdicts: Verdicts | None = None  # where the page has a panel for it
        self._looks: dict[tuple[str, tuple[str, ...]], Prescan] = {}
        self._at: tuple[str, tuple[str, ...]] = ("", ())
        self._trouble = ""

    async def look(self, model: str, files: Sequence[str]) -> None:
        """Look at the files that a download would fetch; that it cannot be done is said in the shield."""
        self._at, self._trouble = (model, tuple(files)), ""
        if self._at not in self._looks and not self._installed(model):
            at = self._at
            try:
                found = await self._shelf.vetting.prescan(model, files)
            except ModelshelfError as error:
                self._trouble = str(error)
            else:
                if len(self._looks) >= KEPT:
                    self._looks.clear()
                self._looks[at] = found
        self._show()

    def parts(self, model: str) -> dict[str, Any]:
        """The shield for the drawer, and a sentence where something was found."""
        if (installed := self._installed(model)) is not None:
            return {"shield": of_installed(installed)}
        found = self._found(model)
        if found is None:
            tip = _("It could not be looked at beforehand, and is scanned after the download: {why}", why=self._trouble)
            return {"shield": words.shield("unseen", tip)} if self._trouble else {}
        if found.verdict is Verdict.PASS:
            return {"shield": telling.shield_before(found)}
        tone = "bad" if found.verdict is Verdict.BLOCK else "warn"
        note = {"tone": tone, "text": telling.found_before(found), "lines": [telling.would_become(found)]}
        return {"shield": telling.shield_before(found), "note": note}

    def warns(self, model: str) -> bool:
        """Whether something unsafe was seen: then the download is no recommendation any more."""
        found = self._found(model)
        return found is not None and found.verdict is Verdict.BLOCK

    def open(self, model: str) -> None:
        """Show everything that is known."""
        if self.verdicts is None:
            return
        if (installed := self._installed(model)) is not None:
            self.verdicts.open_installed(str(installed.id))
        elif (found := self._found(model)) is not None:
            self.verdicts.open_looked(found)

    def _found(self, model: str) -> Prescan | None:
        return self._looks.get(self._at) if self._at[0] == model else None

    def _installed(self, model: str) -> "InstalledModel | None":
        repo = (model.partition(":")[2] or model).partition("@")[0]
        return next((one for one in self._shelf.models_state.installed if one.repo == repo), None)


def of_installed(model: "InstalledModel") -> dict[str, str]:
    """The shield of an installed model."""
    return words.of_verdict(model.verdict, accepted=bool(model.accepted))


async def in_plan(shelf: "Shelf", plans: Sequence[DownloadPlan]) -> list[str]:
    """Lines for a question about downloads: what a look beforehand showed of each."""
    lines, quiet = [], 0
    for plan in plans:
        name = plan.repo.partition("/")[2] or plan.repo
        try:
            found = await shelf.vetting.prescan_plan(plan)
        except ModelshelfError as error:
            lines.append(_("{name} could not be looked at beforehand: {why}", name=name, why=str(error)))
            continue
        if found.verdict is Verdict.PASS:
            quiet += 1
        else:
            lines.append(f"{name}: {telling.before_in_words(found)}")
        if found.hub.status != "done":
            lines.append(f"{name}: {found.hub.sentence}")
    if quiet:
        lines.append(
            _("Looked at beforehand: nothing found in {n} of {all}. All is scanned again after the download.",
              n=quiet, all=len(plans))
        )  # fmt: skip
    return lines
