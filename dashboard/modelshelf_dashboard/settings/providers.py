"""Providers: how each is, what it offers, and a way to try it."""

from typing import TYPE_CHECKING, Any

import panel as pn

from modelshelf.providers.spec import Ability, HealthStatus, ServedModel
from modelshelf_dashboard import figures
from modelshelf_dashboard.components.notices import Notices
from modelshelf_dashboard.components.search import Search
from modelshelf_dashboard.components.table import Table
from modelshelf_dashboard.session import TO_LIBRARY, Session
from modelshelf_dashboard.state_words import health_dot, health_word
from modelshelf_dashboard.texts import _, _n

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf
    from modelshelf.state import ProviderState

HERE = ("enabled", "health", "models", "error", "name", "url")


class Providers:
    """Two tables, one below the other: the providers, and the models of the chosen one."""

    def __init__(self, shelf: "Shelf", session: Session) -> None:
        self._shelf = shelf
        self._session = session
        nav = session.navigation
        self.search = Search(label=_("Find a provider or a model of theirs"), topic="llmSettings")
        self.trouble = Notices(heard=self._troubled)
        self.providers = self._provider_table()
        self.models = self._model_table()
        self.view = pn.Column(
            self.search, self.trouble, self.providers, self.models, margin=0, sizing_mode="stretch_width"
        )
        self.search.param.watch(lambda _event: self._draw(), ["text"])
        nav.param.watch(lambda _event: self._draw(), ["provider", "chat"])
        session.follower.watch_items(shelf.providers_state, "providers", HERE, self._draw)
        session.follower.watch(shelf.providers_state, ["error"], self._draw)
        self._draw()

    def _provider_table(self) -> Table:
        return Table(
            heard=self._heard,
            columns=[
                {"key": "models", "label": _("Models"), "kind": "figure", "width": "70px"},
                {"key": "response", "label": _("Response"), "kind": "figure", "width": "90px", "wide": True},
                {"key": "version", "label": _("Version"), "kind": "text", "width": "190px", "wide": True},
            ],
            label=_("Providers"),
            heading=_("Provider"),
            topic="providerHealth",
        )

    def _model_table(self) -> Table:
        return Table(
            heard=self._heard,
            columns=[
                {"key": "size", "label": _("Size"), "kind": "figure", "width": "84px", "wide": True},
                {"key": "context", "label": _("Context"), "kind": "figure", "width": "70px", "wide": True},
                {"key": "memory", "label": _("Memory"), "kind": "text", "width": "150px", "wide": True},
            ],
            label=_("Models of the provider"),
            heading=_("Model"),
            topic="tryIt",
            opens=False,
        )

    def _draw(self) -> None:
        state = self._shelf.providers_state
        words = self.search.text.lower().split()
        found = [item for item in state.providers if _matches(item, words)]
        chosen = state.find(self._session.navigation.provider) or (found[0] if found else None)
        with pn.io.hold():
            self.trouble.items = [_told(item) for item in state.providers if item.enabled and _troubled(item)]
            self._draw_providers(found, chosen)
            self._draw_models(chosen, words)

    def _draw_providers(self, found: list["ProviderState"], chosen: "ProviderState | None") -> None:
        state = self._shelf.providers_state
        if state.error:
            self.providers.trouble(state.error, "")
        elif state.providers:
            status = _n("{n} provider", "{n} providers", len(found))
            self.providers.chosen = chosen.id if chosen else ""
            self.providers.fill([_row(item) for item in found], status=status, empty=_nothing())

    def _draw_models(self, chosen: "ProviderState | None", words: list[str]) -> None:
        if chosen is None:
            self.models.visible = False
            return
        self.models.visible = True
        models = [model for model in chosen.models if not words or _named(model, words) or _matches_name(chosen, words)]
        self.models.chosen = self._session.navigation.chat
        talks = Ability.CHAT in chosen.abilities
        status = _n("{n} model of {name}", "{n} models of {name}", len(models), name=chosen.name)
        self.models.fill([_model(model, talks=talks) for model in models], status=status, empty=_no_models(chosen))

    def _heard(self, message: dict[str, Any]) -> None:
        nav, which = self._session.navigation, str(message.get("id", ""))
        match message["do"]:
            case "open":
                nav.provider = which
            case "test":
                self._session.run(self._test(which), what=f"test {which}")
            case "enable" | "disable" as do:
                self._session.run(self._shelf.providers.enable(which, do == "enable"), what=do)
            case "try":
                nav.param.update(chat=which, provider=which.partition("/")[0])
            case "unload":
                self._session.run(self._shelf.providers.unload(which), what="unload")
            case "library":
                nav.navigate_to_model_library(view="discover", filters=["is:fits"])

    async def _test(self, provider: str) -> None:
        health = await self._shelf.health.check(provider)
        name = (await self._shelf.providers.get(provider)).config.name
        good = health.status is HealthStatus.WELL
        took = _("It answered in {n} ms.", n=f"{health.latency_ms:.0f}") if health.latency_ms is not None else ""
        self._session.notice(
            f"{name}: {health_word(health.status)}.",
            took if good else f"{health.detail} {health.remedy}".strip(),
            tone="good" if good else "bad",
            id=f"test {provider}",
        )

    def _troubled(self, message: dict[str, Any]) -> None:
        if message["do"] == "test":
            self._session.run(self._test(str(message["id"])), what=f"test {message['id']}")


def _row(item: "ProviderState") -> dict[str, Any]:
    word = health_word(item.health.status) if item.enabled else _("switched off")
    switch = {"do": "disable", "word": _("Switch off")} if item.enabled else {"do": "enable", "word": _("Switch on")}
    actions = [{"do": "test", "word": _("Test")}] if item.enabled else []
    return {
        "id": item.id,
        "title": item.name,
        "sub": " · ".join(part for part in (word, item.url or _("on this machine")) if part),
        "dot": (health_dot(item.health.status) if item.enabled else "") or "off",
        "cells": {
            "models": {"main": f"{len(item.models)}"},
            "response": {"main": figures.response(item.health.latency_ms)},
            "version": {"main": item.health.version or figures.NONE},
        },
        "actions": actions if item.kind == "builtin" else [*actions, switch],
    }


def _model(model: ServedModel, *, talks: bool) -> dict[str, Any]:
    loaded = _("in memory, {size}", size=figures.memory(model.memory)) if model.memory else _("in memory")
    held = loaded if model.loaded else _("on the disk") if model.loaded is False else figures.NONE
    actions = [{"do": "try", "word": _("Try it"), "kind": "primary", "help": "tryIt"}] if talks else []
    if model.loaded:
        actions.append({"do": "unload", "word": _("Unload"), "help": "memory"})
    about = [model.repo or "", model.quantisation or "", model.architecture or ""]
    return {
        "id": model.id,
        "title": model.name,
        "sub": " · ".join(part for part in about if part) or _("no details given"),
        "more": held if model.loaded else figures.size(model.size),
        "cells": {
            "size": {"main": figures.size(model.size)},
            "context": {"main": figures.tokens(model.context)},
            "memory": {"main": held, "tone": "good" if model.loaded else ""},
        },
        "actions": actions,
    }


def _troubled(item: "ProviderState") -> bool:
    return item.health.status in {HealthStatus.DOWN, HealthStatus.REFUSED} or bool(item.error)


def _told(item: "ProviderState") -> dict[str, Any]:
    health = item.health
    bad = health.status in {HealthStatus.DOWN, HealthStatus.REFUSED}
    text = _("{name} {how}.", name=item.name, how=health_word(health.status)) if bad else item.error
    return {
        "id": item.id,
        "tone": "bad",
        "text": text,
        "remedy": f"{health.detail} {health.remedy}".strip() if bad else "",
        "action": {"do": "test", "word": _("Test again"), "help": "providerHealth"},
        "lasting": True,
    }


def _matches(item: "ProviderState", words: list[str]) -> bool:
    return not words or _matches_name(item, words) or any(_named(model, words) for model in item.models)


def _matches_name(item: "ProviderState", words: list[str]) -> bool:
    return all(word in f"{item.name} {item.id} {item.label} {item.url}".lower() for word in words)


def _named(model: ServedModel, words: list[str]) -> bool:
    return all(word in f"{model.name} {model.repo or ''}".lower() for word in words)


def _nothing() -> dict[str, Any]:
    return {"text": _("No provider and no model of theirs has such a name."), "remedy": _("Use fewer or other words.")}


def _no_models(item: "ProviderState") -> dict[str, Any]:
    if item.error:
        return {"text": item.error, "remedy": ""}
    find = {"do": TO_LIBRARY, "word": _("Find a model"), "kind": "primary", "help": "modelLibrary"}
    remedy = _("A model that is downloaded in the library shows up here by itself.")
    return {"text": _("{name} has no models yet.", name=item.name), "remedy": remedy, "action": find}
