"""Everything stands in the address: it survives reload, back and forward, and can be sent to a colleague."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import NARROW, Opener
from tests.browser.page import drawer, go, ready, row, search

QUANTS = "samples:samples/tiny-llama-quants-GGUF"


def test_reload_back_and_forward(open_page: Opener) -> None:
    page = open_page()
    ready(page)
    search(page, "tiny")
    expect(page).to_have_url(re.compile(r"\?q=tiny$"))
    page.get_by_role("checkbox", name=re.compile("^GGUF")).check()
    expect(page).to_have_url(re.compile("filters=format:gguf"))
    expect(row(page, "tiny-llama")).to_have_count(0)
    row(page, "tiny-llama-quants-GGUF").locator(".names").click()
    expect(drawer(page)).to_contain_text("F16")
    go(page, "LLM Settings")
    expect(row(page, "Built-in engine")).to_be_visible()

    page.go_back()
    expect(drawer(page)).to_contain_text("F16")
    page.go_back()
    expect(drawer(page)).to_have_count(0)
    expect(row(page, "tiny-llama-quants-GGUF")).to_be_visible()
    page.go_back()
    expect(row(page, "tiny-llama")).to_be_visible()
    expect(page.get_by_role("checkbox", name=re.compile("^GGUF"))).not_to_be_checked()
    page.go_forward()
    expect(row(page, "tiny-llama")).to_have_count(0)

    page.reload()
    expect(row(page, "tiny-llama-quants-GGUF")).to_be_visible()
    expect(row(page, "tiny-llama")).to_have_count(0)
    expect(page.get_by_role("combobox", name="Find a model")).to_have_value("tiny")
    expect(page.get_by_role("checkbox", name=re.compile("^GGUF"))).to_be_checked()


def test_a_link_opens_what_it_names(open_page: Opener) -> None:
    page = open_page(f"?q=tiny&filters=is:fits&model={QUANTS}")
    expect(drawer(page)).to_contain_text("tiny-llama-quants-GGUF")
    expect(page.get_by_role("switch", name="Fits this machine")).to_be_checked()
    expect(row(page, "tiny-llama-quants-GGUF")).to_have_attribute("aria-selected", "true")
    expect(row(page, "tiny-llama")).to_have_count(0)


def test_a_link_that_makes_no_sense_shows_the_start(open_page: Opener) -> None:
    page = open_page("?tab=nowhere&view=nothing&filters=colour:red&unknown=1")
    ready(page)
    expect(page.locator(".says:visible")).to_contain_text("colour")


def test_names_that_name_no_model_are_not_compared(open_page: Opener) -> None:
    page = open_page(f"?view=compare&compare=no-name {QUANTS} {QUANTS} ../../etc")
    expect(page.get_by_role("columnheader", name=re.compile("tiny-llama-quants"))).to_have_count(1)
    expect(page.get_by_role("columnheader", name=re.compile("no-name"))).to_have_count(0)


def test_a_model_that_does_not_exist_is_explained(open_page: Opener) -> None:
    page = open_page("?model=samples:samples/no-such-model")
    expect(drawer(page).get_by_role("alert")).to_contain_text("no-such-model")


def test_one_tab_leads_to_the_other_by_events_on_window(open_page: Opener) -> None:
    page = open_page()
    ready(page)
    dispatch(page, "navigate-to-llm-settings", "{section: 'machine'}")
    expect(page.get_by_text("Free for models now")).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?tab=settings&section=machine$"))
    dispatch(page, "navigate-to-model-library", "{q: 'quants', view: 'discover'}")
    expect(row(page, "tiny-llama-quants-GGUF")).to_be_visible()
    expect(row(page, "tiny-llama")).to_have_count(0)


def test_filters_are_a_sheet_on_a_phone(open_page: Opener) -> None:
    page = open_page(width=NARROW)
    ready(page)
    page.get_by_role("button", name="Filters").click()
    page.get_by_role("checkbox", name="safetensors").check()
    page.get_by_role("button", name="Show the results").click()
    expect(row(page, "tiny-llama")).to_be_visible()
    expect(row(page, "tiny-llama-GGUF")).to_have_count(0)
    expect(page.get_by_role("button", name="Filters · 1")).to_be_visible()


def dispatch(page: Page, name: str, detail: str) -> None:
    page.evaluate(f"window.dispatchEvent(new CustomEvent('{name}', {{detail: {detail}}}))")


def test_a_press_counts_though_the_row_is_drawn_anew_under_it(open_page: Opener) -> None:
    page = open_page()
    ready(page)
    target = row(page, "tiny-llama-GGUF")
    target.locator(".names").hover()
    page.mouse.down()
    target.evaluate("(node) => { node.innerHTML = node.innerHTML }")
    page.mouse.up()
    expect(drawer(page)).to_contain_text("tiny-llama-GGUF")


def press_while_drawn_anew(page: Page, control: Locator) -> None:
    control.hover()
    page.mouse.down()
    control.evaluate("(node) => { const around = node.parentElement; around.innerHTML = around.innerHTML }")
    page.mouse.up()


def test_every_press_counts_though_the_control_is_drawn_anew_under_it(open_page: Opener) -> None:
    page = open_page(f"?model={QUANTS}")
    expect(drawer(page)).to_contain_text("F16")
    page.locator(".pill.providers span").hover()
    page.mouse.down()
    page.locator(".pill.providers").evaluate("(pill) => { pill.innerHTML = pill.innerHTML }")
    page.mouse.up()
    expect(page).to_have_url(re.compile("section=status"))
    press_while_drawn_anew(page, page.locator("section:visible").get_by_role("button", name="Providers"))
    expect(row(page, "Built-in engine")).to_be_visible()
    go(page, "Model Library")
    press_while_drawn_anew(page, page.get_by_role("tab", name="Downloads"))
    expect(page).to_have_url(re.compile("view=downloads"))
    press_while_drawn_anew(page, page.locator("label").filter(has_text="safetensors"))
    expect(page).to_have_url(re.compile("filters=format:safetensors"))
    press_while_drawn_anew(page, drawer(page).get_by_role("button", name=re.compile("^Download F16")))
    dock = page.locator(".running:visible")
    press_while_drawn_anew(page, dock.get_by_role("button", name="Cancel"))
    expect(page.locator(".running")).to_be_hidden()
