"""Which models of a list are the best for the person's own providers: a calm mark, with the reason as its tooltip."""

from collections.abc import Iterable, Mapping
from typing import Any

from modelshelf.compat.types import RECOMMENDED_FROM, Compatibility
from modelshelf_dashboard import fits
from modelshelf_dashboard.texts import _

BUILTIN = "builtin"
MOST = 3  # marks for each provider
SHARE = 5  # and no more than one row in so many: where all are marked, none is
Best = tuple[str, Compatibility] | None


def marks(judged: Iterable[tuple[str, int, Best]], names: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Marks by the id of the row: for each provider those that do best with it, of equals the larger.

    Args:
        judged: id and size of each row, and which provider does best with it, with its answer.
        names: what the providers are called.
    """
    listed = list(judged)
    by_provider: dict[str, list[tuple[tuple[int, int], str, Compatibility]]] = {}
    for row, size, best in listed:
        if best is not None and (score := best[1].score or 0) >= RECOMMENDED_FROM:
            # Scores that differ by little are alike; then a larger model knows more.
            by_provider.setdefault(best[0], []).append(((score // 10, size), row, best[1]))
    found: dict[str, dict[str, Any]] = {}
    for provider, rows in by_provider.items():
        rows.sort(key=lambda one: one[0], reverse=True)
        for _merit, row, answer in rows[: max(1, min(MOST, len(listed) // SHARE))]:
            found[row] = mark(provider, names.get(provider, provider), answer)
    return found


def mark(provider: str, name: str, answer: Compatibility) -> dict[str, Any]:
    """The mark for a provider."""
    tip = _(
        "Of all that is listed it is among the best for {name}: {score}, {verdict}.",
        name=name,
        score=answer.score,
        verdict=fits.verdict(answer.score).lower(),
    )
    return {"text": _("Best for your computer") if provider == BUILTIN else _("Best for {name}", name=name), "tip": tip}


def best_of(answers: Mapping[str, Compatibility]) -> Best:
    """The provider with the best score and its answer; of equals the first."""
    scored = [(name, one) for name, one in answers.items() if one.score]
    return max(scored, key=lambda pair: pair[1].score or 0, default=None)
