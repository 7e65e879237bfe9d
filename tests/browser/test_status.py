"""The status in two open pages: what goes wrong, what lands and what is resolved is seen in both; buttons mend it."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import NARROW, Opener
from tests.browser.fitted import add
from tests.browser.page import drawer, go, row
from tests.browser.serving import SAMPLES, Served, served
from tests.browser.simulated import simulated
from tests.core.library.conftest import install
from tests.engines.faults import Fault
from tests.engines.ollama import OllamaSimulator

STATUS = "?tab=settings&section=status"
QUICK = {"MODELSHELF_PROVIDERS__HEALTH_SECONDS": "1"}
WEIGHTS = b"the same weights" * 1000


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where that Ollama keeps its files: on the disk of the library."""
    folder = tmp_path_factory.mktemp("ollama")
    (folder / "blobs").mkdir()
    return folder


@pytest.fixture(scope="module")
def ollama(store: Path) -> Iterator[OllamaSimulator]:
    simulator = OllamaSimulator(store=store)
    simulator.add("tiny-llama")
    with simulated(simulator):
        yield simulator


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, ollama: OllamaSimulator, store: Path) -> Iterator[Served]:
    base = tmp_path_factory.mktemp("status")
    with served(base / "home", sources=(SAMPLES,), settings=QUICK | {"OLLAMA_MODELS": str(store)}) as running:
        add(base, "ollama", "--url", ollama.url, "--name", "Shaky")
        yield running


def line(page: Page, text: str) -> Locator:
    """A line of what is wrong, or of what was resolved."""
    return page.locator(".notice:visible").filter(has_text=text)


def test_what_happens_is_seen_in_both_pages(
    open_page: Opener, ollama: OllamaSimulator, picture: Callable[[Page, str], Path]
) -> None:
    pages = first, second = open_page(STATUS), open_page(STATUS)
    for page in pages:
        expect(line(page, "Built-in engine is well, but has no models.")).to_be_visible()
    ollama.faults.everywhere(Fault.BROKEN)
    for page in pages:
        expect(line(page, "Shaky does not answer.")).to_be_visible()
        expect(page.locator(".notice:visible").first).to_contain_text("Shaky")  # what is wrong comes first
    picture(first, "status-wrong")
    ollama.faults.clear()
    line(second, "Shaky").get_by_role("button", name="Test again").click()
    for page in pages:
        expect(line(page, "Shaky does not answer.")).to_have_count(0)

    line(first, "Built-in engine").get_by_role("button", name="Download it").click()
    for page in pages:
        expect(line(page, "Nothing is wrong.")).to_be_visible()
        expect(page.locator("section:visible").filter(has_text="Built-in engine").first).to_contain_text("1 model")
    picture(first, "status-well")
    undone_in_both(first, second)


def undone_in_both(first: Page, second: Page) -> None:
    """What landed was given to Ollama by itself; that is taken back in one page, and seen in both."""
    for page in (first, second):
        page.goto(page.url.partition("?")[0] + "?model=samples:samples/tiny-llama-GGUF")
        expect(drawer(page).get_by_role("button", name="Undo: Shaky")).to_be_visible()
    drawer(first).get_by_role("button", name="Undo: Shaky").click()
    for page in (first, second):
        expect(drawer(page).get_by_role("button", name="Undo: Shaky")).to_have_count(0)
        expect(drawer(page).get_by_role("button", name=re.compile("^Register.*Shaky"))).to_be_visible()


def test_a_conflict_is_resolved_in_one_page_and_taken_back_in_the_other(
    open_page: Opener, server: Served, picture: Callable[[Page, str], Path]
) -> None:
    cache = server.home.parent / "hub"
    places = [install(cache, name, {"m-Q8_0.gguf": WEIGHTS}) / "m-Q8_0.gguf" for name in ("one/m-GGUF", "two/m-GGUF")]
    first, second = open_page(STATUS), open_page(STATUS, width=NARROW, theme="dark")
    for page in (first, second):
        expect(line(page, "m-Q8_0.gguf lies on the disk 2 times")).to_be_visible()
        expect(line(page, "One model is offered as")).to_be_visible()
    picture(first, "status-conflicts")
    picture(second, "status-conflicts-phone")
    line(first, "lies on the disk").get_by_role("button", name=re.compile("^Resolve")).click()
    expect(line(second, "Resolved:")).to_be_visible()
    expect(line(second, "Resolved:")).to_contain_text("lies on the disk 2 times")
    assert places[0].stat().st_ino == places[1].stat().st_ino
    line(second, "Resolved:").get_by_role("button", name="Undo").click()
    for page in (first, second):
        expect(line(page, "Resolved:")).to_have_count(0)
        expect(line(page, "lies on the disk 2 times")).to_be_visible()
    assert places[0].stat().st_ino != places[1].stat().st_ino


def test_several_are_pinned_and_removed_with_one_question(
    open_page: Opener, server: Served, picture: Callable[[Page, str], Path]
) -> None:
    cache = server.home.parent / "hub"
    for name in ("pin-a", "pin-b"):
        install(cache, f"org/{name}", {"m-Q8_0.gguf": name.encode() * 1000})
    page = open_page("?view=installed")
    for name in ("pin-a", "pin-b"):
        row(page, name).get_by_role("checkbox").check()
    page.get_by_role("button", name="Pin", exact=True).click()
    for name in ("pin-a", "pin-b"):
        expect(row(page, name)).to_contain_text("pinned")
    row(page, "pin-a").get_by_role("checkbox").check()
    page.get_by_role("button", name="Unpin", exact=True).click()
    expect(row(page, "pin-a")).not_to_contain_text("pinned")
    for name in ("pin-a", "pin-b"):
        row(page, name).get_by_role("checkbox").check()
    picture(page, "installed-picked")
    page.locator(".bar-of-picks:visible").get_by_role("button", name="Remove").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("org/pin-b is pinned and stays.")
    dialog.get_by_role("button", name="Remove 1 model").click()
    expect(row(page, "pin-a")).to_have_count(0)
    expect(row(page, "pin-b")).to_be_visible()
    go(page, "Discover")


def test_a_provider_without_models_leads_to_those_that_fit_it(open_page: Opener, server: Served) -> None:
    page: Any = open_page(STATUS)
    page.locator(".notice:visible").first.wait_for()
    page.evaluate(
        "window.dispatchEvent(new CustomEvent('navigate-to-model-library', {detail: "
        "{view: 'discover', filters: ['provider:ollama'], focus: true}}))"
    )
    expect(page.locator(".item:visible").first).to_be_focused()
