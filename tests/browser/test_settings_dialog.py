"""The settings inside somebody else's Panel app."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import NARROW, PATIENCE, WIDE
from tests.browser.page import row
from tests.browser.panel_app import serve_app
from tests.browser.simulated import simulated
from tests.engines.ollama import OllamaSimulator

APP = """
import asyncio
import panel as pn
from modelshelf.shelf import Shelf
from modelshelf.config import ConfigManager
from modelshelf_dashboard import SettingsDialog

if "shelf" not in pn.state.cache:
    shelf = Shelf(ConfigManager())
    pn.state.cache["shelf"] = shelf, asyncio.get_running_loop().create_task(shelf.start())
shelf, ready = pn.state.cache["shelf"]
pn.Column("# Somebody else's app", SettingsDialog(shelf, ready=ready)).servable()
"""


@pytest.fixture(scope="module")
def ollama() -> Iterator[Any]:
    simulator = OllamaSimulator()
    simulator.add("tiny-llama")
    with simulated(simulator):
        yield simulator


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_it_opens_over_another_app_and_adds_a_provider(
    chromium: Browser, tmp_path: Path, ollama: Any, width: int, picture: Callable[[Page, str], Path]
) -> None:
    with serve_app(tmp_path, APP) as url:
        context = chromium.new_context(viewport={"width": width, "height": 860})
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.goto(url)
        page.get_by_role("button", name="LLM Settings").click()
        expect(row(page, "Built-in engine")).to_be_visible()
        page.get_by_role("button", name="Add provider").click()
        form = page.get_by_role("dialog", name="Add a provider")
        form.get_by_role("searchbox").fill("ollama")
        form.locator('[data-kind="ollama"]').first.click()
        form = page.get_by_role("dialog", name="Add Ollama")
        form.get_by_label("Address").fill(ollama.url)
        form.get_by_role("button", name="Save", exact=True).click()
        expect(row(page, "Ollama")).to_contain_text("well")
        expect(page.locator(".notice.bad:visible")).to_have_count(0)
        picture(page, f"settings-dialog-{width}")
        page.get_by_role("dialog", name="LLM Settings").get_by_role("button", name="Close").first.click()
        expect(row(page, "Ollama")).to_have_count(0)
        context.close()
