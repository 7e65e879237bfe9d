"""The form of a profile: what it asks for, and the profile that an answer means."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from modelshelf.errors import UsageError
from modelshelf.providers.profile_checks import cleaned, parameters
from modelshelf.providers.profile_spec import PURPOSES, Profile
from modelshelf_dashboard.texts import _

if TYPE_CHECKING:
    from modelshelf.state import ProvidersState


def fields(profile: Profile, models: Sequence[Mapping[str, str]], purposes: Sequence[str]) -> list[dict[str, Any]]:
    """What is asked for, filled in as the profile is."""
    return [*_main(profile, models, purposes), *_more(profile)]


def models(state: "ProvidersState") -> list[dict[str, str]]:
    """Every model that is served, below its provider."""
    return [
        {"value": model.id, "label": model.id, "group": item.name}
        for item in state.providers
        if item.enabled
        for model in item.models
    ]


def purposes(profiles: Sequence[Profile]) -> list[str]:
    """The usual ones, and those that are in use."""
    return list(dict.fromkeys([*PURPOSES, *sorted(profile.purpose for profile in profiles)]))


def read(told: Mapping[str, Any]) -> Profile:
    """The profile in an answer.

    Raises:
        UsageError: something in it is not allowed; `facts["field"]` names it.
    """
    numbers = {name: _number(name, str(told.get(name, ""))) for name in ("temperature", "top_p", "max_tokens", "seed")}
    asked: dict[str, Any] = {name: value for name, value in numbers.items() if value is not None}
    asked |= {"stop": [line for line in str(told.get("stop", "")).splitlines() if line]}
    asked |= {"extra": _extra(str(told.get("extra", "")))}
    if not told.get("model"):
        raise UsageError(_("It needs a model."), remedy=_("Choose one."), field="model")
    return cleaned(
        Profile(
            str(told.get("name", "")),
            str(told["model"]),
            str(told.get("purpose", "")),
            parameters(asked),
            str(told.get("system", "")),
            tuple(str(model) for model in told.get("fallbacks", ())),
            bool(told.get("default")),
        )
    )


def _main(profile: Profile, models: Sequence[Mapping[str, str]], purposes: Sequence[str]) -> list[dict[str, Any]]:
    asked, unset = profile.parameters, _("as the provider likes")
    chosen = [] if profile.model else [{"value": "", "label": _("Choose a model")}]
    return [
        {"name": "name", "label": _("Name"), "value": profile.name, "hint": _("for example My coder")},
        {
            "name": "purpose", "label": _("Purpose"), "value": profile.purpose, "free": True,
            "help": _("In a word. Each purpose has a default profile: the one that is meant by @ and the purpose."),
            "options": [{"value": purpose, "label": purpose} for purpose in purposes],
        },
        {"name": "model", "label": _("Model"), "value": profile.model, "options": [*chosen, *models]},
        {
            "name": "system", "label": _("System prompt"), "value": profile.system, "kind": "textarea", "rows": 4,
            "help": _("Told to the model before every conversation."),
        },
        {
            "name": "temperature", "label": _("Temperature"), "value": asked.temperature, "kind": "number",
            "min": 0, "max": 5, "step": 0.1, "hint": unset,
            "help": _("0 answers the same every time, 1 is lively, more is wild."),
        },
        {
            "name": "max_tokens", "label": _("Tokens of an answer at most"), "value": asked.max_tokens,
            "kind": "number", "min": 1, "step": 1, "hint": "512",
        },
        {
            "name": "fallbacks", "label": _("Fallbacks"), "value": list(profile.fallbacks), "kind": "list",
            "options": list(models), "add": _("Add a fallback"),
            "help": _("Asked in this order while the model does not answer, is gone or has no credit left."),
        },
        {
            "name": "default", "label": _("The default of its purpose"), "value": profile.default, "kind": "checkbox",
        },
    ]  # fmt: skip


def _more(profile: Profile) -> list[dict[str, Any]]:
    asked, unset = profile.parameters, _("as the provider likes")
    extra = json.dumps(dict(asked.extra), ensure_ascii=False, indent=2) if asked.extra else ""
    return [
        {
            "name": "top_p", "label": _("Top p"), "value": asked.top_p, "kind": "number", "min": 0, "max": 1,
            "step": 0.05, "hint": unset, "more": True,
            "help": _("Of the next words only the likeliest that together have this share, from 0 to 1."),
        },
        {
            "name": "seed", "label": _("Seed"), "value": asked.seed, "kind": "number", "min": 0, "step": 1,
            "hint": unset, "more": True, "help": _("The same seed rolls the same dice."),
        },
        {
            "name": "stop", "label": _("Texts that end the answer"), "value": "\n".join(asked.stop),
            "kind": "textarea", "rows": 2, "more": True, "help": _("One a line."),
        },
        {
            "name": "extra", "label": _("More for the provider"), "value": extra, "kind": "textarea", "rows": 3,
            "hint": '{"min_p": 0.05}', "more": True,
            "help": _("A JSON table that goes to the provider as it is. No keys: those belong to the provider."),
        },
    ]  # fmt: skip


def _number(name: str, text: str) -> float | int | None:
    """A number as typed; what is no number is left to the checks, which say so."""
    if not text.strip():
        return None
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        raise UsageError(
            _("“{typed}” is no number.", typed=text[:40]), remedy=_("Write a number."), field=name
        ) from None
    return int(value) if value.is_integer() else value


def _extra(text: str) -> Any:
    if not text.strip():
        return {}
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError(
            _("That is no JSON."), remedy=_("Write it as {example}.", example='{"name": 1}'), field="extra"
        ) from None
