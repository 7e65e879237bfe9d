"""Which hooks there are: those of installed packages, and those that the settings name."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, cast

from modelshelf.config import HooksConfig
from modelshelf.hooks.spec import POINTS, Hook

log = logging.getLogger(__name__)

GROUP = "modelshelf.hooks"
ALL = "*"


@dataclass(frozen=True, slots=True)
class Known:
    """A hook, the points where it has its say, or why it cannot be used; `origin` is where it is named."""

    name: str
    origin: str
    points: frozenset[str]
    hook: Hook | None = None
    error: str = ""


def find(settings: HooksConfig) -> tuple[Known, ...]:
    """Load every hook that is not switched off, in the order of their names; `*` switches all off. For threads.

    One that cannot be loaded counts at every point, so that what it was to prevent does not happen unseen.
    """
    if ALL in settings.off:
        return ()
    named = {**dict(_installed()), **{place: place for place in settings.use}}
    return tuple(_load(name, place) for name, place in sorted(named.items()) if name not in settings.off)


def known(name: str, hook: Any, origin: str) -> Known:
    """A hook from what an entry point or a program names.

    Raises:
        TypeError: it is none.
    """
    made = hook() if isinstance(hook, type) else hook
    points = getattr(made, "points", None)
    if not callable(made) or points is None:
        raise TypeError("it is no hook: it needs `points` and must be callable")
    if unknown := sorted(set(points) - POINTS):
        raise TypeError(f"there is no point {unknown[0]}; there are {', '.join(sorted(POINTS))}")
    return Known(name, origin, frozenset(points), cast("Hook", made))


def _installed() -> Iterator[tuple[str, str]]:
    for entry in entry_points(group=GROUP):
        yield entry.name, entry.value


def _load(name: str, place: str) -> Known:
    try:
        module, _, attribute = place.partition(":")
        found: Any = import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
        return known(name, found, place)
    except Exception as error:  # whatever a package of somebody else does when it is loaded
        log.exception("the hook %s cannot be loaded", name)
        return Known(name, place, POINTS, error=f"{type(error).__name__}: {error}")
