"""Words in the box and filters beside it are one query; a kept query comes apart into both again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelshelf.catalog.query import parse
from modelshelf.errors import UsageError
from modelshelf_dashboard.library import cards
from modelshelf_dashboard.library.asked import compose, joined, taken_apart, wrong

TOKENS = st.sampled_from(
    ["format:gguf", "format:onnx", "license:mit", "size:<8GB", "is:fits", "-task:chat", "author:qwen", "ctx:>=32k"]
)


def test_filters_of_one_key_widen_and_others_narrow() -> None:
    assert joined(["format:gguf", "is:fits", "format:onnx", "is:gated"]) == "format:gguf,onnx is:fits is:gated"
    assert str(compose("tiny -big", ["format:gguf"])) == "tiny -big format:gguf"


@given(st.lists(TOKENS, unique=True), st.sampled_from(["", "tiny", 'tiny -"big one"', "q4 author:me"]))
def test_what_is_taken_apart_asks_for_the_same(tokens: list[str], text: str) -> None:
    query = compose(text, tokens)
    again = compose(*taken_apart(str(query)))
    assert set(again.filters) == set(query.filters) or joined(tokens) != " ".join(tokens)
    assert (again.words, again.excluded) == (query.words, query.excluded)


def test_a_wrong_word_is_found_in_the_box_and_a_wrong_filter_is_not() -> None:
    with pytest.raises(UsageError) as caught:
        parse("tiny colour:red")
    assert wrong(caught.value, "tiny colour:red").at == 5
    assert wrong(caught.value, "tiny").at is None


def test_a_card_is_harmless_and_asks_nobody() -> None:
    text = (
        '---\nlicense: mit\n---\n# Hi <script>alert(1)</script>\n![a " onload=x](https://h.org/a.png)\n'
        '<img src=https://h.org/b.png onerror=alert(1)><a href="javascript:alert(1)">x</a>'
        '<div style="position:fixed" onclick=x>d</div><iframe src=https://h.org></iframe>\n\n|a|\n|-|\n|1|\n'
    )
    html = cards.render(text)
    for bad in ("script", "<img", "onload=", "onerror", "javascript", "style", "iframe", "license"):
        assert bad not in html.replace("onload=x&quot;", "").replace("onload=x</a>", "</a>"), bad
    assert '<a href="https://h.org/a.png"' in html
    assert "<td>1</td>" in html


@given(st.text(max_size=300))
def test_any_text_becomes_a_card(text: str) -> None:
    assert "<script" not in cards.render(text)
