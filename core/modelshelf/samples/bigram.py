"""The table the sample model is made of: which word follows which, and how likely, counted in the corpus."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from modelshelf.samples.corpus import OPENINGS, TOPICS

END = "</s>"
PREFERENCE = 0.5
"""How much more often the first of equals is counted: enough to survive 8 bits."""


@dataclass(frozen=True, slots=True)
class Bigrams:
    """`words` in their order of first appearance; `after[word]` gives the log-probability of each follower.

    A topic appears as `<|topic|>`; `END` follows where an answer may end. `openers` begin an answer.
    """

    words: tuple[str, ...]
    after: Mapping[str, Mapping[str, float]]

    @property
    def openers(self) -> tuple[str, ...]:
        """The units that may stand first, right after a topic."""
        return _unique(unit for topic in TOPICS for unit in self.after[control(topic.name)])


def control(topic: str) -> str:
    """The token that stands for a topic."""
    return f"<|{topic}|>"


def bigrams() -> Bigrams:
    """Count the corpus."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    lines = [(control(topic.name), *_units(line)) for topic in TOPICS for line in topic.answers]
    lines += [tuple(_units(line)) for line in OPENINGS]
    for line in lines:
        for word, following in zip(line, (*line[1:], END), strict=True):
            counts[word][following] += 1
    return Bigrams(_unique(word for line in lines for word in line if not word.startswith("<|")), _likely(counts))


def likeliest(table: Bigrams, start: str, limit: int = 60) -> list[str]:
    """The words that follow when the likeliest is always taken, up to the end of the answer."""
    said = [max(table.after[start].items(), key=lambda entry: entry[1])[0]]
    while said[-1] != END and len(said) < limit:
        said.append(max(table.after[said[-1]].items(), key=lambda entry: entry[1])[0])
    return said


def _likely(counts: Mapping[str, Counter[str]]) -> dict[str, dict[str, float]]:
    """Log-probabilities. Of several likeliest, the one nearest to an end gets more, so that none leads in a circle."""
    far = _distances(counts)
    likely = {}
    for word, following in counts.items():
        first = min(following, key=lambda name: (-following[name], far[name]))
        weights = {name: count + (PREFERENCE if name == first else 0) for name, count in following.items()}
        total = sum(weights.values())
        likely[word] = {name: math.log(weight / total) for name, weight in weights.items()}
    return likely


def _distances(counts: Mapping[str, Counter[str]]) -> dict[str, int]:
    """How many words each word is from an end of an answer."""
    far, edge = {END: 0}, {END}
    while edge:
        edge = {word for word, following in counts.items() if word not in far and edge & following.keys()}
        far |= dict.fromkeys(edge, max(far.values()) + 1)
    return far


def _units(line: str) -> tuple[str, ...]:
    return tuple(unit.replace("_", " ") for unit in line.split())


def _unique(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))
