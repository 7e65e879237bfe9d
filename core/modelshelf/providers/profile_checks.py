"""What a profile may hold. Each refusal names the field, so that a form can say it beside it."""

import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from modelshelf.errors import UsageError
from modelshelf.ids import split_served
from modelshelf.providers.profile_spec import PARAMETERS, PURPOSES, Parameters, Profile

NAME_LIMIT = 60
SYSTEM_LIMIT = 100_000
MODEL_LIMIT = 340
MOST_FALLBACKS = 10
MOST_STOPS = 16
EXTRA_LIMIT = 20_000
DEEPEST = 8

_PURPOSE = re.compile(r"^[^\W_][\w-]{0,39}$")
_KEY = re.compile(
    r"(api.?key|authori[sz]ation|password|secret|access.?token|auth.?token|bearer|credential)", re.IGNORECASE
)
_OURS = frozenset({"model", "messages", "stream"})
_ROUTES = frozenset({"export", "import", ".", ".."})  # they mean something else in an address
_RANGES: Mapping[str, tuple[float, float]] = {
    "temperature": (0, 5), "top_p": (0, 1), "max_tokens": (1, 1_048_576), "seed": (0, 2**32 - 1),
}  # fmt: skip
_WHOLE = frozenset({"max_tokens", "seed"})


def cleaned(profile: Profile) -> Profile:
    """The profile with its blanks in order.

    Raises:
        UsageError: something in it is not allowed; `facts["field"]` names it.
    """
    model = clean_model(profile.model, "model")
    fallbacks = dict.fromkeys(clean_model(item, "fallbacks") for item in profile.fallbacks)
    fallbacks.pop(model, None)
    if len(fallbacks) > MOST_FALLBACKS:
        raise _wrong("fallbacks", f"A profile has {MOST_FALLBACKS} fallbacks at most.", "Leave some of them out.")
    return Profile(
        clean_name(profile.name),
        model,
        _purpose(profile.purpose),
        parameters({name: getattr(profile.parameters, name) for name in PARAMETERS}),
        _system(profile.system),
        tuple(fallbacks),
        profile.default,
    )


def parameters(found: Mapping[str, Any]) -> Parameters:
    """Read what `as_dict` wrote, or what a person did.

    Raises:
        UsageError: a name or a value that is not allowed; `facts["field"]` names it.
    """
    for name in found:
        if name not in PARAMETERS:
            raise _wrong(name, f"There is no parameter “{name}”.", f"Known: {', '.join(PARAMETERS)}.")
    numbers = {name: _number(name, found.get(name)) for name in _RANGES}
    return Parameters(**numbers, stop=_stops(found.get("stop", ())), extra=_extra(found.get("extra", {})))


def clean_name(text: str) -> str:
    """A profile's name, its blanks in order.

    Raises:
        UsageError.
    """
    name = unicodedata.normalize("NFC", " ".join(text.split()))
    if not 0 < len(name) <= NAME_LIMIT or not name.isprintable():
        raise _wrong("name", f"A profile's name has 1 to {NAME_LIMIT} characters.", "Choose a short name.")
    if "/" in name or name.startswith("@") or name.casefold() in _ROUTES:
        raise _wrong(
            "name", f"“{name}” cannot name a profile.", "Choose a name without a slash that does not begin with @."
        )
    return name


def same(one: str, other: str) -> bool:
    """Whether two names mean the same profile."""
    return fold(one) == fold(other)


def fold(name: str) -> str:
    """A name as it is compared: small and capital letters are one."""
    return unicodedata.normalize("NFC", " ".join(name.split()).casefold())


def clean_model(text: str, where: str) -> str:
    """A model as `provider/served-name`.

    Raises:
        UsageError: it has not that form; `facts["field"]` is `where`.
    """
    model = text.strip()
    try:
        split_served(model)
    except UsageError as error:
        raise _wrong(where, error.message, error.remedy) from None
    if len(model) > MODEL_LIMIT or not model.isprintable():
        raise _wrong(where, "That is no name of a model.", "Choose one that a provider lists.")
    return model


def _purpose(text: str) -> str:
    purpose = text.strip().lower()
    if not _PURPOSE.match(purpose):
        raise _wrong("purpose", f"“{text[:60]}” is no purpose.", f"Say it in a word, such as {', '.join(PURPOSES)}.")
    return purpose


def _system(text: str) -> str:
    if len(text) > SYSTEM_LIMIT:
        raise _wrong("system", f"The system prompt is longer than {SYSTEM_LIMIT:,} characters.", "Shorten it.")
    if "\0" in text:
        raise _wrong("system", "The system prompt holds a character that is no text.", "Remove it.")
    return text


def _number(name: str, found: Any) -> Any:
    if found is None:
        return None
    least, most = _RANGES[name]
    kind = int if name in _WHOLE else int | float
    if isinstance(found, bool) or not isinstance(found, kind) or not least <= found <= most:
        what = "a whole number" if name in _WHOLE else "a number"
        raise _wrong(name, f"{name} = {_short(found)} is not allowed.", f"Choose {what} from {least} to {most:,}.")
    return found


def _stops(found: Any) -> tuple[str, ...]:
    stops = tuple(found) if isinstance(found, list | tuple) else (found,)
    good = all(isinstance(item, str) and 0 < len(item) <= 100 for item in stops)
    if not good or len(stops) > MOST_STOPS:
        raise _wrong(
            "stop", "Texts that end an answer have 1 to 100 characters.", f"Give {MOST_STOPS} such texts at most."
        )
    return stops


def _extra(found: Any) -> dict[str, Any]:
    if not isinstance(found, Mapping):
        raise _wrong("extra", "“extra” is no table of names and values.", "Write it as {name: value}.")
    for name in _OURS & found.keys():
        raise _wrong("extra", f"“{name}” in “extra” would overrule the question itself.", "Leave it out.")
    if len(repr(found)) > EXTRA_LIMIT:
        raise _wrong("extra", f"“extra” is longer than {EXTRA_LIMIT:,} characters.", "Leave out what is not needed.")
    copied = _plain(found, 0)
    assert isinstance(copied, dict)  # noqa: S101 - a table stays one
    return copied


def _plain(found: Any, depth: int) -> Any:
    """A copy of what TOML and JSON both can hold.

    Raises:
        UsageError: it holds something else, or something that is named like a key.
    """
    if isinstance(found, Mapping) and depth < DEEPEST:
        return {_named(name): _plain(value, depth + 1) for name, value in found.items()}
    if isinstance(found, list | tuple) and depth < DEEPEST:
        return [_plain(value, depth + 1) for value in found]
    whole = isinstance(found, int) and abs(found) < 2**63
    if isinstance(found, str | bool) or whole or (isinstance(found, float) and math.isfinite(found)):
        return found
    raise _wrong("extra", f"“extra” holds {_short(found)}.", "It takes texts, numbers, true and false, lists, tables.")


def _named(name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise _wrong("extra", "“extra” holds a value without a name.", "Write it as {name: value}.")
    if _KEY.search(name):
        raise _wrong("extra", f"“{_short(name)}” looks like a key; a profile holds none.", "Give it to the provider.")
    return name


def _short(found: Any) -> str:
    text = str(found)
    return text if len(text) <= 40 else text[:39] + "…"


def _wrong(where: str, what: str, remedy: str) -> UsageError:
    return UsageError(what, remedy=remedy, field=where)
