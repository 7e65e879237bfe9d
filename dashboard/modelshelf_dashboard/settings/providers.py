"""Providers: how each is, what it offers, and what can be done with it."""

from typing import TYPE_CHECKING, Any

import panel as pn

from modelshelf.providers.spec import ServedModel
from modelshelf_dashboard.components.cards import Cards
from modelshelf_dashboard.components.dialog import Dialog
from modelshelf_dashboard.components.notices import Notices
from modelshelf_dashboard.components.search import Search
from modelshelf_dashboard.components.table import Table
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.settings import provider_rows as words
from modelshelf_dashboard.settings.adding import AddProvider
from modelshelf_dashboard.settings.provider_deeds import ProviderDeeds
from modelshelf_dashboard.texts import _, _n

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf
    from modelshelf.state import ProviderState

WATCHED = (
    "enabled", "health", "models", "error", "name", "url", "abilities", "missing", "keys", "lacks_key", "pulse",
    "listed",
)  # fmt: skip


class Providers:
    """The providers, below them the chosen one with its models."""

    def __init__(self, shelf: "Shelf", session: Session, dialog: Dialog) -> None:
        self._shelf = shelf
        self._session = session
        nav = session.navigation
        self.adding = AddProvider(shelf, session, saved=lambda provider: nav.param.update(provider=provider))
        self.deeds = ProviderDeeds(shelf, session, dialog, self.adding)
        add = {"do": "add", "word": _("Add provider"), "kind": "primary", "help": "addProvider"}
        self.search = Search(label=_("Find a provider or a model"), topic="llmSettings", action=add)
        self.search.listen(self.deeds.heard)
        self.trouble = Notices(heard=self.deeds.heard)
        self.providers = self._provider_table()
        self.card = Cards(heard=self.deeds.heard)
        self.deeds.opened = lambda: self.card.param.update(reveal=self.card.reveal + 1)
        self.models = self._model_table()
        self.view = pn.Column(
            self.search, self.trouble, self.providers, self.card, self.models, self.adding.form,
            margin=0, sizing_mode="stretch_width",
        )  # fmt: skip
        self.search.param.watch(lambda _event: self._draw(), ["text"])
        nav.param.watch(lambda *_events: self._choose(), ["provider", "chat"])
        session.follower.watch_items(shelf.providers_state, "providers", WATCHED, self._draw)
        session.follower.watch(shelf.providers_state, ["error"], self._draw)
        self._draw()

    def _provider_table(self) -> Table:
        return Table(
            heard=self.deeds.heard,
            columns=[
                {"key": "models", "label": _("Models"), "kind": "figure", "width": "70px", "wide": True},
                {"key": "response", "label": _("Response, last hour"), "kind": "line", "width": "190px", "wide": True},
                {"key": "keys", "label": _("Key"), "kind": "text", "width": "150px", "wide": True},
            ],
            label=_("Providers"),
            heading=_("Provider"),
            topic="providerHealth",
        )

    def _model_table(self) -> Table:
        return Table(
            heard=self.deeds.heard, label=_("Models of the provider"), heading=_("Model"), topic="tryIt", opens=False
        )

    def _draw(self) -> None:
        state = self._shelf.providers_state
        with pn.io.hold():
            self.trouble.items = [words.trouble(item) for item in state.providers if words.troubled(item)]
            self._draw_providers()
            self._choose()

    def _choose(self) -> None:
        """Show the chosen provider; the rows of all of them stay as they are."""
        nav, found = self._session.navigation, self._found()
        chosen = self._shelf.providers_state.find(nav.provider) or (found[0] if found else None)
        with pn.io.hold():
            self.providers.chosen = chosen.id if chosen else ""
            self._draw_card(chosen)
            self._draw_models(chosen, self._typed())

    def _typed(self) -> list[str]:
        return self.search.text.lower().split()

    def _found(self) -> list["ProviderState"]:
        typed = self._typed()
        return [item for item in self._shelf.providers_state.providers if _matches(item, typed)]

    def _draw_providers(self) -> None:
        state, found = self._shelf.providers_state, self._found()
        here = self._shelf.compatibility.here
        if state.error:
            self.providers.trouble(state.error, "")
        elif state.providers:
            status = _n("{n} provider", "{n} providers", len(found))
            self.providers.fill(
                [words.provider_row(item, fits=item.id in here) for item in found], status=status, empty=_nothing()
            )

    def _draw_card(self, chosen: "ProviderState | None") -> None:
        self.card.visible = chosen is not None
        if chosen is not None:
            others = [item.id for item in self._shelf.providers_state.providers if item.kind != "builtin"]
            ends = (others[:1] == [chosen.id], others[-1:] == [chosen.id])
            fits = chosen.id in self._shelf.compatibility.here
            self.card.cards = [words.provider_card(chosen, ends=ends, fits=fits), words.abilities_card(chosen)]

    def _draw_models(self, chosen: "ProviderState | None", typed: list[str]) -> None:
        self.models.visible = chosen is not None
        if chosen is None:
            return
        models = [item for item in chosen.models if not typed or _named(item, typed) or _matches_name(chosen, typed)]
        self.models.chosen = self._session.navigation.chat
        status = _n("{n} model of {name}", "{n} models of {name}", len(models), name=chosen.name)
        if len(models) > words.SHOWN:
            status += " · " + _("the first {n} are shown: type a part of a name", n=words.SHOWN)
        self.models.columns = _columns(models)
        rows = [words.model_row(model, chosen) for model in models[: words.SHOWN]]
        self.models.fill(rows, status=status, empty=words.no_models(chosen))


def _columns(models: list[ServedModel]) -> list[dict[str, Any]]:
    """What there is something to say about: a cloud service has prices, an engine has memory."""
    priced = any(model.price for model in models)
    local = any(model.size or model.loaded is not None for model in models)
    columns: list[dict[str, Any]] = [
        {"key": "context", "label": _("Context"), "kind": "figure", "width": "70px", "wide": True}
    ]
    if local or not priced:
        columns.insert(0, {"key": "size", "label": _("Size"), "kind": "figure", "width": "84px", "wide": True})
        columns.append({"key": "memory", "label": _("Memory"), "kind": "text", "width": "150px", "wide": True})
    if priced:
        label = _("$ per million, in / out")
        columns.append({"key": "price", "label": label, "kind": "figure", "width": "160px", "wide": True})
    return columns


def _matches(item: "ProviderState", typed: list[str]) -> bool:
    return not typed or _matches_name(item, typed) or any(_named(model, typed) for model in item.models)


def _matches_name(item: "ProviderState", typed: list[str]) -> bool:
    return all(word in f"{item.name} {item.id} {item.label} {item.url}".lower() for word in typed)


def _named(model: ServedModel, typed: list[str]) -> bool:
    return all(word in f"{model.name} {model.title} {model.repo or ''}".lower() for word in typed)


def _nothing() -> dict[str, Any]:
    return {"text": _("No provider and no model of theirs has such a name."), "remedy": _("Use fewer or other words.")}
