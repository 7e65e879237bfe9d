"""Zip, GGUF and safetensors: each broken rule blocks, what stock tools write passes, and no bytes break a scanner."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelshelf.vetting import Verdict, worst
from modelshelf.vetting.content import MemoryContent
from modelshelf.vetting.desk import Examiner, scanners
from modelshelf.vetting.types import Finding
from tests.core.vetting import ggufs, pickled, safe, zipped

KNOWN = scanners()


def findings(name: str, data: bytes) -> list[Finding]:
    return Examiner(KNOWN).examine(MemoryContent(data, name), name)[1]


BAD = [pytest.param(*case, id=case[0]) for source in (zipped, ggufs, safe) for case in source.bad()]
GOOD = [pytest.param(*case, id=case[0]) for source in (zipped, ggufs, safe) for case in source.good()]


@pytest.mark.parametrize(("name", "data"), BAD)
def test_a_broken_rule_blocks(name: str, data: bytes) -> None:
    assert worst(findings(name, data)) is Verdict.BLOCK


@pytest.mark.parametrize(("name", "data"), GOOD)
def test_what_stock_tools_write_passes(name: str, data: bytes) -> None:
    assert findings(name, data) == []


WHOLE = {
    "x.gguf": ggufs.build(),
    "x.safetensors": safe.build(safe.GOOD, 32),
    "x.pt": pickled.torch_zip(),
    "x.zip": pickled.archive({"a": b"text" * 50, "b/c": b"more"}, packed=True),
}


@settings(max_examples=1200, deadline=2000)
@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_mutated_files_never_break_the_scanner(name: str, data: st.DataObject) -> None:
    whole = bytearray(WHOLE[name])
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place : place + 1] = data.draw(st.binary(max_size=9))
    for finding in findings(name, bytes(whole)):
        assert finding.rule
        assert finding.detail.endswith((".", ":"))


@settings(max_examples=300, deadline=2000)
@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_cut_files_never_pass(name: str, data: st.DataObject) -> None:
    whole = WHOLE[name]
    cut = whole[: data.draw(st.integers(1, len(whole) - 33))]
    assert worst(findings(name, cut)) is Verdict.BLOCK
