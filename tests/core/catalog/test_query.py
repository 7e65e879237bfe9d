from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelshelf.catalog.measures import MEASURES, read_range
from modelshelf.catalog.query import CHECKS, KEYS, KNOWN, Query, complete, parse
from modelshelf.catalog.types import RepoCard
from modelshelf.errors import UsageError

GB = 10**9
CARD = RepoCard(
    source="hf",
    repo="Qwen/Qwen3-8B-GGUF",
    task="text-generation",
    licence="apache-2.0",
    formats=("gguf",),
    quantisations=("Q4_K_M", "Q8_0"),
    gated=True,
    modified=datetime.now(UTC) - timedelta(days=10),
    parameters=8_190_000_000,
    size=5 * GB,
    context=32768,
)
NOTHING_KNOWN = RepoCard(source="hf", repo="a/b")


@pytest.mark.parametrize(
    "text",
    [
        "size:<8GB",
        "size:<=5GB",
        "size:4.6GiB..5GB",
        "size:>4GiB",
        "size:5GB",
        "params:3B..9B",
        "params:8B",
        "params:..9b",
        "license:apache-2.0,mit",
        "licence:commercial",
        "format:GGUF",
        "quant:q4_k_m",
        "quant:Q4",
        "author:qwen",
        "task:chat",
        "ctx:>=32k",
        "ctx:<=32k",
        "ctx:32768",
        "updated:<30d",
        "updated:>1w",
        "is:gated",
        "source:hf",
        "-author:google",
        "-gemma",
        '-"small print"',
    ],
)
def test_a_card_passes(text: str) -> None:
    assert parse(text).matches(CARD)


@pytest.mark.parametrize(
    "text",
    [
        "size:<5GB",
        "size:>5GB",
        "size:6GB..9GB",
        "params:7B",
        "license:mit",
        "format:safetensors",
        "quant:Q5_K_M",
        "quant:Q4_K_M_X",
        "author:qwe",
        "task:embedding",
        "ctx:>32k",
        "updated:<9d",
        "-is:gated",
        "-format:gguf",
        "-qwen3",
    ],
)
def test_a_card_does_not_pass(text: str) -> None:
    assert not parse(text).matches(CARD)


@pytest.mark.parametrize("text", ["size:<8GB", "params:1B", "ctx:<8k", "updated:>1d", "license:mit", "task:chat"])
def test_what_is_not_known_matches_no_filter(text: str) -> None:
    assert not parse(text).matches(NOTHING_KNOWN)
    assert parse(f"-{text}").matches(NOTHING_KNOWN)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("tiny size:big", "size:big"),
        ("size:", "size:"),
        ("colour:red tiny", "colour:red"),
        ("is:nice", "is:nice"),
        ("is:gated,nice", "is:nice"),
        ("params:9B..3B", "params:9B..3B"),
        ("ability:fly", "ability:fly"),
        ("author:", "author:"),
        ("ctx:1GB", "ctx:1GB"),
        ("updated:<30m", "updated:<30m"),
        ('say "what', '"what'),
        ("x" * 10_000, "x" * 20),
    ],
)
def test_the_wrong_word_is_named(text: str, word: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert caught.value.facts["word"] == word
    assert caught.value.remedy


def test_a_range_that_goes_from_more_to_less_is_told_turned_round() -> None:
    with pytest.raises(UsageError, match="wrong way round") as caught:
        parse("llama params:9B..3B")
    assert "params:3B..9B" in str(caught.value.remedy)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tiny llama", ("tiny", "llama")),
        ('"tiny llama" chat', ("tiny llama", "chat")),
        ("hf:Qwen/Qwen3-8B", ("Qwen/Qwen3-8B",)),
        ("Qwen/Qwen3-8B", ("Qwen/Qwen3-8B",)),
        ('"size:<8GB"', ("size:<8GB",)),
        ("- -- مرحبا 🦙", ("-", "مرحبا", "🦙")),
        ("", ()),
    ],
)
def test_bare_words_are_text(text: str, words: tuple[str, ...]) -> None:
    assert parse(text).words == words


def test_other_checks_are_asked_of_whoever_knows() -> None:
    query = parse("is:fits,installed")
    with pytest.raises(UsageError, match="is:fits"):
        query.require({})
    checks = {"fits": lambda _: False, "installed": lambda card: card.repo.startswith("Qwen/")}
    query.require(checks)
    assert query.matches(CARD, checks)
    assert not query.matches(NOTHING_KNOWN, checks)


def test_completion() -> None:
    assert complete("tiny fo") == ["format:"]
    assert complete("format:g") == ["format:gguf"]
    assert complete("-is:") == [f"-is:{name}" for name in CHECKS]
    assert complete("license:mit,apa") == ["license:mit,apache-2.0"]
    assert complete("tiny ") == complete("") == complete("zebra") == complete("size:<8GB") == []


@given(st.text(st.characters(), max_size=200))
def test_any_text_is_a_query_or_a_usage_error(text: str) -> None:
    complete(text)
    try:
        query = parse(text)
    except UsageError:
        return
    query.matches(CARD, {name: lambda _: True for name in CHECKS})
    assert parse(str(query)) == query


amounts = {
    "size": st.from_regex(r"\A[1-9][0-9]{0,3}(\.[0-9])?(b|kb|mb|gb|tb|mib|gib)\Z"),
    "params": st.from_regex(r"\A[1-9][0-9]{0,3}(\.[0-9])?(k|m|b|t)\Z"),
    "ctx": st.from_regex(r"\A[1-9][0-9]{0,3}k?\Z"),
    "downloads": st.from_regex(r"\A[1-9][0-9]{0,3}(k|m)?\Z"),
    "likes": st.from_regex(r"\A[1-9][0-9]{0,3}(k|m)?\Z"),
    "created": st.from_regex(r"\A[1-9][0-9]{0,2}(h|d|w|mo|y)\Z"),
    "updated": st.from_regex(r"\A[1-9][0-9]{0,2}(h|d|w|mo|y)\Z"),
}
word = st.text(
    st.characters(codec="utf-8", exclude_characters='"', exclude_categories=("C", "Z")), min_size=1, max_size=9
)
lists = st.lists(st.from_regex(r"\A[a-z0-9][a-z0-9._-]{0,9}\Z"), min_size=1, max_size=3, unique=True)


@st.composite
def queries(draw: st.DrawFn) -> str:
    parts = []
    for key in draw(st.lists(st.sampled_from(KEYS), max_size=4)):
        if key in amounts:
            value = draw(st.sampled_from(["", "<", "<=", ">", ">=", ".."])) + draw(amounts[key])
        elif key == "is":
            value = ",".join(draw(st.lists(st.sampled_from(CHECKS), min_size=1, max_size=2)))
        elif key == "ability":
            value = ",".join(draw(st.lists(st.sampled_from(KNOWN), min_size=1, max_size=2)))
        else:
            value = ",".join(draw(lists))
        parts.append(draw(st.sampled_from(["", "-"])) + f"{key}:{value}")
    return " ".join([*parts, *(f'"{item}"' for item in draw(st.lists(word, max_size=3)))])


@pytest.mark.parametrize("text", ['hub:"org/a b', 'x:a"b c"/d', 'x:/"" e/":"f', ':a/"b"'])
def test_quotes_in_a_full_name_keep_together_and_are_no_part_of_it(text: str) -> None:
    text = text if text.count('"') % 2 == 0 else f'{text}"'
    query = parse(text)
    assert not any('"' in word for word in query.words)
    assert parse(str(query)) == query


@given(queries())
def test_what_the_language_allows_reads_and_writes_back(text: str) -> None:
    query = parse(text)
    assert parse(str(query)) == query
    assert all(item in KEYS for item in (filter_.key for filter_ in query.filters))


@given(st.integers(1, 10**6), st.integers(0, 10**7))
def test_bounds_agree_with_arithmetic(bound: int, value: int) -> None:
    held = {sign: _holds(f"{sign}{bound}", value) for sign in ("<", "<=", ">", ">=", "=")}
    assert held["<"] == (value < bound) == (not held[">="])
    assert held["<="] == (value <= bound) == (not held[">"])
    assert held["="] == (value == bound)


def _holds(text: str, value: int) -> bool:
    span = read_range(MEASURES["params"], text)
    assert span is not None
    return span.holds(value)


def test_an_empty_query_lets_everything_pass() -> None:
    assert Query().matches(NOTHING_KNOWN)
    assert parse("  ") == Query()
