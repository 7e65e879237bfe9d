"""Downloads as a person follows and steers them: rows, files, batches; several at once; the bell."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import NARROW, Opener, opener, sign_in
from tests.browser.page import go, ready, row
from tests.browser.serving import Served, served
from tests.browser.test_access import serious

QUANTS, TINY = "tiny-llama-quants-GGUF", "tiny-llama-GGUF"
ONE_SLOW = {"MODELSHELF_DOWNLOADS__MAX_RATE_MB": "0.4", "MODELSHELF_DOWNLOADS__CONCURRENT_JOBS": "1"}
Picture = Callable[[Page, str], Path]


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A shelf that fetches one model at a time, and slowly."""
    with served(tmp_path_factory.mktemp("slow") / "home", settings=ONE_SLOW) as running:
        yield running


@pytest.fixture(scope="module")
def entered(chromium: Browser, slow: Served) -> Any:
    return sign_in(chromium, slow)


@pytest.fixture
def opens(chromium: Browser, slow: Served, entered: Any) -> Iterator[Opener]:
    with opener(chromium, slow, entered) as pages:
        yield pages


def section(page: Page, name: str) -> Any:
    return page.get_by_role("region", name=name)


def test_several_are_chosen_planned_followed_and_steered(opens: Opener, picture: Picture) -> None:
    page = opens("?q=tiny")
    ready(page)
    row(page, TINY).focus()
    page.keyboard.press("Space")
    bar = page.locator(".bar-of-picks:visible")
    expect(bar).to_contain_text("1 model chosen")
    row(page, QUANTS).get_by_role("checkbox").check()
    bar.get_by_role("button", name="Download 2 models").click()
    dialog = page.get_by_role("dialog", name="Download 2 models?")
    expect(dialog).to_contain_text("Licences: Apache 2.0 (2).")
    expect(dialog).to_contain_text(re.compile(r"needs .* are free"))
    picture(page, "batch-plan")
    dialog.get_by_role("button", name="Download 2 models, 10.1 MB").click()
    expect(bar).to_have_count(0)

    go(page, "Downloads")
    queue = section(page, "Running and waiting")
    batch = queue.locator(".item", has_text="Batch of 2 models")
    expect(batch).to_contain_text("1 on its way · 1 waits")
    batch.get_by_role("button", name="Show the files and more").click()
    expect(queue.locator(".item")).to_have_count(3)
    moving = queue.locator(".member").first
    expect(moving).to_contain_text("downloading")
    expect(moving.locator(".told").first).to_contain_text(re.compile(r"of \d\.\d MB · 0\.\d MB/s · \d+ s left"))
    said = re.compile(r"Speed over the last .* now 0\.\d MB/s")
    expect(moving.get_by_role("img")).to_have_attribute("aria-label", said)
    moving.get_by_role("button", name="Show the files and more").click()
    expect(moving.locator("li")).to_contain_text("downloading")
    expect(moving).to_contain_text("from samples")
    picture(page, "queue")
    assert serious(page) == []

    moving.get_by_role("button", name="Raise the priority").click()
    expect(moving).to_contain_text("priority +1")
    second = queue.locator(".member").last
    second.get_by_role("button", name="Move first").click()
    expect(second).to_contain_text("priority +1")
    queue.get_by_role("button", name="Pause all").click()
    expect(queue.locator(".member", has_text="paused")).to_have_count(2)
    batch.get_by_role("button", name="Cancel").click()
    expect(queue).to_have_count(0)
    expect(section(page, "Ended").locator(".item", has_text="cancelled")).to_have_count(2)


@pytest.mark.parametrize("width", [NARROW])
def test_the_bell_keeps_what_happened_while_nobody_looked(opens: Opener, width: int, picture: Picture) -> None:
    page = opens("?model=samples:samples/suspicious-pickle")
    page.locator("aside.drawer:visible").get_by_role("button", name=re.compile("^Download")).click()
    expect(page.get_by_role("button", name="News: 1")).to_be_visible()
    page.close()

    page = opens("", width=width)
    ready(page)
    page.get_by_role("button", name="News: 1").click()
    news = page.get_by_role("dialog", name="News")
    expect(news).to_contain_text("held in quarantine")
    picture(page, "bell-phone")
    assert serious(page) == []
    news.get_by_role("button", name="See why").click()
    expect(row(page, "pytorch_model.bin")).to_be_visible()
    expect(page.get_by_role("button", name="News: nothing new")).to_be_visible()
    row(page, "pytorch_model.bin").get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
