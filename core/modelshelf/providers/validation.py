"""Tests a provider and its key before anybody relies on them: what is right, what is wrong, and what to do about it."""

import asyncio
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from modelshelf.errors import (
    KeyUnproven,
    ModelshelfError,
    NoCredit,
    NoPermission,
    NotFound,
    NotSignedIn,
    NotTrusted,
    RateLimited,
    TimedOut,
    Unreachable,
    UnsafeAddress,
    UsageError,
    WrongAddress,
)
from modelshelf.providers.adapter import Adapter
from modelshelf.providers.boundary import contained
from modelshelf.providers.spec import Ability, KeyUse, Provider, ServedModel
from modelshelf.vault import Secret

KEY_LIMIT = 4096
SECONDS = 60.0
_BEARER = re.compile(r"^bearer(\s+|$)", re.IGNORECASE)
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")
_KEY = re.compile(r"^[!-~]+$")


class Outcome(StrEnum):
    """What a test found."""

    VALID = "valid"
    UNPROVEN = "unproven"  # it answers, but no route that was asked needs the key
    BAD_KEY = "bad_key"
    NO_PERMISSION = "no_permission"
    NO_CREDIT = "no_credit"
    RATE_LIMITED = "rate_limited"
    WRONG_URL = "wrong_url"
    TLS = "tls"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    NO_KEY = "no_key"
    OTHER = "other"


# The first that fits; later ones are roots of earlier ones.
_OUTCOMES: tuple[tuple[type[ModelshelfError], Outcome], ...] = (
    (NotSignedIn, Outcome.BAD_KEY),
    (NoPermission, Outcome.NO_PERMISSION),
    (NoCredit, Outcome.NO_CREDIT),
    (RateLimited, Outcome.RATE_LIMITED),
    (KeyUnproven, Outcome.UNPROVEN),
    (WrongAddress, Outcome.WRONG_URL),
    (UnsafeAddress, Outcome.WRONG_URL),
    (NotFound, Outcome.WRONG_URL),
    (NotTrusted, Outcome.TLS),
    (TimedOut, Outcome.TIMEOUT),
    (Unreachable, Outcome.UNREACHABLE),
)


@dataclass(frozen=True, slots=True)
class Validation:
    """What a test found, as a sentence and what to do.

    `latency_ms` is how long the route took that needs the key; `models` counts what the provider offers, None where it
    does not say; `told` is what the provider tells of the key, such as its credit.
    """

    outcome: Outcome
    message: str
    remedy: str = ""
    latency_ms: float | None = None
    models: int | None = None
    told: str = ""

    @property
    def good(self) -> bool:
        """Whether everything that was asked for is proven."""
        return self.outcome is Outcome.VALID


class APIValidation:
    """Tests providers. One test takes `seconds` at most, whatever the provider does."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds

    async def check(self, provider: Provider, *, ping: bool = False, model: str = "") -> Validation:
        """Test a provider and its key; `ping` asks a model for one token, the first that chats if none is named.

        A provider's fault is the outcome, never an error.
        """
        try:
            async with asyncio.timeout(self._seconds):
                with contained(provider.config):
                    return await self._look(provider, ping, model)
        except ModelshelfError as error:
            return _failed(provider, error)
        except TimeoutError:
            return Validation(
                Outcome.TIMEOUT, f"{_name(provider)} was not done within {self._seconds:g} s.", TimedOut.remedy
            )

    async def _look(self, provider: Provider, ping: bool, model: str) -> Validation:
        key = await _key(provider, model)
        if refused := _key_refused(provider, key):
            return refused
        started, unproven, told = time.monotonic(), None, ""
        try:
            told = await provider.check_key()
        except KeyUnproven as error:
            unproven = error
        except NotSignedIn:
            if key is None and isinstance(provider, Adapter):
                return _keyless(provider)
            raise
        latency = (time.monotonic() - started) * 1000
        models = await _models(provider)
        offered = None if models is None else len(models)
        asked = (model or _chatting(models or ())) if ping and Ability.CHAT in provider.abilities else ""
        if asked and (failed := await _pinged(provider, asked)):
            return Validation(*failed, latency, offered, told)
        if unproven and not asked:
            return Validation(Outcome.UNPROVEN, unproven.message, unproven.remedy, latency, offered, told)
        return Validation(Outcome.VALID, _praise(provider, offered, asked), "", latency, offered, told)


def outcome_of(error: ModelshelfError) -> Outcome:
    """What an error of a provider means for its test."""
    return next((outcome for kind, outcome in _OUTCOMES if isinstance(error, kind)), Outcome.OTHER)


def clean_key(text: str) -> Secret:
    """A key as a person pasted it, without the blanks around it and without a leading “Bearer ”.

    Raises:
        UsageError: it is empty, too long, or has something inside that no key has; the sentence does not show it.
    """
    key = _BEARER.sub("", text.strip())
    if not key:
        raise UsageError("The key is empty.", remedy="Paste the whole key.")
    if len(key) > KEY_LIMIT:
        raise UsageError(f"The key is longer than {KEY_LIMIT:,} characters.", remedy="Paste the key and nothing else.")
    if not _KEY.match(key):
        what = "a blank or a line break" if any(character.isspace() for character in key) else "a character"
        raise UsageError(
            f"The key has {what} inside that no key has.", remedy="Copy it again, in one piece and nothing else."
        )
    return Secret(key)


async def _key(provider: Provider, model: str) -> Secret | None:
    """The key that will be sent, as far as that can be known beforehand."""
    return await provider.context.key(provider.config, model) if isinstance(provider, Adapter) else None


def _key_refused(provider: Provider, key: Secret | None) -> Validation | None:
    """A key that is missing or cannot be one: nothing is sent then."""
    if not key:
        return _keyless(provider) if isinstance(provider, Adapter) and provider.key_use is KeyUse.REQUIRED else None
    try:
        clean = clean_key(key.reveal())
    except UsageError as error:
        return Validation(Outcome.BAD_KEY, error.message, error.remedy)
    if clean != key:
        return Validation(Outcome.BAD_KEY, "The key has something around it that is not part of it.", "Enter it again.")
    return None


def _failed(provider: Provider, error: ModelshelfError) -> Validation:
    if isinstance(error, NotTrusted) and any(sign in error.message for sign in _NO_TLS):
        said = f"{_name(provider)} speaks plain http at this address, not https."
        return Validation(Outcome.WRONG_URL, said, "Write http:// at the start of the address.")
    return Validation(outcome_of(error), error.message, error.remedy)


def _keyless(provider: Adapter) -> Validation:
    usual = provider.env_names if provider.config.url in ("", provider.default_url) else ()
    named = f" or set {usual[0]}" if usual else ""
    return Validation(Outcome.NO_KEY, f"{_name(provider)} needs a key and has none.", f"Enter one{named}.")


async def _models(provider: Provider) -> Sequence[ServedModel] | None:
    """What it offers; None where it cannot list, which is no fault once its key was looked at."""
    if Ability.LIST in provider.abilities:
        with suppress(NotFound):
            return await provider.models()
    return None


def _chatting(models: Sequence[ServedModel]) -> str:
    able = [model for model in models if "chat" in model.abilities or not model.abilities]
    return next((model.name for model in able if not model.deprecated), "")


async def _pinged(provider: Provider, model: str) -> tuple[Outcome, str, str] | None:
    """What went wrong when a model was asked for one token, if something did."""
    try:
        await provider.ping(model)
    except NotFound as error:
        return Outcome.OTHER, error.message, error.remedy  # the model is not there; the address is right
    except ModelshelfError as error:
        return outcome_of(error), error.message, error.remedy
    return None


def _praise(provider: Provider, offered: int | None, asked: str) -> str:
    said = f"{_name(provider)} answers"
    if isinstance(provider, Adapter) and provider.key_use is KeyUse.REQUIRED:
        said += " and accepts the key"
    if offered is not None:
        said += f"; it offers {offered:,} model{'' if offered == 1 else 's'}"
    return f"{said}; {asked} was asked." if asked else f"{said}."


def _name(provider: Provider) -> str:
    return provider.config.name or provider.config.kind
