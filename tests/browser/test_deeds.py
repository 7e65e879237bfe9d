"""What a person does beside the straight way: pause, stop, what is gated, what is unsafe, what is down."""

import re
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser.conftest import Opener, opener, sign_in
from tests.browser.page import drawer, go, ready, row
from tests.browser.serving import SAMPLES, Served, served

QUANTS = "tiny-llama-quants-GGUF"


def test_pause_resume_and_cancel_a_download(open_page: Opener) -> None:
    page = open_page(f"?q=tiny&model=samples:samples/{QUANTS}")
    drawer(page).get_by_role("button", name=re.compile("^Download F16")).click()
    dock = page.locator(".running:visible")
    dock.get_by_role("button", name="Pause").click()
    expect(dock).to_contain_text("paused")
    expect(row(page, QUANTS).get_by_role("button", name="Resume")).to_be_visible()
    dock.get_by_role("button", name="Resume").click()
    expect(dock.get_by_role("button", name="Pause")).to_be_visible()
    dock.get_by_role("button", name="Cancel").click()
    expect(page.locator(".running")).to_be_hidden()
    go(page, "Downloads")
    expect(row(page, QUANTS).first).to_contain_text("cancelled")


def test_gated_models_say_how_to_ask(open_page: Opener) -> None:
    page = open_page()
    row(page, "gated-llama-GGUF").get_by_role("button", name="Ask access").click()
    expect(drawer(page)).to_contain_text("The publisher wants to be asked first.")
    expect(drawer(page).get_by_role("button", name=re.compile("^Download"))).to_have_count(0)


def test_an_unsafe_file_ends_in_quarantine_in_plain_words(open_page: Opener) -> None:
    page = open_page("?model=samples:samples/suspicious-pickle")
    drawer(page).get_by_role("button", name=re.compile("^Download")).click()
    expect(row(page, "suspicious-pickle").get_by_role("button", name="See why")).to_be_visible()
    go(page, "Downloads")
    jobs = row(page, "suspicious-pickle").first
    expect(jobs).to_contain_text("held in quarantine")
    jobs.get_by_role("button", name="See why").click()
    drawer(page).get_by_role("button", name="Close").click()
    held = row(page, "pytorch_model.bin")  # by its name: the other list may still be there
    expect(held).to_contain_text("blocked")
    expect(held.locator(".cell.text").first).to_contain_text(re.compile(r"\w+ \w+ \w+"))
    held.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator(".note.empty:visible")).to_contain_text("Nothing is held back.")


def test_stop_ends_an_answer(open_page: Opener, server: Served) -> None:
    page = open_page("?model=samples:samples/tiny-llama-GGUF")
    drawer(page).get_by_role("button", name=re.compile("^Download")).click()
    drawer(page).get_by_role("button", name="Try it").click()
    box = page.locator("textarea:visible")
    box.fill("Once upon a time")
    box.press("Enter")
    answers = page.locator(".turn.assistant:not(.live)")
    expect(answers).to_contain_text("tokens/s")
    # A tiny model has said all before a hand is at the button: so it holds its breath.
    with server.frozen_engine():
        box.fill("And then?")
        box.press("Enter")
        page.get_by_role("button", name="Stop").click()
        expect(answers.last).to_contain_text("stopped")
        expect(page.get_by_role("button", name="Send")).to_be_visible()
    box.fill("<b>Hello</b>")
    box.press("Enter")
    expect(page.locator(".turn.user .text").last).to_have_text("<b>Hello</b>")
    expect(page.locator(".turn.assistant:not(.live)").last).to_contain_text("tokens/s")
    go(page, "Model Library")
    drawer(page).get_by_role("button", name="Show in Installed").click()
    row(page, "tiny-llama-GGUF").get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.locator(".note.empty:visible")).to_be_visible()


def test_a_source_that_is_down_is_said_and_the_others_answer(chromium: Browser, tmp_path: Path) -> None:
    down = {"name": "lab", "kind": "huggingface", "label": "lab-mirror", "url": "https://127.0.0.1:9"}
    with (
        served(tmp_path / "home", sources=(SAMPLES, down)) as server,
        opener(chromium, server, sign_in(chromium, server)) as opens,
    ):
        page = opens()
        ready(page)
        notice = page.locator(".notice.warn:visible")
        expect(notice).to_contain_text("lab-mirror")
        expect(notice.get_by_role("button", name="Try again")).to_be_visible()
        expect(row(page, "tiny-llama-GGUF")).to_be_visible()
