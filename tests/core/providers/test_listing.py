"""Facts about models, under the names that each server gives them."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelshelf.errors import WrongAddress
from modelshelf.providers import listing
from modelshelf.providers.spec import Price, ServedModel

FACTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "openrouter": (
        {
            "name": "Some Model",
            "context_length": 131072,
            "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
            "pricing": {"prompt": "0.0000025", "completion": "0.00001"},
            "top_provider": {"max_completion_tokens": 16384},
            "supported_parameters": ["tools", "reasoning"],
            "expiration_date": "2999-01-31",
        },
        {
            "title": "Some Model",
            "context": 131072,
            "max_output": 16384,
            "price": Price(2.5, 10.0),
            "abilities": ("chat", "tools", "vision", "reasoning"),
            "retires": date(2999, 1, 31),
            "deprecated": False,
        },
    ),
    "together": (
        {"type": "embedding", "display_name": "Some", "context_length": 512, "pricing": {"input": 0.1, "output": 0}},
        {"title": "Some", "context": 512, "price": Price(0.1, 0.0), "abilities": ("embed",)},
    ),
    "mistral": (
        {
            "capabilities": {"completion_chat": True, "function_calling": True, "vision": False},
            "max_context_length": 32768,
            "deprecation": "2999-06-30T12:00:00Z",
        },
        {"context": 32768, "abilities": ("chat", "tools"), "deprecated": True, "retires": date(2999, 6, 30)},
    ),
    "groq": (
        {"context_window": 8192, "max_completion_tokens": 1024, "active": False},
        {"context": 8192, "max_output": 1024, "deprecated": True},
    ),
    "github": (
        {"limits": {"max_input_tokens": 4000, "max_output_tokens": 500}, "capabilities": ["streaming", "tool_calls"]},
        {"context": 4000, "max_output": 500, "abilities": ("chat", "tools")},
    ),
    "vllm": ({"max_model_len": 4096, "owned_by": "vllm", "parent": None}, {"context": 4096}),
    "llama.cpp": ({"meta": {"n_ctx_train": 2048, "size": 5_000_000}}, {"context": 2048, "size": 5_000_000}),
    "retired": ({"retires_at": "2020-01-01"}, {"retires": date(2020, 1, 1), "deprecated": True}),
    "it depends": ({"pricing": {"prompt": "-1", "completion": "-1"}, "context_length": 0}, {"price": None}),
    "nonsense": (
        {"context_length": "many", "pricing": [], "type": 7, "capabilities": "x", "deprecated": "yes", "meta": None},
        {"context": None, "price": None, "abilities": ("chat",), "deprecated": False},
    ),
}


@pytest.mark.parametrize(("said", "read"), FACTS.values(), ids=FACTS)
def test_facts_under_every_name(said: dict[str, Any], read: dict[str, Any]) -> None:
    model = listing.over(listing.describe("mine", {"id": "some", **said}), None)
    assert {name: getattr(model, name) for name in read} == read


@pytest.mark.parametrize(
    ("name", "ability"),
    [
        ("text-embedding-3-small", "embed"),
        ("BAAI/bge-m3", "embed"),
        ("BAAI/bge-reranker-v2", "rerank"),
        ("whisper-1", "transcribe"),
        ("gpt-4o-mini-tts", "speech"),
        ("dall-e-3", "image"),
        ("sora-2", "video"),
        ("omni-moderation-latest", "moderate"),
        ("llama-3.1-8b", "chat"),
    ],
)
def test_a_name_tells_what_a_model_is_for(name: str, ability: str) -> None:
    assert listing.by_name(name) == ability


def test_what_is_known_fills_what_is_not_told() -> None:
    known = ServedModel("mine", "some", context=8192, title="Some", price=Price(1.0, 2.0), abilities=("chat", "tools"))
    told = ServedModel("mine", "some", context=4096)
    assert listing.over(told, known) == replace(known, context=4096)
    assert listing.over(replace(told, abilities=("vision",)), known).abilities == ("chat", "tools", "vision")


WORDS = st.sampled_from((
    "id", "name", "data", "models", "type", "pricing", "prompt", "limits", "capabilities", "meta", "deprecation",
    "retires_at", "context_length", "next", "has_more", "last_id", "architecture", "input_modalities", "providers",
    "status", "object",
))  # fmt: skip
json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=6),
    max_leaves=30,
)


@given(json_like)
def test_any_list_is_read_or_refused(found: Any) -> None:
    try:
        items = listing.items(found, "My server")
    except WrongAddress:
        return
    for item in items:
        model = listing.over(listing.describe("mine", item), None)
        assert model.name
        assert model.abilities
        assert model.context is None or model.context > 0
        assert all(isinstance(value, str) for value in (listing.following(found, model.name) or {}).values())
