"""What stands around a model in its drawer: history, its source's own scanners, relatives, its card."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from modelshelf.catalog.changes import Changes
from modelshelf.catalog.types import History, RepoDetail
from modelshelf.discovery import Relatives
from modelshelf.errors import ModelshelfError, NotFound
from modelshelf.library.types import InstalledModel
from modelshelf_dashboard import figures
from modelshelf_dashboard.library import cards
from modelshelf_dashboard.library.rows import FORMATS
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import N_, _, _n

if TYPE_CHECKING:
    from modelshelf.catalog.columns.mapped import Row
    from modelshelf.shelf import Shelf

SHOWN = 6  # relatives of a kind, and files that changed
SHOWN_COMMITS = 8
KINDS = {
    "quantized": N_("Quantised from it"),
    "finetune": N_("Trained further"),
    "adapter": N_("Adapters for it"),
    "merge": N_("Merged from it"),
}


class Around:
    """Looks at one model after another; `show` gets parts of the drawer as they become known."""

    def __init__(self, shelf: "Shelf", session: Session, show: Callable[[dict[str, Any]], None]) -> None:
        self._shelf, self._session, self._show = shelf, session, show
        self.favourite = False

    async def look(self, detail: RepoDetail) -> None:
        """Tell all that is known around a model, what is at hand first."""
        name = str(detail.card.id)
        html = cards.render(detail.readme) if detail.readme else ""
        self._show({"facts": _history(detail), "card": html})
        await self._shelf.discovery.visited(name)
        self.favourite = name in await self._shelf.discovery.favourites()
        self._show({})
        if lists := await self.relatives(name):
            self._show({"lists": lists})
        await self._commits(detail)

    async def favour(self, model: str) -> None:
        """Keep a model as a favourite, or no more."""
        discovery = self._shelf.discovery
        await (discovery.unfavour(model) if self.favourite else discovery.favour(model))
        self.favourite = not self.favourite
        self._show({})

    async def relatives(self, name: str) -> list[dict[str, Any]]:
        """What goes together with a model, as far as there is a catalogue that has it."""
        try:
            return _lists(await self._shelf.discovery.relatives(name))
        except NotFound:
            return []

    async def _commits(self, detail: RepoDetail) -> None:
        """What its source tells of earlier commits, and how what is installed stands among them."""
        name, own = str(detail.card.id), self._installed(detail)
        try:
            found = await self._shelf.catalog.history(name)
        except ModelshelfError as error:
            self._show({"facts": [*_history(detail), {"name": _("Earlier commits"), "value": str(error)}]})
            found = None
        if found is not None:
            self._show({"commits": _told(found, {one.commit for one in own})})
        if own:
            await self._moved(detail, own[0], found)

    def _installed(self, detail: RepoDetail) -> list[InstalledModel]:
        """The commits of it that are installed, the newest first, where one of them is that of the source."""
        own = [one for one in self._shelf.models_state.installed if one.repo == detail.card.repo]
        return sorted(own, key=lambda one: one.commit != detail.commit)

    async def _moved(self, detail: RepoDetail, own: InstalledModel, history: History | None) -> None:
        """Whether what is installed is still what the source has; if not, what has changed since."""
        if own.commit == detail.commit:
            facts = [{"name": _("Installed"), "value": _("the newest commit")}]
            self._show({"facts": [*_history(detail), *facts]})
            return
        dates = {one.id: one.date for one in history.commits} if history else {}
        of = figures.ago(dates.get(own.commit))
        told = _("an older commit: {id}", id=own.commit[:7]) + (f", {of}" if of else "")
        facts = [{"name": _("Installed"), "value": told}]
        try:
            changes = await self._shelf.catalog.changes(str(detail.card.id), own.commit)
        except ModelshelfError as error:
            facts.append({"name": _("Changed since"), "value": str(error)})
        else:
            facts.append({"name": _("Changed since"), "value": _what(changes)})
        self._show({"facts": [*_history(detail), *facts]})


def _history(detail: RepoDetail) -> list[dict[str, str]]:
    card = detail.card
    facts = [
        (_("Created"), figures.ago(card.created)),
        (_("Changed"), figures.ago(card.modified)),
        (_("Commit"), detail.commit[:12]),
        (_("Downloads"), figures.number(card.downloads) if card.downloads is not None else ""),
        (_("Likes"), figures.number(card.likes) if card.likes is not None else ""),
        (_("Library"), card.library or ""),
        (_("Files"), _n("{n} file", "{n} files", len(detail.files))),
    ]
    return [{"name": name, "value": value} for name, value in facts if value]


def _told(found: History, installed: set[str]) -> dict[str, Any]:
    """The commits as the drawer lists them."""
    items = [
        {
            "title": one.title or one.id[:12],
            "sub": " · ".join(part for part in (figures.ago(one.date), ", ".join(one.authors), one.id[:7]) if part),
            "mark": _("your copy") if one.id in installed else "",
        }
        for one in found.commits[:SHOWN_COMMITS]
    ]
    more = found.more or len(found.commits) > len(items)
    link = {"url": found.link, "word": _("All commits at the source")} if found.link else {}
    return {"items": items, "more": _("Older commits are not shown.") if more else "", "link": link}


def _what(changes: Changes) -> str:
    """Which files are others now, as far as that fits a line."""
    parts = [
        (_("changed: {files}"), changes.changed),
        (_("new: {files}"), changes.added),
        (_("gone: {files}"), changes.removed),
    ]
    told = [text.format(files=_few(paths)) for text, paths in parts if paths]
    return "; ".join(told) or _("no file")


def _few(paths: Sequence[str]) -> str:
    named = ", ".join(paths[:SHOWN])
    return named if len(paths) <= SHOWN else _("{files} and {n} more", files=named, n=len(paths) - SHOWN)


def _lists(found: Relatives) -> list[dict[str, Any]]:
    base = [_link(row) for row in found.base] + [{"title": name, "id": name} for name in found.named]
    lists: list[dict[str, Any]] = [{"title": _("Made from"), "items": base}]
    for name, rows in found.formats.items():
        title = _("Also as {format}", format=FORMATS.get(name, name))
        lists.append({"title": title, "items": [_link(row) for row in rows[:SHOWN]]})
    for kind, rows in found.derived.items():
        count = found.counts.get(kind, len(rows))
        title = f"{_(KINDS[kind])} · {count:,}" if kind in KINDS else kind
        lists.append({"title": title, "items": [_link(row) for row in rows[:SHOWN]]})
    return [one for one in lists if one["items"]]


def _link(row: "Row") -> dict[str, Any]:
    card = row.card
    sub = " · ".join(part for part in (figures.size(card.size) if card.size else "", ", ".join(card.formats)) if part)
    return {"title": card.repo, "sub": sub, "id": str(card.id)}
