"""Did you mean: the nearest word that many names hold."""

from dataclasses import replace
from functools import cached_property

import numpy as np
from rapidfuzz import fuzz, process

from modelshelf.catalog.columns.postings import Postings
from modelshelf.catalog.query import Query
from modelshelf.catalog.words import word_tokens

USUAL = 20  # names that hold a word which is proposed, in a large catalogue
SHORTEST = 3
NEAR = 70.0


class Spelling:
    """Proposes words of the vocabulary."""

    def __init__(self, words: Postings) -> None:
        self._words = words

    @cached_property
    def _usual(self) -> dict[str, int]:
        """The words to propose, with how many names hold each."""
        sizes = self._words.sizes()
        least = USUAL if self._words.count > 1000 * USUAL else 1
        return {self._words.word(int(place)): int(sizes[place]) for place in np.flatnonzero(sizes >= least)}

    def better(self, query: Query) -> Query | None:
        """The query with every word that few names hold replaced by a near one; None if nothing is near."""
        words = [self._replaced(word) for word in query.words]
        return replace(query, words=tuple(words)) if tuple(words) != query.words else None

    def _replaced(self, word: str) -> str:
        parts = word_tokens(word)
        if not parts or len(parts) > 1 or len(parts[0]) < SHORTEST:
            return word
        first, last = self._words.span(parts[0])
        if first < last and int(self._words.ends[last]) - int(self._words.ends[first]) >= USUAL:
            return word
        near = process.extract(parts[0], self._usual.keys(), scorer=fuzz.ratio, score_cutoff=NEAR, limit=5)
        best = max(near, key=lambda one: (round(one[1] / 5), self._usual[one[0]]), default=None)
        return word if best is None else str(best[0])
