"""Whatever is given as an address is a name or one sentence, and no request."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelshelf.catalog.sources.cards import is_path, is_repo
from modelshelf.catalog.sources.ollama import OllamaSource
from modelshelf.catalog.sources.web import WebSource
from modelshelf.config import ConfigManager, SourceConfig
from modelshelf.errors import ModelshelfError
from modelshelf.imports.find import find
from tests.hermetic import environment

TEXT = st.text(st.sampled_from("ab/:@.-_%2eé\\\0 ~[]#?=&\n"), max_size=40) | st.text(max_size=60)


def config(folder: Path) -> ConfigManager:
    return ConfigManager(folder / "home", environment(folder))


@given(text=TEXT)
def test_an_ollama_address_is_a_name_or_one_sentence(text: str) -> None:
    source = OllamaSource(SourceConfig(name="ollama", kind="ollama"), config(Path("/nonexistent")))
    with suppress(ModelshelfError):
        name = asyncio.run(source.take("ollama://" + text))
        assert name is not None
        assert is_repo(name.repo)
        assert name.revision is None or is_path(name.revision)


@given(text=TEXT)
def test_a_web_address_without_a_checksum_is_one_sentence(text: str) -> None:
    source = WebSource(SourceConfig(name="web", kind="web"), config(Path("/nonexistent")))
    with pytest.raises(ModelshelfError) as caught:
        asyncio.run(source.take("https://" + text))
    assert caught.value.remedy


@given(text=TEXT)
def test_a_path_that_is_not_there_is_one_sentence(text: str) -> None:
    with pytest.raises(ModelshelfError) as caught:
        find(Path("/nonexistent") / text.lstrip("/"))
    assert caught.value.remedy
