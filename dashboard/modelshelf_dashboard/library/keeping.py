"""What a person keeps: collections to look at, searches under a name, and what is new in them."""

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from modelshelf.discovery import SavedSearch, Unseen
from modelshelf.errors import ModelshelfError, NotFound
from modelshelf_dashboard import figures
from modelshelf_dashboard.components.dialog import Dialog
from modelshelf_dashboard.components.filters import Filters
from modelshelf_dashboard.library.asked import compose, taken_apart
from modelshelf_dashboard.library.listed import created_since
from modelshelf_dashboard.session import ORDERS, Session
from modelshelf_dashboard.texts import N_, _, _n

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

ASK = "save search"
COLLECTIONS = (
    ("recommended", N_("Recommended here")),
    ("favourites", N_("Favourites")),
    ("recent", N_("Looked at last")),
    ("new", N_("New this month")),
    ("unseen", N_("New since last time")),
)


class Keeping:
    """The first groups of the side panel, and the question for a search's name.

    `renewed` is called when a collection that may be shown has other models now.
    """

    def __init__(
        self, shelf: "Shelf", session: Session, filters: Filters, dialog: Dialog,
        renewed: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._renewed = renewed
        self._shelf, self._session, self._filters, self._dialog = shelf, session, filters, dialog
        self._searches: tuple[SavedSearch, ...] = ()
        self._unseen: Unseen | None = None
        session.navigation.param.watch(lambda *_events: self.draw(), ["collection"])

    def ask(self) -> None:
        """Look at what is kept."""
        self._session.run(self._read(), key="kept searches")

    async def _read(self) -> None:
        try:
            self._searches = await self._shelf.discovery.searches()
        except ModelshelfError:  # a kept search that the language of today does not know
            self._searches = ()
        with suppress(NotFound):  # there is no catalogue yet
            self._unseen = await self._shelf.discovery.unseen(limit=0)
        self.draw()

    def draw(self) -> None:
        """Show collections, where there is a catalogue to take them from, and kept searches."""
        here = self._session.navigation.collection
        groups: list[dict[str, Any]] = []
        if self._shelf.catalog_state.generation:
            items = [
                {"do": "collection", "id": name, "label": _(word), "on": name == here, **self._told(name)}
                for name, word in COLLECTIONS
            ]
            groups.append({"title": _("Collections"), "items": items})
        if self._searches:
            groups.append({"title": _("Kept searches"), "items": [_item(one) for one in self._searches]})
        self._filters.kept = groups

    def _told(self, name: str) -> dict[str, Any]:
        """Of what is new also how much it is, and since when."""
        if name != "unseen" or self._unseen is None:
            return {}
        count = self._unseen.page.total
        since = _("You last looked {ago}", ago=figures.ago(self._unseen.since))
        return {"count": figures.number(count) if count else "", "title": since}

    def heard(self, message: dict[str, Any]) -> bool:
        """Do what was pressed, if it is of these; False if not."""
        nav, name = self._session.navigation, str(message.get("id", ""))
        match message["do"]:
            case "collection":
                other = "" if nav.collection == name else name
                nav.param.update(collection=other, q="", filters=[], page=0, view="discover")
            case "seen":
                self._session.run(self._see(), key="kept search")
            case "search" | "fresh" as which:
                self._session.run(self._open(name, fresh=which == "fresh"), key="kept search")
            case "forget":
                self._session.run(self._forget(name), key="kept search")
            case _:
                return False
        return True

    async def _see(self) -> None:
        """All that is listed now is new no more."""
        await self._shelf.discovery.seen()
        await self._read()
        self._renewed()

    async def _open(self, name: str, *, fresh: bool) -> None:
        found = next((one for one in self._searches if one.name == name), None)
        if found is None:
            return
        text, tokens = taken_apart(found.query)
        tokens += [created_since(found.looked)] if fresh else []
        nav, sort = self._session.navigation, found.sort if found.sort in ORDERS else "downloads"
        nav.param.update(q=text, filters=tokens, sort=sort, page=0, collection="", view="discover")
        await self._shelf.discovery.looked(name)
        await self._read()

    async def _forget(self, name: str) -> None:
        await self._shelf.discovery.forget(name)
        await self._read()

    def save(self) -> None:
        """Ask for a name for what is searched for now."""
        nav = self._session.navigation
        field = {"name": "name", "kind": "text", "label": _("Name"), "value": nav.q or " ".join(nav.filters)}
        self._dialog.listen(self._named)
        lines = [_("You find it at the left, with the number of models that are new since you last looked.")]
        self._dialog.ask(
            id=ASK, title=_("Keep this search"), lines=lines, fields=[field], word=_("Keep"), help="keptSearches"
        )

    def _named(self, answer: dict[str, Any]) -> None:
        if answer["do"] != "confirmed":
            self._dialog.close()
            return
        self._session.run(self._save(str((answer.get("fields") or {}).get("name", ""))), key="kept search")

    async def _save(self, name: str) -> None:
        nav = self._session.navigation
        try:
            await self._shelf.discovery.save(name, str(compose(nav.q, nav.filters)), nav.sort)
        except ModelshelfError as error:
            self._dialog.refuse(f"{error} {error.remedy}", "name")
            return
        self._dialog.close()
        await self._read()


def _item(one: SavedSearch) -> dict[str, Any]:
    told: dict[str, Any] = {"do": "search", "id": one.name, "label": one.name, "title": one.query, "removable": True}
    if one.fresh:
        told["fresh"] = _n("{n} new", "{n} new", one.fresh)
    return told
