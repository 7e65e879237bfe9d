"""The vocabulary of the sample model: one in which every input can be written, SentencePiece style.

Words are reached from their first letter onwards (`▁t`, `▁th`, `▁the`), so every beginning of a word is a piece too and
merging is never ambiguous. What no piece covers is written in bytes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from modelshelf.samples.bigram import END, Bigrams, control
from modelshelf.samples.corpus import TOPICS

SPACE = "▁"
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6
MARKS = frozenset(".,!?")
TURNS = ("<|system|>", "<|user|>", "<|assistant|>")
"""What the chat template puts before a message of each role."""
LETTERS = "".join(chr(code) for code in range(33, 127))


@dataclass(frozen=True)
class Vocabulary:
    """`tokens` in order of their numbers, with `kinds` (ggml's token types) and `scores` beside them."""

    tokens: tuple[str, ...]
    kinds: tuple[int, ...]

    @cached_property
    def scores(self) -> tuple[float, ...]:
        """What merging prefers: earlier pieces over later ones."""
        return tuple(-float(n) if kind == NORMAL else 0.0 for n, kind in enumerate(self.kinds))

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """The number of each token."""
        return {token: number for number, token in enumerate(self.tokens)}

    @cached_property
    def merges(self) -> tuple[tuple[str, str], ...]:
        """The pairs that are merged: a beginning of a word and its next letter."""
        known = self.numbers
        pairs = ((token[:-1], token[-1]) for token, kind in zip(self.tokens, self.kinds, strict=True) if kind == NORMAL)
        return tuple((left, right) for left, right in pairs if left in known and right in known)

    @property
    def controls(self) -> tuple[str, ...]:
        """The tokens that are never text."""
        return tuple(t for t, kind in zip(self.tokens, self.kinds, strict=True) if kind in {CONTROL, UNKNOWN})


def vocabulary(table: Bigrams) -> Vocabulary:
    """The tokens that a table needs, and those that any input needs."""
    head = ["<unk>", "<s>", END]
    spoken = [*TURNS, *(control(topic.name) for topic in TOPICS)]
    octets = [f"<0x{octet:02X}>" for octet in range(256)]
    pieces = dict.fromkeys([SPACE, *LETTERS, *_beginnings(table.words)])
    pieces |= dict.fromkeys(written(unit) for unit in table.words)
    pieces |= dict.fromkeys(written(unit, opens=True) for unit in table.openers)
    kinds = [UNKNOWN, CONTROL, CONTROL, *[CONTROL] * len(spoken), *[BYTE] * 256, *[NORMAL] * len(pieces)]
    return Vocabulary((*head, *spoken, *octets, *pieces), tuple(kinds))


def written(unit: str, *, opens: bool = False) -> str:
    """The piece of a unit: with a space before it, unless it opens an answer or is a mark."""
    return ("" if opens or unit[0] in MARKS or unit == END else SPACE) + unit.replace(" ", SPACE)


def _beginnings(units: Iterable[str]) -> Iterable[str]:
    """Every beginning of every word, with the space before it."""
    for unit in units:
        for word in unit.split(" "):
            bare = word.strip(".,!?")
            yield from (SPACE + bare[:length] for length in range(1, len(bare) + 1))
