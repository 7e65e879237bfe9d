"""Sets of letters for patterns: which of a few letters, one of every kind, a class of a regular expression matches."""

import re
import unicodedata
from collections.abc import Iterable

# One of every general category, beside all of ASCII; a pattern's own letters are added to them.
_KINDS = "éÉ中ʰǅ́ः١Ⅷ²„“”«»€∑©ˆ\u00a0\u2028\u2029\u0085\u200b\ue000😀‿—가ぁア、。，"
_RANGE = re.compile(
    r"\\[pP]\{\^?\w+(?:=\w+)?\}|\\[pP]\w|\[:\^?\w+:\]|\\x\{[0-9A-Fa-f]+\}|\\x[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\.|.",
    re.DOTALL,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "a": "\a", "e": "\x1b", "0": "\0"}
_SCRIPTS = {"han": "中", "hiragana": "ぁ", "katakana": "ア", "hangul": "가", "latin": "é"}
_POSIX = {"alpha": "L", "digit": "Nd", "alnum": "LN", "space": "Z", "punct": "PS", "upper": "Lu", "lower": "Ll"}


class Letters:
    """The letters that stand for all others, and sets of them as bit masks."""

    def __init__(self, pattern: str) -> None:
        own = sorted({letter for letter in pattern if ord(letter) > 127})[:100]
        self._all = [chr(code) for code in range(128)] + [*_KINDS, *(letter for letter in own if letter not in _KINDS)]
        self.every = (1 << len(self._all)) - 1
        self.line = self.every & ~self.mask("\n")

    def mask(self, letters: Iterable[str]) -> int:
        """The set of these letters; one that stands for none here is matched by the nearest that does."""
        found = set(letters)
        return sum(1 << index for index, letter in enumerate(self._all) if letter in found)

    def piece(self, text: str, *, fold: bool) -> int:
        """The set that one piece of a pattern matches: a letter, an escape, or a class in brackets."""
        mask = self._bracket(text) if text.startswith("[") and len(text) > 1 else self._one(text)
        return self._folded(mask) if fold else mask

    def _folded(self, mask: int) -> int:
        chosen = [letter for index, letter in enumerate(self._all) if mask >> index & 1]
        return mask | self.mask([other for letter in chosen for other in (letter.lower(), letter.upper())])

    def _bracket(self, text: str) -> int:
        inner = text[1:-1]
        negated = inner.startswith("^")
        parts = _RANGE.findall(inner[negated:])
        mask, place = 0, 0
        while place < len(parts):
            if place + 2 < len(parts) and parts[place + 1] == "-":
                mask |= self._between(_letter(parts[place]), _letter(parts[place + 2]))
                place += 3
            else:
                mask |= self._one(parts[place])
                place += 1
        return self.every & ~mask if negated else mask

    def _between(self, low: str, high: str) -> int:
        return self.mask([letter for letter in self._all if low <= letter <= high])

    def _one(self, text: str) -> int:
        if text == ".":
            return self.line
        if text.startswith("[:"):
            negated, name = text[2] == "^", text.strip("[:^]")
            return self._category(_POSIX.get(name, ""), negated=negated)
        if not text.startswith("\\") or len(text) < 2:
            return self.mask(text)
        kind = text[1]
        if kind in "pP":
            name = text[2:].strip("{}")
            return self._category(name.removeprefix("^"), negated=(kind == "P") != name.startswith("^"))
        classes = {"d": str.isdecimal, "s": str.isspace, "w": _wordy}
        if kind.lower() in classes:
            mask = self.mask([letter for letter in self._all if classes[kind.lower()](letter)])
            return self.every & ~mask if kind.isupper() else mask
        return self.mask(_letter(text))

    def _category(self, name: str, *, negated: bool) -> int:
        name = name.rpartition("=")[2]
        if name.lower() in _SCRIPTS:
            mask = self.mask(_SCRIPTS[name.lower()])
        elif len(name) <= 2:
            mask = self.mask([letter for letter in self._all if unicodedata.category(letter).startswith(name)])
        else:
            return self.every  # a property that is not known here may match anything
        return self.every & ~mask if negated else mask


def _wordy(letter: str) -> bool:
    return letter.isalnum() or letter == "_" or unicodedata.category(letter).startswith("M")


def _letter(text: str) -> str:
    """The letter that an escape stands for."""
    if not text.startswith("\\") or len(text) < 2:
        return text[:1]
    if text[1] in "xu" and (digits := text[2:].strip("{}")):
        code = int(digits, 16)
        return chr(code) if code < 0x110000 else text[1]
    return _ESCAPES.get(text[1], text[1])
