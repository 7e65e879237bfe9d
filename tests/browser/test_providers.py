"""Providers as a person sets them up: by mouse, keys included, and what two open pages show when one goes down."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import NARROW, WIDE, Opener, opener, sign_in
from tests.browser.page import row
from tests.browser.serving import SAMPLES, Served, served
from tests.browser.simulated import simulated
from tests.engines.anthropic import AnthropicSimulator
from tests.engines.compatible import CompatibleSimulator
from tests.engines.faults import Fault
from tests.engines.ollama import OllamaSimulator

KEY = "sk-browser-canary-4f2a"
QUICK = {"MODELSHELF_PROVIDERS__HEALTH_SECONDS": "1"}


@pytest.fixture(scope="module")
def engines() -> Iterator[dict[str, Any]]:
    """An Ollama, an OpenAI-compatible server and Anthropic, the last two with a key."""
    ollama = OllamaSimulator()
    ollama.add("tiny-llama")
    found = {"ollama": ollama, "compatible": CompatibleSimulator(key=KEY), "anthropic": AnthropicSimulator(key=KEY)}
    with simulated(*found.values()):
        yield found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A shelf that looks at its providers every second."""
    with served(tmp_path_factory.mktemp("providers") / "home", sources=(SAMPLES,), settings=QUICK) as running:
        yield running


def add(page: Page, kind: str, url: str, *, name: str = "", key: str = "") -> Locator:
    """Choose a kind and fill in its form; the dialog."""
    page.get_by_role("button", name="Add provider").click()
    dialog = page.get_by_role("dialog", name=re.compile("^Add"))
    dialog.get_by_role("searchbox").fill(kind)
    dialog.locator(f'[data-kind="{kind}"]').first.click()
    dialog.get_by_label("Address").fill(url)
    if name:
        dialog.get_by_label("Name", exact=True).fill(name)
    if key:
        dialog.get_by_label(re.compile("^Key")).fill(key)
    return dialog


@pytest.mark.parametrize(("width", "theme"), [(WIDE, "light"), (NARROW, "dark")])
def test_three_kinds_are_added_by_mouse_and_removed(
    open_page: Opener,
    picture: Callable[[Page, str], Path],
    engines: dict[str, Any],
    server: Served,
    width: int,
    theme: str,
) -> None:
    page = open_page("?tab=settings", width=width, theme=theme)
    shot = f"{'settings' if width == WIDE else 'settings-phone'}-{theme}"
    expect(row(page, "Built-in engine")).to_be_visible()

    dialog = add(page, "ollama", engines["ollama"].url, name="Ollama at home")
    dialog.get_by_role("button", name="Test").click()
    expect(dialog.locator(".verdict")).to_contain_text("1 model")
    picture(page, f"{shot}-form")
    dialog.get_by_role("button", name="Save", exact=True).click()
    expect(row(page, "Ollama at home")).to_contain_text("well")

    dialog = add(page, "openai-compatible", engines["compatible"].url, name="Lab server", key="sk-wrong")
    dialog.get_by_role("button", name="Save", exact=True).click()
    expect(dialog.locator(".verdict")).to_contain_text("key")
    expect(dialog.get_by_role("button", name="Save it all the same")).to_be_visible()
    expect(row(page, "Lab server")).to_have_count(0)
    dialog.get_by_label(re.compile("^Key")).fill(KEY)
    dialog.get_by_role("button", name="Save", exact=True).click()
    expect(row(page, "Lab server")).to_contain_text("well")

    dialog = add(page, "anthropic", engines["anthropic"].url, name="Claude", key=KEY)
    dialog.get_by_role("button", name="Save", exact=True).click()
    expect(row(page, "Claude")).to_contain_text("well")
    row(page, "Claude").locator(".names").click()
    expect(page.get_by_role("region", name="Claude")).to_contain_text("…4f2a")
    expect(page.get_by_role("region", name="What it can do")).to_contain_text("answer questions")
    picture(page, shot)
    assert KEY not in page.content()
    assert KEY.encode() not in (server.home / "modelshelf.db").read_bytes()

    for name in ("Ollama at home", "Lab server", "Claude"):
        row(page, name).locator(".names").click()
        page.get_by_role("region", name=name).get_by_role("button", name="Remove").click()
        page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        expect(row(page, name)).to_have_count(0)


def test_a_model_is_loaded_tried_and_unloaded_at_its_provider(open_page: Opener, engines: dict[str, Any]) -> None:
    page = open_page("?tab=settings")
    dialog = add(page, "ollama", engines["ollama"].url, name="Loader")
    dialog.get_by_role("button", name="Save", exact=True).click()
    row(page, "Loader").locator(".names").click()
    model = row(page, "tiny-llama:latest")
    model.get_by_role("button", name="Load").click()
    form = page.get_by_role("dialog", name="Load tiny-llama:latest")
    form.get_by_label(re.compile("^Context")).fill("2048")
    form.get_by_role("button", name="Load", exact=True).click()
    expect(model).to_contain_text("in memory")
    assert engines["ollama"].asked("/api/generate")[-1]["options"] == {"num_ctx": 2048}
    model.get_by_role("button", name="Try it").click()
    page.locator("textarea:visible").fill("hello")
    page.locator("textarea:visible").press("Enter")
    expect(page.locator(".turn.assistant:not(.live)")).to_contain_text("word0")
    page.get_by_role("button", name="Close").filter(visible=True).click()
    model.get_by_role("button", name="Unload").click()
    expect(model.get_by_role("button", name="Load")).to_be_visible()
    page.get_by_role("region", name="Loader").get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(row(page, "Loader")).to_have_count(0)


def test_a_key_that_no_free_route_proves_is_proven_by_a_question(open_page: Opener) -> None:
    public = CompatibleSimulator(key=KEY, public=True)
    with simulated(public):
        page = open_page("?tab=settings")
        dialog = add(page, "openai-compatible", public.url, name="Public", key="sk-wrong")
        dialog.get_by_role("button", name="Test").click()
        expect(dialog.locator(".verdict.warn")).to_be_visible()
        dialog.get_by_role("button", name="Prove it").click()
        expect(dialog.locator(".verdict.bad")).to_contain_text("refuses the key")
        dialog.get_by_label(re.compile("^Key")).fill(KEY)
        dialog.get_by_role("button", name="Test").click()
        dialog.get_by_role("button", name="Prove it").click()
        expect(dialog.locator(".verdict.good")).to_contain_text("tiny-llama was asked")
        dialog.get_by_role("button", name="Cancel").click()


def test_two_models_answer_the_same_side_by_side(
    open_page: Opener, engines: dict[str, Any], picture: Callable[[Page, str], Path]
) -> None:
    page = open_page("?tab=settings")
    add(page, "ollama", engines["ollama"].url, name="Left").get_by_role("button", name="Save", exact=True).click()
    expect(row(page, "Left")).to_contain_text("well")
    dialog = add(page, "openai-compatible", engines["compatible"].url, name="Right", key=KEY)
    dialog.get_by_role("button", name="Save", exact=True).click()
    row(page, "Left").locator(".names").click()
    row(page, "tiny-llama:latest").get_by_role("button", name="Try it").click()
    page.locator(".compare:visible select").select_option(label="tiny-llama · Right")
    expect(page).to_have_url(re.compile("beside="))
    page.locator("textarea:visible").fill("hello")
    page.locator("textarea:visible").press("Enter")
    answers = page.locator(".turn.assistant:not(.live):visible")
    expect(answers).to_have_count(2)
    for answer in answers.all():
        expect(answer).to_contain_text("tokens/s")
    picture(page, "settings-compare")
    page.reload()
    expect(page.get_by_role("button", name="End the comparison")).to_be_visible()
    page.get_by_role("button", name="End the comparison").click()
    expect(page.locator(".talk:visible")).to_have_count(1)
    page.get_by_role("button", name="Close").filter(visible=True).click()
    for name in ("Left", "Right"):
        row(page, name).locator(".names").click()
        page.get_by_role("region", name=name).get_by_role("button", name="Remove").click()
        page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        expect(row(page, name)).to_have_count(0)


def test_a_provider_that_goes_down_is_seen_in_two_open_pages(
    chromium: Browser, server: Served, signed_in: Any, engines: dict[str, Any], picture: Callable[[Page, str], Path]
) -> None:
    simulator = engines["ollama"]
    with opener(chromium, server, signed_in) as opens:
        first, second = opens("?tab=settings"), opens("?tab=settings")
        dialog = add(first, "ollama", simulator.url, name="Shaky")
        dialog.get_by_role("button", name="Save", exact=True).click()
        for page in (first, second):
            expect(row(page, "Shaky")).to_contain_text("well")
        simulator.faults.everywhere(Fault.BROKEN)
        for page in (first, second):
            expect(row(page, "Shaky")).to_contain_text("does not answer")
            expect(page.locator(".notice.bad:visible")).to_contain_text("Shaky does not answer.")
        picture(first, "settings-down")
        simulator.add("appeared")
        simulator.faults.clear()
        for page in (first, second):
            expect(row(page, "Shaky")).to_contain_text("well")
            expect(page.locator(".notice.bad:visible")).to_have_count(0)
            row(page, "Shaky").locator(".names").click()
            expect(row(page, "appeared:latest")).to_be_visible()


def test_an_engine_that_runs_here_joins_by_itself(chromium: Browser, tmp_path: Path, engines: dict[str, Any]) -> None:
    settings = {"OLLAMA_HOST": engines["ollama"].url}
    with (
        served(tmp_path / "home", settings=settings) as found,
        opener(chromium, found, sign_in(chromium, found)) as opens,
    ):
        expect(row(opens("?tab=settings"), "Ollama")).to_contain_text("well")
