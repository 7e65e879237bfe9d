"""The catalogue as everyone asks it: the generation in use, followed as newer ones come."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from modelshelf.catalog.query import Query, complete, key_of, parse, quoted
from modelshelf.errors import NotFound, StoreError, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from modelshelf.catalog.columns.bits import Bits
    from modelshelf.catalog.columns.generations import Generations, Hold
    from modelshelf.catalog.columns.mapped import Mapped, Row
    from modelshelf.catalog.columns.pages import Catalogue, Page, Ranking

WARMED = ("", "a", "llama", "is:gated", "format:gguf size:<8GB")
_CHOICES = {"task": "pipeline_tag", "library": "library", "license": "license", "format": "formats", "quant": "quants"}
_RANKED = frozenset({"fits", "recommended"})
MOST_CHOICES = 12


class Ranks(Protocol):
    """How well every model of a generation does on this machine."""

    @property
    def standing(self) -> "Ranking":
        """The order, the best provider counting."""
        ...

    def fitting(self, least: int, provider: str = "") -> "Bits":
        """The rows with such a score or a better one; with one provider, or with any.

        Raises:
            NotFound: there is no such provider on this machine.
        """
        ...


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """The generation in use: its name, empty for none; its models; when it was made, and from which sources.

    `error` says why there is none where one cannot be read.
    """

    generation: str = ""
    rows: int = 0
    made: datetime | None = None
    sources: tuple[str, ...] = ()
    error: str = ""


class CatalogIndex:
    """Searches the generation in use. `installed` gives the repositories that are in the library.

    `ranks` tells how models do on this machine, for the columns it is given; None until somebody knows.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.installed: Callable[[], Awaitable[Iterable[str]]] | None = None
        self.ranks: Callable[[Mapped], Awaitable[Ranks]] | None = None
        self.recommended_from = 60
        self._opened: tuple[Catalogue, Hold] | None = None
        self._lock = Lock()

    async def page(
        self,
        query: str | Query = "",
        *,
        sort: str = "downloads",
        offset: int = 0,
        limit: int = 50,
        facets: Sequence[str] | None = None,
    ) -> "Page":
        """One page of an answer, with the exact count, facets, and a better spelling where little was found.

        `sort` is one of `modelshelf.catalog.columns.pages.SORTS`, ascending with `-` before it.

        Raises:
            UsageError: the query, the order or a facet makes no sense; the message names the word and its place.
            NotFound: there is no catalogue yet.
        """
        asked = parse(query) if isinstance(query, str) else query
        catalogue = await asyncio.to_thread(self._current)
        marks, ranks = await self._known(asked, catalogue.mapped, sort)
        return await asyncio.to_thread(_page, catalogue, asked, marks, ranks, (sort, offset, limit, facets))

    async def counts(self, query: str | Query, tokens: Iterable[str]) -> dict[str, int]:
        """How many models each of these filters would leave in place of those of its own key, all others kept.

        A filter that nobody can answer here is left out; a provider that this machine does not have leaves none.

        Raises:
            UsageError: the query or a filter makes no sense.
            NotFound: there is no catalogue yet.
        """
        asked = parse(query) if isinstance(query, str) else query
        catalogue = await asyncio.to_thread(self._current)
        marks: dict[str, Bits] = {}
        found: dict[str, int] = {}
        for token in tokens:
            one = asked.instead(token)
            try:
                more, _ranks = await self._known(one, catalogue.mapped, "", marks)
            except (UsageError, NotFound):  # a provider that runs nothing on this machine
                found[token] = 0
                continue
            marks.update(more)
            if all(word in marks for word in one.marks):
                found[token] = await asyncio.to_thread(catalogue.count, one, marks)
        return found

    async def rows(self, names: Iterable[str]) -> "dict[str, Row]":
        """Models by their names, `org/name` or `source:org/name`; those that the catalogue does not have are left out.

        Raises:
            NotFound: there is no catalogue yet.
        """
        wanted = list(names)
        return await asyncio.to_thread(lambda: _rows(self._current().mapped, wanted))

    async def find(self, name: str) -> "tuple[Catalogue, Row]":
        """A model by its name, and the generation that it is in.

        Raises:
            NotFound: there is no catalogue yet, or it does not have the model.
        """

        def look() -> "tuple[Catalogue, Row]":
            catalogue = self._current()
            found = _rows(catalogue.mapped, [name])
            if name not in found:
                raise NotFound(f"The catalogue has no {name[:200]}.", remedy="`modelshelf catalog sync` may bring it.")
            return catalogue, found[name]

        return await asyncio.to_thread(look)

    async def complete(self, text: str) -> list[str]:
        """What the last word of a query may become, with the catalogue's own publishers, tasks, libraries and so on."""
        found = complete(text)
        if not await self.available() or not text or text[-1].isspace():
            return found
        own = await asyncio.to_thread(_choices, self._current().mapped, text.split()[-1])
        return list(dict.fromkeys([*found, *own]))[:MOST_CHOICES]

    async def available(self) -> bool:
        """Whether there is a catalogue to search."""
        return bool((await self.status()).generation)

    async def status(self) -> IndexStatus:
        """Which generation is in use; none where it is broken or of another version, until it is made anew."""

        def look() -> IndexStatus:
            try:
                mapped = self._current().mapped
            except NotFound:
                return IndexStatus()
            except StoreError as error:
                return IndexStatus(error=error.message)
            made = datetime.fromtimestamp((mapped.folder / "values.json").stat().st_mtime, UTC)
            return IndexStatus(mapped.folder.name, mapped.rows, made, tuple(mapped.values["sources"]))

        return await asyncio.to_thread(look)

    async def warm(self) -> None:
        """Have what most searches read in memory, so that the first key is as quick as the others."""

        def touch() -> None:
            from modelshelf.catalog.columns.pages import SORTS, Sort

            catalogue = self._current()
            for text in WARMED:
                catalogue.page(parse(text))
            for key in SORTS[:-1]:
                catalogue.page(parse(""), sort=Sort(key), facets=())

        await asyncio.to_thread(touch)

    async def to_frame(self, columns: Sequence[str] | None = None) -> "pd.DataFrame":
        """The whole catalogue, or these columns of it, a row for each model, the most downloaded first.

        Raises:
            NotFound: there is no catalogue yet.
            UsageError: there is no such column.
        """

        def read() -> "pd.DataFrame":
            from modelshelf.catalog.frame import whole

            return whole(self._current().mapped.folder / "models.parquet", columns)

        return await asyncio.to_thread(read)

    async def export(self, file: Path) -> int:
        """Write the whole catalogue as a Parquet file, and say how many models it holds.

        Raises:
            NotFound: there is no catalogue yet.
            OSError: it cannot be written.
        """

        def copy() -> int:
            mapped = self._current().mapped
            beside = file.with_name(f"{file.name}.part")
            try:
                shutil.copyfile(mapped.folder / "models.parquet", beside)
                beside.replace(file)
            finally:
                beside.unlink(missing_ok=True)
            return mapped.rows

        return await asyncio.to_thread(copy)

    def close(self) -> None:
        """Let go of the generation."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            opened[1].release()

    def _current(self) -> "Catalogue":
        """The generation in use, opened. For threads: it reads the pointer, and maps what is new."""
        from modelshelf.catalog.columns import generations as kept

        generations = kept.Generations(self.folder)
        name = generations.current()
        with self._lock:
            if self._opened is not None and self._opened[1].folder.name == name:
                return self._opened[0]
            return self._open(generations)

    def _open(self, generations: "Generations") -> "Catalogue":
        from modelshelf.catalog.columns.mapped import Mapped
        from modelshelf.catalog.columns.pages import Catalogue

        hold = generations.hold()
        if hold is None:
            raise NotFound("There is no catalogue yet.", remedy="`modelshelf catalog sync` makes it.")
        try:
            catalogue = Catalogue(Mapped(hold.folder))
        except BaseException:
            hold.release()
            raise
        if self._opened is not None:
            self._opened[1].release()
        self._opened = catalogue, hold
        return catalogue

    async def _known(
        self, query: Query, mapped: "Mapped", sort: str, told: "Mapping[str, Bits] | None" = None
    ) -> "tuple[Mapping[str, Bits], Ranks | None]":
        """What the query needs that is known elsewhere, and was not `told` before."""
        marks: dict[str, Bits] = {}
        words = [word for word in query.marks if word not in (told or {})]
        if "installed" in words and self.installed is not None:
            names = list(await self.installed())
            marks["installed"] = await asyncio.to_thread(_named, mapped, names)
        ranked = [word for word in words if word in _RANKED or word.startswith("provider:")]
        if self.ranks is None or not (ranked or sort.removeprefix("-") in {"compatibility", "fit"}):
            return marks, None
        ranks = await self.ranks(mapped)
        for word in ranked:
            least = self.recommended_from if word == "recommended" else 1
            provider = word.partition(":")[2]
            marks[word] = await asyncio.to_thread(ranks.fitting, least, provider)
        return marks, ranks


def _page(
    catalogue: "Catalogue",
    query: Query,
    marks: "Mapping[str, Bits]",
    ranks: Ranks | None,
    wanted: tuple[str, int, int, Sequence[str] | None],
) -> "Page":
    from modelshelf.catalog.columns.facets import FACETS
    from modelshelf.catalog.columns.pages import Sort

    sort, offset, limit, facets = wanted
    if offset < 0 or limit < 0:
        raise UsageError("A page begins at 0 or later, and has 0 rows or more.", remedy="Leave the offset out.")
    return catalogue.page(
        query,
        sort=Sort.parse(sort),
        offset=offset,
        limit=limit,
        facets=FACETS if facets is None else facets,
        marks=marks,
        ranking=ranks.standing if ranks else None,
    )


def _named(mapped: "Mapped", names: Iterable[str]) -> "Bits":
    """The rows of repositories, of whatever source."""
    import numpy as np

    from modelshelf.catalog.columns.bits import of_rows

    return of_rows(mapped.rows, np.array([row for name in names for row in mapped.find(name)], np.int64))


def _rows(mapped: "Mapped", names: Iterable[str]) -> "dict[str, Row]":
    found: dict[str, Row] = {}
    for name in names:
        source, colon, repo = name.rpartition(":")
        rows = mapped.fetch(mapped.find(repo))
        fitting = [row for row in rows if not colon or source in {one.partition(":")[0] for one in row.origins}]
        if fitting:
            found[name] = fitting[0]
    return found


def _choices(mapped: "Mapped", word: str) -> list[str]:
    minus = "-" if word.startswith("-") else ""
    name, colon, value = word.removeprefix("-").partition(":")
    before, comma, last = value.rpartition(",")
    if not colon:
        return []
    key = key_of(name)
    names = mapped.authors(last) if key == "author" and last else _said(mapped, key, last.lower())
    return [f"{minus}{key}:{before}{comma}{quoted(name)}" for name in names if name != last]


def _said(mapped: "Mapped", key: str, prefix: str) -> list[str]:
    values = mapped.values.get(_CHOICES.get(key, ""), [])
    return sorted(value for value in values if value and '"' not in value and value.lower().startswith(prefix))[
        :MOST_CHOICES
    ]
