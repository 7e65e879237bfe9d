"""Asks the sources themselves, where there is no catalogue: as each answers, with what narrows their rows."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from modelshelf.catalog.types import RepoCard, SearchAnswer, SourceReport
from modelshelf.compat.types import Compatibility
from modelshelf.errors import UsageError
from modelshelf_dashboard import figures
from modelshelf_dashboard.library import facets
from modelshelf_dashboard.library.asked import Wrong, wrong
from modelshelf_dashboard.library.found import Found
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import _, _n

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

ASKED = 200  # repositories a source is asked for
SHOWN = 100  # rows a list shows; who wants others narrows the search


class Live:
    """The answers of one session's sources. `fit` says how well a card does here."""

    def __init__(self, shelf: "Shelf", session: Session, fit: Callable[[RepoCard], Compatibility]) -> None:
        self._shelf = shelf
        self._session = session
        self._fit = fit
        self._answer: SearchAnswer | None = None

    async def follow(self, text: str, *, refresh: bool = False) -> AsyncGenerator[None, None]:
        """Ask; something new can be shown after each turn.

        Raises:
            ModelshelfError: the question makes no sense, or nobody can be asked.
        """
        async with aclosing(self._shelf.catalog.follow(text, limit=ASKED, refresh=refresh)) as answers:
            async for answer in answers:
                self._answer = answer
                yield

    def forget(self) -> None:
        """What the sources said counts no more."""
        self._answer = None

    def found(self) -> Found | None:
        """What the sources said, narrowed by the filters as they are now."""
        answer, nav = self._answer, self._session.navigation
        if answer is None:
            return None
        fits = {str(card.id): self._fit(card) for card in answer.rows}
        tokens, error = _sensible(nav.filters)
        labels = {report.source: report.label for report in answer.sources}
        told: Wrong | None = error
        try:
            narrowed = facets.narrow(answer.rows, tokens, self._checks(fits), labels)
        except UsageError as caught:
            told = wrong(caught, nav.q)
            narrowed = facets.narrow(answer.rows, [], self._checks(fits), labels)
        cards = sorted(narrowed.rows, key=lambda card: -(fits[str(card.id)].score or 0))
        shown = tuple(cards[:SHOWN])
        return Found(
            rows=shown,
            total=len(cards),
            status=_status(len(shown), len(cards), answer),
            groups=narrowed.groups,
            fitting=narrowed.fitting,
            notices=[_told(report) for report in answer.sources if report.status in {"stale", "failed"}],
            wrong=told,
            whole=False,
        )

    def _checks(self, fits: Mapping[str, Compatibility]) -> dict[str, facets.Check]:
        def fitting(card: RepoCard) -> bool:
            fit = fits.get(str(card.id))
            return bool(fit and fit.score)

        has = self._shelf.models_state.has
        return {**self._shelf.catalog.checks, "fits": fitting, "installed": lambda card: has(card.repo)}


def _sensible(tokens: list[str]) -> tuple[list[str], Wrong | None]:
    good, error = facets.sensible(tokens)
    return good, Wrong("", error, "") if error else None


def _status(shown: int, found: int, answer: SearchAnswer) -> str:
    asked = _n("{n} source", "{n} sources", len([r for r in answer.sources if r.status != "off"]))
    took = _("{n} ms", n=f"{answer.seconds * 1000:.0f}")
    if found > shown:
        return " · ".join([_("the best {shown} of {found} models", shown=shown, found=found), asked, took])
    return " · ".join([_n("{n} model", "{n} models", found), asked, took])


def _told(report: SourceReport) -> dict[str, Any]:
    again = {"do": "again", "word": _("Try again"), "help": "sources"}
    remedy = report.remedy
    if report.status == "stale":
        remedy = _("Its rows are what it said {ago}.", ago=figures.ago(report.as_of))
    return {
        "id": report.source,
        "tone": "warn",
        "text": report.error or _("{source} does not answer.", source=report.label),
        "remedy": remedy,
        "action": again,
        "lasting": True,
    }
