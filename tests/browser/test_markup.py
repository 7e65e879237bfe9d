"""Markup that comes from outside stays text: in names, sentences, files, addresses, answers, in every component."""

import pkgutil
import re
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from modelshelf_dashboard import components
from modelshelf_dashboard.components.piece import Piece
from tests.browser.conftest import PATIENCE, opener, sign_in
from tests.browser.nasty import APP, NASTY, SAMPLES
from tests.browser.page import drawer, go, ready, row
from tests.browser.panel_app import serve_app
from tests.browser.serving import Served, served
from tests.shapes.gguf import write
from tests.shapes.models import SHAPES

# Every element that markup of ours in disguise would have made, in all shadow roots; and what each component shows.
LOOK = r"""() => {
  const made = [], shown = {}
  const walk = (root, owner) => {
    for (const node of root.querySelectorAll('*')) {
      if (node.matches('.hit,[onerror],[onfocus],[onmouseover]'))
        made.push(`${owner}: ${(node.parentElement ?? node).outerHTML}`)
      const kind = [...node.classList].find((name) => name.startsWith('piece-')) ?? owner
      const texts = [...node.childNodes].filter((child) => child.nodeType === 3).map((child) => child.data)
      const said = [...[...node.attributes].map((a) => a.value), ...texts, node.value ?? '']
      if (kind) shown[kind] = (shown[kind] ?? '') + said.join(' ')
      if (node.shadowRoot) walk(node.shadowRoot, kind)
    }
  }
  walk(document, '')
  return {made, shown, ran: window.hit ?? null, title: document.title}
}"""


def nothing_was_made(page: Page) -> None:
    found = page.evaluate(LOOK)
    assert found["made"] == []
    assert found["ran"] is None


def test_every_component_has_its_sample() -> None:
    for module in pkgutil.iter_modules(components.__path__):
        import_module(f"{components.__name__}.{module.name}")
    kinds = {kind.__name__ for kind in Piece.__subclasses__()}
    assert set(SAMPLES) == kinds, "a new component needs a sample in tests/browser/nasty.py"


@pytest.fixture(scope="module")
def all_components(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A page of all components, each filled with markup in every text."""
    with serve_app(tmp_path_factory.mktemp("components"), APP) as url:
        yield url


def test_markup_stays_text_in_every_component(chromium: Browser, all_components: str) -> None:
    context = chromium.new_context()
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(all_components)
    expect(page.locator(".piece-last").get_by_text(NASTY).first).to_be_attached()
    page.evaluate("window.dispatchEvent(new CustomEvent('ms-help', {detail: {topic: ''}}))")
    page.locator(".piece-Search input").last.evaluate(
        "(node) => { node.value = 'img'; node.dispatchEvent(new InputEvent('input')) }"
    )
    expect(page.locator(".piece-Search li").first).to_be_attached()
    for kind in ("Table", "Drawer"):
        page.locator(f".piece-{kind} .badge").first.evaluate("(node) => node.click()")
        expect(page.locator(f".piece-{kind} .explained dl").first).to_contain_text(NASTY)
    page.evaluate("window.dispatchEvent(new CustomEvent('ms-progress', {detail: {rate: 0, jobs: []}}))")
    nothing_was_made(page)
    shown = page.evaluate(LOOK)["shown"]
    silent = {kind for kind, sample in SAMPLES.items() if sample and NASTY not in shown.get(f"piece-{kind}", "")}
    assert silent <= {"Router"}, "these do not show what they are given, so this proves nothing of them"
    assert NASTY in page.title()
    context.close()


NAME = "'\"`><img class=hit src=x onerror=window.hit=1>"  # no slash: it must be the name of a file too


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A shelf whose sources have markup in their names, folders, files and headers."""
    base = tmp_path_factory.mktemp("hostile")
    folder = base / NAME / "org" / "model"
    folder.mkdir(parents=True)
    shape = SHAPES["llama32_1b"]
    write(replace(shape, architecture=NAME), folder / f"{NAME}.Q4_K_M.gguf", "Q4_K_M")
    pickled = base / NAME / "org" / "pickled"
    pickled.mkdir()
    (pickled / f"{NAME}.bin").write_bytes(b"cos\nsystem\n(S'echo <img class=hit src=x onerror=1>'\ntR.")
    sources = (
        {"name": "disk", "kind": "folder", "label": NAME, "path": str(base / NAME)},
        {"name": "gone", "kind": "folder", "label": f"gone {NAME}", "path": str(base / "gone" / NAME)},
    )
    with served(base / "home", sources=sources) as running:
        yield running


@pytest.fixture(scope="module")
def entered(chromium: Browser, hostile: Served) -> Any:
    return sign_in(chromium, hostile)


def test_markup_stays_text_in_what_sources_and_files_are_called(
    chromium: Browser, hostile: Served, entered: Any
) -> None:
    with opener(chromium, hostile, entered) as opens:
        page = opens()
        ready(page)
        expect(page.locator(".notice.warn:visible")).to_contain_text(NAME)
        expect(page.get_by_role("checkbox", name=NAME).first).to_be_visible()
        row(page, "model").locator(".names").click()
        expect(drawer(page)).to_contain_text(f"the architecture {NAME}")
        nothing_was_made(page)
        row(page, "pickled").locator(".names").click()
        expect(drawer(page)).to_contain_text(f"{NAME}.bin")
        drawer(page).get_by_role("button", name=re.compile("^Download")).click()
        expect(page.get_by_role("alert")).to_contain_text(NAME[1:])  # the name, quoted, in a sentence that refuses it
        nothing_was_made(page)
        go(page, "LLM Settings")
        go(page, "Status")
        expect(page.locator("section .pair:visible").get_by_text(NAME).first).to_be_visible()
        nothing_was_made(page)


def test_markup_stays_text_in_the_address(chromium: Browser, hostile: Served, entered: Any) -> None:
    text = quote(NASTY)
    with opener(chromium, hostile, entered) as opens:
        page = opens(f"?q={text}")
        expect(page.locator("input[role=combobox]:visible")).to_have_value(NASTY)
        expect(page.locator(".note:visible")).to_be_visible()
        nothing_was_made(page)
        page = opens(f"?filters=colour:{text.replace('%20', '')}")
        expect(page.locator(".says:visible")).to_contain_text("class=hit")
        nothing_was_made(page)
        page = opens(f"?model=disk:org/{text}")
        expect(drawer(page).get_by_role("alert")).to_contain_text("<img class=hit")
        nothing_was_made(page)
        page = opens(f"?tab=settings&chat=builtin/{text}")
        box = page.locator("textarea:visible")
        box.fill(NASTY)
        box.press("Enter")
        expect(page.locator(".turn.user .text")).to_have_text(NASTY)
        expect(page.locator(".turn.assistant:not(.live)")).to_contain_text("<img class=hit")
        nothing_was_made(page)
