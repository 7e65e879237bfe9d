"""Discover: one search over all sources, filters with counts, rows with their fit."""

from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import panel as pn

from modelshelf.catalog.types import RepoCard, SearchAnswer, SourceReport
from modelshelf.compat.types import Compatibility
from modelshelf.errors import ModelshelfError
from modelshelf_dashboard import figures
from modelshelf_dashboard import fits as fit_words
from modelshelf_dashboard.components.dialog import Dialog
from modelshelf_dashboard.components.filters import Filters
from modelshelf_dashboard.components.notices import Notices
from modelshelf_dashboard.components.search import Search
from modelshelf_dashboard.components.table import Table
from modelshelf_dashboard.library import facets, rows
from modelshelf_dashboard.library.fixing import Fixing
from modelshelf_dashboard.library.judged import own_providers
from modelshelf_dashboard.library.marks import Best, marks
from modelshelf_dashboard.library.picking import DownloadPicks
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import _, _n
from modelshelf_dashboard.transfers import Transfers

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

ASKED = 200  # repositories a source is asked for
MOST_KEPT = 2000  # judgements of cards
SHOWN = 100  # rows a list shows; who wants others narrows the search
KNOWN = (
    "format:gguf",
    "format:safetensors",
    "is:fits",
    "is:installed",
    "is:gated",
    "license:commercial",
    "license:apache-2.0",
    "license:mit",
    "source:samples",
    "size:<8GB",
    "params:<4B",
    "ctx:>=32k",
    "task:chat",
)


class Discover:
    """Search box, filters and results of one session."""

    def __init__(self, shelf: "Shelf", session: Session, transfers: Transfers, dialog: Dialog | None = None) -> None:
        self._shelf = shelf
        self._session = session
        self._transfers = transfers
        self._answer: SearchAnswer | None = None
        self.found: tuple[RepoCard, ...] = ()
        self._bests: dict[RepoCard, Best] = {}
        self.results_view: Callable[[], str] = lambda: "discover"  # where its results are looked at
        self.fixing = Fixing(shelf, session, transfers, self.redo)
        self._explained: tuple[str, Compatibility] | None = None
        nav = session.navigation
        self.search = Search(text=nav.q, tokens=nav.filters, known=list(KNOWN), label=_("Find a model"), sheet=True)
        self.filters = Filters(heard=self._filtered)
        self.sources = Notices(heard=self._source_asked)
        self.table = Table(
            heard=self._heard,
            columns=rows.columns(),
            label=_("Models"),
            heading=_("Model"),
            topic="modelLibrary",
            chosen=nav.model,
        )
        self.picks = DownloadPicks(shelf, session, transfers, dialog or Dialog(), self.table, lambda: self.found)
        self.search.param.watch(self._typed, ["text", "tokens"])
        nav.param.watch(self._asked, ["q"])
        nav.param.watch(self._narrowed, ["filters"])
        nav.param.watch(lambda event: self.table.param.update(chosen=event.new), "model")
        follow = session.follower
        follow.watch(shelf.models_state, ["installed"], self.draw)
        follow.watch_items(shelf.downloads_state, "jobs", ["status"], self.draw)
        follow.watch_items(shelf.providers_state, "providers", ["enabled"], self.redo)
        session.run(self._look_at_machine())
        self.ask()

    def ask(self, *, refresh: bool = False) -> None:
        """Ask the sources for the words in the box."""
        self._session.run(self._find(refresh), key="find")

    async def _find(self, refresh: bool) -> None:
        if self._answer is None:
            self.table.state = "loading"
        text = self._session.navigation.q
        try:
            async with aclosing(self._shelf.catalog.follow(text, limit=ASKED, refresh=refresh)) as answers:
                async for answer in answers:
                    self._answer = answer
                    self.draw()
        except ModelshelfError as error:
            self.table.trouble(str(error), error.remedy)

    async def _look_at_machine(self) -> None:
        machine = await self._shelf.compatibility.machine()
        cards = [_("{size} GPU", size=figures.memory(gpu.memory_total)) for gpu in machine.cards]
        self.filters.machine = " · ".join([_("{size} memory", size=figures.memory(machine.ram_total)), *cards])

    def draw(self) -> None:
        """Show what was found, as it stands now."""
        answer, nav = self._answer, self._session.navigation
        if answer is None:
            return
        fits = {str(card.id): self._fit(card) for card in answer.rows}
        tokens, wrong = facets.sensible(nav.filters)
        labels = {report.source: report.label for report in answer.sources}
        try:
            found = facets.narrow(answer.rows, tokens, self._checks(fits), labels)
        except ModelshelfError as error:
            self.table.trouble(str(error), error.remedy)
            return
        with pn.io.hold():
            self.filters.param.update(groups=found.groups, fits=facets.FITS in tokens, dirty=bool(nav.filters))
            self.sources.items = [*self._source_notices(answer), *([_wrong(wrong)] if wrong else [])]
            self._show_rows(found.rows, fits, answer)

    def _show_rows(
        self, cards: tuple[RepoCard, ...], fits: Mapping[str, Compatibility | None], answer: SearchAnswer
    ) -> None:
        cards = tuple(sorted(cards, key=lambda card: -1 if (fit := fits[str(card.id)]) is None else -(fit.score or 0)))
        self.found = cards[:SHOWN]
        judged = [(str(card.id), card.parameters or card.size or 0, self._best(card)) for card in self.found]
        best = marks(judged, own_providers(self._shelf))
        shown = [
            rows.row(card, fits[str(card.id)], self._standing(card), best.get(str(card.id))) for card in self.found
        ]
        self.table.fill(shown, status=self._status(len(shown), len(cards), answer), empty=self._empty())

    def _status(self, shown: int, found: int, answer: SearchAnswer) -> str:
        asked = _n("{n} source", "{n} sources", len([r for r in answer.sources if r.status != "off"]))
        took = _("{n} ms", n=f"{answer.seconds * 1000:.0f}")
        if found > shown:
            return " · ".join([_("the best {shown} of {found} models", shown=shown, found=found), asked, took])
        return " · ".join([_n("{n} model", "{n} models", found), asked, took])

    def _empty(self) -> dict[str, Any]:
        if self._session.navigation.filters:
            clear = {"do": "clear", "word": _("Clear the filters"), "help": "searchFiltering"}
            remedy = _("Take a filter away, or use other words.")
            return {"text": _("Nothing fits these words and filters."), "remedy": remedy, "action": clear}
        remedy = _("Use fewer or other words; bare words are looked for in the name.")
        return {"text": _("No source knows such a model."), "remedy": remedy}

    def _source_notices(self, answer: SearchAnswer) -> list[dict[str, Any]]:
        return [_told(report) for report in answer.sources if report.status in {"stale", "failed"}]

    def _fit(self, card: RepoCard) -> Compatibility | None:
        return self._shelf.compatibility.quick(card)

    def _best(self, card: RepoCard) -> Best:
        """Which provider does best with a card: asked once, since a list is drawn at every key that is pressed."""
        found = self._bests.get(card) or self._shelf.compatibility.best(card)
        if found is not None and len(self._bests) < MOST_KEPT:
            self._bests[card] = found
        return found

    def redo(self) -> None:
        """Settings or providers are others now: judge anew."""
        self._bests.clear()
        self.draw()

    def _explain(self, model: str) -> None:
        """What a badge says: at once what the list knows, then what the file's header tells, with what would help."""
        card = next((card for card in self.found if str(card.id) == model), None)
        listed = self._fit(card) if card is not None else None
        if card is None or listed is None:
            return
        self._session.run(self._explain_better(card, listed.score), key="explain")
        self._say(card, listed, pending=True)

    async def _explain_better(self, card: RepoCard, listed: int | None) -> None:
        try:
            answer = await self._shelf.compatibility.check_model_compatibility(str(card.id))
        except ModelshelfError:
            answer = self._shelf.compatibility.quick(card)
        self._say(card, answer, listed=listed)

    def _say(self, card: RepoCard, answer: Compatibility, *, pending: bool = False, listed: int | None = None) -> None:
        self._explained = str(card.id), answer
        told = fit_words.told(answer, card.id.name, pending=pending, listed=listed)
        more = {"do": "open", "word": _("Details"), "help": "modelLibrary"}
        self.table.tell(explained={**told, "id": str(card.id), "actions": [more]})

    def _fix(self, model: str, context: Mapping[str, Any]) -> None:
        explained, answer = self._explained or ("", None)
        answer = answer if explained == model else None
        self.fixing.make(model, answer, fit_words.chosen_fix(answer, context))

    def _checks(self, fits: Mapping[str, Compatibility | None]) -> dict[str, facets.Check]:
        def fitting(card: RepoCard) -> bool:
            fit = fits.get(str(card.id))
            return bool(fit and fit.score)

        has = self._shelf.models_state.has
        return {**self._shelf.catalog.checks, "fits": fitting, "installed": lambda card: has(card.repo)}

    def _standing(self, card: RepoCard) -> rows.Standing:
        job = rows.latest(self._shelf.downloads_state.jobs, card.repo)
        return rows.Standing(self._shelf.models_state.has(card.repo), job)

    def _typed(self, *_events: Any) -> None:
        self._session.navigation.param.update(q=self.search.text, filters=list(self.search.tokens))

    def _asked(self, *_events: Any) -> None:
        self.search.text = self._session.navigation.q
        self.ask()

    def _narrowed(self, *_events: Any) -> None:
        self.search.tokens = list(self._session.navigation.filters)
        self.draw()

    def _filtered(self, message: dict[str, Any]) -> None:
        nav = self._session.navigation
        if message["do"] == "clear":
            nav.param.update(filters=[], view=self.results_view())
        elif message["do"] == "toggle":
            filters = facets.toggled(nav.filters, str(message["token"]), bool(message["on"]))
            nav.param.update(filters=filters, view=self.results_view())

    def _source_asked(self, message: dict[str, Any]) -> None:
        if message["do"] == "again":
            self.ask(refresh=True)

    def _heard(self, message: dict[str, Any]) -> None:
        nav, model, context = self._session.navigation, str(message.get("id", "")), message.get("context") or {}
        match message["do"]:
            case "open" | "installed":
                nav.param.update(model=model, by="")
            case "explain":
                self._explain(model)
            case "fix":
                self._fix(model, context)
            case "download":
                self._transfers.start(model)
            case "pause" | "resume":
                self._transfers.do({"do": message["do"], "id": context.get("job", "")})
            case "quarantine":
                nav.view = "quarantine"
            case "download-picked":
                self.picks.ask()
            case "clear":
                nav.filters = []


def _told(report: SourceReport) -> dict[str, Any]:
    again = {"do": "again", "word": _("Try again"), "help": "sources"}
    remedy = report.remedy
    if report.status == "stale":
        remedy = _("Its rows are what it said {ago}.", ago=figures.ago(report.as_of))
    return {
        "id": report.source,
        "tone": "warn",
        "text": report.error or _("{source} does not answer.", source=report.label),
        "remedy": remedy,
        "action": again,
        "lasting": True,
    }


def _wrong(text: str) -> dict[str, Any]:
    return {"id": "filter", "tone": "warn", "text": text, "remedy": "", "action": None, "lasting": True}
