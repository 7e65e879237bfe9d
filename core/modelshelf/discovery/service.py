"""Helps to find models in the catalogue."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from modelshelf.catalog.index import CatalogIndex
from modelshelf.catalog.query import parse
from modelshelf.discovery.kept import FAVOURITE, RECENT, Kept
from modelshelf.discovery.preferences import LOOKED, Preferences
from modelshelf.discovery.types import Drift, Relatives, SavedSearch, Unseen
from modelshelf.errors import NotFound, UsageError
from modelshelf.ids import ModelId
from modelshelf.library import ModelLibrary
from modelshelf.library.types import InstalledModel
from modelshelf.store import Store

if TYPE_CHECKING:
    from modelshelf.catalog.columns.mapped import Row
    from modelshelf.catalog.sync.service import CatalogSync

COLLECTIONS = ("installed", "favourites", "recent", "recommended", "new", "unseen")
LONGEST_NAME = 100


class DiscoveryService:
    """Collections, kept searches and relatives. What people keep is their own: nobody sees another's."""

    def __init__(self, store: Store, index: CatalogIndex, library: ModelLibrary, sync: "CatalogSync") -> None:
        self._kept = Kept(store)
        self.preferences = Preferences(store)
        self._index = index
        self._library = library
        self._sync = sync

    async def collection(self, name: str, *, task: str = "", limit: int = 50) -> "tuple[Row, ...]":
        """Models of one kind: installed | favourites | recent, the last first | recommended for this machine | new |
        unseen, those that came since one last looked.

        `task`, as after `task:` in a query, narrows those that are recommended, new or unseen.

        Raises:
            UsageError: there is no such collection.
            NotFound: there is no catalogue yet.
        """
        narrowed = f" task:{task}" if task else ""
        match name:
            case "installed":
                names: Iterable[str] = dict.fromkeys(model.repo for model in await self._library.models())
                return await self._rows(names, limit)
            case "favourites" | "recent":
                return await self._rows(await self._kept.marked(FAVOURITE if name == "favourites" else RECENT), limit)
            case "recommended":
                query, sort = f"is:recommended -is:installed{narrowed}", "compatibility"
            case "new":
                query, sort = f"created:<30d{narrowed}", "trending"
            case "unseen":
                return (await self.unseen(narrowed, limit=limit)).page.rows
            case _:
                known = ", ".join(COLLECTIONS)
                raise UsageError(f"There is no collection “{name[:40]}”.", remedy=f"Collections are {known}.")
        return (await self._index.page(query, sort=sort, limit=limit, facets=())).rows

    async def unseen(self, query: str = "", *, offset: int = 0, limit: int = 50) -> Unseen:
        """Models of the whole catalogue that came into being since one last looked, and since when that is.

        Who never looked begins now: nothing is new yet.

        Raises:
            UsageError: the query makes no sense.
            NotFound: there is no catalogue yet.
        """
        since = await self.preferences.moment(LOOKED)
        if since is None:
            since = await self.seen()
        asked = f"{query} {_since(since)}"
        page = await self._index.page(asked, sort="created", offset=offset, limit=limit, facets=())
        return Unseen(since, page)

    async def seen(self) -> datetime:
        """Note that one has seen all that the catalogue has now; the moment from which on models are new.

        Raises:
            NotFound: there is no catalogue yet.
        """
        moment = await self._known_until()
        await self.preferences.keep_moment(LOOKED, moment)
        return moment

    async def _known_until(self) -> datetime:
        """The moment up to which the catalogue can know models: what came later is new when it is listed."""
        status = await self._index.status()
        if status.made is None:
            raise NotFound("There is no catalogue yet.", remedy="`modelshelf catalog sync` makes it.")
        return min(datetime.now(UTC), status.made)

    async def favour(self, model: str) -> None:
        """Mark a model as a favourite.

        Raises:
            UsageError: it is no model's name.
        """
        await self._kept.mark(FAVOURITE, _named(model))

    async def unfavour(self, model: str) -> None:
        """Take the mark away."""
        await self._kept.unmark(FAVOURITE, _named(model))

    async def favourites(self) -> list[str]:
        """The names of the favourites, the last marked first."""
        return await self._kept.marked(FAVOURITE)

    async def visited(self, model: str) -> None:
        """Note that a model was looked at.

        Raises:
            UsageError: it is no model's name.
        """
        await self._kept.mark(RECENT, _named(model))

    async def save(self, name: str, query: str, sort: str = "downloads") -> None:
        """Keep a search under a name, in place of an earlier one of that name.

        Raises:
            UsageError: the query makes no sense, or the name is empty or too long.
        """
        plain = " ".join(name.split())
        if not plain or len(plain) > LONGEST_NAME or not plain.isprintable():
            raise UsageError(f"A search's name has 1 to {LONGEST_NAME} letters.", remedy="Choose another.")
        await self._kept.save(plain, str(parse(query)), sort)

    async def forget(self, name: str) -> None:
        """Let go of a search.

        Raises:
            NotFound: there is none of that name.
        """
        if not await self._kept.forget(name):
            raise _no_search(name)

    async def searches(self) -> tuple[SavedSearch, ...]:
        """The kept searches, each with how many new models it has; none where there is no catalogue."""
        rows = await self._kept.searches()
        counted = await self._index.available()
        found = [SavedSearch(row.name, row.query, row.sort, row.looked) for row in rows]
        if not counted:
            return tuple(found)
        fresh = [await self.fresh(one.query, one.looked) for one in found]
        return tuple(
            SavedSearch(one.name, one.query, one.sort, one.looked, count)
            for one, count in zip(found, fresh, strict=True)
        )

    async def looked(self, name: str) -> None:
        """Note that a search was looked at now: what there is of it is not new any more.

        Raises:
            NotFound: there is none of that name.
        """
        at = await self._known_until() if await self._index.available() else datetime.now(UTC)
        if not await self._kept.look(name, at):
            raise _no_search(name)

    async def fresh(self, query: str, since: datetime) -> int:
        """How many models of an answer came into being since a moment.

        Raises:
            UsageError: the query makes no sense.
            NotFound: there is no catalogue yet.
        """
        return (await self._index.page(f"{query} {_since(since)}", limit=0, facets=())).total

    async def relatives(self, model: str) -> Relatives:
        """The base, the derivatives and the other formats of a model.

        Raises:
            NotFound: there is no catalogue yet, or it does not have the model.
        """
        from modelshelf.discovery.relatives import relatives  # which needs NumPy

        catalogue, row = await self._index.find(model)
        return await asyncio.to_thread(relatives, catalogue.mapped, row)

    async def drift(self) -> tuple[Drift, ...]:
        """Every installed commit that a name leads to, beside what the catalogue knows of it: nobody is asked.

        Raises:
            NotFound: there is no catalogue yet.
        """
        models = [model for model in await self._library.models() if model.refs or not model.managed]
        names = {model.repo: _in_catalogue(model) for model in models}
        found = await self._index.rows(names.values())
        whole = {one.source for one in await self._sync.progress() if one.full}
        return tuple(_drift(model, found.get(names[model.repo]), whole) for model in models)

    async def _rows(self, names: Iterable[str], limit: int) -> "tuple[Row, ...]":
        wanted = list(names)[:limit]
        found = await self._index.rows(wanted)
        return tuple(found[name] for name in wanted if name in found)


def _since(moment: datetime) -> str:
    """The filter for models that came into being after a moment."""
    hours = max((datetime.now(UTC) - moment).total_seconds(), 0) / 3600
    return f"created:<{hours:.6f}h"


def _named(model: str) -> str:
    name = ModelId.parse(model)
    return str(ModelId(name.repo, name.source))


def _in_catalogue(model: InstalledModel) -> str:
    return f"{model.source}:{model.repo}" if model.source else model.repo


def _drift(model: InstalledModel, row: "Row | None", whole: set[str]) -> Drift:
    if row is None:
        gone = model.source is not None and model.source in whole
        return Drift(model.repo, model.commit, "gone" if gone else "unknown", model.source or "")
    commit = row.card.commit
    if commit is None:
        return Drift(model.repo, model.commit, "unknown", row.card.source)
    status = "newest" if commit == model.commit else "newer"
    return Drift(model.repo, model.commit, status, row.card.source, commit)


def _no_search(name: str) -> NotFound:
    return NotFound(f"You keep no search “{name[:60]}”.", remedy="Save it first.")
