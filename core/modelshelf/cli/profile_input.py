"""What is given to the commands about profiles: texts, files, JSON, and what is there already."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelshelf.errors import NotFound, UsageError

if TYPE_CHECKING:
    from modelshelf.providers import Profile
    from modelshelf.shelf import Shelf


async def before(shelf: "Shelf", name: str, model: str | None) -> "Profile":
    """The profile as it is, or a new one.

    Raises:
        UsageError: it is new, and no model is named.
    """
    from modelshelf.providers.profile_spec import Profile

    try:
        return await shelf.profiles.get(name)
    except NotFound:
        if model is None:
            raise UsageError(f"“{name}” is new: it needs a model.", remedy="Say --model PROVIDER/MODEL.") from None
        return Profile(name, model)


def without(profile: "Profile", names: list[str]) -> dict[str, Any]:
    """The parameters of a profile that are set, those of these names left out.

    Raises:
        UsageError: one of the names is no parameter.
    """
    from modelshelf.providers.profile_spec import PARAMETERS

    for name in names:
        if name not in PARAMETERS:
            raise UsageError(f"There is no parameter “{name}”.", remedy=f"Known: {', '.join(PARAMETERS)}.")
    return {name: value for name, value in profile.parameters.as_dict().items() if name not in names}


def text(given: str | None) -> str | None:
    """A text, or with @ in front the file that holds it."""
    return read(given[1:]) if given and given.startswith("@") else given


def read(file: str) -> str:
    """The text in a file; - reads standard input.

    Raises:
        NotFound: there is none.
        UsageError: it is no text.
    """
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not text in UTF-8.", remedy="Choose a text file.") from None
    except OSError as error:
        raise NotFound(f"{file} cannot be read: {error.strerror}.", remedy="Check the path.") from None


def table(given: str) -> Any:
    """What --extra holds.

    Raises:
        UsageError: it is no JSON.
    """
    try:
        return json.loads(given)
    except (ValueError, RecursionError):
        raise UsageError("--extra is no JSON.", remedy="Write it as '{\"name\": value}'.") from None
