"""What a provider's refusal means, as a sentence and what to do."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from modelshelf.errors import (
    ModelshelfError,
    NoCredit,
    NoPermission,
    NotFound,
    NotSignedIn,
    ProviderError,
    RateLimited,
    WrongAddress,
)
from modelshelf.providers.streams import decode_object
from modelshelf.vault.redaction import redact

SAID = 300
READ = 4000
NESTED = 4
DAY_SECONDS = 86_400
# LiteLLM's proxy looks a key that it does not know up in a database, and says that it has none.
_UNKNOWN_KEY = frozenset({"no_db_connection"})
# OpenAI says so with 429, Anthropic with 400: the status alone would send a person to wait for nothing.
_NO_CREDIT = frozenset({"insufficient_quota", "billing_error", "billing_not_active", "insufficient_balance"})


def refusal(who: str, path: str, status: int, body: bytes, retry_after: str = "") -> ModelshelfError:
    """The error of an answer with a status of 300 and more; `body` is its beginning."""
    found = _error(body)
    said = message(found)
    detail = f": {said}" if said else "."
    kind = _kind(found)
    facts: dict[str, Any] = {"status": status, "kind": kind}
    match status:
        case _ if status == 402 or (status >= 400 and kind in _NO_CREDIT):
            return NoCredit(f"The account behind the key of {who} has no credit left{detail}", **facts)
        case _ if status == 401 or kind in _UNKNOWN_KEY:
            return NotSignedIn(f"{who} refuses the key{detail}", remedy="Check the provider's key.", **facts)
        case 403:
            return NoPermission(f"{who} does not allow this with this key{detail}", **facts)
        case 404:
            return NotFound(f"{who} has no {path}{detail}", remedy="Check the model's name.", **facts)
        case 429:
            seconds = wait_seconds(retry_after)
            remedy = f"Try again in {seconds:.0f} s." if seconds is not None else None
            return RateLimited(
                f"{who} allows no more requests for now{detail}", remedy=remedy, retry_after=seconds, **facts
            )
        case _ if status < 400:
            return WrongAddress(
                f"{who} redirects to another address; that was not followed.",
                remedy="Set the provider's address to the one that answers.",
                **facts,
            )
        case _:
            return ProviderError(
                f"{who} answers with error {status}{detail}", remedy="Look into the provider's own log.", **facts
            )


def wait_seconds(retry_after: str) -> float | None:
    """The seconds that a Retry-After header asks for, in either of its forms; None if it has neither."""
    told = retry_after.strip()
    if told.isascii() and told.isdigit():
        return float(min(int(told[:10]), DAY_SECONDS))
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    wait = (moment - datetime.now(UTC)).total_seconds() if moment.tzinfo else None
    return None if wait is None else min(max(wait, 0.0), float(DAY_SECONDS))


def message(found: Any) -> str:
    """The sentence in an error, whatever shape it has; nothing if there is none."""
    for _ in range(NESTED):
        if isinstance(found, dict):
            found = found.get("error") or found.get("message") or found.get("detail") or ""
    # Some providers quote the key that they refuse.
    text = redact(" ".join(found[:READ].split())) if isinstance(found, str) else ""
    text = "".join(character for character in text if character.isprintable())[:SAID]
    return text if text.endswith((".", "!", "?")) or not text else text + "."


def plain(error: BaseException) -> str:
    """An exception's text in one line, or its name."""
    return (" ".join(str(error).split()) or type(error).__name__)[:SAID].rstrip(".")


def _error(body: bytes) -> Any:
    try:
        return decode_object(body)
    except ValueError:
        return None


def _kind(found: Any) -> str:
    """The stable name of an error, as OpenAI's shape has it."""
    error = found.get("error") if isinstance(found, dict) else None
    names = [error.get(name) for name in ("code", "type")] if isinstance(error, dict) else []
    return next((name for name in names if isinstance(name, str) and not name.isdigit()), "")
