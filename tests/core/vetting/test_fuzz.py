"""No bytes make a parser raise anything but what it says, or take long. The long trial tells the slowest case."""

import logging
import random
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelshelf.errors import ConfigError
from modelshelf.vetting.policy import parse_policy
from modelshelf.vetting.scanners.documents import _unfolds
from tests.core.vetting import families, fuzzing

CASES = 2000
DEEP = 1_000_000
SLOWEST = 0.5  # seconds of processor time


@pytest.fixture(autouse=True, scope="module")
def silence() -> Iterator[None]:
    """What picklescan says of every broken pickle fills memory with lines that nobody reads."""
    logging.getLogger("picklescan").disabled = True
    yield
    logging.getLogger("picklescan").disabled = False


@pytest.mark.parametrize("parser", fuzzing.PARSERS)
def test_no_mutation_breaks_a_parser(parser: str) -> None:
    for name, data in fuzzing.cases(parser, CASES):
        try:
            fuzzing.examine(name, data)
        except Exception as error:
            raise AssertionError(f"{name}: {data[:4000]!r}") from error


def test_no_mutation_breaks_the_reading_of_patterns() -> None:
    dice = random.Random(2)
    known = [(name, pattern.encode()) for name, pattern in families.PATTERNS.items()]
    known += [("bad", pattern) for pattern in (b"(a+)+$", b"((a|b)*c*)*", b"(?=(a+)+)b", b"[[:alpha:]-z]{2,9}+?")]
    for _ in range(CASES):
        fuzzing.judge_pattern(fuzzing.mutated(dice.choice(known)[1], dice, known)[:2000])


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="[]=\"'\n abruled.review1", max_size=80))
def test_a_policy_is_read_or_refused(text: str) -> None:
    with suppress(ConfigError):
        assert parse_policy(text).version == 1


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="&*ab: \n[]{},-", max_size=120))
def test_aliases_are_counted_whatever_the_text(text: str) -> None:
    assert _unfolds(text) in {True, False}


@pytest.mark.deep
@pytest.mark.timeout(0)
@pytest.mark.parametrize("parser", fuzzing.PARSERS)
def test_a_million_mutations(parser: str, capsys: pytest.CaptureFixture[str]) -> None:
    slowest, what = 0.0, (b"", "")
    for name, data in fuzzing.cases(parser, DEEP // len(fuzzing.PARSERS), seed=7):
        took = fuzzing.examine(name, data)
        if took > slowest:
            slowest, what = took, (data, name)
    with capsys.disabled():
        print(f"\n{parser}: the slowest of {DEEP // len(fuzzing.PARSERS):,} took {slowest:.3f} s ({what[1]})")  # noqa: T201
    assert slowest < SLOWEST, what
