"""The malicious sample as a person meets it: seen, downloaded, held, explained, released; and what is well, checked."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import NARROW, WIDE, opener, sign_in
from tests.browser.page import drawer, go, row
from tests.browser.serving import served
from tests.browser.test_access import serious

EVIL = "suspicious-pickle"
REASON = "It is our own sample, and only prints a line."
Take = Callable[[Page, str], None]


def panel(page: Page) -> Locator:
    """What a shield opens, once it says something."""
    shown = page.locator("dialog[open]").filter(has=page.locator(".says"))
    expect(shown).to_be_visible()
    return shown


@pytest.mark.parametrize(("width", "theme"), [(WIDE, "light"), (NARROW, "dark")])
def test_seen_held_explained_and_released(
    chromium: Browser, tmp_path: Path, picture: Callable[[Page, str], Path], width: int, theme: str
) -> None:
    def take(page: Page, name: str) -> None:
        picture(page, f"{name}-{width}-{theme}")

    with served(tmp_path / "home") as server, opener(chromium, server, sign_in(chromium, server)) as opens:
        page = opens(f"?model=samples:samples/{EVIL}", width=width, theme=theme)
        expect(drawer(page)).to_contain_text("it would be held in quarantine")
        take(page, "vetting-before")
        drawer(page).get_by_role("button", name=re.compile("^blocked")).click()
        expect(panel(page)).to_contain_text("Code that runs when the file is loaded")
        expect(panel(page)).to_contain_text("scanners object to")
        take(page, "vetting-looked")
        assert serious(page) == []
        panel(page).get_by_role("button", name="Close").click()
        drawer(page).get_by_role("button", name=re.compile("^Download")).click()
        drawer(page).get_by_role("button", name="Close").click()
        expect(page.get_by_role("tab", name="Quarantine")).to_contain_text("1")
        go(page, "Quarantine")
        released(page, take)
        let_through(page, take)


def released(page: Page, take: Take) -> None:
    """Every held file is inspected and let go, with a reason."""
    held = row(page, "pytorch_model.bin")
    expect(held).to_contain_text("blocked")
    take(page, "vetting-quarantine")
    held.get_by_role("button", name="Inspect").click()
    expect(panel(page)).to_contain_text("SHA-256")
    expect(panel(page)).to_contain_text("Take the same model as safetensors or GGUF")
    take(page, "vetting-held")
    assert serious(page) == []
    panel(page).get_by_role("button", name="Release").click()
    question = page.get_by_role("dialog", name="Release pytorch_model.bin?")
    question.get_by_role("button", name="Release").click()
    expect(question).to_contain_text("needs a reason")
    question.get_by_role("textbox").fill(REASON)
    take(page, "vetting-release")
    question.get_by_role("button", name="Release").click()
    expect(question).to_be_hidden()
    expect(held).to_have_count(0)
    for other in range(page.locator(".item:visible").count()):
        page.locator(".item:visible").first.get_by_role("button", name="Release").click()
        question = page.locator("dialog[open]").filter(has_text="These very bytes will pass")
        question.get_by_role("textbox").fill(f"{REASON} {other}")
        question.get_by_role("button", name="Release").click()
        expect(question).to_be_hidden()
    expect(page.locator(".note.empty:visible")).to_contain_text("Nothing is held back.")


def let_through(page: Page, take: Take) -> None:
    """It is installed, and says who let it through; everything is verified, and the report is kept."""
    go(page, "Installed")
    found = row(page, EVIL)
    shield = found.get_by_role("button", name=re.compile("^let through"))
    shield.click()
    expect(panel(page)).to_contain_text(f"Let through by owner: {REASON}")
    expect(panel(page)).not_to_contain_text("being asked")
    take(page, "vetting-installed")
    panel(page).get_by_role("button", name="Scan again").click()
    expect(panel(page).locator(".busy")).to_have_count(0)
    with page.expect_download() as got:
        panel(page).get_by_role("button", name="Report (SARIF)").click()
    log = json.loads(Path(got.value.path()).read_text("utf-8"))
    assert log["runs"][0]["results"]
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(shield).to_be_focused()
    page.get_by_role("button", name="Verify everything").click()
    checked = page.get_by_role("region", name="Verify everything")
    expect(checked).to_contain_text("Everything is what it should be.")
    take(page, "vetting-checked")
    assert serious(page) == []
