"""Where a model can be used, in two open pages: it lands, is taken back, and is given again."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import NARROW, Opener
from tests.browser.page import drawer, row
from tests.browser.serving import Served, served
from tests.browser.simulated import simulated
from tests.engines.ollama import OllamaSimulator

MODEL = "?tab=library&model=samples:samples/tiny-llama-GGUF"


@pytest.fixture(scope="module")
def ollama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OllamaSimulator]:
    folder = tmp_path_factory.mktemp("registration") / "ollama"
    (folder / "blobs").mkdir(parents=True)
    simulator = OllamaSimulator(store=folder)
    with simulated(simulator):
        yield simulator


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, ollama: OllamaSimulator) -> Iterator[Served]:
    """A shelf that finds that Ollama on its machine."""
    found = {"OLLAMA_HOST": ollama.url, "OLLAMA_MODELS": str(ollama.store)}
    with served(tmp_path_factory.mktemp("served") / "home", settings=found) as running:
        yield running


def at_ollama(page: Page) -> Locator:
    return drawer(page).locator(".use").filter(has_text="Ollama")


def test_it_lands_is_taken_back_and_given_again(
    open_page: Opener, ollama: OllamaSimulator, picture: Callable[[Page, str], Path]
) -> None:
    settings = open_page("?tab=settings")
    expect(row(settings, "Ollama")).to_be_visible()
    page, other = open_page(MODEL, height=1400), open_page(MODEL, width=NARROW, theme="dark", height=1400)
    drawer(page).get_by_role("button", name=re.compile("^Download")).click()
    for one in (page, other):
        expect(at_ollama(one)).to_contain_text("Registered by hard link as tiny-llama · no copy")
    assert list(ollama.models) == ["tiny-llama:latest"]
    assert not ollama.blobs, "nothing was uploaded"
    picture(page, "registered-light")
    picture(other, "registered-phone-dark")
    at_ollama(page).get_by_role("button", name="Undo").click()
    for one in (page, other):
        expect(at_ollama(one)).to_contain_text("Taken back; it is not given again by itself.")
    assert not ollama.models
    at_ollama(other).get_by_role("button", name="Register").click()
    for one in (page, other):
        expect(at_ollama(one)).to_contain_text("Registered by hard link")
