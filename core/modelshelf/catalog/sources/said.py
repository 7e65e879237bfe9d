"""Reading the JSON of others: whatever does not have the expected type counts as not said."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

HEX64 = re.compile(r"^[0-9a-f]{64}$")
HEX40 = re.compile(r"^[0-9a-f]{40}$")
_AMOUNT_LIMIT = 2**60
_LONGEST = 500


def mapping(value: Any) -> Mapping[str, Any]:
    """An object, or an empty one."""
    return value if isinstance(value, dict) else {}


def listing(value: Any) -> Sequence[Any]:
    """A list, or an empty one."""
    return value if isinstance(value, list) else ()


def text(value: Any) -> str | None:
    """A line of text."""
    return value if isinstance(value, str) and 0 < len(value) <= _LONGEST and value.isprintable() else None


def amount(value: Any) -> int | None:
    """A whole number that can be a size or a count."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _AMOUNT_LIMIT else None


def matching(pattern: re.Pattern[str], value: Any) -> str | None:
    """A text of exactly this form."""
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def moment(value: Any) -> datetime | None:
    """A time in ISO form, or in seconds or milliseconds since 1970."""
    try:
        if (seconds := amount(value)) is not None:
            return datetime.fromtimestamp(seconds / 1000 if seconds > 10**11 else seconds, UTC)
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        return found.astimezone(UTC) if found and found.tzinfo else found and found.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return None
