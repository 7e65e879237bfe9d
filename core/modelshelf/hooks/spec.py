"""The door for hooks: whatever implements `Hook` and is named in the entry points `modelshelf.hooks`, or in hooks.use.

A hook is called in a thread of its own with plain data, and may be a coroutine function. It has `hooks.seconds`.
"""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

BEFORE_DOWNLOAD = "before_download"
AFTER_DOWNLOAD = "after_download"
AFTER_VERDICT = "after_verdict"
BEFORE_REGISTRATION = "before_registration"
AFTER_REGISTRATION = "after_registration"
BEFORE_DELETION = "before_deletion"
AFTER_DELETION = "after_deletion"

ASKED = frozenset({BEFORE_DOWNLOAD, BEFORE_REGISTRATION, BEFORE_DELETION})
"""Where a hook may refuse; one that fails refuses."""
TOLD = frozenset({AFTER_DOWNLOAD, AFTER_REGISTRATION, AFTER_DELETION})
"""Where a hook hears what happened; one that fails is noted."""
POINTS = ASKED | TOLD | {AFTER_VERDICT}
"""Every point. At `after_verdict` a verdict may be made stricter, never milder; a hook that fails there asks for a
person's decision."""


@dataclass(frozen=True, slots=True)
class Veto:
    """A hook's refusal and its reason, in a sentence. At `after_verdict`, `verdict` is `block` or `review`."""

    reason: str
    verdict: str = "block"


class Hook(Protocol):
    """Has its say at some points; `points` names them.

    `about` says what it is about: `model` (`source:org/name@commit`), `source`, `repo`, `commit`, `by` (who asked), and

    - before_download: `files` (`path`, `size`), `total` in bytes, `licence`, `gated`;
    - after_download: `job`, `status`, `files` (`name`, `sha256`, `size`), `error`;
    - after_verdict: `path`, `sha256`, `verdict`, `findings` (`rule`, `where`, `detail`);
    - before_registration and after_registration: `provider`, `way`;
    - before_deletion and after_deletion: `commits`, `freed` in bytes.
    """

    points: frozenset[str]

    def __call__(self, point: str, about: Mapping[str, Any]) -> "Veto | Awaitable[Veto | None] | None":
        """Say nothing (None), or refuse."""
        ...
