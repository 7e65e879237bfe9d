"""Which rows hold which words: a sorted vocabulary, the rows of each word, and where each three letters stand in it.

All words that begin alike lie side by side, and so do their rows: a prefix is one slice. Letters inside words are found
by the places of every three letters in a row. For prefixes that many rows hold the whole answer is kept as bits.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelshelf.catalog.columns.bits import Bits, empty_mask, none, pack
from modelshelf.catalog.words import INSIDE

LONGEST = 255  # letters of a word that are looked at
DENSE = 24  # a prefix is kept as bits when one row in so many holds it
DENSE_LENGTH = 8
MOST_DENSE = 256
SLICES = 512  # runs of words up to which copying run by run is faster than gathering
_LETTERS = np.full(256, 255, np.uint8)
_LETTERS[np.frombuffer(b"abcdefghijklmnopqrstuvwxyz0123456789", np.uint8)] = np.arange(36)

type Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Postings:
    """`blob` holds the words one after another, cut by `cuts`; `rows[ends[i]:ends[i + 1]]` are those of word i."""

    count: int
    blob: Array
    cuts: Array
    ends: Array
    rows: Array

    def __len__(self) -> int:
        return len(self.cuts) - 1

    def word(self, number: int) -> str:
        """A word of the vocabulary."""
        return bytes(self.blob[self.cuts[number] : self.cuts[number + 1]]).decode()

    def span(self, prefix: str) -> tuple[int, int]:
        """The words that begin so."""
        return self._place(prefix.encode()), self._place(prefix.encode() + b"\xff")

    def find(self, word: str) -> int | None:
        """The number of a word."""
        wanted = word.encode()
        place = self._place(wanted)
        return place if place < len(self) and self._bytes(place) == wanted else None

    def rows_of(self, word: str) -> Array:
        """The rows that hold exactly this word."""
        place = self.find(word)
        return self.rows[:0] if place is None else self.rows[self.ends[place] : self.ends[place + 1]]

    def sizes(self) -> Array:
        """How many rows hold each word."""
        return np.diff(self.ends)

    def _place(self, wanted: bytes) -> int:
        return bisect_left(range(len(self)), wanted, key=self._bytes)

    def _bytes(self, number: int) -> bytes:
        return self.blob[self.cuts[number] : self.cuts[number + 1]].tobytes()


@dataclass(frozen=True, slots=True)
class TextIndex:
    """Words of names. `places[starts[c]:starts[c + 1]]` are the words with the three letters of code c, `at` where."""

    words: Postings
    starts: Array
    places: Array
    at: Array
    dense: dict[str, Bits]

    def matching(self, part: str) -> Bits:
        """The rows with a word that begins with `part`, or holds it when it is long enough."""
        known = self.dense.get(part)
        if known is not None:
            return known
        mask = empty_mask(self.words.count)
        first, last = self.words.span(part)
        mask[self.words.rows[self.words.ends[first] : self.words.ends[last]]] = True
        if len(part) >= INSIDE:
            found = self.holding(part)
            self._mark(mask, found[(found < first) | (found >= last)])
        return pack(mask)

    def holding(self, part: str) -> Array:
        """The words that hold these letters anywhere, ascending; at least three letters."""
        letters = _LETTERS[np.frombuffer(part.encode()[:LONGEST], np.uint8)].astype(np.int64)
        codes = letters[:-2] * 1296 + letters[1:-1] * 36 + letters[2:]
        sizes = self.starts[codes + 1] - self.starts[codes]
        rarest = int(np.argmin(sizes))
        chosen = slice(self.starts[codes[rarest]], self.starts[codes[rarest] + 1])
        words, at = self.places[chosen], self.at[chosen].astype(np.int64) - rarest
        if len(part) > INSIDE:
            words = self._checked(words, at, part.encode())
        # A word may hold the letters twice.
        return words[np.concatenate([[True], words[1:] != words[:-1]])] if len(words) else words

    def _checked(self, words: Array, at: Array, part: bytes) -> Array:
        begin, end = self.words.cuts[words].astype(np.int64), self.words.cuts[words + 1].astype(np.int64)
        fits = (at >= 0) & (begin + at + len(part) <= end)
        words, begin = words[fits], (begin + at)[fits]
        for place, letter in enumerate(part):
            same = self.words.blob[begin + place] == letter
            words, begin = words[same], begin[same]
        return words

    def _mark(self, mask: NDArray[np.bool_], words: Array) -> None:
        """Set the rows of these words, which are ascending: run by run, or all at once where there are many runs."""
        if not len(words):
            return
        numbers = words.astype(np.int64)
        breaks = np.flatnonzero(np.diff(numbers) != 1)
        begin = self.words.ends[numbers[np.concatenate([[0], breaks + 1])]].astype(np.int64)
        end = self.words.ends[numbers[np.concatenate([breaks, [len(numbers) - 1]])] + 1].astype(np.int64)
        sizes = end - begin
        large = sizes > np.partition(sizes, -SLICES)[-SLICES] if len(sizes) > SLICES else np.ones(len(sizes), bool)
        for start, stop in zip(begin[large].tolist(), end[large].tolist(), strict=True):
            mask[self.words.rows[start:stop]] = True
        begin, sizes = begin[~large], sizes[~large]
        if len(begin):
            shift = np.repeat(begin - np.concatenate([[0], np.cumsum(sizes)[:-1]]), sizes)
            mask[self.words.rows[shift + np.arange(len(shift))]] = True


def build(count: int, words: Sequence[bytes], codes: Array, parents: Array) -> Postings:
    """From the sorted vocabulary, and for each occurrence its word and its row."""
    keys = codes.astype(np.int64) << 32
    keys |= parents
    keys.sort()
    keys = keys[np.concatenate([[True], keys[1:] != keys[:-1]])] if len(keys) else keys
    ends = np.searchsorted(keys, np.arange(len(words) + 1, dtype=np.int64) << 32)
    cuts = np.concatenate([[0], np.cumsum([len(word) for word in words], dtype=np.int64)])
    blob = np.frombuffer(b"".join(words), np.uint8)
    return Postings(count, blob, cuts.astype(np.uint32), ends.astype(np.uint32), keys.astype(np.uint32))


def threes(words: Postings) -> tuple[Array, Array, Array]:
    """Where every three letters stand in the vocabulary: starts by code, words, and the place in the word."""
    letters = _LETTERS[words.blob].astype(np.uint16)
    if len(letters) < INSIDE:
        return np.zeros(36**3 + 1, np.uint32), np.empty(0, np.uint32), np.empty(0, np.uint8)
    codes = letters[:-2] * np.uint16(1296) + letters[1:-1] * np.uint16(36) + letters[2:]
    lengths = np.diff(words.cuts).astype(np.int64)
    owner = np.repeat(np.arange(len(words), dtype=np.uint32), lengths)[: len(codes)]
    at = np.arange(len(codes), dtype=np.int64) - words.cuts[owner]
    inside = (at + INSIDE <= lengths[owner]) & (at < LONGEST)
    codes, owner, at = codes[inside], owner[inside], at[inside]
    order = np.argsort(codes, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=36**3))])
    return starts.astype(np.uint32), owner[order], at[order].astype(np.uint8)


def heavy_prefixes(words: Postings) -> list[str]:
    """The prefixes that many rows hold, the shortest first."""
    least = max(words.count // DENSE, 1)
    found: list[tuple[int, str]] = []
    for length in range(1, DENSE_LENGTH + 1):
        starts = _starts(words, length)
        sizes = np.diff(words.ends[np.concatenate([starts, [len(words)]])].astype(np.int64))
        for place in np.flatnonzero(sizes >= least):
            word = words.word(int(starts[place]))
            if len(word) >= length:
                found.append((int(sizes[place]), word[:length]))
    return [prefix for _, prefix in sorted(found, key=lambda one: -one[0])[:MOST_DENSE]]


def _starts(words: Postings, length: int) -> Array:
    """The first of all words that begin with the same letters."""
    cuts = words.cuts.astype(np.int64)
    begin, sizes = cuts[:-1], np.diff(cuts)
    differs = np.zeros(len(begin), bool)
    differs[:1] = True
    for place in range(length):
        letter = np.where(sizes > place, words.blob[np.minimum(begin + place, len(words.blob) - 1)], 0)
        differs[1:] |= letter[1:] != letter[:-1]
    return np.flatnonzero(differs)


def save(folder: Path, name: str, words: Postings) -> None:
    """Write a vocabulary with its rows."""
    for field in ("blob", "cuts", "ends", "rows"):
        np.save(folder / f"{name}_{field}.npy", getattr(words, field))


def load(read: Callable[[str], Array], name: str, count: int) -> Postings:
    """A vocabulary, mapped; `read` gives a column by its name."""
    return Postings(count, *(read(f"{name}_{field}") for field in ("blob", "cuts", "ends", "rows")))


def load_text(read: Callable[[str], Array], names: Sequence[str], count: int) -> TextIndex:
    """The index over names, mapped; `names` are the prefixes that are kept as bits."""
    words = load(read, "words", count)
    dense = read("dense")
    kept = {name: dense[number] for number, name in enumerate(names)}
    return TextIndex(words, read("three_starts"), read("three_words"), read("three_at"), kept)


def save_text(folder: Path, words: Postings) -> list[str]:
    """Write the index over names; the prefixes that are kept as bits, in order."""
    save(folder, "words", words)
    starts, places, at = threes(words)
    for name, column in (("three_starts", starts), ("three_words", places), ("three_at", at)):
        np.save(folder / f"{name}.npy", column)
    index = TextIndex(words, starts, places, at, {})
    names = heavy_prefixes(words)
    bits = [index.matching(name) for name in names] or [none(words.count)]
    np.save(folder / "dense.npy", np.stack(bits))
    return names
