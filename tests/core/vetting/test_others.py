"""Templates, documents, pictures, programs and archives; and the size of the whole corpus."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelshelf.vetting import Verdict, worst
from modelshelf.vetting.content import MemoryContent
from modelshelf.vetting.desk import Examiner, scanners
from modelshelf.vetting.scanners.patterns import is_catastrophic
from modelshelf.vetting.scanners.templates import check_template
from tests.core.vetting import ggufs, others, pickled, safe, templates, zipped

KNOWN = scanners()


def verdict(name: str, data: bytes) -> Verdict:
    return worst(Examiner(KNOWN).examine(MemoryContent(data, name), name)[1])


@pytest.mark.parametrize(
    ("name", "data"), [pytest.param(*case, id=repr(case[0])) for source in (templates, others) for case in source.bad()]
)
def test_a_bad_file_blocks(name: str, data: bytes) -> None:
    assert verdict(name, data) is Verdict.BLOCK


@pytest.mark.parametrize(
    ("name", "data"), [pytest.param(*case, id=case[0]) for source in (templates, others) for case in source.good()]
)
def test_a_good_file_passes(name: str, data: bytes) -> None:
    assert Examiner(KNOWN).examine(MemoryContent(data, name), name)[1] == []


@pytest.mark.parametrize(("name", "data"), [pytest.param(*case, id=case[0]) for case in others.review()])
def test_what_a_person_must_decide_neither_passes_nor_blocks(name: str, data: bytes) -> None:
    assert verdict(name, data) is Verdict.REVIEW


def test_the_corpus_is_large_enough() -> None:
    sources = (pickled, zipped, ggufs, safe, templates, others)
    assert sum(len(list(source.bad())) for source in sources) >= 300
    assert sum(len(list(source.good())) for source in sources) >= 150


@settings(max_examples=300, deadline=3000)
@given(
    st.lists(
        st.sampled_from(["{{", "}}", "{%", "%}", "for m in messages", "endfor", "if", "'a'", "[", "]", "~", "."])
        | st.text(max_size=4)
    ).map(" ".join)
)
def test_no_text_breaks_the_template_checker(text: str) -> None:
    for finding in check_template(text, "x"):
        assert finding.verdict is Verdict.BLOCK


@settings(max_examples=300, deadline=2000)
@given(st.text(alphabet="ab()[]|*+?{}1,\\^$.:", max_size=40))
def test_no_pattern_breaks_the_pattern_checker(pattern: str) -> None:
    assert is_catastrophic(pattern) in {True, False}


@settings(max_examples=400, deadline=2000)
@given(
    st.sampled_from(["x.json", "x.yaml", "x.onnx", "x.npy", "x.tar", "x.gz", "x.png", "x.h5", "x"]),
    st.binary(max_size=300),
    st.integers(0, 200),
)
def test_no_bytes_break_a_scanner(name: str, noise: bytes, place: int) -> None:
    wholes = [data for label, data in others.good() if label.endswith(name[1:])] or [b""]
    whole = wholes[place % len(wholes)]
    for finding in Examiner(KNOWN).examine(MemoryContent(whole[:place] + noise + whole[place:], name), name)[1]:
        assert finding.rule
        assert finding.detail
