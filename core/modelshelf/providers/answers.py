"""Reads answers of providers, which may hold anything: what has not the expected form counts as not said."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

TEXT_LIMIT = 500
MOST_MODELS = 20_000


def mapping(found: Any) -> Mapping[str, Any]:
    """An object, or an empty one."""
    return found if isinstance(found, dict) else {}


def objects(found: Any) -> Sequence[Mapping[str, Any]]:
    """The objects in a list, of a list beyond reason the first 20,000; nothing if it is no list."""
    return [item for item in found[:MOST_MODELS] if isinstance(item, dict)] if isinstance(found, list) else []


def text(found: Any) -> str:
    """A text in one line that can be printed and kept, cut at 500 characters, or nothing.

    Control characters, marks that turn the writing round and halves of surrogate pairs become blanks.
    """
    if not isinstance(found, str):
        return ""
    return " ".join("".join(one if one.isprintable() else " " for one in found[:TEXT_LIMIT]).split())


def texts(found: Any) -> tuple[str, ...]:
    """The texts in a list."""
    return tuple(text(item) for item in found[:TEXT_LIMIT] if isinstance(item, str)) if isinstance(found, list) else ()


def count(found: Any) -> int | None:
    """A whole number that is not negative."""
    return found if isinstance(found, int) and not isinstance(found, bool) and 0 <= found < 2**63 else None


def number(found: Any) -> float | None:
    """A finite number, also one written as text, as prices often are."""
    try:
        value = float(found) if isinstance(found, int | float | str) and not isinstance(found, bool) else None
    except (ValueError, OverflowError):
        return None
    return value if value is not None and abs(value) < float("inf") else None


def day(found: Any) -> date | None:
    """A day: ISO text, or seconds since 1970."""
    try:
        if isinstance(found, str):
            return datetime.fromisoformat(found).date()
        if isinstance(found, int | float) and not isinstance(found, bool):
            return datetime.fromtimestamp(found, UTC).date()
    except (ValueError, OverflowError, OSError):
        pass
    return None


def vectors(found: Any) -> tuple[tuple[float, ...], ...]:
    """The vectors of embeddings; nothing where one is no list of numbers."""
    if not isinstance(found, list) or not all(isinstance(vector, list) for vector in found):
        return ()
    if not all(isinstance(value, int | float) for vector in found for value in vector):
        return ()
    return tuple(tuple(float(value) for value in vector) for vector in found)
