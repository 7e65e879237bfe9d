"""What is wrong here, found by trying, and the support file; for administrators."""

from base64 import b64encode
from typing import TYPE_CHECKING, Any

from modelshelf.access import Role
from modelshelf.integration import Check
from modelshelf.integration.check import NOTE, WELL, WRONG
from modelshelf_dashboard.components.checklist import Checklist
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import N_, _, _n

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

_WORDS = {WRONG: (N_("wrong"), "bad"), NOTE: (N_("note"), "slow"), WELL: (N_("well"), "well")}
_ORDER = (WRONG, NOTE, WELL)


class DoctorView:
    """A button that looks, then a line for each thing, the worst first."""

    def __init__(self, shelf: "Shelf", session: Session) -> None:
        self._shelf, self._session = shelf, session
        self._checks: list[Check] | None = None
        self._busy = False
        self.list = Checklist(heard=self._heard)
        self.draw()

    def draw(self) -> None:
        """Show what was found."""
        checks = sorted(self._checks or (), key=lambda check: _ORDER.index(check.status))
        wrong = sum(check.status == WRONG for check in checks)
        self.list.shown = {
            "title": _("What is wrong"),
            "help": "doctor",
            "text": self._said(wrong),
            "tone": "bad" if wrong else "",
            "busy": self._busy,
            "actions": self._actions(),
            "groups": [{"title": "", "rows": [_row(check) for check in checks]}] if checks else [],
        }

    def _said(self, wrong: int) -> str:
        if self._busy:
            return _("looking …")
        if self._checks is None:
            return _(
                "Disk, database, network, clock, packages, keys, sources, providers and hooks, looked at by trying."
            )
        if wrong:
            return _n("{n} thing is wrong.", "{n} things are wrong.", wrong)
        notes = sum(check.status == NOTE for check in self._checks)
        return (
            _n("Nothing is wrong; {n} note.", "Nothing is wrong; {n} notes.", notes)
            if notes
            else _("Nothing is wrong.")
        )

    def _actions(self) -> list[dict[str, Any]]:
        why = "" if self._session.principal.role >= Role.ADMIN else _("Only an administrator may.")
        why = why or (_("It looks already.") if self._busy else "")
        look = _("Look again") if self._checks is not None else _("Look for what is wrong")
        return [{"do": "look", "word": look, "why": why}, {"do": "bundle", "word": _("Support file"), "why": why}]

    def _heard(self, message: dict[str, Any]) -> None:
        work = {"look": self._look, "bundle": self._bundle}.get(message["do"])
        if work is not None and not self._busy:
            self._session.run(self._work(work), key="doctor", what="doctor")

    async def _work(self, work: Any) -> None:
        self._busy = True
        self.draw()
        try:
            await work()
        finally:
            self._busy = False
            self.draw()

    async def _look(self) -> None:
        self._checks = await self._shelf.support.checks()

    async def _bundle(self) -> None:
        name, data = await self._shelf.support.bundle()
        self.list.tell(save={"name": name, "base64": b64encode(data).decode(), "type": "application/zip"})


def _row(check: Check) -> dict[str, Any]:
    word, tone = _WORDS[check.status]
    return {"tone": tone, "word": _(word), "name": check.name, "text": check.detail, "remedy": check.remedy}
