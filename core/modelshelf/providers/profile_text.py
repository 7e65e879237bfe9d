"""Profiles as a text to carry elsewhere: TOML, in which a person can read and change them. It holds no secrets."""

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

import tomlkit

from modelshelf.errors import UsageError
from modelshelf.providers.profile_checks import cleaned, parameters, same
from modelshelf.providers.profile_spec import Profile

VERSION = 1
TEXT_LIMIT = 16 << 20
MOST = 1000
_SHAPE: Mapping[str, type] = {
    "name": str, "purpose": str, "model": str, "system": str, "fallbacks": list, "default": bool, "parameters": dict,
}  # fmt: skip
_REMEDY = "Import what `modelshelf profiles export` wrote."


def dump(profiles: Sequence[Profile]) -> str:
    """The text."""
    document = tomlkit.document()
    document["version"] = VERSION
    document["profiles"] = [_table(profile) for profile in profiles]
    return tomlkit.dumps(document)


def parse(text: str) -> Sequence[Profile]:
    """The profiles in a text.

    Raises:
        UsageError: it is no export of profiles, or holds something that is not allowed; the sentence names the profile.
    """
    found = _document(text).get("profiles", [])
    if not isinstance(found, list) or len(found) > MOST:
        raise UsageError("The text is no export of profiles.", remedy=_REMEDY)
    profiles = [_read(number, item) for number, item in enumerate(found, 1)]
    for place, profile in enumerate(profiles):
        if any(same(profile.name, other.name) for other in profiles[:place]):
            raise UsageError(f"The text names the profile “{profile.name}” twice.", remedy="Leave one of them out.")
    return profiles


def _document(text: str) -> Mapping[str, Any]:
    if len(text) > TEXT_LIMIT:
        raise UsageError(f"The text is larger than {TEXT_LIMIT >> 20} MiB.", remedy=_REMEDY)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"The text is not valid TOML: {error}.", remedy=_REMEDY) from None
    except (RecursionError, ValueError):
        raise UsageError("The text is not valid TOML.", remedy=_REMEDY) from None
    if document.get("version") != VERSION:
        raise UsageError("The text is no export of profiles, or one of a newer version.", remedy=_REMEDY)
    return document


def _table(profile: Profile) -> dict[str, Any]:
    told: dict[str, Any] = {"name": profile.name, "purpose": profile.purpose, "model": profile.model}
    told |= {"default": True} if profile.default else {}
    told |= {"fallbacks": list(profile.fallbacks)} if profile.fallbacks else {}
    told |= {"system": _prose(profile.system)} if profile.system else {}
    asked = profile.parameters.as_dict()
    return told | ({"parameters": asked} if asked else {})


def _prose(text: str) -> Any:
    """Several lines as several lines, where TOML gives them back as they were."""
    lines = "\n" in text and "\r" not in text and not text.startswith("\n")
    return tomlkit.string(text, multiline=True) if lines else text


def _read(number: int, item: Any) -> Profile:
    where = f"Profile {number} of the text"
    if not isinstance(item, dict) or not {"name", "model"} <= item.keys():
        raise UsageError(f"{where} has no name or no model.", remedy=_REMEDY)
    for name, value in item.items():
        if not isinstance(value, _SHAPE.get(name, ())):
            raise UsageError(f"{where} has a “{name}” that makes no sense.", remedy="Mend it, or leave it out.")
    fallbacks = item.get("fallbacks", [])
    if not all(isinstance(model, str) for model in fallbacks):
        raise UsageError(f"{where} has fallbacks that are no texts.", remedy="Write them as provider/model.")
    try:
        asked = parameters(item.get("parameters", {}))
        told = {name: item[name] for name in ("purpose", "system", "default") if name in item}
        return cleaned(Profile(item["name"], item["model"], parameters=asked, fallbacks=tuple(fallbacks), **told))
    except UsageError as error:
        raise UsageError(f"{where}: {error.message}", remedy=error.remedy) from None
