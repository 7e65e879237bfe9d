"""What a model can do: words drawn from its chat templates and from what its files say of themselves."""

import re
from collections.abc import Iterable, Mapping

from modelshelf.errors import UsageError

CHAT, EMBED, RERANK, TOOLS, VISION, AUDIO, REASONING = (
    "chat", "embed", "rerank", "tools", "vision", "audio", "reasoning",
)  # fmt: skip
KNOWN = frozenset({CHAT, EMBED, RERANK, TOOLS, VISION, AUDIO, REASONING})
MOST = 1 << 20  # characters of a template that are looked at; real ones have 300 to 30,000

_OPENED = re.compile(r"\{[{%]")
_CLOSED = re.compile(r"[%}]\}")
_REFUSAL = re.compile(r"raise_exception\([^)]{0,500}\)")
_TOOLS = re.compile(r"\b(?:tools|tool_calls|available_tools|builtin_tools|custom_tools)\b")
_THINKING = (
    "<think>", "</think>", "reasoning_content", "enable_thinking", "reasoning_effort", "thinking_budget", "[THINK]",
    "<|START_THINKING|>", "<seed:think>", "<thinking>", "◁think▷", "message.thinking", "message['thinking']",
)  # fmt: skip


def known_abilities(words: Iterable[str]) -> frozenset[str]:
    """Abilities as somebody named them, several in one word with commas too.

    Raises:
        UsageError: there is no such ability.
    """
    found = {part.strip().lower() for word in words for part in word.split(",") if part.strip()}
    if odd := sorted(found - KNOWN):
        raise UsageError(f"There is no ability “{odd[0][:40]}”.", remedy=f"Choose of: {', '.join(sorted(KNOWN))}.")
    return frozenset(found)


def of_templates(templates: Iterable[str]) -> frozenset[str]:
    """What the templates of one model deal with, taken together; nothing where it has none."""
    found: set[str] = set()
    for template in templates:
        text = template[:MOST]
        found.add(CHAT)
        if _TOOLS.search(_code(text)):
            found.add(TOOLS)
        if any(mark in text for mark in _THINKING):
            found.add(REASONING)
    return frozenset(found)


def without_chat(found: Iterable[str], instead: str) -> frozenset[str]:
    """The abilities of a model that turns text into numbers: the chat template of the model it was made of is idle."""
    return frozenset(found) - {CHAT, TOOLS, REASONING} | {instead}


def of_encoders(config: Mapping[str, object]) -> frozenset[str]:
    """Whether a configuration of transformers has a part that sees or hears."""
    found: set[str] = set()
    if any(config.get(key) for key in ("vision_config", "vision_tower", "mm_vision_tower", "visual")):
        found.add(VISION)
    if any(config.get(key) for key in ("audio_config", "audio_processor", "audio_tower")):
        found.add(AUDIO)
    return frozenset(found)


def _code(template: str) -> str:
    """What stands between braces: the words around it are said to the model and promise nothing."""
    pieces = (_CLOSED.split(piece, maxsplit=1)[0] for piece in _OPENED.split(template)[1:])
    return _REFUSAL.sub("", "\n".join(pieces))
