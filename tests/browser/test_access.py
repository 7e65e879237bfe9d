"""The page for everybody: axe-core finds nothing serious, and the keyboard does what the mouse does."""

from typing import Any

import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Page, expect

from tests.browser.conftest import NARROW, WIDE, Opener
from tests.browser.page import drawer, ready, row, search

QUANTS = "samples:samples/tiny-llama-quants-GGUF"
PLACES = {
    "": ".item:visible",
    f"?model={QUANTS}": ".memory:visible",
    "?model=samples:samples/gated-llama-GGUF": ".drawer .box:visible",
    "?view=installed": ".note.empty:visible",
    "?view=compare": "td:visible",
    "?view=quarantine": ".note.empty:visible",
    "?q=nothing-is-called-this": ".note.empty:visible",
    "?tab=settings": "section .pair:visible",
    "?tab=settings&section=profiles": ".note.empty:visible",
    "?tab=settings&section=accounts": "section:visible",
    "?tab=settings&section=machine": "section .pair:visible",
    "?tab=settings&section=status": "section .pair:visible",
    "?tab=settings&chat=builtin/tiny-llama": "textarea:visible",
}


def serious(page: Page) -> list[str]:
    """What axe-core calls serious or critical."""
    page.evaluate(AXE_FILE_PATH.read_text("utf-8"))
    result: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{found['id']}: {node['target']} {node.get('failureSummary', '')}"
        for found in result["violations"]
        if found["impact"] in {"serious", "critical"}
        for node in found["nodes"]
    ]


def visit(page: Page, address: str) -> None:
    """Go there without loading the page anew, as back and forward do."""
    page.evaluate(
        "(to) => { history.pushState({}, '', './' + to); dispatchEvent(new PopStateEvent('popstate')) }", address
    )


@pytest.mark.parametrize(("width", "theme"), [(WIDE, "light"), (WIDE, "dark"), (NARROW, "light")])
def test_axe_finds_nothing_serious(open_page: Opener, width: int, theme: str) -> None:
    page = open_page(width=width, theme=theme)
    ready(page)
    found = {}
    for address, shows in PLACES.items():
        visit(page, address)
        page.locator(shows).first.wait_for()
        found[address] = serious(page)
    visit(page, "?tab=settings")
    page.get_by_role("button", name="Add provider").click()
    page.locator("[data-kind=ollama]").wait_for()
    found["kinds"] = serious(page)
    page.locator("[data-kind=openai]").click()
    page.get_by_role("dialog", name="Add OpenAI").get_by_text("More settings").click()
    found["form"] = serious(page)
    page.keyboard.press("Escape")
    page.get_by_role("dialog", name="Add OpenAI").wait_for(state="hidden")
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Help").wait_for()
    found["help"] = serious(page)
    assert {place: what for place, what in found.items() if what} == {}


def test_the_keyboard_reaches_a_model_and_comes_back(open_page: Opener) -> None:
    page = open_page()
    ready(page)
    page.keyboard.press("/")
    page.keyboard.type("tiny")
    expect(row(page, "suspicious-pickle")).to_have_count(0)
    page.keyboard.press("ArrowDown")
    first = page.locator(".item:visible").first
    expect(first).to_be_focused()
    page.keyboard.press("ArrowDown")
    second = page.locator(".item:visible").nth(1)
    expect(second).to_be_focused()
    page.keyboard.press("Enter")
    expect(drawer(page)).to_be_visible()
    expect(second).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Escape")
    expect(drawer(page)).to_have_count(0)
    expect(second).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(second.get_by_role("button").first).to_be_focused()


def test_the_question_mark_explains_what_is_in_focus(open_page: Opener) -> None:
    page = open_page()
    ready(page)
    page.get_by_role("switch", name="Fits this machine").focus()
    page.keyboard.press("?")
    panel = page.get_by_role("dialog", name="Help")
    expect(panel.get_by_role("heading", name="Fit", exact=True)).to_be_visible()
    expect(panel.get_by_role("heading", name="Quarantine")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)


def test_every_control_names_a_help_topic(open_page: Opener) -> None:
    page = open_page(f"?model={QUANTS}")
    page.locator(".memory:visible").wait_for()
    without = page.evaluate(
        """() => {
          const lost = []
          const walk = (root) => {
            for (const node of root.querySelectorAll('button,input,select,textarea,a[href]'))
              if (node.checkVisibility() && !node.closest('[data-help],dialog,.brand')) lost.push(node.outerHTML)
            for (const node of root.querySelectorAll('*')) if (node.shadowRoot) walk(node.shadowRoot)
          }
          walk(document)
          return lost
        }"""
    )
    assert without == []


def test_words_typed_into_the_search_are_not_commands(open_page: Opener) -> None:
    page = open_page()
    ready(page)
    search(page, "")
    page.keyboard.type("what?/")
    expect(page.locator("input[role=combobox]:visible")).to_have_value("what?/")
    expect(page.get_by_role("dialog", name="Help")).to_have_count(0)
