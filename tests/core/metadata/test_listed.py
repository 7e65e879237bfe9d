"""What lists tell: facts of tier 0, and what they add to those that were read."""

from typing import Any

import pytest

from modelshelf.catalog.types import RepoCard
from modelshelf.metadata.facts import ModelFacts
from modelshelf.metadata.listed import of_card, with_card


def card(**fields: Any) -> RepoCard:
    return RepoCard("hf", "org/m", **fields)


def test_a_card_gives_facts_of_tier_0() -> None:
    facts = of_card(
        card(
            formats=("gguf",), quantisations=("Q4_K_M", "Q8_0"), parameters=8_000_000_000, size=4_900_000_000,
            context=8192, architecture="llama", licence="mit", gated=True, task="text-generation",
            tags=("conversational", "base_model:quantized:org/base"),
        )
    )  # fmt: skip
    assert facts is not None
    assert (facts.format, facts.tier, facts.architecture, facts.context) == ("gguf", 0, "llama", 8192)
    assert (facts.quantisation, facts.licence, facts.gated, facts.base) == ("Q4_K_M", "mit", True, "org/base")
    assert (set(facts.abilities), facts.role, facts.chat_template) == ({"chat"}, "model", "")
    assert set(facts.origins.values()) == {"source"}
    assert {"architecture", "context", "parameters", "size", "licence", "gated", "base"} <= facts.origins.keys()


def test_a_card_without_any_size_tells_nothing() -> None:
    assert of_card(card(architecture="llama")) is None


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({"parameters": 1000, "formats": ("safetensors",)}, 2000),
        ({"parameters": 1000, "formats": ("gguf",)}, 606),
        ({"parameters": 1000, "formats": ("gguf",), "quantisations": ("Q8_0",)}, 1062),
        ({"parameters": 1000, "size": 99_999, "quantisations": ("Q8_0", "Q4_K_M")}, 757),
        ({"size": 99}, 99),
    ],
)
def test_the_size_is_told_or_reckoned(fields: dict[str, Any], size: int) -> None:
    facts = of_card(card(**fields))
    assert facts is not None
    assert facts.size == facts.weights == size


@pytest.mark.parametrize(
    ("fields", "kind", "can"),
    [
        ({"library": "mlx", "formats": ("safetensors",), "tags": ("conversational",)}, "mlx", {"chat"}),
        ({"tags": ("exl2",), "formats": ("safetensors",)}, "exl2", set()),
        ({"tags": ("exl3",), "formats": ("safetensors",)}, "exl3", set()),
        ({"formats": ("onnx",), "task": "feature-extraction"}, "onnx", {"embed"}),
        ({"library": "sentence-transformers", "tags": ("conversational",)}, "unknown", {"embed"}),
        ({"task": "text-ranking", "library": "sentence-transformers"}, "unknown", {"rerank"}),
        ({"task": "image-text-to-text", "tags": ("conversational",)}, "unknown", {"vision", "chat"}),
        ({"task": "any-to-any"}, "unknown", {"vision", "audio"}),
    ],
)
def test_tags_and_tasks_tell_the_format_and_abilities(fields: dict[str, Any], kind: str, can: set[str]) -> None:
    facts = of_card(card(size=1, **fields))
    assert facts is not None
    assert (facts.format, set(facts.abilities)) == (kind, can)


def test_an_adapter_is_told_by_its_tag() -> None:
    facts = of_card(card(size=1, tags=("base_model:org/base", "base_model:adapter:org/base")))
    assert facts is not None
    assert (facts.role, facts.base) == ("adapter", "org/base")


def test_the_source_adds_what_the_files_left_out() -> None:
    read = ModelFacts("gguf", 10, layers=2, origins={"layers": "llama.block_count"})
    facts = with_card(read, card(gated=True, licence="mit", parameters=100))
    assert (facts.gated, facts.licence, facts.parameters, facts.active) == (True, "mit", 100, 100)
    assert facts.origins == {
        "layers": "llama.block_count", "gated": "source", "licence": "source", "parameters": "source",
        "active": "keys",
    }  # fmt: skip
    assert with_card(facts, card(gated=True, licence="mit", parameters=100)) is facts
    assert with_card(facts, card(gated=False, licence="apache-2.0")).licence == "apache-2.0"


def test_what_the_files_say_goes_before_the_source() -> None:
    read = ModelFacts("gguf", 10, licence="mit", parameters=5, active=5, origins={"licence": "general.license"})
    facts = with_card(read, card(licence="other", parameters=100))
    assert (facts.licence, facts.parameters, facts.gated) == ("mit", 5, False)
    assert facts.origins == {"licence": "general.license", "gated": "source"}


def test_the_parameters_on_an_adapters_card_are_not_its_own() -> None:
    assert with_card(ModelFacts("gguf", 10, role="adapter"), card(parameters=100)).parameters is None
