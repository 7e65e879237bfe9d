"""What must hold for every header: nothing but a FormatError, little memory, and the same facts whatever the name."""

import json
from pathlib import PurePath

from hypothesis import given, settings
from hypothesis import strategies as st

from modelshelf.errors import FormatError
from modelshelf.metadata import gguf, gguf_facts, safetensors, transformers_facts
from modelshelf.metadata.source import ShortError, WindowSource
from tests.core.vetting import ggufs, safe

WHOLE = ggufs.build()
SAFE = safe.build(safe.GOOD, 32)


def mutated(whole: bytes, data: st.DataObject) -> bytes:
    found = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(found) - 1))
        found[place : place + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    return bytes(found)


@settings(max_examples=1500, deadline=500)
@given(st.data())
def test_any_gguf_bytes_give_a_header_or_a_format_error(data: st.DataObject) -> None:
    noise = mutated(WHOLE, data)
    try:
        header = gguf.check(WindowSource(noise))
    except FormatError:
        return
    gguf_facts.facts([header])


@settings(max_examples=500, deadline=500)
@given(st.data(), st.integers(4, len(WHOLE)))
def test_a_window_never_says_more_than_the_whole(data: st.DataObject, length: int) -> None:
    whole = gguf.read_header(WindowSource(WHOLE))
    try:
        part = gguf.read_header(WindowSource(WHOLE[:length], len(WHOLE)), partial=True)
    except ShortError:
        assert length < 24
        return
    assert whole.metadata.items() >= part.metadata.items()
    assert part.tensors == whole.tensors[: len(part.tensors)]


@settings(max_examples=1000, deadline=500)
@given(st.data())
def test_any_safetensors_bytes_give_a_header_or_a_format_error(data: st.DataObject) -> None:
    noise = mutated(SAFE, data)
    try:
        header = safetensors.read_header(WindowSource(noise))
    except FormatError:
        return
    assert sum(tensor.size for tensor in header.tensors) == len(noise) - header.data_start


texts = st.text(max_size=8)
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
names = st.sampled_from(
    sorted({*transformers_facts.read_config(b'{"n_layer":1,"n_head":1,"text_config":1}'), "hidden_size"})
)


@settings(max_examples=500, deadline=500)
@given(st.dictionaries(names | texts, documents))
def test_any_configuration_gives_facts(config: dict[str, object]) -> None:
    try:
        facts = transformers_facts.facts(transformers_facts.read_config(json.dumps(config).encode()), size=1)
    except FormatError:
        return
    assert facts.layers is None or facts.layers >= 0


@settings(max_examples=500, deadline=500)
@given(st.binary(max_size=200) | documents.map(lambda document: json.dumps(document).encode()))
def test_any_index_bytes_give_plain_names_or_a_format_error(data: bytes) -> None:
    try:
        index = safetensors.read_index(data)
    except FormatError:
        return
    assert all(PurePath(file).name == file for file in index.files)


@settings(max_examples=200, deadline=500)
@given(texts)
def test_the_name_changes_nothing(name: str) -> None:
    facts = [gguf_facts.facts([gguf.check(WindowSource(WHOLE, name=label))]) for label in (name, "x")]
    assert facts[0] == facts[1]
