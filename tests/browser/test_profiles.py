"""Profiles as a person keeps them: made in the dialog, tried, mended by a button, and carried as a file."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import NARROW, WIDE, Opener
from tests.browser.page import reachable, row
from tests.browser.serving import Served, served
from tests.browser.simulated import simulated
from tests.browser.test_access import serious
from tests.engines.ollama import OllamaSimulator

CODER, SPARE = "qwen2.5-coder:7b-instruct-q8_0", "qwen2.5-coder:7b-instruct-q4_K_M"
SECTION = "?tab=settings&section=profiles"


@pytest.fixture(scope="module")
def ollama() -> Iterator[OllamaSimulator]:
    simulator = OllamaSimulator()
    for name in (CODER, SPARE, "llama3.2:3b"):
        simulator.add(name)
    with simulated(simulator):
        yield simulator


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, ollama: OllamaSimulator) -> Iterator[Served]:
    """A shelf that has found the simulated Ollama and looks at it every second."""
    settings = {"OLLAMA_HOST": ollama.url, "MODELSHELF_PROVIDERS__HEALTH_SECONDS": "1"}
    with served(tmp_path_factory.mktemp("profiles") / "home", settings=settings) as running:
        yield running


@pytest.fixture
def section(open_page: Opener) -> Callable[..., Page]:
    """Opens the section on a shelf whose Ollama is listed."""

    def opens(width: int = WIDE, theme: str = "light") -> Page:
        page = open_page("?tab=settings&provider=ollama", width=width, theme=theme)
        expect(row(page, "llama3.2:3b")).to_be_visible()
        page.get_by_role("tab", name="Profiles").click()
        expect(page.get_by_role("button", name="New profile").first).to_be_visible()
        return page

    return opens


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog")


def make(page: Page, name: str, model: str, **more: str) -> None:
    """Fill in the form of a new profile and save it."""
    page.get_by_role("button", name="New profile").first.click()
    form = dialog(page)
    form.get_by_label("Name", exact=True).fill(name)
    form.get_by_label("Model", exact=True).select_option(model)
    for label, value in more.items():
        form.get_by_label(label.replace("_", " "), exact=True).fill(value)
    form.get_by_role("button", name="Save").click()
    expect(form).to_have_count(0)


def remove(page: Page, name: str) -> None:
    row(page, name).get_by_role("button", name="Edit").click()
    dialog(page).get_by_role("button", name="Remove", exact=True).click()
    expect(dialog(page)).to_contain_text(f"Remove {name}?")
    dialog(page).get_by_role("button", name="Remove", exact=True).click()
    expect(row(page, name)).to_have_count(0)


@pytest.mark.parametrize(("width", "theme"), [(WIDE, "light"), (NARROW, "dark")])
def test_a_profile_is_made_tried_changed_and_removed(
    section: Callable[..., Page],
    picture: Callable[[Page, str], Path],
    ollama: OllamaSimulator,
    width: int,
    theme: str,
) -> None:
    page = section(width, theme)
    page.get_by_role("button", name="New profile").first.click()
    form = dialog(page)
    expect(form.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type("My coder")
    form.get_by_label("Purpose", exact=True).fill("coding")
    form.get_by_label("System prompt").fill("Be brief.")
    form.get_by_role("button", name="Save").click()
    expect(form.locator(".wrong")).to_contain_text("It needs a model.")
    expect(form.get_by_label("Model", exact=True)).to_be_focused()
    expect(form.get_by_label("System prompt")).to_have_value("Be brief.")
    form.get_by_label("Model", exact=True).select_option(f"ollama/{CODER}")
    form.get_by_label("Temperature").fill("0.2")
    form.get_by_role("button", name="Add a fallback").click()
    form.get_by_role("combobox", name="Fallbacks 1").select_option("ollama/llama3.2:3b")
    form.get_by_text("More settings").click()
    form.get_by_label("Seed").fill("7")
    assert reachable(form.get_by_role("button", name="Save"))
    picture(page, f"profile-form-{width}-{theme}")
    assert serious(page) == []
    form.get_by_role("button", name="Save").click()

    mine = row(page, "My coder")
    expect(mine).to_contain_text("with a prompt · temperature 0.2 · 1 fallback")
    expect(mine.locator(".dot.well")).to_be_visible()
    picture(page, f"profiles-{width}-{theme}")
    assert serious(page) == []

    mine.get_by_role("button", name="Try it").click()
    expect(page).to_have_url(re.compile("chat=%40My(%20|\\+)coder"))
    box = page.locator("textarea:visible")
    box.fill("Hello")
    box.press("Enter")
    expect(page.locator(".turn.assistant:not(.live)")).to_contain_text(f"ollama/{CODER}")
    sent = ollama.asked("/api/chat")[-1]
    assert sent["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (sent["options"]["temperature"], sent["options"]["seed"]) == (0.2, 7)
    page.get_by_role("button", name="Close").filter(visible=True).click()

    mine.get_by_role("button", name="Edit").click()
    expect(form.get_by_role("combobox", name="Fallbacks 1")).to_have_value("ollama/llama3.2:3b")
    form.get_by_role("button", name="Remove ollama/llama3.2:3b").click()
    form.get_by_label("Name", exact=True).fill("Coder")
    page.keyboard.press("Enter")
    expect(row(page, "Coder")).to_contain_text("with a prompt · temperature 0.2")
    expect(row(page, "Coder")).not_to_contain_text("fallback")
    row(page, "Coder").get_by_role("button", name="Edit").click()
    expect(form).to_be_visible()
    page.keyboard.press("Escape")
    expect(form).to_have_count(0)
    remove(page, "Coder")
    expect(page.locator(".note.empty:visible")).to_contain_text("There are no profiles yet.")


def test_a_model_that_goes_is_said_on_every_page_and_mended_by_a_button(
    section: Callable[..., Page], ollama: OllamaSimulator
) -> None:
    page, other = section(), section()
    make(page, "Coder", f"ollama/{CODER}", System_prompt="Be brief.")
    expect(row(other, "Coder").locator(".dot.well")).to_be_visible()
    ollama.loaded.discard(CODER)
    gone = ollama.models.pop(CODER)
    for seen in (page, other):
        notice = seen.locator(".notice.bad:visible")
        expect(notice).to_contain_text(f"Its model ollama/{CODER} is gone")
        expect(notice).to_contain_text(f"The nearest is ollama/{SPARE}.")
        expect(row(seen, "Coder")).to_contain_text("cannot answer")
    page.locator(".notice.bad:visible").get_by_role("button", name="Use it").click()
    for seen in (page, other):
        expect(seen.locator(".notice.bad:visible")).to_have_count(0)
        expect(row(seen, "Coder")).to_contain_text(SPARE)
    ollama.models[CODER] = gone
    remove(page, "Coder")


def test_profiles_are_carried_as_a_file(section: Callable[..., Page], tmp_path: Path) -> None:
    page = section()
    make(page, "Teller", "ollama/llama3.2:3b", System_prompt="Tell a story.\nBe brief.", Purpose="writing")
    page.get_by_role("button", name="Export").click()
    expect(dialog(page).get_by_label("The profiles as text")).to_have_value(re.compile("Tell a story."))
    with page.expect_download() as loading:
        dialog(page).get_by_role("button", name="Download").click()
    file = tmp_path / "profiles.toml"
    loading.value.save_as(file)
    assert loading.value.suggested_filename == "profiles.toml"
    assert 'name = "Teller"' in file.read_text("utf-8")
    dialog(page).get_by_role("button", name="Close").click()
    remove(page, "Teller")

    page.get_by_role("button", name="Import").click()
    dialog(page).get_by_label("The text of an export").fill("[[")
    dialog(page).get_by_role("button", name="Import").click()
    expect(dialog(page).locator(".wrong")).to_contain_text("not valid TOML")
    with page.expect_file_chooser() as choosing:
        dialog(page).get_by_role("button", name="Choose a file").click()
    choosing.value.set_files(file)
    expect(dialog(page).get_by_label("The text of an export")).to_have_value(re.compile("Teller"))
    dialog(page).get_by_role("button", name="Import").click()
    expect(page.locator(".notice.good:visible")).to_contain_text("1 profile is imported.")
    expect(row(page, "Teller")).to_be_visible()
    remove(page, "Teller")
