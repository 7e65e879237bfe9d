"""Installed: what is on disk, whoever put it there, and how to be rid of it."""

from typing import TYPE_CHECKING, Any

import panel as pn

from modelshelf.compat.types import Compatibility
from modelshelf.errors import ModelshelfError
from modelshelf.library.types import InstalledModel
from modelshelf_dashboard import figures, fits
from modelshelf_dashboard.components.dialog import Dialog
from modelshelf_dashboard.components.table import Table
from modelshelf_dashboard.library.beforehand import of_installed
from modelshelf_dashboard.library.caring import PICKED, InstalledPicks
from modelshelf_dashboard.library.checking import Checking
from modelshelf_dashboard.library.elsewhere import OtherStores
from modelshelf_dashboard.library.fixing import Fixing
from modelshelf_dashboard.library.judged import own_providers
from modelshelf_dashboard.library.marks import BUILTIN, best_of, marks
from modelshelf_dashboard.library.rows import FORMATS
from modelshelf_dashboard.library.verdicts import Verdicts
from modelshelf_dashboard.library.where import lost_with
from modelshelf_dashboard.session import TO_SETTINGS, Session
from modelshelf_dashboard.texts import _, _n
from modelshelf_dashboard.transfers import Transfers

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf


class Installed:
    """The table of installed models, and the question before one is removed."""

    def __init__(
        self, shelf: "Shelf", session: Session, dialog: Dialog, transfers: Transfers, verdicts: Verdicts | None = None
    ) -> None:
        self._verdicts = verdicts or Verdicts(shelf, session, dialog)
        self.checking = Checking(shelf, session, self._verdicts)
        self._shelf = shelf
        self._session = session
        self._dialog = dialog
        self.fixing = Fixing(shelf, session, transfers, self.judge)
        self._answers: dict[str, dict[str, Compatibility]] = {}  # by model and provider
        self.table = Table(
            heard=self._heard,
            columns=[
                {"key": "size", "label": _("Size"), "kind": "figure", "width": "96px"},
                {"key": "from", "label": _("From"), "kind": "text", "width": "120px", "wide": True},
                {"key": "when", "label": _("Since"), "kind": "text", "width": "120px", "wide": True},
                {"key": "fit", "label": _("Fit"), "kind": "fit", "width": "86px"},
            ],
            label=_("Installed models"),
            heading=_("Model"),
            topic="storageManagement",
        )
        self.picks = InstalledPicks(shelf, session, dialog, self.table)
        self.elsewhere = OtherStores(shelf, session, dialog)
        shown = (self.checking.piece, self.table, self.elsewhere.view)
        self.view = pn.Column(*shown, margin=0, sizing_mode="stretch_width")
        state = shelf.models_state
        session.follower.watch(state, ["installed", "loaded", "error"], self._draw)
        session.follower.watch(shelf.providers_state, ["providers"], self._draw)
        session.follower.watch(state, ["installed"], self.judge)
        session.follower.watch_items(shelf.providers_state, "providers", ["enabled"], self.judge)
        session.navigation.param.watch(lambda *_events: self.judge(), ["view"])
        self._draw()

    def judge(self) -> None:
        """See how everything does, when somebody looks at it; rows are filled as answers come."""
        if self._session.navigation.view == "installed":
            self._session.run(self._judge(), key="installed fits")

    async def _judge(self) -> None:
        providers = list(own_providers(self._shelf))
        for model in self._shelf.models_state.installed:
            name = str(model.id)
            try:
                found = await self._shelf.compatibility.answers([name], providers)
            except ModelshelfError:  # a broken file: its row stays without a score, and the drawer says why
                continue
            self._answers[name] = {provider: answer for (_model, provider), answer in found.items()}
            self._session.follower.soon(self._draw)

    def _draw(self) -> None:
        state = self._shelf.models_state
        if state.error:
            self.table.trouble(state.error, "")
        elif state.loaded:
            models = sorted(state.installed, key=lambda model: model.repo.lower())
            total = sum(model.size for model in models)
            status = _n("{n} model, {size}", "{n} models, {size}", len(models), size=figures.size(total))
            judged = [(str(model.id), model.size, best_of(self._answers.get(str(model.id), {}))) for model in models]
            best = marks(judged, own_providers(self._shelf))
            shown = [self._row(model, best.get(str(model.id))) for model in models]
            self.table.fill(shown, status=status, empty=_empty())

    def _row(self, model: InstalledModel, mark: dict[str, Any] | None) -> dict[str, Any]:
        fit = self._answers.get(str(model.id), {}).get(BUILTIN)
        kind = " ".join(
            part for part in (FORMATS.get(model.format or "", model.format or ""), model.quantisation) if part
        )
        chips = [] if model.complete else [{"text": _("incomplete"), "tone": "warn"}]
        if model.pinned:
            chips.append({"text": _("pinned")})
        if model.damaged:
            chips.append({"text": _("damaged"), "tone": "bad"})
        return {
            "id": str(model.id),
            "title": model.repo.partition("/")[2],
            "mark": mark,
            "sub": " · ".join([model.repo.partition("/")[0], kind or _("no format known"), model.commit[:7]]),
            "more": figures.size(model.size),
            "chips": chips,
            "shield": of_installed(model),
            "cells": {
                "size": {"main": figures.size(model.size), "sub": _n("{n} file", "{n} files", len(model.files))},
                "from": {"main": model.source or _("another program") if model.managed else _("another program")},
                "when": {"main": figures.ago(model.modified)},
                "fit": {"score": fit.score, "explains": True} if fit else {},
            },
            "actions": [*self._try(model), {"do": "remove", "word": _("Remove"), "kind": "trouble"}],
        }

    def _try(self, model: InstalledModel) -> list[dict[str, Any]]:
        for provider in self._shelf.providers_state.providers:
            for served in provider.models:
                if served.repo == model.repo and (served.commit in {None, model.commit}):
                    context = {"section": "providers", "provider": provider.id, "chat": served.id}
                    return [{"do": TO_SETTINGS, "word": _("Try it"), "help": "tryIt", "context": context}]
        return []

    def _heard(self, message: dict[str, Any]) -> None:
        nav, model = self._session.navigation, str(message.get("id", ""))
        match message["do"]:
            case "open":
                nav.param.update(model=model.partition("@")[0], by="")
            case "explain":
                self._explain(model)
            case "shield":
                self._verdicts.open_installed(model)
            case "fix":
                answer = self._answers.get(model, {}).get(BUILTIN)
                one = fits.chosen_fix(answer, message.get("context") or {})
                self.fixing.make(model.partition("@")[0], answer, one)
            case "remove":
                self._session.run(self._ask(model), what="remove")
            case deed if str(deed).endswith(PICKED):
                self.picks.do(deed)
            case "discover":
                nav.view = "discover"

    def _explain(self, model: str) -> None:
        """What a badge says."""
        if (answer := self._answers.get(model, {}).get(BUILTIN)) is not None:
            more = {"do": "open", "word": _("Details"), "help": "modelLibrary"}
            title = model.partition("@")[0].rpartition("/")[2]
            self.table.tell(explained={**fits.told(answer, title), "id": model, "actions": [more]})

    async def _ask(self, model: str) -> None:
        removal = await self._shelf.library.removal(model)
        breaks = await self._shelf.registration.breaks(model)
        lines = [_("This frees {size} on the disk. It can be downloaded again.", size=figures.size(removal.freed))]
        if removal.used_by:
            lines.append(_("Also used by: {names}. They keep it.", names=", ".join(removal.used_by)))
        lines += lost_with(breaks)
        if len(lines) == 1:
            lines.append(_("Nothing else uses these files."))
        self._dialog.listen(lambda answer: self._answered(model, answer))
        self._dialog.ask(
            id=f"remove {model}",
            title=_("Remove {model}?", model=removal.repo),
            lines=lines,
            word=_("Remove"),
            kind="trouble",
            help="storageManagement",
        )

    def _answered(self, model: str, answer: dict[str, Any]) -> None:
        self._dialog.close()
        if answer["do"] == "confirmed":
            self._session.run(self._remove(model), what="remove")

    async def _remove(self, model: str) -> None:
        removal = await self._shelf.library.remove(model)
        self._session.notice(
            _("{model} is removed.", model=removal.repo),
            _("{size} are free again.", size=figures.size(removal.freed)),
            tone="good",
            id="remove",
        )


def _empty() -> dict[str, Any]:
    return {
        "text": _("Nothing is installed yet."),
        "remedy": _("Find a model that fits this machine and download it; what other programs put there shows up too."),
        "action": {"do": "discover", "word": _("Find a model"), "kind": "primary", "help": "modelLibrary"},
    }
