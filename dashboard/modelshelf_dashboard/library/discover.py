"""Discover: one search box over everything there is, filters with counts, rows with their fit."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing
from time import monotonic
from typing import TYPE_CHECKING, Any

import panel as pn

from modelshelf.catalog.types import RepoCard
from modelshelf.compat.types import Compatibility
from modelshelf.errors import ModelshelfError, UsageError
from modelshelf_dashboard import figures
from modelshelf_dashboard import fits as fit_words
from modelshelf_dashboard.components.dialog import Dialog
from modelshelf_dashboard.components.filters import Filters
from modelshelf_dashboard.components.notices import Notices
from modelshelf_dashboard.components.search import Search
from modelshelf_dashboard.components.table import Table
from modelshelf_dashboard.library import facets, rows
from modelshelf_dashboard.library.asked import taken_apart, wrong
from modelshelf_dashboard.library.fixing import Fixing
from modelshelf_dashboard.library.found import Found
from modelshelf_dashboard.library.judged import own_providers
from modelshelf_dashboard.library.keeping import Keeping
from modelshelf_dashboard.library.listed import PAGE, Listed
from modelshelf_dashboard.library.listing import OFFER, Listing
from modelshelf_dashboard.library.live import Live
from modelshelf_dashboard.library.marks import Best, marks
from modelshelf_dashboard.library.picking import DownloadPicks
from modelshelf_dashboard.library.words import KNOWN, empty, told_wrong, tools
from modelshelf_dashboard.session import MOST_COMPARED, ORDERS, Session
from modelshelf_dashboard.texts import _
from modelshelf_dashboard.transfers import Transfers

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

COLUMNS_OFF = "discover columns off"
MOST_KEPT = 2000  # judgements of cards
JUDGED_FOR = 10.0  # seconds


class Discover:
    """Search box, filters and results of one session: from the catalogue, or from the sources where there is none."""

    def __init__(self, shelf: "Shelf", session: Session, transfers: Transfers, dialog: Dialog | None = None) -> None:
        self._shelf, self._session, self._transfers = shelf, session, transfers
        self._shown: Found | None = None
        self.found: tuple[RepoCard, ...] = ()
        self._bests: dict[RepoCard, Best] = {}
        self._fits: dict[RepoCard, Compatibility] = {}
        self._judged = 0.0
        self._columns_kept = asyncio.Lock()
        self._live, self._listed = Live(shelf, session, self._fit), Listed(shelf, session)
        self.listing = Listing(shelf, session)
        self.results_view: Callable[[], str] = lambda: "discover"  # where its results are looked at
        self.fixing = Fixing(shelf, session, transfers, self.redo)
        self._explained: tuple[str, Compatibility] | None = None
        self._arriving = False
        nav, dialog = session.navigation, dialog or Dialog()
        self.search = Search(text=nav.q, tokens=nav.filters, known=list(KNOWN), label=_("Find a model"), sheet=True)
        self.search.listen(self._heard)
        self.filters = Filters(heard=self._filtered)
        self.keeping = Keeping(shelf, session, self.filters, dialog, self.ask)
        self.sources = Notices(heard=self._source_asked)
        self.table = Table(
            heard=self._heard,
            label=_("Models"),
            heading=_("Model"),
            topic="modelLibrary",
            chosen=nav.model,
            keeps=f"discover {session.principal.name}",
        )
        self.picks = DownloadPicks(shelf, session, transfers, dialog, self.table, lambda: self.found)
        self._follow()
        session.run(self._look_at_machine())
        self.ask()
        self.keeping.ask()

    def _follow(self) -> None:
        nav, follow, shelf = self._session.navigation, self._session.follower, self._shelf
        self.search.param.watch(self._typed, ["text", "tokens"])
        nav.param.watch(self._moved, ["q", "filters", "sort", "page", "collection"])
        nav.param.watch(lambda event: self.table.param.update(chosen=event.new), "model")
        nav.param.watch(self._arrive, "focus")
        follow.watch(shelf.models_state, ["installed"], self.draw)
        follow.watch_items(shelf.downloads_state, "jobs", ["status"], self.draw)
        follow.watch_items(shelf.providers_state, "providers", ["enabled"], self.redo)
        follow.watch(shelf.catalog_state, ["generation"], self._renewed)
        follow.watch(shelf.catalog_state, ["status", "found", "error", "loaded", "more"], self._show_notices)

    def ask(self, *, refresh: bool = False) -> None:
        """Look for what is in the box and chosen beside it."""
        self._session.run(self._find(refresh), key="find")

    async def _find(self, refresh: bool) -> None:
        if self._shown is None:
            self.table.state = "loading"
            await self._choose_columns()
        try:
            if await self._listed.available():
                await self._look_up()
            else:
                await self._ask_sources(refresh)
        except UsageError as error:
            self._show(Found((), 0, "", wrong=wrong(error, self._session.navigation.q)))
        except ModelshelfError as error:
            self.table.trouble(str(error), error.remedy)
        if self._arriving:
            self._arriving = False
            self.table.arrive += 1

    def _arrive(self, *_events: object) -> None:
        """Somebody comes from elsewhere: once the answer stands, its first row gets the keyboard."""
        self._arriving = True
        self.ask()

    async def _choose_columns(self) -> None:
        """Show the columns that the person wants, before there are rows: nothing moves later."""
        if self.table.columns:
            return
        try:
            off = await self._shelf.discovery.preferences.texts(COLUMNS_OFF)
        except ModelshelfError:  # they are a convenience
            off = None
        self.table.param.update(columns=rows.columns(), omitted=None if off is None else list(off))

    async def _keep_columns(self) -> None:
        """One after another, each what is chosen by then: a write that was given up may end after the next one."""
        async with self._columns_kept:
            await self._shelf.discovery.preferences.keep_texts(COLUMNS_OFF, self.table.omitted or ())

    async def _look_up(self) -> None:
        self._live.forget()
        text = self._session.navigation.q
        async with aclosing(self._listed.follow()) as turns:
            async for found in turns:
                self._show(found)
                if text.strip() and text == self.search.text:
                    self.search.change(proposals=await self._listed.suggest(text))
                    text = ""

    async def _ask_sources(self, refresh: bool) -> None:
        async with aclosing(self._live.follow(self._session.navigation.q, refresh=refresh)) as turns:
            async for _turn in turns:
                self.draw()

    async def _look_at_machine(self) -> None:
        machine = await self._shelf.compatibility.machine()
        cards = [_("{size} GPU", size=figures.memory(gpu.memory_total)) for gpu in machine.cards]
        self.redo()  # without the machine nothing could be judged
        self.filters.machine = " · ".join([_("{size} memory", size=figures.memory(machine.ram_total)), *cards])

    def draw(self) -> None:
        """Show what was found, as it stands now."""
        found = self._live.found() or self._shown
        if found is not None:
            self._show(found)

    def _show(self, found: Found) -> None:
        nav = self._session.navigation
        with pn.io.hold():
            self.search.change(wrong=told_wrong(found.wrong, nav.q))
            if found.wrong is not None and found.groups is None:
                # What is half written makes no sense yet: the rows of before stay.
                if self._shown is None:
                    self.table.trouble(found.wrong.text, found.wrong.remedy)
                return
            self._shown = found
            if found.groups is not None:
                fits = facets.FITS in nav.filters
                self.filters.change(groups=found.groups, fits=fits, fitting=found.fitting, dirty=bool(nav.filters))
            self._show_notices()
            self._show_rows(found)

    def _show_notices(self) -> None:
        listed = self._shown.notices if self._shown is not None else []
        with pn.io.hold():
            self.sources.change(items=[*self.listing.notices(), *listed])
            self.filters.change(foot=self.listing.age())

    def _renewed(self) -> None:
        """Another generation is in use."""
        self.keeping.ask()
        self.ask()

    def _show_rows(self, found: Found) -> None:
        nav = self._session.navigation
        self.found = found.rows
        judged = [(str(card.id), card.parameters or card.size or 0, self._best(card, found)) for card in self.found]
        best = marks(judged, own_providers(self._shelf))
        shown = [rows.row(card, self._fit(card), self._standing(card), best.get(str(card.id))) for card in self.found]
        pages = {"offset": found.offset, "size": PAGE, "total": found.total} if found.whole else {}
        self.table.fill(
            shown,
            status=found.status,
            empty=empty(nav, found, self._shelf),
            pages=pages,
            tools=tools(nav, found),
        )

    def _fit(self, card: RepoCard) -> Compatibility:
        """How well it does here, as of some seconds ago at most: free memory moves all the time."""
        if monotonic() - self._judged > JUDGED_FOR:
            self._fits, self._judged = {}, monotonic()
        fit = self._fits.get(card)
        if fit is None:
            fit = self._fits[card] = self._shelf.compatibility.quick(card)
        return fit

    def _best(self, card: RepoCard, found: Found) -> Best:
        """Which provider does best with a card: asked once, since a list is drawn at every key that is pressed."""
        best = self._bests.get(card)
        if best is None and found.settled:
            best = self._shelf.compatibility.best(card)
            if best is not None and len(self._bests) < MOST_KEPT:
                self._bests[card] = best
        return best

    def redo(self) -> None:
        """Settings or providers are others now: judge anew."""
        self._bests.clear()
        self._fits.clear()
        self.draw()

    def _explain(self, model: str) -> None:
        """What a badge says: at once what the list knows, then what the file's header tells, with what would help."""
        card = next((card for card in self.found if str(card.id) == model), None)
        if card is None:
            return
        listed = self._fit(card)
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

    def _standing(self, card: RepoCard) -> rows.Standing:
        job = rows.latest(self._shelf.downloads_state.jobs, card.repo)
        return rows.Standing(self._shelf.models_state.has(card.repo), job)

    def _typed(self, *_events: Any) -> None:
        nav, text, tokens = self._session.navigation, self.search.text, list(self.search.tokens)
        if (text, tokens) != (nav.q, nav.filters):
            nav.param.update(q=text, filters=tokens, page=0, collection="")

    def _moved(self, *changes: Any) -> None:
        nav = self._session.navigation
        self.search.change(text=nav.q, tokens=list(nav.filters))
        if {change.name for change in changes} == {"filters"} and self._live.found() is not None:
            self.draw()
        else:
            self.ask()

    def _filtered(self, message: dict[str, Any]) -> None:
        nav = self._session.navigation
        place = {"view": self.results_view(), "page": 0, "collection": ""}
        match message["do"]:
            case "clear":
                nav.param.update(filters=[], **place)
            case "toggle":
                filters = facets.toggled(nav.filters, str(message["token"]), bool(message["on"]))
                nav.param.update(filters=filters, **place)
            case "choose":
                filters = facets.chosen(nav.filters, str(message["key"]), str(message["token"]))
                nav.param.update(filters=filters, **place)
            case _ if self.listing.heard(str(message["do"])):
                pass
            case _:
                self.keeping.heard(message)

    def _source_asked(self, message: dict[str, Any]) -> None:
        if message["do"] == "again":
            self.ask(refresh=True)
        elif message["do"] == "dismiss" and message.get("id") == OFFER:
            self.listing.declined = True
            self._show_notices()
        else:
            self.listing.heard(str(message["do"]))

    def _heard(self, message: dict[str, Any]) -> None:
        model, context = str(message.get("id", "")), message.get("context") or {}
        match message["do"]:
            case "open" | "installed":
                self._session.navigation.param.update(model=model, by="")
            case "explain":
                self._explain(model)
            case "fix":
                self._fix(model, context)
            case "download":
                self._transfers.start(model)
            case "pause" | "resume":
                self._transfers.do({"do": message["do"], "id": context.get("job", "")})
            case "quarantine":
                self._session.navigation.view = "quarantine"
            case "download-picked":
                self.picks.ask()
            case "keep":
                self.keeping.save()
            case "seen":
                self.keeping.heard(message)
            case _:
                self._go_on(message["do"], context)

    def _go_on(self, what: str, context: Mapping[str, Any]) -> None:
        """Other rows: another page or order, other words, or some of them side by side."""
        nav = self._session.navigation
        match what:
            case "columns":
                known = {str(one["key"]) for one in rows.columns()}
                off = [str(one) for one in context.get("off") or () if str(one) in known]
                self.table.omitted = off
                self._session.run(self._keep_columns())
            case "page":
                nav.page = max(0, int(context.get("offset", 0)) // PAGE)
            case "sort" if context.get("value") in ORDERS:
                nav.param.update(sort=context["value"], page=0)
            case "take" if self._shown is not None:
                text, tokens = taken_apart(self._shown.suggestion)
                nav.param.update(q=text, filters=tokens, page=0)
            case "compare-picked":
                chosen = [str(one) for one in context.get("ids", ())]
                nav.param.update(compare=chosen[:MOST_COMPARED], view="compare")
            case "clear":
                nav.param.update(filters=[], page=0)
