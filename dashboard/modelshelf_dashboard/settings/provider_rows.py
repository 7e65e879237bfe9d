"""What the section of the providers says in its tables, its card and its notices."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from modelshelf.providers.spec import Ability, HealthStatus, ServedModel
from modelshelf_dashboard import figures
from modelshelf_dashboard.session import TO_LIBRARY
from modelshelf_dashboard.state_words import health_dot, health_word
from modelshelf_dashboard.texts import N_, _, _n

if TYPE_CHECKING:
    from modelshelf.providers.keys import KeyInfo
    from modelshelf.state import ProviderState

SHOWN = 100
SOON = timedelta(days=60)
_TROUBLE = frozenset({HealthStatus.DOWN, HealthStatus.REFUSED})
ABILITY_WORDS = {
    Ability.LIST: N_("list its models"),
    Ability.DETAIL: N_("tell more of a model"),
    Ability.HEALTH: N_("say how it is"),
    Ability.LOADED: N_("say what is in memory"),
    Ability.LOAD: N_("load a model"),
    Ability.UNLOAD: N_("unload a model"),
    Ability.PULL: N_("fetch a model itself"),
    Ability.REGISTER_PATH: N_("take a model by its path"),
    Ability.REGISTER_LINK: N_("take a model by a link, without a copy"),
    Ability.REGISTER_UPLOAD: N_("take a copy of a model"),
    Ability.DELETE: N_("delete a model"),
    Ability.CHAT: N_("answer questions"),
    Ability.EMBED: N_("embed texts"),
    Ability.ESTIMATE: N_("reckon the memory a model takes"),
}


def provider_row(item: "ProviderState", *, fits: bool = False) -> dict[str, Any]:
    """A provider in the table; `fits`: whether it runs models of the library."""
    health = item.health
    word = health_word(health.status) if item.enabled else _("switched off")
    if item.enabled and item.lacks_key:
        word = _("needs a key")
    pulse = item.pulse
    tone = "bad" if health.status in _TROUBLE else "slow" if health.status is HealthStatus.SLOW else ""
    share = f"{pulse.availability:.0%}" if pulse.availability is not None and pulse.availability < 1 else ""
    told = " · ".join(part for part in (figures.response(pulse.median_ms), share) if part)
    actions = [{"do": "test", "word": _("Test"), "help": "testProvider"}] if item.enabled else []
    if item.enabled and fits:
        actions.insert(0, fitting(item, short=True))
    if item.enabled and item.lacks_key:
        actions.append({"do": "key", "word": _("Add key"), "kind": "primary", "help": "providerKeys"})
    if not item.enabled:
        actions.append({"do": "enable", "word": _("Switch on"), "help": "llmSettings"})
    return {
        "id": item.id,
        "title": item.name,
        "sub": " · ".join(part for part in (word, place(item)) if part),
        "more": _n("{n} model", "{n} models", len(item.models)),
        "dot": (health_dot(health.status) if item.enabled else "") or "off",
        "cells": {
            "models": {"main": f"{len(item.models):,}"},
            "response": {"main": told, "points": list(pulse.points), "tone": tone, "label": response_words(item)},
            "keys": {"main": key_words(item)},
        },
        "actions": actions,
    }


def place(item: "ProviderState") -> str:
    """Where it is."""
    return item.url.removeprefix("http://").removeprefix("https://") or _("on this machine")


def response_words(item: "ProviderState") -> str:
    """The line of responses, for who cannot see it."""
    pulse = item.pulse
    if pulse.availability is None:
        return _("Not looked at in the last hour.")
    return _(
        "In the last hour it answered {share} of the looks, mostly within {time}.",
        share=f"{pulse.availability:.0%}",
        time=figures.response(pulse.median_ms),
    )


def key_words(item: "ProviderState") -> str:
    """Its keys in a few words."""
    present = [key for key in item.keys if key.present]
    if not present:
        return _("none") if item.lacks_key else figures.NONE
    if len(present) > 1:
        return _n("{n} key", "{n} keys", len(present))
    return key_word(present[0])


def key_word(key: "KeyInfo") -> str:
    """One key: its end, or the variable that holds it."""
    return key.env or (f"…{key.last4}" if key.last4 else _("set"))


def fitting(item: "ProviderState", *, short: bool = False) -> dict[str, Any]:
    """The way to the models that would run well on a provider."""
    filters = [f"provider:{item.id}"]
    place = {"view": "discover", "q": "", "filters": filters, "collection": "", "page": 0, "model": "", "focus": True}
    label = _("Models that fit {name}", name=item.name)
    word = _("Find models") if short else _("Models that fit")
    return {"do": TO_LIBRARY, "word": word, "label": label, "help": "modelLibrary", "context": place}


def provider_card(item: "ProviderState", *, ends: tuple[bool, bool], fits: bool = False) -> dict[str, Any]:
    """What there is to say of the chosen provider, and to do with it.

    `ends`: whether it is first or last; `fits`: whether it runs models of the library.
    """
    loaded = [model for model in item.models if model.loaded]
    pairs = [{"name": _("Address"), "value": item.url or _("on this machine")}]
    if item.health.at.year > 1970:
        pairs.append({"name": _("Last looked at"), "value": figures.ago(item.health.at)})
    pairs.append({"name": _("In memory now"), "value": ", ".join(model.name for model in loaded) or _("nothing")})
    for key in item.keys:
        label = _("Key for {pattern}", pattern=key.pattern) if key.pattern != "*" else _("Key")
        pairs.append({"name": label, "value": key_word(key) if key.present else _("empty")})
    actions: list[dict[str, Any]] = [fitting(item)] if fits else []
    actions += [{"do": "edit", "word": _("Edit"), "help": "addProvider"}] if item.url else []
    if item.url:
        actions.append({"do": "keys", "word": _("Keys"), "help": "providerKeys"})
    if item.enabled:
        actions.append({"do": "disable", "word": _("Switch off"), "help": "llmSettings"})
    if item.kind != "builtin":
        first, last = ends
        actions += [{"do": "up", "word": _("Move up"), "help": "llmSettings"}] if not first else []
        actions += [{"do": "down", "word": _("Move down"), "help": "llmSettings"}] if not last else []
        actions.append({"do": "remove", "word": _("Remove"), "kind": "trouble", "help": "llmSettings"})
    version = item.health.version or item.label
    return {"id": item.id, "title": item.name, "sub": version, "pairs": pairs, "actions": actions}


def abilities_card(item: "ProviderState") -> dict[str, Any]:
    """What it can do, and why the rest is not possible."""
    able = [_(word) for ability, word in ABILITY_WORDS.items() if ability in item.abilities]
    by_reason: dict[str, list[str]] = {}
    for ability, word in ABILITY_WORDS.items():
        if ability in item.missing and ability not in item.abilities:
            by_reason.setdefault(item.missing[ability], []).append(_(word))
    text = _("It can {list}.", list=", ".join(able)) if able else ""
    pairs = [
        {"name": _("It cannot {list}", list=", ".join(names)), "value": why, "tone": "muted", "stack": True}
        for why, names in by_reason.items()
    ]
    return {"id": f"{item.id} abilities", "title": _("What it can do"), "lead": text, "pairs": pairs}


def model_row(model: ServedModel, item: "ProviderState") -> dict[str, Any]:
    """A model in the table of the chosen provider."""
    loaded = _("in memory, {size}", size=figures.memory(model.memory)) if model.memory else _("in memory")
    held = loaded if model.loaded else _("on the disk") if model.loaded is False else figures.NONE
    about = [model.repo or model.title, model.quantisation or "", model.architecture or ""]
    price = model.price
    costs = ""
    if price is not None and (price.input is not None or price.output is not None):
        costs = f"{figures.dollars(price.input)} / {figures.dollars(price.output)}"
    return {
        "id": model.id,
        "title": model.name,
        "sub": " · ".join(part for part in about if part and part != model.name) or _("no details given"),
        "more": held if model.loaded else figures.size(model.size) if model.size else "",
        "chips": _chips(model),
        "cells": {
            "size": {"main": figures.size(model.size)},
            "context": {"main": figures.tokens(model.context)},
            "price": {"main": costs or figures.NONE},
            "memory": {"main": held, "tone": "good" if model.loaded else ""},
        },
        "actions": _model_actions(model, item),
    }


def talks(model: ServedModel, item: "ProviderState") -> bool:
    """Whether one can talk to a model. Ollama calls that completion; who says nothing is given the benefit."""
    return Ability.CHAT in item.abilities and (not model.abilities or bool({"chat", "completion"} & {*model.abilities}))


def _model_actions(model: ServedModel, item: "ProviderState") -> list[dict[str, Any]]:
    actions = [{"do": "try", "word": _("Try it"), "kind": "primary", "help": "tryIt"}] if talks(model, item) else []
    if model.loaded and Ability.UNLOAD in item.abilities:
        actions.append({"do": "unload", "word": _("Unload"), "help": "memory"})
    elif model.loaded is not True and Ability.LOAD in item.abilities:
        actions.append({"do": "load", "word": _("Load"), "help": "loadSettings"})
    fit = {"do": TO_LIBRARY, "word": _("Fit"), "help": "compatibilityScore"}
    return [*actions, {**fit, "context": {"model": model.id, "by": item.id}}]


def _chips(model: ServedModel) -> list[dict[str, str]]:
    told = [{"text": _(word)} for ability, word in _MODEL_WORDS.items() if ability in model.abilities]
    if model.retires is not None:
        soon = model.retires <= (datetime.now(UTC) + SOON).date()
        told.append({"text": _("until {day}", day=model.retires.isoformat()), "tone": "bad" if soon else "warn"})
    elif model.deprecated:
        told.append({"text": _("deprecated"), "tone": "warn"})
    return told


_MODEL_WORDS = {
    "tools": N_("tools"),
    "vision": N_("pictures"),
    "reasoning": N_("reasoning"),
    "embed": N_("embeddings"),
    "embedding": N_("embeddings"),
}


def troubled(item: "ProviderState") -> bool:
    """Whether something is wrong with a provider that is switched on."""
    return item.enabled and (item.health.status in _TROUBLE or bool(item.error) or item.lacks_key)


def trouble(item: "ProviderState") -> dict[str, Any]:
    """The notice of what is wrong, with what mends it as its button."""
    health = item.health
    action = {"do": "test", "word": _("Test again"), "help": "providerHealth"}
    if item.lacks_key:
        text, remedy = _("{name} needs a key.", name=item.name), _("Without one it answers nothing.")
        action = {"do": "key", "word": _("Add key"), "help": "providerKeys"}
    elif health.status in _TROUBLE:
        text = _("{name} {how}.", name=item.name, how=health_word(health.status))
        remedy = f"{health.detail} {health.remedy}".strip()
        if health.status is HealthStatus.REFUSED:
            action = {"do": "key", "word": _("Replace key"), "help": "providerKeys"}
    else:
        text, remedy = item.error, ""
    return {"id": item.id, "tone": "bad", "text": text, "remedy": remedy, "action": action, "lasting": True}


def no_models(item: "ProviderState") -> dict[str, Any]:
    """Why the table of models is empty."""
    if item.error:
        return {"text": item.error, "remedy": ""}
    if item.listed is None and item.enabled:
        return {"text": _("{name} was not asked yet.", name=item.name), "remedy": ""}
    if item.kind != "builtin" and Ability.PULL not in item.abilities:
        return {"text": _("{name} offers no models.", name=item.name), "remedy": _("Look at the provider itself.")}
    find = {**fitting(item), "word": _("Find a model"), "kind": "primary"}
    remedy = _("A model that is downloaded in the library shows up here by itself.")
    return {"text": _("{name} has no models yet.", name=item.name), "remedy": remedy, "action": find}
