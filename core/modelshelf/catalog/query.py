"""The query language: bare words are text, `key:value` filters, `-` negates, quotes keep words together.

    tiny format:gguf size:<8GB params:3B..9B license:apache-2.0,mit ctx:>=32k updated:<30d is:fits -author:someone

A word is looked for at the beginning of each part of a name, from three letters on inside them too
(`modelshelf.catalog.words`).

A value that the source does not say never matches a filter, and so always matches its negation.
"""

import re
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from modelshelf.catalog.licences import COMMERCIAL
from modelshelf.catalog.measures import MEASURES, Range, read_range
from modelshelf.catalog.types import RepoCard
from modelshelf.catalog.words import is_in
from modelshelf.errors import UsageError

LONGEST = 1000
TASKS: Mapping[str, frozenset[str]] = {
    "chat": frozenset({"text-generation", "image-text-to-text", "conversational"}),
    "embedding": frozenset({"feature-extraction", "sentence-similarity"}),
}
KNOWN = ("chat", "embed", "rerank", "vision", "audio")
"""Abilities that lists of sources tell; the others only a model's own files."""
CHECKS = ("fits", "installed", "gated", "recommended")
Check = Callable[[RepoCard], bool]

_VALUES: Mapping[str, Callable[[RepoCard], Sequence[str]]] = {
    "ability": lambda card: sorted(abilities_of(card)),
    "author": lambda card: (card.id.author,),
    "format": lambda card: card.formats,
    "library": lambda card: (card.library,) if card.library else (),
    "license": lambda card: (card.licence,) if card.licence else (),
    "quant": lambda card: card.quantisations,
    "source": lambda card: (card.source,),
    "tag": lambda card: card.tags,
    "task": lambda card: (card.task,) if card.task else (),
}
_ALIASES = {
    "licence": "license",
    "parameters": "params",
    "context": "ctx",
    "quantisation": "quant",
    "modified": "updated",
}
KEYS = tuple(sorted([*_VALUES, *MEASURES, "is", "provider"]))

_SUGGESTED = {
    "ability": KNOWN,
    "author": ("qwen", "samples"),
    "created": ("<7d", "<30d", "<1y"),
    "ctx": (">=8k", ">=32k", ">=128k"),
    "downloads": (">100", ">10k", ">1M"),
    "format": ("gguf", "safetensors", "pytorch", "onnx"),
    "is": CHECKS,
    "license": ("commercial", "apache-2.0", "mit"),
    "likes": (">10", ">100", ">1k"),
    "params": ("<1B", "1B..4B", "3B..9B", ">=30B"),
    "provider": ("builtin", "ollama"),
    "quant": ("Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "BF16"),
    "size": ("<2GB", "<8GB", "<16GB"),
    "task": ("chat", "embedding", "text-generation", "image-text-to-text"),
    "updated": ("<7d", "<30d", "<1y"),
}
_CLOSED: Mapping[str, Sequence[str]] = {"ability": KNOWN, "is": CHECKS}
_WORD = re.compile(r"""(?:[^\s"]|"[^"]*")+""")
_NEEDS_QUOTES = re.compile(r'[\s:,"]|^-|^$')


@dataclass(frozen=True, slots=True)
class Filter:
    """One `key:value`. `values` holds a list's members in lower case, `range` a measure's bounds."""

    key: str
    values: tuple[str, ...] = ()
    range: Range | None = None
    negated: bool = False

    def matches(self, card: RepoCard, checks: Mapping[str, Check]) -> bool:
        """Whether the card passes."""
        return self._holds(card, checks) != self.negated

    def _holds(self, card: RepoCard, checks: Mapping[str, Check]) -> bool:
        if self.range is not None:
            return self.range.holds(_measured(self.key, card))
        if self.key == "is":
            return any(card.gated if value == "gated" else checks[value](card) for value in self.values)
        if self.key == "provider":
            asked = (checks.get(f"provider:{value}") for value in self.values)
            return any(check is not None and check(card) for check in asked)
        found = [value.lower() for value in _VALUES[self.key](card)]
        return any(equals(self.key, value, wanted) for value in found for wanted in self.values)

    def __str__(self) -> str:
        value = str(self.range) if self.range else ",".join(quoted(value) for value in self.values)
        return f"{'-' if self.negated else ''}{self.key}:{value}"


@dataclass(frozen=True, slots=True)
class Query:
    """What was asked for: words, words that must not occur, and filters."""

    words: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    filters: tuple[Filter, ...] = ()

    @property
    def text(self) -> str:
        """The words as sources take them."""
        return " ".join(self.words)

    def matches(self, card: RepoCard, checks: Mapping[str, Check] | None = None) -> bool:
        """Whether a card passes the filters and has none of the excluded words. The source has seen to the words.

        `checks` answer `is:installed`, `is:fits` and `is:recommended`.
        """
        if any(is_in(word, card.repo) for word in self.excluded):
            return False
        return all(item.matches(card, checks or {}) for item in self.filters)

    def instead(self, token: str) -> "Query":
        """The query with one filter in place of those of its key; words after `is:` stand beside each other.

        Raises:
            UsageError: the token is no filter.
        """
        chosen = parse(token).filters
        if len(chosen) != 1:
            raise UsageError(f"“{token[:60]}” is no filter.", remedy="Write one, for example format:gguf.", word=token)
        one = chosen[0]
        kept = (item for item in self.filters if item.negated or one.key == "is" or item.key != one.key)
        return replace(self, filters=(*(item for item in kept if item != one), one))

    def without(self, key: str) -> "Query":
        """The query without the filters of a key that are not negated."""
        return replace(self, filters=tuple(one for one in self.filters if one.negated or one.key != key))

    def require(self, checks: Container[str]) -> None:
        """Raises UsageError if a filter needs a check that nobody provides."""
        for word in self.marks:
            if word not in checks:
                shown = word if ":" in word else f"is:{word}"
                raise UsageError(f"“{shown}” cannot be answered here.", remedy="Leave it out.", word=shown)

    @property
    def marks(self) -> tuple[str, ...]:
        """What has to be known beside the catalogue: words after `is:`, and `provider:…`."""
        marked = [item for item in self.filters if item.key in {"is", "provider"}]
        return tuple(
            value if item.key == "is" else f"provider:{value}"
            for item in marked
            for value in item.values
            if (item.key, value) != ("is", "gated")
        )

    def __str__(self) -> str:
        excluded = (f'-"{word}"' if _NEEDS_QUOTES.search(word) else f"-{word}" for word in self.excluded)
        return " ".join([*map(quoted, self.words), *excluded, *map(str, self.filters)])


def parse(text: str) -> Query:
    """Read a query.

    Raises:
        UsageError: an unknown key or a value that makes no sense; the message and `facts["word"]` name the word.
    """
    if len(text) > LONGEST:
        raise UsageError(f"The query has {len(text):,} characters.", remedy=f"Use at most {LONGEST:,}.", word=text[:20])
    # What no text can hold (half a character from a broken page) would fail at every source.
    text = text.encode("utf-8", "replace").decode()
    if text.count('"') % 2:
        at = text.rindex('"')
        raise _wrong(text[at:], "lacks its closing quote", "Close the quote, or leave it out.", at)
    words: list[str] = []
    excluded: list[str] = []
    filters: list[Filter] = []
    for match in _WORD.finditer(text):
        word = match[0]
        negated = word.startswith("-") and len(word) > 1
        body = word[1:] if negated else word
        key, colon, value = body.partition(":")
        if colon and '"' not in key:
            if _is_name(key, value):
                words.append(value.replace('"', "").strip())
            else:
                filters.append(_filter(word, key, value, negated, match.start()))
        elif bare := body.replace('"', "").strip():
            (excluded if negated else words).append(bare)
    return Query(tuple(words), tuple(excluded), tuple(filters))


def token_of(key: str, value: str) -> str:
    """The filter for one value, in quotes where it needs them; `value` has none of its own."""
    return f"{key}:{quoted(value)}"


def complete(text: str) -> list[str]:
    """What the last word of the query may become: whole words, in order; nothing while it is plain text."""
    if not text or text[-1].isspace() or text.count('"') % 2:
        return []
    word = text.split()[-1]
    minus = "-" if word.startswith("-") else ""
    key, colon, value = word.removeprefix("-").partition(":")
    if not colon:
        return [f"{minus}{name}:" for name in KEYS if key and name.startswith(key.lower())]
    key = key_of(key)
    before, comma, last = value.rpartition(",")
    return [
        f"{minus}{key}:{before}{comma}{choice}"
        for choice in _SUGGESTED.get(key, ())
        if choice.lower().startswith(last.lower()) and choice != last
    ]


def _filter(word: str, key: str, value: str, negated: bool, at: int) -> Filter:
    name = key_of(key)
    if name not in KEYS:
        raise _wrong(
            word, "is no filter", f'Filters are {", ".join(KEYS)}. Put "{word}" in quotes to search for it.', at
        )
    if name in MEASURES:
        plain = value.replace('"', "")
        span = read_range(MEASURES[name], plain)
        if span is None and (turned := _turned(MEASURES[name], plain)):
            raise _wrong(word, "has its bounds the wrong way round", f"Write {name}:{turned}.", at)
        if span is None:
            raise _wrong(word, "has no value that can be read", f"Write for example {name}:{_SUGGESTED[name][0]}.", at)
        return Filter(name, range=span, negated=negated)
    values = tuple(dict.fromkeys(part.lower() for part in _members(value) if part))
    if not values:
        raise _wrong(word, "has no value", f"Write for example {name}:{_SUGGESTED.get(name, ('word',))[0]}.", at)
    closed = _CLOSED.get(name)
    if closed and (unknown := [part for part in values if part not in closed]):
        raise _wrong(f"{name}:{unknown[0]}", "is no filter", f"After {name}: {', '.join(closed)}.", at)
    return Filter(name, values, negated=negated)


def _turned(units: Mapping[str, float], text: str) -> str:
    """A range the other way round, if it can be read then."""
    first, dots, last = text.partition("..")
    turned = f"{last}..{first}"
    return turned if dots and read_range(units, turned) else ""


def _members(value: str) -> list[str]:
    parts = re.findall(r"""(?:[^,"]|"[^"]*")+""", value)
    return [part.replace('"', "").strip() for part in parts]


def _is_name(key: str, value: str) -> bool:
    """Whether it is a model's full name, `source:org/name`, and so text."""
    return "/" in value and key_of(key) not in KEYS


def _measured(key: str, card: RepoCard) -> float | None:
    if key in {"updated", "created"}:
        moment = card.modified if key == "updated" else card.created
        return (datetime.now(UTC) - moment).total_seconds() if moment else None
    named = {"ctx": card.context, "params": card.parameters, "size": card.size}
    return named[key] if key in named else {"downloads": card.downloads, "likes": card.likes}[key]


def abilities_of(card: RepoCard) -> frozenset[str]:
    """What a source's list tells of what a model can do."""
    from modelshelf.metadata.listed import abilities_of  # which knows this package

    return abilities_of(card)


def equals(key: str, value: str, wanted: str) -> bool:
    """Whether a value, in lower case, is what a filter wants: itself, or the kind that a word stands for."""
    if key == "license" and wanted == "commercial":
        return value in COMMERCIAL
    if key == "task" and wanted in TASKS:
        return value in TASKS[wanted]
    return value == wanted or (key == "quant" and value.startswith(f"{wanted}_"))


def key_of(name: str) -> str:
    """The key that a name of it stands for: `Licence` is `license`."""
    return _ALIASES.get(name.lower(), name.lower())


def quoted(word: str) -> str:
    """A word or value as a query has it: in quotes where it would not stay together."""
    return f'"{word}"' if _NEEDS_QUOTES.search(word) else word


def _wrong(word: str, what: str, remedy: str, at: int) -> UsageError:
    """`at` is where the word begins, counted from 0."""
    shown = word if len(word) <= 60 else f"{word[:60]}…"
    place = f", the word at character {at + 1}," if at else ""
    return UsageError(f"“{shown}”{place} {what}.", remedy=remedy, word=word, at=at)
