"""One tab leads into the other: from a provider to models, from a model to providers, from profiles and downloads."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Opener
from tests.browser.page import drawer, go, ready, row

MODEL = "samples:samples/tiny-llama-GGUF"


def test_from_a_provider_to_the_models_that_fit_it_and_back(open_page: Opener) -> None:
    page = open_page("?tab=settings&section=providers&provider=builtin")
    page.get_by_role("button", name="Models that fit Built-in engine").filter(has_text="Models that fit").click()
    expect(page).to_have_url(re.compile(r"filters=provider:builtin"))
    first = page.locator(".item:visible").first
    expect(first).to_be_focused()
    page.keyboard.press("Enter")
    expect(drawer(page)).to_contain_text("Works with")
    drawer(page).get_by_role("button", name="Built-in engine in LLM Settings").click()
    expect(page).to_have_url(re.compile(r"tab=settings&provider=builtin$"))
    expect(row(page, "Built-in engine")).to_have_attribute("aria-selected", "true")
    page.go_back()
    expect(drawer(page)).to_contain_text("Works with")
    page.go_back()
    expect(drawer(page)).to_have_count(0)
    expect(page).to_have_url(re.compile(r"filters=provider:builtin"))
    page.go_back()
    expect(row(page, "Built-in engine")).to_be_visible()
    page.go_forward()
    expect(page.locator(".item:visible").first).to_be_visible()


def test_from_a_download_to_its_model(open_page: Opener) -> None:
    page = open_page(f"?model={MODEL}")
    drawer(page).get_by_role("button", name=re.compile("^Download")).click()
    expect(drawer(page).get_by_role("button", name="Show in Installed")).to_be_visible()
    page.goto(page.url.partition("?")[0] + "?view=downloads")
    page.locator(".item:visible").get_by_role("button", name="tiny-llama-GGUF", exact=True).first.click()
    expect(drawer(page)).to_contain_text("tiny-llama-GGUF")
    expect(page).to_have_url(re.compile(r"view=downloads&model="))


@pytest.mark.parametrize("steps", [1, 2])
def test_going_back_at_once_ends_where_the_address_says(open_page: Opener, steps: int) -> None:
    """Whatever is on its way meanwhile: the address and what is shown agree in the end."""
    page = open_page()
    ready(page)
    go(page, "Installed")
    expect(page).to_have_url(re.compile("view=installed"))
    go(page, "Compare")
    expect(page).to_have_url(re.compile("view=compare"))
    go(page, "LLM Settings")
    page.evaluate("(n) => { for (let i = 0; i < n; i++) history.back() }", steps)
    expect(page.get_by_role("tab", name="Model Library")).to_have_attribute("aria-selected", "true")
    # The step may not have been in the history yet, on a busy machine: then it is one further.
    expect(page).to_have_url(re.compile("view=(compare|installed)" if steps == 1 else "view=installed|/$"))
    shown = {"compare": "Compare", "installed": "Installed"}.get(page.url.rpartition("view=")[2], "Discover")
    expect(page.get_by_role("tab", name=shown)).to_have_attribute("aria-selected", "true")
