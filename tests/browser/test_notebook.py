"""The live page in a cell of a real JupyterLab, driven from the search to an answer; page and notebook get on."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PATIENCE
from tests.browser.lab import DASHBOARD, Lab, jupyter_lab, run_cell
from tests.browser.page import drawer, go, reachable, ready, row, search

pytest.importorskip("jupyterlab")

MODEL = "tiny-llama-GGUF"
SESSIONS = (
    "from modelshelf_dashboard.session import Session\nprint(len(Session.alive), [s._closed for s in Session.alive])"
)
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with jupyter_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture
def open_notebook(chromium: Browser, lab: Lab) -> Iterator[Open]:
    """Opens a notebook of these cells; at the end nobody else was asked and nothing broke."""
    contexts, outside, errors = [], [], []

    def asked(url: str) -> None:
        if not url.startswith((lab.url, lab.url.replace("http", "ws"), "data:", "blob:")):
            outside.append(url)

    def opens(name: str, *sources: str, width: int = 1400, height: int = 1000) -> Page:
        context = chromium.new_context(viewport={"width": width, "height": height})
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(lab.notebook(name, *sources))
        return page

    yield opens
    for context in contexts:
        context.close()
    assert outside == []
    assert errors == []


@pytest.mark.timeout(360)
def test_from_the_search_to_an_answer_in_a_cell(open_notebook: Open, picture: Callable[[Page, str], Path]) -> None:
    page = open_notebook("shelf", DASHBOARD)
    run_cell(page, 0)
    ready(page)
    expect(page.get_by_text("1 of 1 provider well")).to_be_visible()
    picture(page, "notebook")
    type_fast(page, "tiny")
    found = row(page, MODEL)
    expect(found).to_contain_text("3.5 MB")
    expect(row(page, "suspicious-pickle")).to_have_count(0)

    found.locator(".names").click()
    expect(drawer(page)).to_contain_text("exact, from the file's header")
    assert reachable(found.get_by_role("button", name="Download"))
    picture(page, "notebook-drawer")
    drawer(page).get_by_role("button", name=re.compile("^Download .*3.5 MB")).click()
    expect(row(page, MODEL).get_by_role("button", name="Installed")).to_be_visible()
    expect(page.locator(".running")).to_be_hidden()

    go(page, "LLM Settings")
    row(page, "Built-in engine").locator(".names").click()
    row(page, "tiny-llama").get_by_role("button", name="Try it").click()
    box = page.locator("textarea:visible")
    box.click()
    page.keyboard.type("Once upon a time")
    page.keyboard.press("Enter")
    answer = page.locator(".turn.assistant:not(.live)")
    expect(answer).to_contain_text(re.compile(r"\w+.*tokens/s", re.DOTALL))
    picture(page, "notebook-answer")
    go(page, "Model Library")
    drawer(page).get_by_role("button", name="Try it").click()  # by the event on window
    expect(page.locator("textarea:visible")).to_be_visible()
    page.get_by_role("button", name="Models that fit Built-in engine").filter(visible=True).first.click()
    expect(page.locator(".item:visible").first).to_be_focused()
    assert page.url.endswith("/lab/tree/shelf.ipynb")
    assert len(page.locator(".jp-Notebook .jp-Cell").all()) == 2


@pytest.mark.timeout(360)
def test_each_keeps_its_own_keyboard(open_notebook: Open) -> None:
    page = open_notebook("keyboard", DASHBOARD, "0")
    run_cell(page, 0)
    ready(page)
    row(page, MODEL).locator(".names").click()
    expect(drawer(page)).to_be_visible()
    row(page, MODEL).focus()
    for key in ("a", "b", "d", "d", "m", "x"):  # these add, delete and change cells
        page.keyboard.press(key)
    page.keyboard.press("ArrowDown")
    expect(page.locator(".item:visible").nth(1)).to_be_focused()
    cells = page.locator(".jp-Notebook .jp-Cell")
    expect(cells).to_have_count(2)

    code = cells.nth(1).locator(".cm-content")
    code.click()
    page.keyboard.type("+6/2 # so what?")
    page.keyboard.press("Escape")
    expect(code).to_have_text("0+6/2 # so what?")
    expect(drawer(page)).to_be_visible()
    expect(page.get_by_role("dialog", name="Help")).to_have_count(0)

    row(page, MODEL).focus()
    page.keyboard.press("Escape")
    expect(drawer(page)).to_have_count(0)
    page.keyboard.press("/")
    expect(page.locator("input[role=combobox]:visible")).to_be_focused()


@pytest.mark.timeout(360)
def test_it_has_the_width_and_the_theme_of_its_cell_and_ends_with_it(open_notebook: Open) -> None:
    page = open_notebook("again", DASHBOARD, SESSIONS, width=1000, height=700)
    run_cell(page, 0)
    ready(page)
    # The window is wide enough for the filters, the cell is not.
    expect(page.get_by_role("button", name="Filters")).to_be_visible()
    frame = page.locator(".frame.embedded").bounding_box()
    assert frame is not None
    assert frame["height"] <= 0.8 * 700 + 1
    name = row(page, MODEL).locator("b")
    expect(name).to_have_css("color", "rgb(29, 35, 42)")
    page.evaluate("document.body.dataset.jpThemeLight = 'false'")
    expect(name).to_have_css("color", "rgb(232, 234, 236)")

    run_cell(page, 0)
    ready(page)
    run_cell(page, 1)
    expect(page.locator(".jp-Cell").nth(1).locator(".jp-OutputArea")).to_have_text(
        re.compile(r"2 \[(True, False|False, True)\]|1 \[False\]")
    )


@pytest.mark.timeout(360)
def test_a_page_that_the_notebook_kept_says_so(open_notebook: Open, lab: Lab) -> None:
    page = open_notebook("kept", DASHBOARD)
    run_cell(page, 0)
    ready(page)
    page.locator(".jp-Cell .cm-content").first.click()
    page.keyboard.press("Control+S")
    kept = lab.folder / "kept.ipynb"
    page.wait_for_function("!document.querySelector('.jp-mod-dirty')")
    assert kept.stat().st_size < 9_000_000  # Panel's and Bokeh's scripts are in it: no other host is asked for them
    page.reload()
    expect(page.locator(".notice.warn:visible")).to_contain_text("Run the cell again.")


def type_fast(page: Page, words: str) -> None:
    """Type over what is written, faster than the kernel answers: the last letter must not be lost."""
    search(page, "nothing of that name")
    search(page, words)
