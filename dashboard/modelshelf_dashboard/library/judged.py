"""What every provider of the person makes of one model: the drawer's score, its proposals and its list of providers."""

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from modelshelf.compat.types import RECOMMENDED_FROM, Compatibility, Fix
from modelshelf.errors import ModelshelfError
from modelshelf.providers.spec import ServedModel
from modelshelf_dashboard import fits
from modelshelf_dashboard.library import explain
from modelshelf_dashboard.library.marks import BUILTIN
from modelshelf_dashboard.library.supposing import Supposing
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import _

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf
    from modelshelf.state import ProviderState

Shown = Callable[[dict[str, Any], ModelshelfError | None], None]


def own_providers(shelf: "Shelf") -> dict[str, str]:
    """The providers that the person uses, by id with their names; the built-in engine first."""
    known = {BUILTIN: _("Built-in engine")}
    return known | {item.id: item.name for item in shelf.providers_state.providers if item.enabled}


class Judged:
    """The answers of one session about the model of its drawer. `show` gets the parts that they make of the drawer."""

    def __init__(self, shelf: "Shelf", session: Session, what_if: Supposing, *, show: Shown) -> None:
        self._shelf = shelf
        self._session = session
        self._what_if = what_if
        self._show = show
        self.forget()

    def forget(self) -> None:
        """Another model, or none."""
        self._model = ""
        self._names: dict[str, str] = {}
        self._answers: dict[str, Compatibility | ModelshelfError] = {}
        self._session.stop("what if")
        self._what_if.clear()

    def served(self, model: str) -> tuple[ServedModel, str] | None:
        """A model by the name that a provider gives it, with the provider's name."""
        found = ((one, item.name) for item in self._shelf.providers_state.providers for one in item.models)
        return next(((one, name) for one, name in found if one.id == model), None)

    async def ask(self, model: str) -> None:
        """Ask for every provider, and show what they say."""
        self._model, self._names = model, own_providers(self._shelf)
        self._answers = await self._ask(model)
        if (served := self.served(model)) is not None:
            kept = {
                name: one for name, one in self._answers.items() if _says_something(one) or name == served[0].provider
            }
            self._answers = kept
        chosen = self._answers[self._by()]
        self._show(self._parts(), chosen if isinstance(chosen, ModelshelfError) else None)
        await self._suppose()

    async def _ask(self, model: str) -> dict[str, Compatibility | ModelshelfError]:
        async def one(provider: str) -> Compatibility | ModelshelfError:
            try:
                return await self._shelf.compatibility.check_model_compatibility(model, provider)
            except ModelshelfError as error:
                return error

        found = await asyncio.gather(*(one(provider) for provider in self._names))
        return dict(zip(self._names, found, strict=True))

    def choose(self) -> None:
        """Another provider's answer is looked at."""
        if self._answers:
            self._show(self._parts(), None)
            self._session.run(self._suppose(), key="what if")

    def explained(self, provider: str) -> dict[str, Any]:
        """What the badge of a provider says."""
        answer, name = self._answers.get(provider), self._names.get(provider, provider)
        if not isinstance(answer, Compatibility):
            rows: list[dict[str, Any]] = []
            said = {
                "title": name,
                "score": None,
                "verdict": fits.verdict(None),
                "sentence": str(answer or ""),
                "rows": rows,
            }
            return {**said, "id": provider}
        return {**fits.told(answer, name), "id": provider}

    def fix(self, context: Mapping[str, Any]) -> tuple[Compatibility | None, Fix | None]:
        """The answer and the proposal that a button meant."""
        answer = self._answers.get(str(context.get("provider", "")))
        return (answer, fits.chosen_fix(answer, context)) if isinstance(answer, Compatibility) else (None, None)

    def _by(self) -> str:
        """Whose answer is looked at: the one that was chosen, else the one who serves it, else the built-in engine."""
        by, serving = self._session.navigation.by, self._model.partition("/")[0]
        if by in self._answers:
            return by
        return serving if serving in self._answers and self.served(self._model) else next(iter(self._answers))

    def _parts(self) -> dict[str, Any]:
        by = self._by()
        answer = self._answers[by]
        parts: dict[str, Any] = {"fit": None, "fixes": [], "pending": False, "providers": self._providers(by)}
        if isinstance(answer, Compatibility):
            parts["fit"] = explain.fit(answer, self._names[by], self._facts(by))
            parts["fixes"] = [fits.fix(one, by) for one in fits.better(answer)]
        return parts

    def _providers(self, by: str) -> list[dict[str, Any]]:
        best = self._best()
        tip = _("Of your providers it does best with this model.")
        mark = {"text": _("best"), "tip": tip}
        return [
            {
                **_row(name, self._names[name], one),
                "chosen": name == by,
                "mark": mark if name == best else None,
                "go": {"section": "providers", "provider": name, "chat": "", "beside": ""},
            }
            for name, one in self._answers.items()
        ]

    def _best(self) -> str:
        """The provider that does best with it: well, and better than any other."""
        scores = {name: one.score or 0 for name, one in self._answers.items() if isinstance(one, Compatibility)}
        best = max(scores, key=lambda name: scores[name], default="")
        rivals = [score for name, score in scores.items() if name != best]
        return best if rivals and scores[best] >= RECOMMENDED_FROM and scores[best] > max(rivals) else ""

    def _facts(self, provider: str) -> str:
        """What counts of a model that runs elsewhere: context, price, abilities, latency."""
        state = self._shelf.providers_state.find(provider)
        served = self._offered(state) if state is not None else None
        answer = self._answers[provider]
        if state is None or served is None or (isinstance(answer, Compatibility) and answer.memory):
            return ""
        return explain.elsewhere(served, state.health.latency_ms)

    def _offered(self, state: "ProviderState") -> ServedModel | None:
        name = self._model.partition(":")[2].partition("@")[0] or self._model
        return next((one for one in state.models if {self._model, name} & {one.id, one.name, one.repo}), None)

    async def _suppose(self) -> None:
        by = self._by()
        answer = self._answers[by]
        if not isinstance(answer, Compatibility) or answer.memory is None:
            self._what_if.clear()
            return
        try:
            await self._what_if.load(self._model, by, self._names[by])
        except ModelshelfError:  # it was judged by its size alone: there is nothing to turn
            self._what_if.clear()


def _says_something(answer: Compatibility | ModelshelfError) -> bool:
    """Whether a provider can have a model without files at all."""
    return isinstance(answer, Compatibility) and answer.score is not None


def _row(provider: str, name: str, answer: Compatibility | ModelshelfError) -> dict[str, Any]:
    if isinstance(answer, ModelshelfError):
        return {"id": provider, "title": name, "sub": str(answer), "score": None}
    limits = [reason.detail for reason in answer.reasons][:1]
    return {"id": provider, "title": name, "sub": " ".join(limits), "score": answer.score}
