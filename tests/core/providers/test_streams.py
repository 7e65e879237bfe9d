"""Lines and events, cut anywhere."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelshelf.providers.streams import Lines, ServerSentEvents, TooLong, decode_object


def cut(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    start = 0
    for size in sizes:
        yield data[start : start + size]
        start += size
    yield data[start:]


@given(st.binary(max_size=300), st.lists(st.integers(0, 50), max_size=20))
def test_lines_are_the_same_however_the_bytes_arrive(data: bytes, sizes: list[int]) -> None:
    lines = Lines()
    found = [line for piece in cut(data, sizes) for line in lines.feed(piece)]
    *whole, rest = data.split(b"\n")
    assert found == [line.removesuffix(b"\r") for line in whole]
    assert lines.end() == rest


@given(st.lists(st.integers(1, 30), min_size=1, max_size=50))
def test_a_line_that_never_ends_is_given_up(sizes: list[int]) -> None:
    lines = Lines(limit=100)
    fed = 0
    for size in sizes:
        fed += size
        if fed > 100:
            with pytest.raises(TooLong):
                list(lines.feed(b"x" * size))
            return
        assert list(lines.feed(b"x" * size)) == []


@given(st.lists(st.lists(st.text(st.characters(exclude_characters="\r\n", codec="utf-8")), min_size=1), max_size=5))
def test_events_keep_their_data(events: list[list[str]]) -> None:
    stream = ServerSentEvents()
    found = []
    for event in events:
        lines = [b": a comment", b"event: message", *(f"data: {line}".encode() for line in event), b""]
        found += [data for line in lines if (data := stream.line(line)) is not None]
    assert found == ["\n".join(event) for event in events]


@pytest.mark.parametrize("text", ["", "[]", "7", "nul", "{", "[" * 100_000, b"\xff\xfe{}"[:2]])
def test_what_is_no_object_is_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError):
        decode_object(text)
