"""Compare: the models of a list with the providers of the person, as a heat map and as a table."""

from typing import TYPE_CHECKING, Any

import panel as pn

from modelshelf.compat.types import Compatibility
from modelshelf_dashboard.library.beside import SideBySide
from modelshelf_dashboard.library.comparison import Compared, Comparison
from modelshelf_dashboard.library.discover import Discover
from modelshelf_dashboard.library.judged import own_providers
from modelshelf_dashboard.library.rows import format_words
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import N_, _
from modelshelf_dashboard.transfers import Transfers

if TYPE_CHECKING:
    from modelshelf.catalog.types import RepoCard
    from modelshelf.shelf import Shelf

INSTALLED, SEARCH = "installed", "search"
WHICH = ((INSTALLED, N_("Installed")), (SEARCH, N_("Results of the search")))
MANY = (10, 20, 50)


class Compare:
    """The view of one session. It is filled when it is first shown: a figure is heavy."""

    def __init__(self, shelf: "Shelf", session: Session, discover: Discover, transfers: Transfers) -> None:
        self._shelf = shelf
        self._session = session
        self._discover = discover
        self._which = ""
        self._most = MANY[0]
        self._left_out: set[str] = set()
        self.map: Comparison | None = None
        self.beside = SideBySide(shelf, session, transfers)
        self.view = pn.Column(self.beside.piece, margin=0, sizing_mode="stretch_width")
        session.navigation.param.watch(lambda *_events: self.ask(), ["view"])
        session.follower.watch(shelf.models_state, ["installed", "loaded"], self.ask)
        session.follower.watch_items(shelf.providers_state, "providers", ["enabled", "name", "models"], self.ask)
        discover.results_view = self._results_view
        discover.table.param.watch(lambda *_events: self._found(), ["rows"])

    def ask(self) -> None:
        """Compare anew, if it is looked at."""
        if self._session.navigation.view != "compare":
            return
        if self.map is None:
            self.map = Comparison(self._shelf, self._session, self._heard)
            self.view[:] = [self.beside.piece, self.map.piece]
        shown = self.map
        models, providers = self._models(), own_providers(self._shelf)
        shown.piece.choices = self._choices(providers)
        chosen = {name: title for name, title in providers.items() if name not in self._left_out}
        if models and chosen:
            self._session.run(shown.compare(models, chosen), key="compare")
        else:
            self._session.stop("compare")
            shown.nothing(_nothing(self._source()))

    def _results_view(self) -> str:
        """Who compares the results of a search goes on to, whatever is typed."""
        here = self._session.navigation.view == "compare" and self._source() == SEARCH
        return "compare" if here else "discover"

    def _found(self) -> None:
        if self._source() == SEARCH:
            self.ask()

    def _source(self) -> str:
        """What was chosen; before that what is installed, if anything is."""
        return self._which or (INSTALLED if self._shelf.models_state.installed else SEARCH)

    def _models(self) -> list[Compared]:
        if self._source() == SEARCH:
            return [self._card(card) for card in self._discover.found[: self._most]]
        models = sorted(self._shelf.models_state.installed, key=lambda model: model.repo.lower())
        return [
            Compared(str(one.id), one.repo.partition("/")[2], one.quantisation or one.format or "")
            for one in models[: self._most]
        ]

    def _card(self, card: "RepoCard") -> Compared:
        judged: dict[str, Compatibility] = {}
        for provider in own_providers(self._shelf):
            answer = self._shelf.compatibility.quick(card, provider)
            if answer.score is not None:
                judged[provider] = answer
        return Compared(str(card.id), card.id.name, format_words(card), judged)

    def _choices(self, providers: dict[str, str]) -> list[dict[str, Any]]:
        which = [{"value": name, "label": _(label)} for name, label in WHICH]
        most = [{"value": str(count), "label": str(count)} for count in MANY]
        choices: list[dict[str, Any]] = [
            {"name": "which", "label": _("Models"), "kind": "select", "value": self._source(), "options": which},
            {"name": "most", "label": _("At most"), "kind": "select", "value": str(self._most), "options": most},
        ]
        if len(providers) > 1:
            shown = [name for name in providers if name not in self._left_out]
            options = [{"value": name, "label": title} for name, title in providers.items()]
            choices.append(
                {"name": "providers", "label": _("Providers"), "kind": "many", "value": shown, "options": options}
            )
        return choices

    def _heard(self, message: dict[str, Any]) -> None:
        nav = self._session.navigation
        match message["do"]:
            case "open":
                model = str(message.get("row", "")).partition("@")[0]
                nav.param.update(model=model, by=str(message.get("column", "")))
            case "choose":
                self._choose(str(message.get("name")), str(message.get("value")))
            case "discover":
                nav.view = "discover"

    def _choose(self, name: str, value: str) -> None:
        match name:
            case "which" if value in dict(WHICH):
                self._which = value
            case "most" if value.isdigit() and int(value) in MANY:
                self._most = int(value)
            case "providers":
                self._left_out ^= {value}
        self.ask()


def _nothing(source: str) -> dict[str, Any]:
    find = {"do": "discover", "word": _("Find a model"), "kind": "primary", "help": "modelLibrary"}
    if source == INSTALLED:
        return {
            "text": _("Nothing to compare."),
            "remedy": _("Install a model, or compare what the search found; and choose a provider."),
            "action": find,
        }
    return {"text": _("Nothing to compare."), "remedy": _("Search for a model, and choose a provider."), "action": find}
