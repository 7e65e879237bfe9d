"""Downloads under any order of events: pieces and journals, names, and the state machine of jobs."""

import json
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from modelshelf.downloads.choose import choose
from modelshelf.downloads.journal import Identity, Journal
from modelshelf.downloads.names import check_names
from modelshelf.downloads.pieces import Pieces
from modelshelf.errors import DownloadError, FileNotInRepository
from modelshelf.network.answers import retry_after


class FileOnItsWay(RuleBasedStateMachine):
    """Requests take spans, bring some of their bytes, break and come again: no byte is lost or doubled."""

    spans = Bundle("spans")

    def __init__(self) -> None:
        super().__init__()
        self.content = bytes(range(256)) * 4
        self.pieces = Pieces(1000, 64)
        self.disk = bytearray(1000)
        self.taken: list[tuple[int, int]] = []

    @rule(target=spans, limit=st.integers(1, 400))
    def take(self, limit: int) -> object:
        span = self.pieces.take(limit)
        if span is None:
            return multiple()
        assert 0 <= span.start < span.end <= 1000
        assert not any(span.start < end and start < span.end for start, end in self.taken)
        self.taken.append((span.start, span.end))
        return span

    @rule(span=consumes(spans), count=st.integers(0, 500), chunk=st.integers(1, 100))
    def bring(self, span: object, count: int, chunk: int) -> None:
        self._write(span.start, min(span.start + count, span.end), chunk)  # type: ignore[attr-defined]
        self.taken.remove((span.start, span.end))  # type: ignore[attr-defined]
        self.pieces.release(span)  # type: ignore[arg-type]

    @rule(chunk=st.integers(1, 300))
    def whole_file_in_one_stream(self, chunk: int) -> None:
        if not self.taken:
            self._write(0, 1000, chunk)
            assert self.pieces.complete

    @rule(index=st.integers(0, 15))
    def damage_is_found(self, index: int) -> None:
        if not any(start // 64 <= index <= (end - 1) // 64 for start, end in self.taken):
            self.pieces.reset(index)

    @rule()
    def restart(self) -> None:
        identity = Identity(1000, "aa", None)
        known = Journal.loads(Journal(identity, self.pieces, '"e"').dumps(), identity)
        assert known is not None
        assert (known.pieces.written, known.pieces.crc, known.pieces.done) == (
            self.pieces.written,
            self.pieces.crc,
            self.pieces.done,
        )

    @invariant()
    def what_counts_as_written_is_written(self) -> None:
        for index, count in enumerate(self.pieces.written):
            start = index * 64
            assert self.disk[start : start + count] == self.content[start : start + count]
            assert zlib.crc32(self.disk[start : start + count]) == self.pieces.crc[index] or not count
        assert self.pieces.done == sum(self.pieces.written)
        assert self.disk[: self.pieces.contiguous()] == self.content[: self.pieces.contiguous()]

    def _write(self, start: int, end: int, chunk: int) -> None:
        for offset in range(start, end, chunk):
            for index, at, count in list(self.pieces.missing(offset, min(chunk, end - offset))):
                data = self.content[at : at + count]
                self.disk[at : at + count] = data
                self.pieces.record(index, count, zlib.crc32(data, self.pieces.crc[index]))


TestFileOnItsWay = FileOnItsWay.TestCase


@settings(max_examples=2000)
@given(st.binary(max_size=200) | st.text().map(str.encode))
def test_any_bytes_as_a_journal_are_read_or_refused(data: bytes) -> None:
    assert Journal.loads(data, Identity(1000, None, None)) is None


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=1000)
@given(key=st.sampled_from(["version", "size", "sha256", "git_sha1", "etag", "piece", "pieces"]), value=ANYTHING)
def test_a_journal_with_any_field_changed_never_claims_too_much(key: str, value: object) -> None:
    identity = Identity(1000, "aa", None)
    document = json.loads(Journal(identity, Pieces(1000, 100)).dumps())
    document[key] = value
    known = Journal.loads(json.dumps(document).encode(), identity)
    if known:
        assert 0 <= known.pieces.done <= 1000
        assert all(0 <= count <= known.pieces.extent(i) for i, count in enumerate(known.pieces.written))


@settings(max_examples=1000)
@given(st.lists(st.text(max_size=30), max_size=5))
def test_names_that_pass_stay_in_their_folder(paths: list[str]) -> None:
    try:
        check_names(paths)
    except DownloadError:
        return
    with TemporaryDirectory() as folder:
        for path in paths:
            place = Path(folder, path)
            assert place.resolve().is_relative_to(Path(folder).resolve())
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch(exist_ok=False)


@pytest.mark.parametrize(
    "name",
    ["../x", "a/../../x", "/etc/passwd", "a//b", "a/", "", ".", "a\\..\\b", "c:x", "nul", "AUX.txt", "a\0b", "x" * 300,
     "a\u202egpj.exe", "trailing.", "sub/con"],
)  # fmt: skip
def test_hostile_names_are_refused(name: str) -> None:
    with pytest.raises(DownloadError):
        check_names([name])


@pytest.mark.parametrize("names", [["a.txt", "A.TXT"], ["é", "e\u0301"], ["a", "a/b"]])
def test_names_that_meet_are_refused(names: list[str]) -> None:
    with pytest.raises(DownloadError):
        check_names(names)


@given(st.text(max_size=40))
def test_any_retry_after_is_a_time_within_bounds(value: str) -> None:
    seconds = retry_after(value)
    assert seconds is None or 0 <= seconds <= 300


def test_files_are_chosen_by_format_name_and_quantisation() -> None:
    gguf = ["m-Q4_K_M.gguf", "m-Q8_0-00001-of-00002.gguf", "m-Q8_0-00002-of-00002.gguf", "README.md"]
    assert choose(gguf) == ("m-Q4_K_M.gguf",)
    assert choose(gguf, ["q8_0"]) == ("m-Q8_0-00001-of-00002.gguf", "m-Q8_0-00002-of-00002.gguf")
    assert choose(gguf, ["m-Q8_0-00001-of-00002.gguf"]) == ("m-Q8_0-00001-of-00002.gguf", "m-Q8_0-00002-of-00002.gguf")
    assert choose(gguf, ["*.md"]) == ("README.md",)
    both = ["model.safetensors", "pytorch_model.bin", "config.json", "vocab.txt", "onnx/model.onnx", ".gitattributes",
            "model.safetensors.index.json", "pytorch_model.bin.index.json"]  # fmt: skip
    assert choose(both) == ("config.json", "model.safetensors", "model.safetensors.index.json", "vocab.txt")
    with pytest.raises(FileNotInRepository):
        choose(gguf, ["*.safetensors"])
