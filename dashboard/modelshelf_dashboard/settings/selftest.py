"""The self-test on the page: progress, a line for each step, what mends it, and the report to keep."""

import json
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from modelshelf.access import Role
from modelshelf.integration import Advice, Report, Step
from modelshelf.integration.advice import BETTER_QUANTISATION, FASTER_PROVIDER, IDLE_MODEL
from modelshelf.integration.html import to_html
from modelshelf.integration.own import Wish
from modelshelf.integration.steps import FAILED, JOURNEY, PASSED
from modelshelf_dashboard import figures
from modelshelf_dashboard.components.checklist import Checklist
from modelshelf_dashboard.session import TO_LIBRARY, TO_SETTINGS, Session
from modelshelf_dashboard.texts import N_, _, _n

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

HELP = "selfTest"
JOURNEY_STEPS = 11
PROVIDER_STEPS = 4

_WORDS = {PASSED: (N_("passed"), "well"), FAILED: (N_("failed"), "bad"), "not run": (N_("not run"), "off")}
_STEPS = {
    "open a shelf": N_("open a shelf"),
    "find the sample": N_("find the sample"),
    "judge the fit": N_("judge the fit"),
    "download": N_("download"),
    "verify the checksums": N_("verify the checksums"),
    "scan": N_("scan"),
    "register with the engine": N_("register with the engine"),
    "load": N_("load"),
    "ask": N_("ask"),
    "unload": N_("unload"),
    "clean up": N_("clean up"),
    "reachable": N_("reachable"),
    "key valid": N_("key valid"),
    "lists models": N_("lists models"),
    "answers": N_("answers"),
}


class SelfTestView:
    """Runs the self-test for this page; the last report of the home is shown meanwhile."""

    def __init__(self, shelf: "Shelf", session: Session) -> None:
        self._shelf, self._session = shelf, session
        self._steps: tuple[Step, ...] = ()
        self._report: Report | None = None
        self._testing = False
        self._options = {"paid": False, "load": False}
        self.list = Checklist(heard=self._heard)
        self.draw()
        session.run(self._recall(), key="selftest-recall")

    def draw(self) -> None:
        """Show how far it is."""
        tone = "bad" if any(step.status == FAILED for step in self._steps) else ""
        self.list.shown = {
            "title": _("Self-test"),
            "help": HELP,
            "text": self._said(),
            "tone": tone,
            "busy": self._testing,
            "share": self._share() if self._testing else None,
            "actions": self._actions(),
            "options": [] if self._testing else self._wishes(),
            "groups": [*self._groups(), *self._better()],
        }

    def _said(self) -> str:
        red = [step for step in self._steps if step.status == FAILED]
        off = sum(step.status not in (PASSED, FAILED) for step in self._steps)
        if red:
            return _("“{step}” failed: {error}", step=_word(red[0].name), error=red[0].error)
        if self._testing:
            return _("running …")
        if self._report is None:
            return _("Walks a sample model from search to answer in a home of its own, then asks your own providers.")
        told = _n("{n} step passed", "{n} steps passed", len(self._steps) - off)
        left = _n(", {n} did not run", ", {n} did not run", off) if off else ""
        return f"{told}{left} ({figures.ago(self._report.started)}, {self._report.seconds:.1f} s)"

    def _share(self) -> int:
        enabled = sum(item.enabled for item in self._shelf.providers_state.providers)
        return min(100, 100 * len(self._steps) // (JOURNEY_STEPS + PROVIDER_STEPS * enabled))

    def _actions(self) -> list[dict[str, Any]]:
        if self._testing:
            return [{"do": "stop", "word": _("Stop")}]
        why = "" if self._session.principal.role >= Role.OPERATOR else _("You may look, not run it: ask for the role.")
        run = {"do": "test", "word": _("Run again") if self._steps else _("Run the self-test"), "kind": "primary"}
        save = [{"do": "html", "word": _("Save report")}, {"do": "json", "word": _("Save as JSON")}]
        return [run | {"why": why}, *(save if self._report else ())]

    def _wishes(self) -> list[dict[str, Any]]:
        return [
            {"id": "paid", "label": _("Ask paid providers too (a few tokens)"), "on": self._options["paid"]},
            {"id": "load", "label": _("Load local models for it"), "on": self._options["load"]},
        ]

    def _groups(self) -> list[dict[str, Any]]:
        names = {item.id: item.name for item in self._shelf.providers_state.providers}
        found = []
        for group in dict.fromkeys(step.group for step in self._steps):
            title = _("The journey of a sample") if group == JOURNEY else names.get(group, group)
            found.append({"title": title, "rows": [self._row(step) for step in self._steps if step.group == group]})
        return found

    def _row(self, step: Step) -> dict[str, Any]:
        word, tone = _WORDS.get(step.status, (step.status, "off"))
        row: dict[str, Any] = {
            "tone": tone,
            "word": _(word),
            "name": _word(step.name),
            "figure": f"{step.seconds:.1f} s" if step.seconds else "",
            "text": step.evidence or step.error,
            "remedy": step.remedy,
        }
        if step.status == FAILED and step.mend:
            context = {"section": step.mend, "provider": step.group}
            row["action"] = {"do": TO_SETTINGS, "word": _("Mend it"), "help": HELP, "context": context}
        return row

    def _better(self) -> list[dict[str, Any]]:
        advice = self._report.advice if self._report and not self._testing else ()
        rows = [
            {"tone": "slow", "word": _("better"), "name": one.detail, "remedy": one.remedy, "action": _deed(one)}
            for one in advice
        ]
        return [{"title": _("What could be better"), "rows": rows}] if rows else []

    def _heard(self, message: dict[str, Any]) -> None:
        match message["do"]:
            case "test" if not self._testing:
                self._session.run(self._run(), key="selftest", what="self-test")
            case "stop":
                self._session.stop("selftest")
            case "option" if message["id"] in self._options:
                self._options[message["id"]] = bool(message["on"])
                self.draw()
            case "html" | "json" as form if self._report:
                self.list.tell(save=_file(self._report, form))
            case "unload":
                self._session.run(self._unload(message["id"]), what="unload")

    async def _recall(self) -> None:
        report = await self._shelf.selftest.last()
        if report is not None and not self._testing:
            self._report, self._steps = report, report.steps
            self.draw()

    async def _run(self) -> None:
        self._testing, self._steps = True, ()
        self.draw()
        try:
            async with aclosing(self._shelf.selftest.run(Wish(**self._options))) as results:
                async for found in results:
                    if isinstance(found, Report):
                        self._report = found
                    else:
                        self._steps = (*self._steps, found)
                        self.draw()
        finally:
            self._testing = False
            self.draw()

    async def _unload(self, model: str) -> None:
        await self._shelf.providers.unload(model)
        self._session.notice(_("{model} was unloaded.", model=model), tone="good", id=f"unload {model}")


def _word(step: str) -> str:
    return _(_STEPS[step]) if step in _STEPS else step


def _deed(advice: Advice) -> dict[str, Any] | None:
    """The button that does what is advised."""
    told = advice.figures
    if advice.code == BETTER_QUANTISATION:
        context = {"view": "discover", "model": told["repo"]}
        return {"do": TO_LIBRARY, "word": _("Show the model"), "help": HELP, "context": context}
    if advice.code == IDLE_MODEL:
        return {"do": "unload", "id": told["model"], "word": _("Unload"), "help": HELP}
    if advice.code == FASTER_PROVIDER:
        return {"do": TO_SETTINGS, "word": _("Open profiles"), "help": HELP, "context": {"section": "profiles"}}
    return None


def _file(report: Report, form: str) -> dict[str, str]:
    name = f"modelshelf-self-test-{report.started:%Y%m%d-%H%M}.{form}"
    if form == "html":
        return {"name": name, "text": to_html(report), "type": "text/html"}
    return {"name": name, "text": json.dumps(report.as_dict(), indent=2), "type": "application/json"}
