"""The filters at the left: what passes, and counts that say how many rows each choice would leave."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelshelf.catalog.query import parse
from modelshelf.catalog.types import RepoCard
from modelshelf.errors import UsageError
from modelshelf_dashboard.library import counts as counts_of
from modelshelf_dashboard.library import rows
from modelshelf_dashboard.library.facets import narrow, sensible, toggled

CARDS = (
    RepoCard("hf", "a/one", formats=("gguf",), licence="apache-2.0", size=10**9),
    RepoCard("hf", "a/two", formats=("gguf",), licence="gemma", gated=True),
    RepoCard("lab", "b/three", formats=("safetensors",), licence="apache-2.0", size=9 * 10**9),
    RepoCard("lab", "b/four", formats=("gguf", "safetensors")),
)
CHECKS = {"installed": lambda card: card.repo == "a/one", "fits": lambda card: card.source == "hf"}
TOKENS = ("format:gguf", "format:safetensors", "license:apache-2.0", "license:commercial", "source:hf", "is:fits")


def names(*tokens: str) -> list[str]:
    return [card.id.name for card in narrow(CARDS, tokens, CHECKS, {}).rows]


def counts(*tokens: str) -> dict[str, int]:
    groups = narrow(CARDS, tokens, CHECKS, {}).groups
    return {choice["token"]: choice["count"] for group in groups for choice in group["choices"]}


def test_choices_of_a_group_widen_and_groups_narrow() -> None:
    assert names("format:gguf", "format:safetensors") == ["one", "two", "three", "four"]
    assert names("format:gguf", "source:lab") == ["four"]
    assert names("is:installed", "is:fits") == ["one"]


def test_a_count_says_what_the_choice_would_leave() -> None:
    found = counts("source:lab")
    assert found["format:gguf"] == 1
    assert found["format:safetensors"] == 2
    assert found["source:hf"] == 2, "a group is counted without its own choices"
    assert counts()["license:commercial"] == 2
    assert counts()["is:gated"] == 1


@pytest.mark.parametrize("licence", ["Apache License 2.0", "a, b", "-x", "of:two"])
def test_a_value_of_several_words_can_be_chosen(licence: str) -> None:
    groups = counts_of.groups({"license": [(licence, 3)]}, [], labels={}, providers={}, counted={})
    (token,) = [c["token"] for group in groups for c in group["choices"] if c["label"] == licence]
    assert parse(token).filters[0].values == (licence.lower(),)
    again = counts_of.groups({"license": [(licence, 3)]}, [token], labels={}, providers={}, counted={})
    assert [(c["token"], c["count"]) for group in again for c in group["choices"] if c["on"]] == [(token, 3)]
    (live,) = [
        c["token"]
        for group in narrow((RepoCard("hf", "a/one", licence=licence),), [token], CHECKS, {}).groups
        for c in group["choices"]
        if c["label"] == licence
    ]
    assert live == token


def test_a_choice_in_use_keeps_its_place_and_its_count_whatever_its_case() -> None:
    found = counts_of.groups(
        {"license": [("MIT", 3)]}, ["license:mit", "license:gemma"], labels={}, providers={}, counted={}
    )
    (group,) = [one for one in found if one["title"] == "Licence"]
    assert [(c["token"], c["count"], c["on"]) for c in group["choices"][1:]] == [
        ("license:mit", 3, True),
        ("license:gemma", 0, True),
    ]


def test_measures_and_the_fit_are_counted_too() -> None:
    found = narrow(CARDS, ("size:<2GB",), CHECKS, {})
    said = {choice["token"]: choice["count"] for group in found.groups for choice in group["choices"]}
    assert said["size:<2GB"] == 1
    assert said["size:<16GB"] == 2, "one size at a time: the one in use is set aside"
    assert said["params:>=30B"] == 0
    assert found.fitting == 1


@given(st.lists(st.sampled_from(TOKENS), unique=True, max_size=4), st.sampled_from(TOKENS))
def test_choosing_one_more_of_another_group_leaves_as_many_as_it_said(tokens: list[str], more: str) -> None:
    kinds = {token.partition(":")[0] for token in tokens}
    if more.partition(":")[0] in kinds or more == "is:fits":
        return
    said = counts(*tokens).get(more, 0)
    assert len(names(*tokens, more)) == said


def test_a_choice_that_is_on_stays_in_sight_without_rows() -> None:
    assert counts("format:onnx")["format:onnx"] == 0


def test_sources_are_called_by_their_labels() -> None:
    groups = narrow(CARDS, (), CHECKS, {"lab": "lab-mirror"}).groups
    labels = [choice["label"] for group in groups for choice in group["choices"]]
    assert "lab-mirror" in labels
    assert "Apache 2.0" in labels


def test_switching_a_token() -> None:
    assert toggled(["a:1"], "b:2", True) == ["a:1", "b:2"]
    assert toggled(["a:1", "b:2"], "a:1", False) == ["b:2"]
    assert toggled(["a:1"], "a:1", True) == ["a:1"]


def test_tokens_that_make_no_sense_are_named() -> None:
    good, wrong = sensible(["format:gguf", "colour:red"])
    assert good == ["format:gguf"]
    assert "colour:red" in wrong
    with pytest.raises(UsageError):
        narrow(CARDS, ["colour:red"], CHECKS, {})


@pytest.mark.parametrize(
    ("formats", "quants", "told"),
    [
        (("gguf",), ("Q4_0", "Q8_0"), "GGUF, 2 kinds"),
        ((), ("Q4_0", "Q8_0"), "2 kinds"),
        ((), ("Q4_0",), "Q4_0"),
        (("gguf",), (), "GGUF"),
    ],
)
def test_formats_and_kinds_as_far_as_they_are_known(
    formats: tuple[str, ...], quants: tuple[str, ...], told: str
) -> None:
    assert rows.format_words(RepoCard("hf", "a/one", formats=formats, quantisations=quants)) == told
