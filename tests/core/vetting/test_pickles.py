"""Pickles: every harmful one blocks, every stock one passes, and the decoder agrees with Python's own."""

import contextlib
import io
import pickle
import pickletools
import resource
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modelshelf.vetting import Verdict, worst
from modelshelf.vetting.content import MemoryContent, sniff
from modelshelf.vetting.desk import Examiner, scanners
from modelshelf.vetting.scanners.disguise import looks_pickled
from modelshelf.vetting.scanners.opcodes import decode
from tests.core.vetting import pickled

KNOWN = scanners()


def verdict(name: str, data: bytes) -> Verdict:
    return worst(Examiner(KNOWN).examine(MemoryContent(data, name), name)[1])


@pytest.mark.parametrize(("name", "data"), [pytest.param(*case, id=case[0]) for case in pickled.bad()])
def test_a_harmful_pickle_blocks(name: str, data: bytes) -> None:
    assert verdict(name, data) is Verdict.BLOCK


@pytest.mark.parametrize(("name", "data"), [pytest.param(*case, id=case[0]) for case in pickled.good()])
def test_a_stock_pickle_passes(name: str, data: bytes) -> None:
    assert Examiner(KNOWN).examine(MemoryContent(data, name), name)[1] == []


def test_a_pickle_is_known_under_any_name() -> None:
    for _, data in pickled.bad():
        if sniff(MemoryContent(data, "x")) == "pickle":
            assert verdict("README.md", data) is Verdict.BLOCK


def test_the_finding_says_what_and_where() -> None:
    _, findings = Examiner(KNOWN).examine(MemoryContent(b"cos\nsystem\n(S'id'\ntR.", "x.pkl"), "x.pkl")
    assert findings[0].rule == "PICKLE_IMPORT"
    assert "os.system" in findings[0].detail
    assert findings[0].where == "x.pkl at byte 0"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


@settings(max_examples=150, deadline=None)
@given(values, st.integers(0, 5))
def test_whatever_is_plain_passes_and_decodes_as_python_decodes_it(value: object, protocol: int) -> None:
    data = pickle.dumps(value, protocol)
    ours = [(name, at) for name, _, at in decode(MemoryContent(data, "x"))]
    theirs = [(op.name, at) for op, _, at in pickletools.genops(data)]
    assert ours == theirs
    assert verdict("x.pkl", data) is (Verdict.PASS)


class Witness(pickle.Unpickler):
    """Gives a harmless function for every name that could be one, and counts its calls."""

    calls = 0

    def find_class(self, module: str, name: str) -> object:
        if not all(part.isidentifier() for part in f"{module}.{name}".split(".")):
            raise ModuleNotFoundError(module)

        def called(*_: object) -> None:
            self.calls += 1

        return called


class SlowWitness(pickle._Unpickler):  # the one written in Python forgives more
    """As `Witness`, by the unpickler that is written in Python."""

    calls = 0
    find_class = Witness.find_class


def called(kind: type[Any], data: bytes) -> bool:
    """Whether an unpickler calls something; it may fail in any way, what counts is what it did before."""
    witness = kind(io.BytesIO(data))
    with contextlib.suppress(Exception), frugal():
        witness.load()
    return bool(witness.calls)


@contextlib.contextmanager
def frugal() -> Iterator[None]:
    """Within the block at most a gibibyte more: four bytes can make an unpickler take all memory for its memo."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + (1 << 30), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


opcodes = st.sampled_from([op.code.encode("latin-1") for op in pickletools.opcodes])
pieces = (
    opcodes
    | st.sampled_from([b"cos\nsystem\n", b"(K\x01tR", b"N", b"X\x01\0\0\0a", b")R", b"\x80\x04"])
    | st.sampled_from([b"S'o\\x73'\n", b"V\\u006fs\n", b"\x93", b"p01\n", b"g01\n", b"I" + b"9" * 4100 + b"\n"])
    | st.sampled_from([b"}\x92", b"\x95\xff\0\0\0\0\0\0\0", b"(ios\nsystem\n", b"(cos\nsystem\no"])
    | st.binary(max_size=3)
)


@settings(max_examples=1000, deadline=None)
@given(st.lists(pieces, max_size=12).map(b"".join))
@example(b"cos\nsystem\n\x80\x04(K\x01tR")
@example(b"S'o\\x73'\nS'system'\n\x93(K\x01tR")
@example(b"V\\u006fs\nVsystem\n\x93(K\x01tR")
@example(b"cos\nsystem\np 01\n0g1\n(K\x01tR")
@example(b"\x95\xff\0\0\0\0\0\0\0cos\nsystem\n(K\x01tR")
@example(b"I" + b"9" * 4100 + b"\n0cos\nsystem\n(K\x01tR")
@example(b"c(K\x01tRcos\nsystem\n(K\x01tR")
@example(b"Nr\xff\xff\xff\x7f")
def test_bytes_taken_for_no_pickle_call_nothing_when_unpickled(data: bytes) -> None:
    if any(called(witness, data) for witness in (Witness, SlowWitness)):
        assert looks_pickled(MemoryContent(data, "x"))
        assert verdict("notes.txt", data) is Verdict.BLOCK


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.data())
def test_a_mutated_state_dict_never_breaks_the_scanner(noise: bytes, data: st.DataObject) -> None:
    whole = bytearray(pickled.legacy())
    for byte in noise[:8]:
        whole[data.draw(st.integers(0, len(whole) - 1))] = byte
    examiner = Examiner(KNOWN)
    _, findings = examiner.examine(MemoryContent(bytes(whole), "x.bin"), "x.bin")
    assert all(finding.rule and finding.detail for finding in findings)
