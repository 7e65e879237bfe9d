"""The main job as a newcomer does it, at both widths and in both themes."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NARROW, WIDE, Opener
from tests.browser.page import drawer, go, reachable, ready, row, search

MODEL = "tiny-llama-GGUF"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_find_fetch_prove_run_remove(
    open_page: Opener, picture: Callable[[Page, str], Path], width: int, theme: str
) -> None:
    wide = width == WIDE
    page = open_page("", width=width, theme=theme)
    ready(page)
    search(page, "tiny")
    found = row(page, MODEL)
    expect(found).to_contain_text("3.5 MB")
    expect(found).to_contain_text("GGUF Q8_0")
    expect(found).to_contain_text("Apache 2.0")
    expect(found.locator(".score")).to_have_text(re.compile(r"^\d+$"))
    expect(row(page, "suspicious-pickle")).to_have_count(0)

    found.locator(".names").click()
    expect(drawer(page)).to_contain_text("exact, from the file's header")
    drawer(page).get_by_role("button", name=re.compile("^Download .*3.5 MB")).click()
    if width == NARROW:
        drawer(page).get_by_role("button", name="Close").click()
    told = page.locator(".running:visible .told")
    expect(told).to_contain_text(re.compile(r"[1-9.]+ of 3.5 MB · \d+\.\d MB/s · \d+ s"))
    picture(page, f"{'library' if wide else 'phone'}-{theme}")

    expect(row(page, MODEL).get_by_role("button", name="Installed")).to_be_visible()
    expect(page.locator(".running")).to_be_hidden()
    if width == NARROW:
        row(page, MODEL).locator(".names").click()
    drawer(page).get_by_role("button", name="Try it").click()
    expect(page).to_have_url(re.compile("tab=settings.*chat=builtin/tiny-llama"))
    expect(page.locator(".item", has_text="Built-in engine")).to_have_count(1)

    ask(page, "Once upon a time", turns=1)
    ask(page, "And then?", turns=2)
    picture(page, f"{'try' if wide else 'phone-try'}-{theme}")

    page.get_by_role("button", name="Close").filter(visible=True).click()
    expect(row(page, "tiny-llama").get_by_role("button", name="Try it")).to_be_visible()

    remove(page)


def ask(page: Page, text: str, turns: int) -> None:
    box = page.locator("textarea:visible")
    assert reachable(box)
    box.fill(text)
    box.press("Enter")
    answers = page.locator(".turn.assistant:not(.live)")
    expect(answers).to_have_count(turns)
    expect(answers.last).to_contain_text(re.compile(r"\w+.*tokens/s", re.DOTALL))


def remove(page: Page) -> None:
    """The model goes, after a word about what else uses its bytes."""
    go(page, "Model Library")
    drawer(page).get_by_role("button", name="Close").click()
    go(page, "Installed")
    expect(row(page, MODEL)).to_contain_text("scanned, nothing found")
    row(page, MODEL).get_by_role("button", name="Remove").click()
    dialog = page.get_by_role("dialog", name="Remove samples/tiny-llama-GGUF?")
    expect(dialog).to_contain_text("3.5 MB")
    expect(dialog).to_contain_text("Nothing else uses these files.")
    dialog.get_by_role("button", name="Remove").click()
    expect(page.locator(".note.empty:visible")).to_contain_text("Nothing is installed yet.")
