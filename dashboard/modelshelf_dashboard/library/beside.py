"""Up to four models side by side: facts, files and fit, column by column as each is known."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelshelf.catalog.types import RepoCard, RepoDetail
from modelshelf.compat.types import Compatibility
from modelshelf.errors import ModelshelfError
from modelshelf.ids import ModelId
from modelshelf_dashboard import figures, fits
from modelshelf_dashboard.components.beside import Beside
from modelshelf_dashboard.library import rows
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import _
from modelshelf_dashboard.transfers import Transfers

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf


@dataclass(frozen=True, slots=True)
class Known:
    """A model as far as it is known: from its source, or the line of the list; `error` says why there is no more."""

    detail: RepoDetail | None = None
    listed: RepoCard | None = None
    fit: Compatibility | None = None
    error: str = ""

    @property
    def whole(self) -> bool:
        """Whether nothing more is to come, unless its source answers another time."""
        return self.detail is not None and (self.fit is not None or bool(self.error))

    @property
    def card(self) -> RepoCard | None:
        """What is known of it."""
        return self.detail.card if self.detail is not None else self.listed


class SideBySide:
    """Follows `navigation.compare`."""

    def __init__(self, shelf: "Shelf", session: Session, transfers: Transfers) -> None:
        self._shelf, self._session, self._transfers = shelf, session, transfers
        self._known: dict[str, Known] = {}
        self.piece = Beside(heard=self._heard)
        session.navigation.param.watch(lambda *_events: self.ask(), ["compare", "view"])
        session.follower.watch(shelf.models_state, ["installed"], self.draw)
        session.follower.watch_items(shelf.downloads_state, "jobs", ["status"], self.draw)
        self.ask()

    def ask(self) -> None:
        """Look at what is compared now, if anybody looks."""
        nav = self._session.navigation
        if nav.view != "compare":
            return
        self._known = {name: self._known.get(name, Known()) for name in nav.compare}
        self.draw()
        self._session.run(self._load(), key="side by side")

    async def _load(self) -> None:
        # Also what was looked at only in part, when a later question gave the look up.
        missing = [name for name, known in self._known.items() if not known.whole]
        async with asyncio.TaskGroup() as group:
            for name in missing:
                group.create_task(self._look_at(name))

    async def _look_at(self, name: str) -> None:
        try:
            detail = await self._shelf.catalog.detail(name)
            self._known[name] = Known(detail)
            self.draw()
            fit = await self._shelf.compatibility.check_model_compatibility(name)
            self._known[name] = Known(detail, fit=fit)
        except ModelshelfError as error:
            seen = self._known.get(name, Known()).detail
            listed = None if seen is not None else await self._from_list(name)
            quick = self._shelf.compatibility.quick(listed) if listed is not None else None
            self._known[name] = Known(seen, listed, quick, str(error))
        self.draw()

    async def _from_list(self, name: str) -> RepoCard | None:
        """What the list of all models tells, where the source does not: without a network, too."""
        try:
            found = await self._shelf.catalog.index.rows([name])
        except ModelshelfError:
            return None
        return found[name].card if name in found else None

    def draw(self) -> None:
        """Show what is known by now."""
        nav = self._session.navigation
        names = [name for name in nav.compare if name in self._known]
        known = [self._known[name] for name in names]
        columns = [_values(one) for one in known]
        labels = [label for label, _value in columns[0]] if columns else []
        facts = [
            {"label": label, "values": [column[place][1] for column in columns]} for place, label in enumerate(labels)
        ]
        self.piece.change(models=[self._heading(name, self._known[name]) for name in names], facts=facts)

    def _heading(self, name: str, known: Known) -> dict[str, Any]:
        told = ModelId.parse(name)
        actions = []
        if known.detail is not None and (card := known.card) is not None:
            job = rows.latest(self._shelf.downloads_state.jobs, card.repo)
            actions = [rows.action(card, known.fit, rows.Standing(self._shelf.models_state.has(card.repo), job))]
        return {"id": name, "title": told.name, "sub": known.error or told.author, "actions": actions}

    def _heard(self, message: dict[str, Any]) -> None:
        nav, name = self._session.navigation, str(message.get("id", ""))
        match message["do"]:
            case "open" | "installed":
                nav.param.update(model=name, by="")
            case "drop":
                nav.compare = [one for one in nav.compare if one != name]
            case "clear":
                nav.compare = []
            case "download":
                self._transfers.start(name)
            case "pause" | "resume" as deed:
                self._transfers.do({"do": deed, "id": (message.get("context") or {}).get("job", "")})
            case "quarantine":
                nav.view = "quarantine"


def _values(known: Known) -> list[tuple[str, dict[str, Any] | None]]:
    card = known.card
    waits = card is None and not known.error

    def told(value: str) -> dict[str, Any] | None:
        return None if waits else {"main": value or figures.NONE}

    fit = known.fit
    judged = {"score": fit.score, "main": fits.verdict(fit.score)} if fit else None
    need = fit.memory.total if fit and fit.memory else None
    return [
        (_("Fit here"), judged if fit or not known.error else {"main": figures.NONE}),
        (_("Memory"), {"main": figures.memory(need)} if fit or known.error else None),
        (_("Parameters"), told(figures.parameters(card.parameters) if card else "")),
        (_("Size"), told(figures.size(card.size) if card else "")),
        (_("Context"), told(figures.tokens(card.context) if card else "")),
        (_("Licence"), told(rows.licence_word(card.licence) if card else "")),
        (_("Task"), told((card.task or "") if card else "")),
        (_("Format"), told(rows.format_words(card) if card else "")),
        (_("Architecture"), told((card.architecture or "") if card else "")),
        (_("Downloads"), told(figures.number(card.downloads) if card else "")),
        (_("Likes"), told(figures.number(card.likes) if card else "")),
        (_("Changed"), told(figures.ago(card.modified) if card else "")),
        (_("Access"), told((_("gated") if card.gated else _("open")) if card else "")),
    ]
