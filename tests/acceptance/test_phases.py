"""The five phases of the specification as one journey: it begins in LLM Settings and ends with a green self-test."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import NARROW, WIDE, opener, sign_in
from tests.browser.page import drawer, go, row, search
from tests.browser.serving import Served, served
from tests.browser.simulated import simulated
from tests.engines.ollama import OllamaSimulator

pytestmark = pytest.mark.browser

MODEL = "tiny-llama-GGUF"


@pytest.fixture
def ollama(tmp_path: Path) -> Iterator[OllamaSimulator]:
    """An Ollama whose folder is on the library's disk, and that has nothing yet."""
    store = tmp_path / "ollama"
    (store / "blobs").mkdir(parents=True)
    with simulated(made := OllamaSimulator(store=store)):
        yield made


@pytest.fixture
def server(tmp_path: Path, ollama: OllamaSimulator) -> Iterator[Served]:
    """A shelf on a machine where that Ollama runs."""
    settings = {"OLLAMA_HOST": ollama.url, "OLLAMA_MODELS": str(ollama.store)}
    with served(tmp_path / "home", settings=settings) as running:
        yield running


@pytest.mark.parametrize(("width", "theme"), [(WIDE, "light"), (NARROW, "dark")])
def test_from_the_settings_to_a_proven_integration(
    chromium: Browser, server: Served, picture: Callable[[Page, str], Path], width: int, theme: str
) -> None:
    with opener(chromium, server, sign_in(chromium, server)) as opens:
        page = opens("?tab=settings", width=width, theme=theme)
        shot = f"phases-{'wide' if width == WIDE else 'phone'}-{theme}"
        discover(page)
        judge(page)
        picture(page, f"{shot}-judged")
        fetch(page)
        picture(page, f"{shot}-registered")
        use(page, wide=width == WIDE)
        prove(page)
        picture(page, f"{shot}-proven")


def discover(page: Page) -> None:
    """1. From LLM Settings to the Model Library, where filters and words find the model."""
    expect(row(page, "Ollama")).to_contain_text("well")
    go(page, "Model Library")
    search(page, "tiny is:fits")
    expect(row(page, MODEL)).to_be_visible()


def judge(page: Page) -> None:
    """2. Its fit is shown for every provider, with the best of the list marked."""
    expect(row(page, MODEL).locator(".score")).to_have_text(re.compile(r"^\d+$"))
    expect(row(page, MODEL)).to_contain_text("Best for your computer")
    row(page, MODEL).locator(".names").click()
    expect(drawer(page)).to_contain_text("exact, from the file's header")
    for provider in ("Built-in engine", "Ollama"):
        expect(drawer(page)).to_contain_text(provider)


def fetch(page: Page) -> None:
    """3 and 4. One press: it comes, is verified and scanned, and both providers have it without a copy."""
    drawer(page).get_by_role("button", name=re.compile("^Download")).first.click()
    expect(drawer(page)).to_contain_text(re.compile(r"Served as \S+ · no copy"))
    expect(drawer(page)).to_contain_text("Registered by hard link as")
    expect(drawer(page)).to_contain_text("no copy")
    expect(drawer(page).get_by_role("button", name="Undo: Ollama")).to_be_visible()


def use(page: Page, *, wide: bool) -> None:
    """4, read back: the providers' own lists have it, and it answers."""
    if not wide:
        drawer(page).get_by_role("button", name="Close").click()
    go(page, "LLM Settings")
    row(page, "Ollama").locator(".names").click()
    expect(row(page, re.compile("^tiny-llama"))).to_be_visible()


def prove(page: Page) -> None:
    """5. The self-test walks it all, and says what could be better."""
    go(page, "Status")
    test = page.get_by_role("region", name="Self-test")
    test.get_by_role("button", name="Run the self-test").click()
    expect(test.get_by_role("button", name="Run again")).to_be_visible()
    for step in ("open a shelf", "download", "register with the engine", "ask", "clean up"):
        expect(test).to_contain_text(step)
    expect(test.get_by_text("passed", exact=True).first).to_be_visible()
    expect(test.get_by_text("failed", exact=True)).to_have_count(0)
    test.scroll_into_view_if_needed()
