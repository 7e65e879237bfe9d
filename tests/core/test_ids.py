import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelshelf.errors import UsageError
from modelshelf.ids import ModelId, is_listed, split_served

PART = st.from_regex(r"\A[a-z0-9][a-z0-9]{0,10}\Z")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("samples/tiny-llama-GGUF", ModelId("samples/tiny-llama-GGUF")),
        ("hf:Qwen/Qwen3-8B", ModelId("Qwen/Qwen3-8B", "hf")),
        ("hf:Qwen/Qwen3-8B@main", ModelId("Qwen/Qwen3-8B", "hf", "main")),
        ("Qwen/Qwen3-8B/sub/a.gguf", ModelId("Qwen/Qwen3-8B", None, None, "sub/a.gguf")),
        ("Qwen/Qwen3-8B@abc/a.gguf", ModelId("Qwen/Qwen3-8B", None, "abc", "a.gguf")),
    ],
)
def test_names_are_read_as_written(text: str, expected: ModelId) -> None:
    assert ModelId.parse(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    "text", ["", "tiny", "/x", "x/", "../etc", "a/..", "a/b@", "a/b--c/..", "a b/c", "a/b\x00", "C:/x", "https://h/x/y"]
)
def test_what_is_no_name_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        ModelId.parse(text)
    assert "org/name" in caught.value.remedy


@given(PART, PART, st.none() | PART, st.none() | PART, st.none() | PART)
def test_reading_what_was_written_gives_the_same(
    org: str, name: str, source: str | None, revision: str | None, file: str | None
) -> None:
    model = ModelId(f"{org}/{name}", source, revision, file)
    assert ModelId.parse(str(model)) == model


def test_served_names_split_at_the_first_slash() -> None:
    assert split_served("builtin/tiny-llama") == ("builtin", "tiny-llama")
    assert split_served("openrouter/qwen/qwen3") == ("openrouter", "qwen/qwen3")
    for wrong in ("", "builtin", "builtin/", "/tiny"):
        with pytest.raises(UsageError):
            split_served(wrong)


@pytest.mark.parametrize(
    "name", ["عربي/نموذج", "中文/大模型-7B", "🙂/👩\u200d🔬", "Ünï/Café_1.5", "org/Übung", "हिन्दी/मॉडल", "한국/모델"]
)
def test_names_in_other_scripts_may_be_listed_and_are_no_ids(name: str) -> None:
    assert is_listed(name)
    assert not ModelId.valid(name)


HIDDEN = ("é/a\u202eb", "é/a\u2066b", "é/a\u200eb", "é/\u0301a", "é/a\x00", "é/a\nb", "é/a\ue000", "é/a\u200d")
HALF = "é/\ud83d"
ALIKE = ("é/\uff0fa", "é/a\u2044b", "é/a\uff1ab", "é/<b>", "é/a:b", "é@x/a", "é/a\u00a0b", "a b/é", "é/a b")
MALFORMED = ("org/plain", "é", "é/", "/é", "a/é/b", "é/..", "é/a..b", "é/a--b", "-é/a", "é/a.", "é/" + "x" * 97)


@pytest.mark.parametrize("name", [*HIDDEN, *ALIKE, *MALFORMED, HALF, "é/a" + "\u0301" * 5])
def test_what_cannot_be_seen_turns_text_or_looks_like_a_sign_is_in_no_listed_name(name: str) -> None:
    assert not is_listed(name)


@given(st.text(max_size=12), st.text(max_size=12))
def test_any_text_is_a_listed_name_or_not(first: str, second: str) -> None:
    if is_listed(f"{first}/{second}"):
        assert f"{first}/{second}".replace("\u200d", "").isprintable()
