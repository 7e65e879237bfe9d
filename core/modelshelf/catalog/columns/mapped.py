"""A generation, mapped: the rows as cards, and models by their names."""

import json
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelshelf.catalog.columns.meanings import FORMATS, GATED, LIBRARY, LICENCE, PRIVATE, SOURCE, TASK, VERSION
from modelshelf.catalog.columns.postings import Postings, TextIndex, load, load_text
from modelshelf.catalog.types import RepoCard
from modelshelf.errors import StoreError

NUMBERS = ("downloads", "likes", "trending", "params", "size", "context", "created", "modified")

type Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Row:
    """A model: its number in this generation, its card, and every source that has it, the first one first."""

    number: int
    card: RepoCard
    origins: tuple[str, ...]


class Mapped:
    """The columns of a generation. Nothing is read before it is used, and what is read the system may drop again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            values: Mapping[str, Any] = json.loads((folder / "values.json").read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise StoreError(f"The catalogue in {folder} cannot be read: {error}.", remedy=_REMEDY) from error
        if values.get("version") != VERSION:
            raise StoreError(f"The catalogue in {folder} is of another version.", remedy=_REMEDY)
        self.values = values
        self.rows: int = values["rows"]
        self.combined = self.column("combined")
        self.combinations = np.asarray(self.column("combinations"))
        self.columns = [np.ascontiguousarray(column) for column in self.combinations.T]
        self.quants = self.column("quants")
        self.by_name = self.column("by_name")
        self.numbers: Mapping[str, Array] = {name: self.column(name) for name in NUMBERS}
        usual = self.column("usual")
        self.usual = {(key, value): usual[number] for number, (key, value) in enumerate(values["usual"])}
        self.text: TextIndex = load_text(self.column, values["dense"], self.rows)
        self.tags: Postings = load(self.column, "tag", self.rows)
        self._names = self.column("names"), self.column("names_ends")
        self._commits = self.column("commits"), self.column("commits_ends")
        self._tag_texts = self.column("tags_text"), self.column("tags_text_ends")
        self._tag_lists = self.column("tags_codes"), self.column("tags_ends")
        self._architecture = self.column("architecture")

    def column(self, name: str) -> Array:
        """A column, mapped.

        Raises:
            StoreError: it is missing or broken.
        """
        try:
            found: Array = np.load(self.folder / f"{name}.npy", mmap_mode="r").view(np.ndarray)
        except (OSError, ValueError) as error:
            raise StoreError(f"The catalogue in {self.folder} is broken: {error}.", remedy=_REMEDY) from error
        return found

    @cached_property
    def orders(self) -> Mapping[str, tuple[Array, Array]]:
        """Of each measure the rows in descending order, and the place of each row in it."""
        measures = [name for name in NUMBERS if name != "downloads"]
        return {name: (self.column(f"{name}_order"), self.column(f"{name}_place")) for name in measures}

    @cached_property
    def known(self) -> Mapping[str, int]:
        """How many models say each measure; in descending order these come first."""
        return {name: self._first_below(name, 0) for name in NUMBERS}

    def above(self, name: str, bound: float, *, closed: bool) -> int:
        """How many rows have a measure above a bound, which counts as above where it is `closed`."""
        return self._first_below(name, bound) if closed else self._first_below(name, bound, equal=True)

    def _first_below(self, name: str, bound: float, *, equal: bool = False) -> int:
        column, order = self.numbers[name], self.orders[name][0] if name != "downloads" else None

        def below(place: int) -> bool:
            value = int(column[order[place] if order is not None else place])
            return value <= bound if equal else value < bound

        return bisect_left(range(self.rows), True, key=below)

    def name(self, row: int) -> str:
        """`org/name` of a row."""
        return _text(self._names, row)

    def find(self, name: str) -> list[int]:
        """The rows of a name, upper and lower case alike: one for each source that has another commit of it."""
        first, last = self._span(_key(name), _key(name) + b"\0")
        return [int(row) for row in self.by_name[first:last]]

    def of_author(self, author: str) -> Array:
        """The rows of a publisher."""
        if not author.isascii():
            rows, _names = self.other
            return rows[[self.name(int(row)).partition("/")[0].lower() == author.lower() for row in rows]]
        first, last = self._span(_key(f"{author}/"), _key(f"{author}0"))
        return self.by_name[first:last]

    def authors(self, prefix: str, limit: int = 8) -> list[str]:
        """Publishers that begin so, by name."""
        found: list[str] = []
        place = self._span(_key(prefix), b"")[0]
        while len(found) < limit and place < self.rows:
            author = self.name(int(self.by_name[place])).partition("/")[0]
            if not _key(author).startswith(_key(prefix)):
                break
            found.append(author)
            place = self._span(_key(f"{author}0"), b"")[0]
        return found

    @cached_property
    def other(self) -> tuple[Array, Sequence[str]]:
        """The rows whose names have letters of other scripts, and these names as words are looked for in them."""
        if not self.values.get("other"):
            return np.empty(0, np.uint32), ()
        return self.column("other_rows"), self.column("other_names").tobytes().decode().split("\n")

    def holding(self, text: str) -> Array:
        """The rows of `other` whose names hold a text, as `words.folded` gives it."""
        rows, names = self.other
        return rows[[text in name for name in names]] if len(rows) else rows

    def commit(self, row: int) -> str | None:
        """The commit of a row, where the source says it."""
        return _text(self._commits, row) or None

    def fetch(self, rows: Iterable[int]) -> tuple[Row, ...]:
        """These rows, in this order."""
        numbers = np.fromiter(rows, np.int64)
        combinations = self.combinations[self.combined[numbers]].tolist()
        figures = {name: [_known(value) for value in column[numbers].tolist()] for name, column in self.numbers.items()}
        quants = self.quants[numbers].tolist()
        return tuple(
            self._row(
                int(row), combinations[place], quants[place], {name: said[place] for name, said in figures.items()}
            )
            for place, row in enumerate(numbers)
        )

    def _row(self, row: int, said: Sequence[int], quants: int, figures: Mapping[str, int | None]) -> Row:
        values = self.values
        source = values["source"][said[SOURCE]]
        card = RepoCard(
            source=source,
            repo=self.name(row),
            commit=self.commit(row),
            task=values["pipeline_tag"][said[TASK]] or None,
            library=values["library"][said[LIBRARY]] or None,
            licence=values["license"][said[LICENCE]] or None,
            tags=self._tags_of(row),
            formats=tuple(values["formats"][code] for code in values["format_sets"][said[FORMATS]]),
            quantisations=tuple(values["quants"][code] for code in values["quant_sets"][quants]),
            downloads=figures["downloads"],
            likes=figures["likes"],
            trending=figures["trending"],
            gated=bool(said[GATED]),
            private=bool(said[PRIVATE]),
            created=_moment(figures["created"]),
            modified=_moment(figures["modified"]),
            parameters=figures["params"],
            size=figures["size"],
            context=figures["context"],
            architecture=values["architecture"][self._architecture[row]] or None,
        )
        return Row(row, card, tuple(values["origins"].get(str(row), (source,))))

    def _tags_of(self, row: int) -> tuple[str, ...]:
        codes, ends = self._tag_lists
        return tuple(_text(self._tag_texts, code) for code in codes[ends[row] : ends[row + 1]].tolist())

    def _span(self, low: bytes, high: bytes) -> tuple[int, int]:
        def key(place: int) -> bytes:
            return _key(self.name(int(self.by_name[place])))

        places = range(self.rows)
        return bisect_left(places, low, key=key), bisect_left(places, high, key=key) if high else 0


_REMEDY = "`modelshelf catalog sync` makes it anew."


def _text(column: tuple[Array, Array], row: int) -> str:
    blob, ends = column
    return blob[ends[row] : ends[row + 1]].tobytes().decode()


def _key(name: str) -> bytes:
    """By what names are in order: upper and lower case of ASCII alike."""
    return name.encode().lower()


def _known(value: int) -> int | None:
    return value if value >= 0 else None


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
