"""The Model Library on a list of all models: typed, narrowed, paged and compared, by keys and by address."""

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from modelshelf.catalog import stock
from modelshelf.catalog.columns.__main__ import make
from modelshelf.catalog.types import RepoCard
from tests.browser.conftest import NARROW, WIDE, Opener, opener, sign_in
from tests.browser.page import drawer, ready, row
from tests.browser.serving import Served, served

MODEL = "tiny-llama-GGUF"
KINDS = ("gguf", "onnx")
PAIR = "samples:samples/tiny-llama-GGUF samples:samples/tiny-llama-quants-GGUF"
SAMPLES = (MODEL, "tiny-llama-quants-GGUF")
CARDS = [
    *(RepoCard("samples", f"samples/{name}", downloads=999, formats=("gguf",)) for name in SAMPLES),
    RepoCard("samples", "عربي/نموذج-صغير", downloads=1, licence="mit"),
    *(RepoCard("samples", f"org/llama-{n:03}", downloads=500 - n, formats=(KINDS[n % 2],)) for n in range(120)),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A served shelf that has a list of all models."""
    home = tmp_path_factory.mktemp("listed") / "home"
    file = home.parent / "models.parquet"
    stock.write(CARDS, file)
    make(home / "catalog", {"samples": [str(file)]})
    with served(home) as running:
        yield running


@pytest.fixture(scope="module")
def signed_in(chromium: Browser, server: Served) -> Any:
    return sign_in(chromium, server)


@pytest.fixture
def open_page(chromium: Browser, server: Served, signed_in: Any) -> Iterator[Opener]:
    with opener(chromium, server, signed_in) as opens:
        yield opens


def test_what_is_typed_after_a_finished_filter_stays_apart_from_the_words_before_it(open_page: Opener) -> None:
    page = open_page()
    ready(page)
    page.keyboard.press("/")
    page.keyboard.type('llama format:onnx downloads:<450 org tag:"two words" ', delay=5)
    expect(page).to_have_url(re.compile(r"q=llama\+org\+tag:%22two\+words%22\+?&filters=format:onnx\+downloads"))


def test_by_keys_alone_from_the_search_to_the_download(open_page: Opener) -> None:
    page = open_page()
    ready(page)
    page.keyboard.press("/")
    page.keyboard.type("llama", delay=20)
    expect(page.locator(".status:visible")).to_contain_text("122 of 123 models")
    page.keyboard.type(" form")
    expect(page.get_by_role("option", name="format:", exact=True)).to_be_visible()
    page.keyboard.type("at:onnx ")
    expect(page.locator(".status:visible")).to_contain_text("60 of 123 models")
    page.keyboard.press("ArrowDown")
    expect(row(page, "llama-001")).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.press("ArrowDown")
    expect(row(page, "llama-101")).to_be_focused()
    expect(page).to_have_url(re.compile("page=1"))
    page.go_back()
    expect(row(page, "llama-001")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.press("Escape")
    page.keyboard.type("quants")
    page.keyboard.press("Backspace")
    expect(page.locator(".note.empty:visible")).to_contain_text("Nothing fits these words")
    page.get_by_role("button", name="Clear the filters").last.click()
    expect(row(page, "tiny-llama-quants-GGUF")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("d")
    expect(page.locator(".item:visible").get_by_role("button", name=re.compile("Pause|Installed"))).to_be_visible()


@pytest.mark.parametrize(("width", "theme"), [(WIDE, "light"), (NARROW, "dark")])
def test_two_models_stand_side_by_side_and_nothing_is_cut_off(
    open_page: Opener, picture: Callable[[Page, str], Path], width: int, theme: str
) -> None:
    page = open_page(f"?view=compare&compare={PAIR}", width=width, theme=theme)
    table = page.locator(".beside-table:visible")
    expect(table.locator("tbody tr").first.locator(".score")).to_have_count(2)
    picture(page, f"compare-{width}-{theme}")
    table.get_by_role("button", name=re.compile("Leave out tiny-llama-quants")).click()
    expect(page).to_have_url(re.compile(r"compare=samples:samples/tiny-llama-GGUF$"))
    page.get_by_role("tab", name="Discover").click()
    ready(page)
    if width == NARROW:
        page.get_by_role("button", name=re.compile("^Filters")).click()
    page.get_by_role("combobox", name="Size on disk").select_option("size:<8GB")
    page.locator("form [data-do=clear]:visible").click()
    page.get_by_role("button", name="Favourites").click()
    if width == NARROW:
        page.get_by_role("button", name="Show the results").click()
    expect(page.locator(".note.empty:visible")).to_contain_text("You have no favourites yet")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_card_is_shown_without_asking_anyone_else(open_page: Opener) -> None:
    page = open_page(f"?model=samples:samples/{MODEL}")
    drawer(page).get_by_text("What its publisher says").click()
    expect(drawer(page).locator(".card")).to_contain_text("Tiny Llama")
    drawer(page).get_by_role("button", name="Keep as favourite").click()
    expect(drawer(page).get_by_role("button", name="No favourite any more")).to_be_visible()
    drawer(page).get_by_role("button", name="No favourite any more").click()


def kept(server: Served, name: str) -> Any:
    """What the served shelf keeps of a person's preferences."""
    with closing(sqlite3.connect(server.home / "modelshelf.db")) as base:
        row = base.execute("SELECT value FROM preference WHERE name = ?", [name]).fetchone()
    return json.loads(row[0]) if row else None


def test_columns_that_one_chose_stand_in_a_browser_that_keeps_nothing(open_page: Opener, server: Served) -> None:
    page = open_page()
    ready(page)
    page.get_by_role("button", name="Columns").click()
    page.get_by_role("checkbox", name="Likes").check()
    expect(page.get_by_role("columnheader", name="Likes")).to_be_visible()
    page.get_by_role("checkbox", name="Downloads").uncheck()
    expect(page.get_by_role("columnheader", name="Downloads")).to_be_hidden()
    while kept(server, "discover columns off") != ["task", "updated", "downloads"]:
        page.wait_for_timeout(50)
    page.evaluate("localStorage.clear()")
    page.reload()
    ready(page)
    expect(page.get_by_role("columnheader", name="Likes")).to_be_visible()
    expect(page.get_by_role("columnheader", name="Downloads")).to_be_hidden()
    assert page.evaluate("localStorage.getItem('modelshelf columns discover owner')") is None


@pytest.mark.parametrize(("width", "theme"), [(WIDE, "light"), (NARROW, "dark")])
def test_a_name_from_right_to_left_is_found_and_does_not_turn_its_row(
    open_page: Opener, picture: Callable[[Page, str], Path], width: int, theme: str
) -> None:
    page = open_page("?q=موذ", width=width, theme=theme)
    found = row(page, "نموذج-صغير")
    expect(found).to_be_visible()
    name, licence = found.locator("bdi").first.bounding_box(), found.locator("small").first
    assert name is not None
    assert name["x"] < width / 2, "the name begins at the left as every other"
    expect(licence).to_contain_text("MIT")
    expect(found.locator("[data-do=download]")).to_have_attribute("aria-disabled", "true")
    picture(page, f"other-script-{width}-{theme}")
    found.locator("b").first.click()
    expect(drawer(page)).to_contain_text("it can be found here, but not fetched")
    picture(page, f"other-script-drawer-{width}-{theme}")
