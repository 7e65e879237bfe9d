"""What other programs keep, in a browser: adopted with a press, given back, taken back, on a wide and a narrow page."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import NARROW, PICTURES, WIDE, Opener, opener, sign_in
from tests.browser.page import ready
from tests.browser.serving import Served, served
from tests.core.adoption.stores import OTHER, TINY, ollama, write
from tests.core.sources.simulators import gguf


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A served shelf on a machine where other programs have models."""
    home = tmp_path_factory.mktemp("elsewhere") / "home"
    machine = home.parent
    ollama(machine / "ollama")
    ollama(machine / "ollama", gguf("second"), "registry.ollama.ai/jane/second/latest")
    for name, data in (("tiny-llama/tiny-llama-Q8_0", TINY), ("other/other-Q4_K_M", OTHER)):
        write(machine / f".lmstudio/models/org/{name}.gguf", data)
    write(machine / ".lmstudio/models/org/half/half-00001-of-00002.gguf", TINY)
    with served(home, settings={"MODELSHELF_ADOPTION__COMPARE_MB": "1000"}) as running:
        yield running


@pytest.fixture(scope="module")
def signed_in(chromium: Browser, server: Served) -> Any:
    return sign_in(chromium, server)


@pytest.fixture
def open_page(chromium: Browser, server: Served, signed_in: Any) -> Iterator[Opener]:
    with opener(chromium, server, signed_in) as opens:
        yield opens


def picture(page: Page, name: str) -> None:
    """Leave a picture, if somebody wants one."""
    if folder := os.environ.get(PICTURES):
        page.screenshot(path=Path(folder) / f"elsewhere-{name}.png", full_page=True)


def row(page: Page, title: str) -> Any:
    return page.locator(".item", has=page.get_by_text(title, exact=True))


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_section_fits_the_page(open_page: Opener, width: int, theme: str) -> None:
    page = open_page("?view=installed", width=width, theme=theme)
    ready(page)
    expect(page.get_by_text("Ollama: 2 models", exact=False)).to_be_visible()
    expect(page.get_by_text("parts are missing", exact=False)).to_be_visible()
    expect(row(page, "jane/second:latest")).to_be_visible()
    picture(page, f"{width}-{theme}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_press_adopts_and_what_lies_twice_is_given_back(open_page: Opener) -> None:
    page = open_page("?view=installed")
    ready(page)
    row(page, "tiny:1b").get_by_role("button", name="Adopt: tiny:1b").click()
    expect(page.get_by_text("library/tiny is in the library: no copy.")).to_be_visible()
    expect(row(page, "tiny:1b").filter(has_text="the same file, no copy")).to_be_visible()
    give = page.get_by_role("button", name="Give back", exact=False).first
    expect(give).to_be_visible(timeout=60_000)
    picture(page, "twice")
    give.click()
    expect(page.get_by_role("dialog")).to_contain_text("Both are read anew before")
    picture(page, "asked")
    page.get_by_role("dialog").get_by_role("button", name="Give back", exact=False).click()
    expect(page.get_by_text("are free again")).to_be_visible()
    page.get_by_role("button", name="Make separate", exact=False).click()
    expect(page.get_by_text("has bytes of its own again")).to_be_visible()


def test_it_can_be_folded_away(open_page: Opener) -> None:
    page = open_page("?view=installed")
    ready(page)
    expect(row(page, "jane/second:latest")).to_be_visible()
    page.get_by_role("button", name="Hide", exact=True).click()
    expect(row(page, "jane/second:latest")).to_be_hidden()
    page.get_by_role("button", name="Show", exact=True).click()
    expect(row(page, "jane/second:latest")).to_be_visible()
