"""Reads lists of models in OpenAI's shape, to which every server adds facts under names of its own."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from typing import Any

from yarl import URL

from modelshelf.errors import WrongAddress
from modelshelf.providers.answers import MOST_MODELS, count, day, mapping, number, objects, text, texts
from modelshelf.providers.spec import Price, ServedModel

NAME_LIMIT = 300
_MILLION = 1_000_000
_CONTEXT = (
    "context_length", "context_window", "max_context_length", "max_model_len", "max_input_tokens", "inputTokenLimit",
    "max_context_window_tokens", "max_prompt_tokens", "context", "n_ctx_train",
)  # fmt: skip
_OUTPUT = ("max_completion_tokens", "max_output_tokens", "max_output_length", "outputTokenLimit", "output")
_RETIRES = ("retires_at", "retirement_date", "shutdown_date", "sunset_date", "expiration_date", "deprecation_date")
_ENDED = frozenset({"deprecated", "retired", "legacy"})
_MAIN = ("chat", "complete", "embed", "image", "speech", "transcribe", "video", "moderate", "rerank")
_ABILITIES = (*_MAIN, "tools", "vision", "reasoning")
_WORDS = {
    "chat": "chat", "language": "chat", "llm": "chat", "code": "chat", "text-generation": "chat", "text": "chat",
    "completion_chat": "chat", "chat_completion": "chat", "chat-completion": "chat", "chat_completions": "chat",
    "embedding": "embed", "embeddings": "embed", "text-embedding": "embed", "image": "image", "text-to-image": "image",
    "speech": "speech", "tts": "speech", "text-to-speech": "speech", "transcribe": "transcribe", "video": "video",
    "transcription": "transcribe", "speech-to-text": "transcribe", "moderation": "moderate", "rerank": "rerank",
    "tools": "tools", "tool_calls": "tools", "tool_call": "tools", "function_calling": "tools", "vision": "vision",
    "supports_tools": "tools", "supports_vision": "vision", "reasoning": "reasoning", "thinking": "reasoning",
}  # fmt: skip
_NAMES = (
    ("rerank", re.compile(r"rerank")),
    ("embed", re.compile(r"embed|(^|[/_-])(bge|gte|e5|minilm)[-_]")),
    ("transcribe", re.compile(r"whisper|transcribe|(^|[/-])asr([-.]|$)")),
    ("speech", re.compile(r"(^|[/-])tts([-.]|$)")),
    ("image", re.compile(r"dall-e|(gpt|chatgpt)-image|(^|/)(flux|sdxl|stable-diffusion|imagen)")),
    ("video", re.compile(r"(^|/)(sora|veo)-")),
    ("moderate", re.compile(r"moderation")),
)


def items(found: Any, who: str) -> Sequence[Mapping[str, Any]]:
    """The models in a list of any form: below `data` or `models`, or bare; objects with a name, or names alone.

    Raises:
        WrongAddress: it is something else; `who` names the provider in the sentence.
    """
    listed = found
    if isinstance(found, dict):
        listed = next((found[key] for key in ("data", "models") if isinstance(found.get(key), list)), None)
        if listed is None and found.get("object") == "list":
            return ()
    if not isinstance(listed, list):
        raise WrongAddress(f"{who} answers with no list of models.")
    made = [{"id": item} if isinstance(item, str) else item for item in listed[:MOST_MODELS]]
    named = [item for item in objects(made) if name_of(item)]
    if made and not named:
        raise WrongAddress(f"{who} answers with a list of something else than models.")
    return named


def name_of(item: Mapping[str, Any]) -> str:
    """The name to ask a model by; nothing if it has none that can be used."""
    for key in ("id", "name", "model"):
        found = item.get(key)
        if isinstance(found, str) and 0 < len(found) <= NAME_LIMIT and found.isprintable() and found.strip():
            return found
    return ""


def following(found: Any, last: str) -> Mapping[str, str] | None:
    """What to ask for the next page of a list, None if there is none; `last` is the last name on this page."""
    told = mapping(found)
    for key, asked in (("nextPageToken", "pageToken"), ("next_page_token", "page_token")):
        if token := text(told.get(key)):
            return {asked: token}
    if link := text(told.get("next")):
        return _query(link)
    return {"after": text(told.get("last_id")) or last} if told.get("has_more") is True and last else None


def describe(provider: str, item: Mapping[str, Any]) -> ServedModel:
    """A model with every fact that its entry tells."""
    name = name_of(item)
    title = text(item.get("display_name")) or text(item.get("displayName")) or text(item.get("name"))
    retires = next((found for key in _RETIRES if (found := day(item.get(key)))), day(item.get("deprecation")))
    places = _places(item)
    kept = {key: value for key in ("owned_by", "root", "parent") if (value := text(item.get(key)))}
    return ServedModel(
        provider,
        name,
        size=count(mapping(item.get("meta")).get("size")) or None,
        context=_first(places, _CONTEXT),
        abilities=_abilities(item),
        title=title if title != name else "",
        max_output=_first(places, _OUTPUT),
        price=_price(mapping(item.get("pricing"))),
        deprecated=_deprecated(item, retires),
        retires=retires,
        extra=kept,
    )


def over(told: ServedModel, known: ServedModel | None) -> ServedModel:
    """What a provider tells of a model, and what else is known of it. Without abilities the name gives them."""
    if known is not None:
        open_ = {item.name for item in fields(told) if getattr(told, item.name) in (None, "")}
        told = replace(
            told,
            abilities=ordered({*told.abilities, *known.abilities}),
            deprecated=told.deprecated or known.deprecated,
            **{name: getattr(known, name) for name in open_},
        )
    if not set(told.abilities) & set(_MAIN):
        told = replace(told, abilities=(by_name(told.name), *told.abilities))
    return told


def by_name(name: str) -> str:
    """What a model of this name is for, chat if the name says nothing else."""
    return next((ability for ability, pattern in _NAMES if pattern.search(name.lower())), "chat")


def ordered(abilities: Iterable[str]) -> tuple[str, ...]:
    """Abilities in their usual order."""
    found = set(abilities)
    return tuple(ability for ability in _ABILITIES if ability in found)


def _places(item: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Where limits may stand, the entry itself first."""
    nested = [mapping(item.get(key)) for key in ("limits", "limit", "top_provider", "meta", "capabilities")]
    hosts = objects(item.get("providers"))
    return [item, *nested, mapping(nested[-1].get("limits")), *hosts]


def _first(places: Sequence[Mapping[str, Any]], names: Sequence[str]) -> int | None:
    values = (count(place.get(name)) for place in places for name in names)
    return next((value for value in values if value), None)


def _price(found: Mapping[str, Any]) -> Price | None:
    """OpenRouter's words are dollars per token, Together's per million of them."""
    token = [_dollars(found.get(key), _MILLION) for key in ("prompt", "completion")]
    million = [_dollars(found.get(key), 1) for key in ("input", "output")]
    told = token if any(value is not None for value in token) else million
    return Price(*told) if any(value is not None for value in told) else None


def _dollars(found: Any, times: int) -> float | None:
    value = number(found)
    return round(value * times, 6) if value is not None and value >= 0 else None  # -1 is “it depends”


def _deprecated(item: Mapping[str, Any], retires: date | None) -> bool:
    said = any(text(item.get(key)).lower() in _ENDED for key in ("lifecycle", "status", "state"))
    flagged = any(item.get(key) is True for key in ("deprecated", "is_deprecated", "deprecation", "archived"))
    dated = any(day(item.get(key)) for key in ("deprecation", "deprecated_at", "deprecation_date"))
    over_ = retires is not None and retires <= datetime.now(UTC).date()
    return said or flagged or dated or over_ or item.get("active") is False


def _abilities(item: Mapping[str, Any]) -> tuple[str, ...]:
    told = mapping(item.get("capabilities"))
    shape = mapping(item.get("architecture")) or item
    words = [text(item.get(key)) for key in ("type", "task", "model_type")] + [text(told.get("type"))]
    words += [
        key for held in (told, mapping(told.get("supports")), item) for key, value in held.items() if value is True
    ]
    for key in ("capabilities", "supported_parameters", "supported_features", "supported_methods"):
        words += texts(item.get(key))
    found = {_WORDS[word] for word in map(str.lower, words) if word in _WORDS}
    outputs = texts(shape.get("output_modalities"))
    found |= {_WORDS[word] for word in outputs if word in _WORDS} | ({"speech"} if "audio" in outputs else set())
    return ordered(found | ({"vision"} if "image" in texts(shape.get("input_modalities")) else set()))


def _query(link: str) -> Mapping[str, str]:
    """The query of the link to a next page; where it leads does not matter: the list's own address is asked."""
    try:
        found = URL(link).query
    except ValueError:
        return {"after": link}
    return {key: text(value) for key, value in found.items()} or {"after": link}
