"""What is asked for: the words in the box and the filters beside it as one query of the catalogue."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from modelshelf.catalog.query import Filter, Query, parse
from modelshelf.errors import UsageError

LISTED = frozenset({"ability", "author", "format", "library", "license", "provider", "quant", "source", "tag", "task"})
"""Keys whose values are alternatives: two of them widen, where two of others narrow."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """A word that makes no sense: which, what is wrong with it, what to do, and where in the box it begins."""

    word: str
    text: str
    remedy: str
    at: int | None = None


def joined(tokens: Iterable[str]) -> str:
    """Filters as one text: those of one key as a list."""
    listed: dict[str, list[str]] = {}
    others: list[str] = []
    for token in tokens:
        key, _colon, value = token.partition(":")
        if key in LISTED:
            listed.setdefault(key, []).append(value)
        else:
            others.append(token)
    return " ".join([*(f"{key}:{','.join(values)}" for key, values in listed.items()), *others])


def compose(text: str, tokens: Sequence[str]) -> Query:
    """Words and filters as a query.

    Raises:
        UsageError: a word makes no sense; `facts` say which, and where it begins in the text.
    """
    words, narrowed = parse(text), parse(joined(tokens))
    return Query(words.words, (*words.excluded, *narrowed.excluded), (*words.filters, *narrowed.filters))


def taken_apart(query: str) -> tuple[str, list[str]]:
    """A kept query as words for the box and filters beside it, as one would have chosen them.

    Beside the box the values of one key widen: where two filters of one key narrow, the second stays in the box.
    """
    found = parse(query)
    tokens: list[str] = []
    widened: set[str] = set()
    narrowing: list[Filter] = []
    for one in found.filters:
        if one.range is not None or one.negated or one.key not in LISTED:
            tokens.append(str(one))
        elif one.key in widened:
            narrowing.append(one)
        else:
            widened.add(one.key)
            tokens += [f"{one.key}:{_quoted(value)}" for value in one.values]
    return str(Query(found.words, found.excluded, tuple(narrowing))), tokens


def wrong(error: UsageError, text: str) -> Wrong:
    """What to tell about a query that makes no sense; `text` is what stands in the box."""
    word, at = str(error.facts.get("word", "")), error.facts.get("at")
    inside = isinstance(at, int) and text[at : at + len(word)] == word
    return Wrong(word, error.message, error.remedy, at if inside else None)


def _quoted(value: str) -> str:
    return f'"{value}"' if any(letter.isspace() or letter == "," for letter in value) else value
