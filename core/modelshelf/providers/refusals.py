"""What a provider's refusal means, as a sentence and what to do."""

from typing import Any

from modelshelf.errors import ModelshelfError, NotFound, NotSignedIn, ProviderError
from modelshelf.providers.streams import decode_object

SAID = 300
NESTED = 4


def refusal(who: str, path: str, status: int, body: bytes, retry_after: str = "") -> ModelshelfError:
    """The error of an answer with a status of 300 and more; `body` is its beginning."""
    found = _error(body)
    said = message(found)
    detail = f": {said}" if said else "."
    match status:
        case 401 | 403:
            return NotSignedIn(f"{who} refuses the key{detail}", remedy="Check the provider's key.")
        case 404:
            return NotFound(f"{who} has no {path}{detail}", remedy="Check the model's name.")
        case 429:
            wait = f"Try again in {retry_after} s." if retry_after.isdigit() else "Try again later."
            return ProviderError(f"{who} allows no more requests for now{detail}", remedy=wait, status=status)
        case _ if status < 400:
            return ProviderError(
                f"{who} redirects to another address; that was not followed.",
                remedy="Set the provider's address to the one that answers.",
                status=status,
            )
        case _:
            return ProviderError(
                f"{who} answers with error {status}{detail}",
                remedy="Look into the provider's own log.",
                status=status,
                kind=_kind(found),
            )


def message(found: Any) -> str:
    """The sentence in an error, whatever shape it has; nothing if there is none."""
    for _ in range(NESTED):
        if isinstance(found, dict):
            found = found.get("error") or found.get("message") or found.get("detail") or ""
    text = " ".join(found.split()) if isinstance(found, str) else ""
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
    return next((name for name in names if isinstance(name, str)), "")
