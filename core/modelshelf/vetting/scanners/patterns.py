"""Regular expressions that can take for ever: those that match some text in very many ways.

A pattern becomes an automaton of its letters. It is catastrophic when a letter can be left and reached again by two
ways over the same text (the time doubles with each letter of the text), or when four loops in a row match the same
letter (the time grows with its fourth power).
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from modelshelf.vetting.scanners.letters import Letters

MAX_LENGTH = 20_000
MAX_PLACES = 3000  # letters of a pattern, repeats written out
MAX_PAIRS = 200_000
MAX_NESTING = 100
MANY = 5  # repeats up to a greater number count as endless
LOOPS = 4  # loops in a row over the same letter

_PIECE = re.compile(
    r"\\[pP]\{[^}]*\}|\\[pP]\w|\\x\{[0-9A-Fa-f]+\}|\\x[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\k<\w+>|\\."
    r"|\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]|\(\?#[^)]*\)"
    r"|\((?:\?(?:[=!>:|]|<[=!]|P?<\w+>|'\w+'|[a-zA-Z-]*[:)]))?|[)|*+?^$]|\{\d*,?\d*\}|.",
    re.DOTALL,
)
_COUNTS = re.compile(r"\{(\d*)(,?)(\d*)\}")
_NOTHING = frozenset({"^", "$", "\\b", "\\B", "\\A", "\\Z", "\\z", "\\G", "\\K"})
_ASIDE = ("(?=", "(?!", "(?<=", "(?<!", "(?>")


class TooComplex(Exception):
    """More than a pattern of a tokenizer could ever need."""


@dataclass(slots=True)
class _Part:
    """A part of a pattern: where it can begin and end, and whether it can match nothing."""

    first: frozenset[int] = frozenset()
    last: frozenset[int] = frozenset()
    empty: bool = True


@dataclass(slots=True)
class _Automaton:
    """What each place matches, and which places may follow it, in how many ways."""

    masks: list[int] = field(default_factory=list)
    follow: list[dict[int, int]] = field(default_factory=list)

    def place(self, mask: int) -> _Part:
        if len(self.masks) >= MAX_PLACES:
            raise TooComplex
        self.masks.append(mask)
        self.follow.append({})
        here = frozenset({len(self.masks) - 1})
        return _Part(here, here, empty=False)

    def link(self, ends: Iterable[int], begins: Iterable[int]) -> None:
        for end in ends:
            follow = self.follow[end]
            for begin in begins:
                follow[begin] = follow.get(begin, 0) + 1

    def chain(self, left: _Part, right: _Part) -> _Part:
        self.link(left.last, right.first)
        return _Part(
            left.first | right.first if left.empty else left.first,
            left.last | right.last if right.empty else right.last,
            left.empty and right.empty,
        )


class _Parser:
    def __init__(self, pattern: str) -> None:
        self.pieces = [piece for piece in _PIECE.findall(pattern) if not piece.startswith("(?#")]
        self.at = 0
        self.depth = 0
        self.letters = Letters(pattern)
        self.automaton = _Automaton()
        self.aside: list[_Automaton] = []  # what is matched without going back, each by itself
        self.fold = "(?i" in pattern

    def alternatives(self) -> _Part:
        found = self._sequence()
        while self._peek() == "|":
            self.at += 1
            other = self._sequence()
            found = _Part(found.first | other.first, found.last | other.last, found.empty or other.empty)
        return found

    def _sequence(self) -> _Part:
        found = _Part()
        while (piece := self._peek()) not in {"", "|", ")"}:
            found = self.automaton.chain(found, self._repeated(piece))
        return found

    def _repeated(self, piece: str) -> _Part:
        start = self.at
        found = self._atom(piece)
        stop = self.at
        while (counts := _counts(self._peek())) is not None:
            self.at += 1
            low, high = counts
            possessive = self._peek() == "+" and self.at < len(self.pieces)
            if self._peek() == "?" or possessive:
                self.at += 1
            if possessive:
                found = self._set_aside(start, stop)
                found = _Part(found.first, found.last, found.empty or low == 0)
            else:
                found = self._repeat(found, low, high, (start, stop))
        return found

    def _repeat(self, part: _Part, low: int, high: int | None, source: tuple[int, int]) -> _Part:
        if high is None or high > MANY:
            if high is not None and part.empty:
                raise TooComplex  # nothing or something, many times: one of the ways to choose is tried after the other
            self.automaton.link(part.last, part.first)
            return _Part(part.first, part.last, part.empty or low == 0)
        whole = _Part(part.first, part.last, part.empty or low == 0)
        for number in range(1, high):
            copy = self._again(*source)
            whole = self.automaton.chain(whole, _Part(copy.first, copy.last, copy.empty or number >= low))
        return whole if high else _Part()

    def _again(self, start: int, stop: int) -> _Part:
        """The same part of the pattern once more."""
        end, self.at = self.at, start
        found = self._atom(self.pieces[start])
        self.at = end
        return found

    def _set_aside(self, start: int, stop: int) -> _Part:
        """What is never taken back: looked at by itself, and one place in the whole."""
        outer, self.automaton = self.automaton, _Automaton()
        inner = self._again(start, stop)
        self.automaton, own = outer, self.automaton
        self.aside.append(own)
        mask = 0
        for place in inner.first:
            mask |= own.masks[place]
        found = self.automaton.place(mask)
        return _Part(found.first, found.last, inner.empty)

    def _atom(self, piece: str) -> _Part:
        start = self.at
        self.at += 1
        if piece.startswith("("):
            return self._group(piece, start)
        if piece in _NOTHING:
            return _Part()
        if piece.startswith("\\k") or (piece.startswith("\\") and piece[1:2].isdigit() and piece != "\\0"):
            return self.automaton.place(self.letters.every)
        return self.automaton.place(self.letters.piece(piece, fold=self.fold))

    def _group(self, piece: str, start: int) -> _Part:
        if piece.endswith(")"):
            return _Part()  # flags alone
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise TooComplex
        if piece in _ASIDE:
            outer, self.automaton = self.automaton, _Automaton()
            inner = self._closed()
            self.automaton, own = outer, self.automaton
            self.aside.append(own)
            mask = 0
            for place in inner.first:
                mask |= own.masks[place]
            found = self.automaton.place(mask) if piece == "(?>" else _Part()
            return _Part(found.first, found.last, inner.empty or piece != "(?>")
        return self._closed()

    def _closed(self) -> _Part:
        found = self.alternatives()
        self.at += self._peek() == ")"
        self.depth -= 1
        return found

    def _peek(self) -> str:
        return self.pieces[self.at] if self.at < len(self.pieces) else ""


def is_catastrophic(pattern: str) -> bool:
    """Whether a backtracking engine may need exponential time on some text, or a high power of its length."""
    if len(pattern) > MAX_LENGTH:
        return True
    parser = _Parser(pattern)
    try:
        while parser.at < len(parser.pieces):
            parser.alternatives()
            parser.at += 1  # a bracket that closes nothing
        return any(_explodes(automaton) for automaton in (parser.automaton, *parser.aside))
    except (TooComplex, RecursionError):
        return True


def _counts(piece: str) -> tuple[int, int | None] | None:
    """How often at least and at most; None for what is no repeat."""
    if piece in {"*", "+", "?"}:
        return int(piece == "+"), 1 if piece == "?" else None
    match = _COUNTS.fullmatch(piece)
    if match is None or not (match[1] or match[3]):
        return None
    low = int(match[1] or 0)
    return low, int(match[3]) if match[3] else None if match[2] else low


def _explodes(automaton: _Automaton) -> bool:
    follow = automaton.follow
    loops = [group for group in _circles(range(len(follow)), follow) if len(group) > 1 or group[0] in follow[group[0]]]
    if any(_ambiguous(automaton, frozenset(group)) for group in loops):
        return True
    return len(loops) >= LOOPS and _in_a_row(automaton, loops) >= LOOPS


def _ambiguous(automaton: _Automaton, group: frozenset[int]) -> bool:
    """Whether a place of this circle can be left and reached again in two ways over the same text."""
    masks, follow = automaton.masks, automaton.follow
    if any(count > 1 and other in group for place in group for other, count in follow[place].items()):
        return True
    inside = {place: [other for other in follow[place] if other in group] for place in group}
    apart: dict[tuple[int, int], list[tuple[int, int]]] = {}
    waiting = [(place, place) for place in group]
    while waiting:
        pair = waiting.pop()
        if pair in apart:
            continue
        if len(apart) > MAX_PAIRS:
            raise TooComplex
        apart[pair] = [(a, b) for a in inside[pair[0]] for b in inside[pair[1]] if masks[a] & masks[b]]
        waiting.extend(apart[pair])
    numbers = {pair: number for number, pair in enumerate(apart)}
    edges = [{numbers[other]: 1 for other in apart[pair]} for pair in numbers]
    pairs = list(numbers)
    return any(
        any(pairs[n][0] == pairs[n][1] for n in circle) and any(pairs[n][0] != pairs[n][1] for n in circle)
        for circle in _circles(range(len(edges)), edges)
        if len(circle) > 1
    )


def _in_a_row(automaton: _Automaton, loops: Sequence[Sequence[int]]) -> int:
    """The most loops that one and the same letter can go through one after the other."""
    looping = {place for group in loops for place in group}
    most, seen = 0, set()
    bits = {bit for place in looping for bit in _bits(automaton.masks[place])}
    for bit in bits:
        places = frozenset(place for place, mask in enumerate(automaton.masks) if mask >> bit & 1)
        if places in seen:
            continue
        seen.add(places)
        follow = [{n: c for n, c in automaton.follow[p].items() if n in places} if p in places else {}
                  for p in range(len(automaton.masks))]  # fmt: skip
        most = max(most, _longest(_circles(places, follow), follow))
    return most


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _longest(circles: Sequence[Sequence[int]], follow: Sequence[Mapping[int, int]]) -> int:
    """The most loops on one way; circles come with those they lead to before them."""
    best: dict[int, int] = {}
    for circle in circles:
        loops = len(circle) > 1 or circle[0] in follow[circle[0]]
        after = max((best.get(other, 0) for place in circle for other in follow[place]), default=0)
        for place in circle:
            best[place] = after + loops
    return max(best.values(), default=0)


def _circles(places: Iterable[int], follow: Sequence[Mapping[int, int]]) -> list[list[int]]:
    """The strongly connected components, those that others lead to first (Tarjan, without recursion)."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    on_stack: set[int] = set()
    found: list[list[int]] = []
    for root in places:
        if root in index:
            continue
        work = [(root, iter(follow[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            place, others = work[-1]
            for other in others:
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    on_stack.add(other)
                    work.append((other, iter(follow[other])))
                    break
                if other in on_stack:
                    low[place] = min(low[place], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[place])
                if low[place] == index[place]:
                    circle = []
                    while True:
                        circle.append(stack.pop())
                        on_stack.discard(circle[-1])
                        if circle[-1] == place:
                            break
                    found.append(circle)
    return found
