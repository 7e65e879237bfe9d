"""Searching the columns finds what looking at every model finds."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelshelf.catalog.columns import bits
from modelshelf.catalog.columns.pages import Sort
from modelshelf.catalog.query import parse
from modelshelf.catalog.types import RepoCard
from modelshelf.errors import UsageError
from tests.core.catalog import columns


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    columns.catalogues, st.lists(st.tuples(columns.queries, columns.sorts), min_size=6, max_size=6), st.integers(0, 9)
)
def test_every_query_finds_what_looking_at_each_model_finds(
    models: list[RepoCard], asked: list[tuple[str, Sort]], offset: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        catalogue = columns.catalogue(Path(folder), models)
        mapped = catalogue.mapped
        rows = mapped.fetch(range(mapped.rows))
        assert {row.card for row in rows} == set(models)
        assert [row.number for row in columns.ordered(rows, Sort())] == list(range(len(models)))
        installed = np.array([row.number for row in rows if "llama" in row.card.repo], np.int64)
        checks = {"installed": lambda card: "llama" in card.repo, "provider:builtin": lambda card: "llama" in card.repo}
        marks = dict.fromkeys(checks, bits.of_rows(mapped.rows, installed))
        for text, sort in asked:
            query = parse(text)
            names = ("task", "library", "license", "format", "ability", "quant", "source")
            page = catalogue.page(query, sort=sort, offset=offset, limit=7, marks=marks, facets=names)
            expected = columns.ordered(columns.matching(rows, query, checks), sort)
            assert page.total == len(expected), text
            assert page.rows == tuple(expected[offset : offset + 7]), (text, sort)
            for name in names:
                assert dict(page.facets[name]) == columns.facet(rows, query, name, checks), (text, name)


def card(repo: str, **more: object) -> RepoCard:
    return replace(RepoCard("hub", repo), **more)  # type: ignore[arg-type]


def test_values_that_differ_in_case_alone_are_counted_as_filters_take_them(tmp_path: Path) -> None:
    models = [card("org/a", licence="MIT"), card("org/b", licence="mit"), card("org/c", licence="other")]
    catalogue = columns.catalogue(tmp_path, models)
    ((value, count), *_others) = catalogue.page(parse("")).facets["license"]
    assert count == 2
    assert catalogue.page(parse(f"license:{value}")).total == count


def test_a_commit_that_two_sources_have_is_one_model_with_both_origins(tmp_path: Path) -> None:
    first = [card("org/a", commit="a" * 40), card("org/b", commit="b" * 40)]
    second = [
        replace(card("org/a", commit="a" * 40), source="lab"),
        replace(card("mine/b", commit="b" * 40), source="lab"),
        replace(card("org/c"), source="lab"),
    ]
    catalogue = columns.catalogue(tmp_path, first, second)
    rows = {row.card.repo: row for row in catalogue.page(parse("")).rows}
    assert {name: row.origins for name, row in rows.items()} == {
        "org/a": ("hub", "lab"),
        "org/b": ("hub", "lab:mine/b"),
        "org/c": ("lab",),
    }
    assert catalogue.page(parse("source:lab")).total == 3
    assert catalogue.page(parse("-source:lab")).total == 0
    assert catalogue.page(parse("source:hub")).total == 2


def test_the_last_word_about_a_model_counts(tmp_path: Path) -> None:
    catalogue = columns.catalogue(tmp_path, [card("org/a", likes=1), card("org/b"), card("org/a", likes=2)])
    assert [(row.card.repo, row.card.likes) for row in catalogue.page(parse("")).rows] == [
        ("org/a", 2),
        ("org/b", None),
    ]


def test_names_are_found_whatever_their_case(tmp_path: Path) -> None:
    catalogue = columns.catalogue(tmp_path, [card("Org/Abc"), card("org/abcd"), card("org2/abc"), card("Zeta/z")])
    mapped = catalogue.mapped
    assert [mapped.name(row) for row in mapped.find("org/ABC")] == ["Org/Abc"]
    assert mapped.find("org/ab") == mapped.find("") == []
    assert {mapped.name(int(row)) for row in mapped.of_author("ORG")} == {"Org/Abc", "org/abcd"}
    assert mapped.authors("o") == ["Org", "org2"]


def test_a_misspelt_word_is_answered_with_a_better_one(tmp_path: Path) -> None:
    catalogue = columns.catalogue(tmp_path, [card(f"org/mistral-{number}") for number in range(30)])
    assert catalogue.page(parse("mistrl format:gguf")).suggestion == ""  # nothing there either
    assert catalogue.page(parse("mistrl")).suggestion == "mistral"
    assert catalogue.page(parse("mistral")).suggestion == catalogue.page(parse("zzzzzzz")).suggestion == ""


def test_what_nobody_can_tell_is_a_clear_refusal(tmp_path: Path) -> None:
    catalogue = columns.catalogue(tmp_path, [card("org/a")])
    with pytest.raises(UsageError, match="“is:fits” cannot be answered here"):
        catalogue.page(parse("is:fits"))
    with pytest.raises(UsageError, match="How well models do here is not known yet"):
        catalogue.page(parse("a"), sort=Sort("compatibility"))
    with pytest.raises(UsageError, match="There is no order “-size2”"):
        Sort.parse("-size2")
    with pytest.raises(UsageError, match="There is no facet “colour”"):
        catalogue.page(parse(""), facets=["colour"])


def test_the_message_names_the_wrong_word_and_its_place() -> None:
    with pytest.raises(UsageError, match="“size:<huge”, the word at character 7, has no value") as caught:
        parse("llama size:<huge")
    assert caught.value.facts["at"] == 6


@given(st.integers(0, 300), st.data())
def test_packed_sets_are_sets(rows: int, data: st.DataObject) -> None:
    members = data.draw(st.sets(st.integers(0, rows - 1))) if rows else set()
    packed = bits.of_rows(rows, np.array(sorted(members), np.int64))
    assert bits.count(packed) == len(members)
    assert bits.rows_of(packed).tolist() == sorted(members)
    start, stop = data.draw(st.integers(0, 310)), data.draw(st.integers(0, 310))
    assert bits.slice_of(packed, start, stop).tolist() == sorted(members)[start:stop]
    assert bits.count(bits.every(rows)) == rows
    assert bits.count(bits.every(rows) & ~packed) == rows - len(members)
