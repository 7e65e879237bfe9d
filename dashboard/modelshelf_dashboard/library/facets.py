"""The filters at the left: which choices there are, and how many rows each would leave."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelshelf.catalog.query import Query, parse, token_of
from modelshelf.catalog.types import RepoCard
from modelshelf.errors import UsageError
from modelshelf_dashboard.library import counts
from modelshelf_dashboard.library.rows import FORMATS, LICENCES
from modelshelf_dashboard.texts import N_, _

Check = Callable[[RepoCard], bool]
FITS = counts.FITS
COMMERCIAL = "license:commercial"
CHOICES = 6


@dataclass(frozen=True, slots=True)
class Group:
    """Choices that widen each other; groups narrow each other."""

    title: str
    topic: str
    key: str
    values: Callable[[RepoCard], Iterable[str]]


GROUPS = (
    Group(N_("Format"), "modelFormats", "format", lambda card: card.formats),
    Group(N_("Licence"), "licences", "license", lambda card: (card.licence,) if card.licence else ()),
    Group(N_("Source"), "sources", "source", lambda card: (card.source,)),
)
HERE = (("is:installed", N_("Installed")), ("is:gated", N_("Gated")))


@dataclass(frozen=True, slots=True)
class Narrowed:
    """The rows that pass all filters, the filters with their counts, and how many rows `is:fits` would leave."""

    rows: tuple[RepoCard, ...]
    groups: list[dict[str, Any]]
    fitting: int | None = None


class Filter:
    """The tokens in use: those of one key are alternatives, different keys must all hold."""

    def __init__(self, tokens: Sequence[str], checks: Mapping[str, Check]) -> None:
        self._checks = checks
        self._by_key: dict[str, list[Query]] = {}
        for token in tokens:
            query = parse(token)
            query.require(checks)
            key = token if token.startswith(("is:", "-")) else token.partition(":")[0]
            self._by_key.setdefault(key, []).append(query)

    def passes(self, card: RepoCard, without: str = "") -> bool:
        """Whether the card passes, the filters of one key set aside."""
        return all(
            any(query.matches(card, self._checks) for query in queries)
            for key, queries in self._by_key.items()
            if key != without
        )


def narrow(
    rows: Sequence[RepoCard], tokens: Sequence[str], checks: Mapping[str, Check], labels: Mapping[str, str]
) -> Narrowed:
    """Filter rows by tokens of the query language.

    Args:
        rows: what the sources found for the words.
        tokens: the filters in use.
        checks: answers for `is:` filters.
        labels: what sources are called.

    Raises:
        UsageError: a token makes no sense.
    """
    chosen = Filter(tokens, checks)
    passing = tuple(card for card in rows if chosen.passes(card))
    groups = [_group(group, rows, tokens, chosen, labels) for group in GROUPS]
    groups.insert(0, _here(rows, tokens, chosen, checks))
    if rows:
        groups[1:1] = _measured(rows, tokens, chosen)
    fitting = _left(rows, FITS, chosen, checks) if "fits" in checks else None
    return Narrowed(passing, [group for group in groups if group["choices"]], fitting)


def toggled(tokens: Sequence[str], token: str, on: bool) -> list[str]:
    """The tokens with one of them switched."""
    return [*(item for item in tokens if item != token), *([token] if on else [])]


def chosen(tokens: Sequence[str], key: str, token: str) -> list[str]:
    """The tokens with this one in place of all others of its key; an empty one for none."""
    return [*(item for item in tokens if not item.startswith(f"{key}:")), *([token] if token else [])]


def sensible(tokens: Sequence[str]) -> tuple[list[str], str]:
    """The tokens that can be read, and what is wrong with the first that cannot."""
    good, wrong = [], ""
    for token in tokens:
        try:
            parse(token)
        except UsageError as error:
            wrong = wrong or f"{error} {error.remedy}"
        else:
            good.append(token)
    return good, wrong


def _group(
    group: Group, rows: Sequence[RepoCard], tokens: Sequence[str], chosen: Filter, labels: Mapping[str, str]
) -> dict[str, Any]:
    by_value = Counter(
        value for card in rows if chosen.passes(card, without=group.key) for value in set(group.values(card))
    )
    words = {**FORMATS, **LICENCES, **labels}
    used = [token.partition(":")[2].strip('"') for token in tokens if token.startswith(f"{group.key}:")]
    names = [name for name, _count in by_value.most_common() if '"' not in name][:CHOICES]
    names += [name for name in used if name not in names and name != "commercial"]
    choices = [_choice(token_of(group.key, name), words.get(name, name), by_value[name], tokens) for name in names]
    if group.key == "license" and by_value:
        allowed = parse(COMMERCIAL)
        count = sum(1 for card in rows if chosen.passes(card, without="license") and allowed.matches(card))
        choices.insert(0, _choice(COMMERCIAL, _("Commercial use"), count, tokens))
    return {"title": _(group.title), "topic": group.topic, "choices": choices}


def _here(
    rows: Sequence[RepoCard], tokens: Sequence[str], chosen: Filter, checks: Mapping[str, Check]
) -> dict[str, Any]:
    choices = []
    for token, label in HERE:
        count = _left(rows, token, chosen, checks)
        if count or token in tokens:
            choices.append(_choice(token, _(label), count, tokens))
    return {"title": _("State"), "topic": "searchFiltering", "choices": choices}


def _left(rows: Sequence[RepoCard], token: str, chosen: Filter, checks: Mapping[str, Check]) -> int:
    """How many rows an `is:` filter would leave."""
    query = parse(token)
    return sum(1 for card in rows if chosen.passes(card, without=token) and query.matches(card, checks))


def _measured(rows: Sequence[RepoCard], tokens: Sequence[str], chosen: Filter) -> list[dict[str, Any]]:
    """Size, parameters, context and age, of which one choice holds at a time."""
    counted: dict[str, int] = {}
    for key, choices in counts.SELECTS:
        passing = [card for card in rows if chosen.passes(card, without=key)]
        own = [token for token in tokens if token.startswith(f"{key}:")]
        for token in dict.fromkeys([*(token for token, _label in choices), *own]):
            query = parse(token)
            counted[token] = sum(1 for card in passing if query.matches(card))
    return counts.selects(tokens, counted)


def _choice(token: str, label: str, count: int, tokens: Sequence[str]) -> dict[str, Any]:
    return {"token": token, "label": label, "count": count, "on": token in tokens}
