"""Verify everything: the line above what is installed, with progress, a pause, what was found, and the report."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from modelshelf.access import Role
from modelshelf.vetting.checks import CheckState, Deed
from modelshelf.vetting.sweep import SweepStep
from modelshelf_dashboard import figures
from modelshelf_dashboard.components.checkup import Checkup
from modelshelf_dashboard.library import reporting
from modelshelf_dashboard.library.deciding import why_not
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import _, _n

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf
    from modelshelf_dashboard.library.verdicts import Verdicts

LISTED = 12
_STEERED: Mapping[str, Deed] = {"pause": "pause", "resume": "resume", "cancel": "cancel"}


class Checking:
    """The check of this process, as one session sees it: whoever began it, everybody may follow."""

    def __init__(self, shelf: "Shelf", session: Session, verdicts: "Verdicts") -> None:
        self._shelf, self._session, self._verdicts = shelf, session, verdicts
        self.piece = Checkup(heard=self._heard)
        session.follower.watch(shelf.models_state, ["check", "installed"], self._draw)
        self._draw()

    def _draw(self) -> None:
        state = self._shelf.models_state
        self.piece.shown = self._told(state.check) if state.installed or state.check.status != "none" else {}

    def _told(self, check: CheckState) -> dict[str, Any]:
        why = why_not(self._session, Role.OPERATOR)
        stop = {"do": "cancel", "word": _("Stop"), "why": why}
        match check.status:
            case "running":
                pause = {"do": "pause", "word": _("Pause"), "why": why}
                return {**_progress(check), "text": _("Verifying everything."), "actions": [pause, stop]}
            case "paused":
                go_on = {"do": "resume", "word": _("Resume"), "kind": "primary", "why": why}
                return {**_progress(check), "text": _("The check is paused."), "actions": [go_on, stop]}
        again = {"do": "verify", "word": _("Verify everything"), "why": why}
        told = _ended(check)
        return {**told, "actions": [again, *reporting.actions()]}

    def _heard(self, message: dict[str, Any]) -> None:
        match message["do"]:
            case "verify" | "pause" | "resume" | "cancel" as deed:
                if refusal := why_not(self._session, Role.OPERATOR):
                    self._session.notice(refusal, "", tone="warn", id="check")
                else:
                    self._session.run(self._steer(deed), what="check")
            case "open":
                self._verdicts.open_installed(str(message.get("id", "")))
            case deed if deed in reporting.FORMS:
                self._session.run(self._report(deed), what="report")

    async def _steer(self, deed: str) -> None:
        checks = self._shelf.vetting.checks
        if deed == "verify":
            await checks.begin("", self._shelf.library, scan=True)
        elif deed in _STEERED:
            await checks.steer(_STEERED[deed])
        self._shelf.models_state.check = checks.state

    async def _report(self, deed: str) -> None:
        reports = await reporting.of_everything(self._shelf, self._shelf.models_state.installed)
        reporting.give(self.piece, "library", reports, deed)


def _progress(check: CheckState) -> dict[str, Any]:
    told = _("{done} of {total}", done=figures.size(check.done), total=figures.size(check.total))
    if check.total and check.done >= check.total:
        told = _("{total} read, now scanning", total=figures.size(check.total))
    if check.bad:
        told += " · " + _n("{n} file with trouble", "{n} files with trouble", check.bad)
    return {"done": check.done, "total": max(1, check.total), "told": told, "tone": "bad" if check.bad else ""}


def _ended(check: CheckState) -> dict[str, Any]:
    about = _("Reads every file again, compares it with its checksum, and scans it by today's rules.")
    if check.status == "failed":
        return {"text": _("The check could not go on: {why}", why=check.error), "sub": about, "tone": "bad"}
    if check.status == "none":
        return {"text": _("Is everything still what it was?"), "sub": about}
    when = figures.ago(check.ended)
    if check.status == "cancelled":
        return {"text": _("The check was stopped."), "sub": f"{when} · {about}", **_troubled(check)}
    if not check.troubles:
        read = _n("{n} file, {size} read", "{n} files, {size} read", check.files, size=figures.size(check.total))
        return {"text": _("Everything is what it should be."), "sub": f"{read} · {when}"}
    count = len(check.troubles)
    text = _n("{n} file is not as it should be.", "{n} files are not as they should be.", count)
    return {"text": text, "sub": when, **_troubled(check)}


def _troubled(check: CheckState) -> dict[str, Any]:
    if not check.troubles:
        return {}
    left = len(check.troubles) - LISTED
    return {
        "tone": "bad" if check.bad else "warn",
        "troubles": [_trouble(step) for step in check.troubles[:LISTED]],
        "left": _n("and {n} more; the report names all", "and {n} more; the report names all", left)
        if left > 0
        else "",
    }


def _trouble(step: SweepStep) -> dict[str, Any]:
    words = {
        "mismatch": _("other bytes than published"),
        "missing": _("not there"),
        "incomplete": _("a part is missing"),
        "broken": _("broken"),
        "review": _("needs a decision"),
        "block": _("unsafe"),
    }
    vetted = step.status in {"review", "block"}
    todo = _("Download it again.") if not vetted else ""
    return {
        "id": f"{step.repo}@{step.commit}" if vetted else "",
        "title": f"{step.repo}: {step.path}",
        "word": words.get(step.status, step.status),
        "text": f"{step.detail} {todo}".strip(),
        "tone": "bad" if step.bad else "warn",
    }
