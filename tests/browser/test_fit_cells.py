"""The heat map, what if, and downloads in cells of a real JupyterLab."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PATIENCE
from tests.browser.lab import jupyter_lab, run_cell

pytest.importorskip("jupyterlab")

OPEN = """import modelshelf
from modelshelf_dashboard import CompatibilityMap, WhatIfPanel

shelf = await modelshelf.open_shelf()"""
MAP = 'models = ["samples/tiny-llama-GGUF", "samples/tiny-llama"]\nshown = CompatibilityMap(shelf, models)\nshown'
PANEL = 'WhatIfPanel(shelf, "samples/tiny-llama-GGUF")'
CHOSEN = "print(shown.chosen.model, shown.chosen.score)"


@pytest.fixture
def notebook(chromium: Browser, tmp_path: Path) -> Iterator[Page]:
    """A notebook with both, in a JupyterLab of its own."""
    with jupyter_lab(tmp_path) as lab:
        context = chromium.new_context(viewport={"width": 1400, "height": 1000})
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(lab.notebook("fits", OPEN, MAP, CHOSEN, PANEL))
        yield page
        context.close()
        assert errors == []


@pytest.mark.timeout(360)
def test_both_live_in_cells(notebook: Page, picture: Callable[[Page, str], Path]) -> None:
    page = notebook
    run_cell(page, 0)
    run_cell(page, 1)
    cells = page.locator("td:visible")
    expect(cells).to_have_count(2)
    expect(cells.last.locator("span")).to_have_text("0")
    name = cells.last.get_attribute("aria-label") or ""
    expect(page.locator(".status:visible").last).to_have_text("2 pairs")
    page.locator("td[tabindex='0']").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".said:visible")).to_have_text(name)
    page.keyboard.press("Enter")
    tell_chosen(page)
    run_cell(page, 3)
    panel = page.locator("section.what-if")
    expect(panel).to_contain_text("as it is now")
    used = panel.locator(".legend").text_content() or ""
    panel.get_by_label("Context", exact=True).press("Home")
    expect(panel.locator("output").first).to_have_text("512 tokens")
    expect(panel.locator(".legend")).not_to_have_text(used)
    expect(panel.get_by_label("Machine", exact=True).locator("option")).not_to_have_count(1)
    expect(panel).to_have_attribute("data-took", re.compile(r"^\d+\.\d$"))
    picture(page, "fit-cells")


def tell_chosen(page: Page) -> None:
    """Have a cell print what was chosen; a choice reaches the kernel a moment after the key."""
    output = page.locator(".jp-Cell").nth(2).locator(".jp-OutputArea")
    for _ in range(5):
        run_cell(page, 2)
        expect(output).to_contain_text(re.compile("samples/tiny-llama|AttributeError"))
        if "AttributeError" not in (output.text_content() or ""):
            break
    expect(output).to_contain_text("samples/tiny-llama 0")


FETCH = """from modelshelf.downloads import Order
from modelshelf_dashboard import DownloadNews, Downloads

shelf.config.set("downloads.max_rate_mb", 0.5)
jobs = await shelf.downloads.start_batch([Order("samples/tiny-llama-GGUF"), Order("samples/tiny-llama")])
Downloads(shelf)"""


@pytest.mark.timeout(360)
def test_downloads_and_news_live_in_cells(
    chromium: Browser, tmp_path: Path, picture: Callable[[Page, str], Path]
) -> None:
    with jupyter_lab(tmp_path) as lab:
        context = chromium.new_context(viewport={"width": 1400, "height": 1000})
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.goto(lab.notebook("downloads", OPEN, FETCH, "DownloadNews(shelf)"))
        run_cell(page, 0)
        run_cell(page, 1)
        queue = page.get_by_role("region", name="Running and waiting")
        queue.get_by_role("button", name="Show the files and more").first.click()
        moving = queue.locator(".member").first
        expect(moving.locator(".told").first).to_contain_text(re.compile(r"MB/s · \d+ s left"))
        expect(moving.get_by_role("img")).to_be_visible()
        picture(page, "download-cells")
        run_cell(page, 2)
        queue.get_by_role("button", name="Cancel").first.click()
        expect(queue).to_have_count(0)
        news = page.get_by_role("region", name="News")
        expect(news).to_contain_text("Nothing new.")
        context.close()
