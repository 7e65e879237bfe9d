"""What holds for every text, key and place."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelshelf.vault import Secret
from modelshelf.vault.sealing import Key, MasterKey, NotGenuine, Sealed

texts = st.text(st.characters(), max_size=200)  # halves of characters included
places = st.lists(st.text(max_size=8), min_size=1, max_size=3).map(tuple)


@given(st.binary(max_size=300), places)
def test_what_is_sealed_opens_in_its_place(plain: bytes, place: tuple[str, ...]) -> None:
    key = Key.new()
    sealed = key.seal(plain, *place)
    assert key.open(sealed, *place) == plain
    assert sealed != key.seal(plain, *place)


@given(st.binary(min_size=8, max_size=100), places, places)
def test_nowhere_else_and_with_no_other_key(plain: bytes, place: tuple[str, ...], other: tuple[str, ...]) -> None:
    key = Key.new()
    sealed = key.seal(plain, *place)
    assert plain not in sealed.text
    with pytest.raises(NotGenuine):
        Key.new().open(sealed, *place)
    if other != place:
        with pytest.raises(NotGenuine):
            key.open(sealed, *other)


@given(st.binary(max_size=60), st.data())
def test_a_single_bit_more_or_less_is_noticed(plain: bytes, data: st.DataObject) -> None:
    key = Key.new()
    sealed = key.seal(plain, "secret", "a", "value")
    whole = bytearray(sealed.nonce + sealed.text)
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    whole[bit // 8] ^= 1 << bit % 8
    cut = data.draw(st.integers(0, len(sealed.text) - 1))
    for spoilt in (Sealed(bytes(whole[:12]), bytes(whole[12:])), Sealed(sealed.nonce, sealed.text[:cut])):
        with pytest.raises(NotGenuine):
            key.open(spoilt, "secret", "a", "value")


@given(st.binary(max_size=20), st.binary(max_size=40))
def test_rubbish_is_never_more_than_not_genuine(nonce: bytes, text: bytes) -> None:
    with pytest.raises(NotGenuine):
        Key.new().open(Sealed(nonce, text), "secret", "a", "value")


def test_a_wrapped_key_is_the_same_key() -> None:
    master, key = MasterKey.new(), Key.new()
    wrapped = master.wrap(key, "data_key", "1")
    sealed = key.seal(b"plain", "x")
    assert master.unwrap(wrapped, "data_key", "1").open(sealed, "x") == b"plain"
    with pytest.raises(NotGenuine):
        master.unwrap(wrapped, "data_key", "2")


def test_a_master_key_is_what_it_was_written_as() -> None:
    for _ in range(100):
        key = MasterKey.new()
        assert MasterKey.parse(key.text()).fingerprint == key.fingerprint
        assert key.fingerprint[:8] not in key.text()


@given(texts)
def test_whatever_is_no_key_is_refused_without_being_told(text: str) -> None:
    with pytest.raises(ValueError, match="it ") as caught:
        MasterKey.parse(text)
    assert len(text) < 4 or text not in str(caught.value)


def test_keys_show_nothing_of_themselves() -> None:
    for key in (Key.new(), MasterKey.new()):
        assert repr(key) == f"{type(key).__name__}(…)"
        with pytest.raises(TypeError, match="pickled"):
            pickle.dumps(key)


@given(texts)
def test_a_secret_of_any_text_shows_nothing_and_is_itself(text: str) -> None:
    secret = Secret(text)
    assert secret == Secret(text)
    assert hash(secret) == hash(Secret(text))
    assert secret != Secret(text + "x")
    assert repr(secret) == "Secret(…)"
    for show in (str, "{}".format, pickle.dumps):
        with pytest.raises(TypeError):
            show(secret)
