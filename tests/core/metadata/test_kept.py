"""Facts outlive the process: packed and unpacked without loss, pruned, and never trusted when damaged."""

import zlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from modelshelf.metadata import kept, packing
from modelshelf.metadata.facts import ModelFacts, TensorInfo
from modelshelf.metadata.kept import KeptFacts, Key
from modelshelf.metadata.packing import UnusableError, pack, unpack
from modelshelf.store import Store
from modelshelf.store.tables import FactsRow, now
from tests.shapes import SHAPES, facts

KEY = Key("hf", "org/m", "c" * 40)
PLAIN = ModelFacts("gguf", 10, architecture="llama", keys={"a": (1, 2)}, abilities=frozenset({"chat"}))

counts = st.none() | st.integers(0, 1 << 62)
numbers = st.integers(-(1 << 63), 1 << 64) | st.floats(allow_nan=False) | st.booleans()
words = st.text(max_size=20)
scalars = numbers | words
tensors = st.builds(
    TensorInfo, words, words, st.lists(st.integers(0, 1 << 62), max_size=4).map(tuple), st.integers(0), st.integers(0)
)
any_facts = st.builds(
    ModelFacts,
    format=words,
    size=st.integers(0, 1 << 62),
    architecture=st.none() | words,
    parameters=counts,
    active=counts,
    layers=counts,
    heads_kv=st.lists(st.integers(0, 99), max_size=9).map(tuple),
    window=counts,
    gated=st.none() | st.booleans(),
    licence=st.none() | words,
    abilities=st.frozensets(words, max_size=4),
    generation=st.dictionaries(words, numbers, max_size=4),
    chat_template=st.none() | st.text(),
    tensors=st.lists(tensors, max_size=5).map(tuple),
    keys=st.dictionaries(words, scalars | st.lists(scalars, max_size=4).map(tuple), max_size=5),
    tier=st.integers(0, 2),
    origins=st.dictionaries(words, words, max_size=4),
)


@settings(max_examples=500, deadline=500)
@given(any_facts)
def test_what_is_packed_comes_back_as_it_was(given_facts: ModelFacts) -> None:
    found = unpack(pack(given_facts))
    assert found == given_facts
    # 1 and True are equal, but not the same to a reader of keys.
    assert {key: type(value) for key, value in found.keys.items()} == {
        key: type(value) for key, value in given_facts.keys.items()
    }


@pytest.mark.parametrize("name", ["gemma3_4b", "qwen3moe_30b", "deepseek2_lite"])
def test_facts_of_real_models_take_little_room(name: str) -> None:
    whole = facts(SHAPES[name])
    assert unpack(pack(whole)) == whole
    assert len(pack(whole)) < 20_000


@settings(max_examples=300, deadline=500)
@given(st.binary(max_size=300), st.integers(0, 200), st.booleans())
def test_damaged_rows_are_said_to_be(noise: bytes, place: int, inside: bool) -> None:
    whole = pack(PLAIN)
    text = zlib.decompress(whole)
    broken = zlib.compress(text[:place] + noise + text[place + 1 :]) if inside else whole[:place] + noise
    try:
        unpack(broken)
    except UnusableError:
        return


@pytest.mark.parametrize("text", [b"", b"null", b"[]", b"{}", b'{"tensors": []}', b"[" * 100_000, b"{" + b" " * 100])
def test_other_json_is_no_facts(text: bytes) -> None:
    with pytest.raises(UnusableError):
        unpack(zlib.compress(text))


def test_a_row_that_grows_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "MAX_UNPACKED", 1000)
    with pytest.raises(UnusableError):
        unpack(pack(replace(PLAIN, chat_template="x" * 2000)))


async def test_another_process_finds_what_one_has_read(store: Store) -> None:
    await KeptFacts(store).put(KEY, PLAIN, exact=False)
    assert await KeptFacts(store).get(KEY, exact=False) == PLAIN
    assert await KeptFacts(store).get(KEY, exact=True) is None
    whole = replace(PLAIN, tier=2, layers=5)
    await KeptFacts(store).put(KEY, whole, exact=True)
    for exact in (True, False):
        assert await KeptFacts(store).get(KEY, exact=exact) == whole
    assert await KeptFacts(store).get(replace(KEY, commit="d" * 40), exact=False) is None
    assert await KeptFacts(store).get(replace(KEY, file="x.gguf"), exact=False) is None
    assert await KeptFacts(store).newest("hf", "org/m", "", exact=True) == whole
    assert await KeptFacts(store).newest("hf", "org/other", "", exact=True) is None


async def test_without_a_database_memory_does(store: Store) -> None:
    alone = KeptFacts(None)
    await alone.put(KEY, PLAIN, exact=True)
    assert await alone.get(KEY, exact=True) is PLAIN
    assert await alone.newest("hf", "org/m", "", exact=True) is None
    shut = KeptFacts(Store("sqlite:///never-opened.db"))
    await shut.put(KEY, PLAIN, exact=True)
    assert await shut.get(KEY, exact=True) is PLAIN
    assert await shut.get(replace(KEY, file="x"), exact=True) is None


async def change(store: Store, **values: Any) -> None:
    await store.write(lambda session: session.execute(update(FactsRow).values(**values)))


async def test_rows_of_an_older_version_and_damaged_ones_are_not_used(store: Store) -> None:
    await KeptFacts(store).put(KEY, PLAIN, exact=True)
    await change(store, version=packing.VERSION - 1)
    assert await KeptFacts(store).get(KEY, exact=True) is None
    await change(store, version=packing.VERSION, payload=b"rubbish")
    assert await KeptFacts(store).get(KEY, exact=True) is None
    assert await KeptFacts(store).newest("hf", "org/m", "", exact=True) is None
    await KeptFacts(store).put(KEY, PLAIN, exact=True)
    assert await KeptFacts(store).get(KEY, exact=True) == PLAIN


async def test_the_rows_used_least_go_first(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "ROWS", 5)
    first = replace(KEY, file="first")
    await KeptFacts(store).put(first, PLAIN, exact=True)
    await KeptFacts(store).put(replace(KEY, file="second"), PLAIN, exact=True)
    await change(store, used_at=now() - timedelta(days=1))
    assert await KeptFacts(store).get(first, exact=True) == PLAIN  # used again
    for number in range(4):
        await KeptFacts(store).put(replace(KEY, file=str(number)), PLAIN, exact=True)

    def files(session: Session) -> list[str]:
        return sorted(session.scalars(select(FactsRow.file)))

    assert await store.read(files) == ["0", "1", "2", "3", "first"]


async def test_what_takes_too_much_room_is_kept_in_memory_only(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MAX_ROW", 10)
    monkeypatch.setattr(kept, "IN_MEMORY", 2)
    facts_of = KeptFacts(store)
    for name in "abc":
        await facts_of.put(replace(KEY, file=name), PLAIN, exact=True)
    assert await store.read(lambda session: session.scalar(select(func.count()).select_from(FactsRow))) == 0
    assert await facts_of.get(replace(KEY, file="a"), exact=True) is None
    assert await facts_of.get(replace(KEY, file="c"), exact=True) is PLAIN
