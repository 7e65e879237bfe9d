"""Fits as a person meets them: badges that explain themselves, proposals, the heat map, and what if."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import NARROW, WIDE, Opener, opener, sign_in
from tests.browser.fitted import HUNGRY, LONG, fitted
from tests.browser.page import drawer, go, ready, row
from tests.browser.serving import Served
from tests.browser.test_access import serious

MODEL = "Qwen3-8B-GGUF"
OPENED = f"?model=disk:org/{MODEL}"
Picture = Callable[[Page, str], Path]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with fitted(tmp_path_factory.mktemp("fits")) as running:
        yield running


@pytest.fixture(scope="module")
def entered(chromium: Browser, shelf: Served) -> Any:
    return sign_in(chromium, shelf)


@pytest.fixture
def opens(chromium: Browser, shelf: Served, entered: Any) -> Iterator[Opener]:
    with opener(chromium, shelf, entered) as opening:
        yield opening


@pytest.fixture
def own(chromium: Browser, tmp_path: Path) -> Iterator[tuple[Served, Opener]]:
    """A shelf of its own, for who changes settings."""
    with fitted(tmp_path, context=LONG) as running, opener(chromium, running, sign_in(chromium, running)) as opening:
        yield running, opening


def popover(page: Page) -> Locator:
    return page.locator(".explained:popover-open")


def badge(page: Page, name: str = MODEL) -> Locator:
    return row(page, name).locator(".badge")


def judged(page: Page) -> None:
    """Wait until every provider has said what it makes of the model in the drawer."""
    expect(drawer(page).locator(".pair.tall")).not_to_have_count(0)


def explained(page: Page) -> None:
    """Wait until the popover has the answer from the file's header."""
    expect(popover(page)).to_contain_text("exact, from the file's header")


@pytest.mark.parametrize(("width", "theme"), [(WIDE, "light"), (WIDE, "dark"), (NARROW, "light"), (NARROW, "dark")])
def test_a_badge_explains_itself_when_pressed(opens: Opener, picture: Picture, width: int, theme: str) -> None:
    page = opens("", width=width, theme=theme)
    ready(page)
    before = page.locator(".item:visible").evaluate_all("(rows) => rows.map((row) => row.offsetHeight)")
    badge(page).click()
    explained(page)
    said = popover(page)
    for words in ("Held down by", "tokens/s", "weights", "free"):
        expect(said).to_contain_text(words)
    expect(badge(page)).to_have_attribute("aria-expanded", "true")
    box = said.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert box["y"] + box["height"] <= 860
    assert page.locator(".item:visible").evaluate_all("(rows) => rows.map((row) => row.offsetHeight)") == before
    assert serious(page) == []
    picture(page, f"fit-badge-{width}-{theme}")
    page.mouse.click(5, 300)
    expect(said).to_have_count(0)
    expect(drawer(page)).to_have_count(0)


def test_a_badge_is_opened_and_closed_by_the_keyboard(opens: Opener) -> None:
    page = opens()
    ready(page)
    page.keyboard.press("/")
    page.keyboard.type("Qwen3-8B")
    expect(page.locator(".item:visible")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    expect(badge(page)).to_be_focused()
    expect(badge(page)).to_have_accessible_name(re.compile(rf"Fit of {MODEL}: \d+, \w+"))
    page.keyboard.press("Enter")
    explained(page)
    expect(popover(page)).to_be_focused()
    expect(popover(page)).to_have_attribute("role", "dialog")
    page.keyboard.press("Escape")
    expect(popover(page)).to_have_count(0)
    expect(badge(page)).to_be_focused()
    page.keyboard.press("Enter")
    explained(page)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(popover(page).get_by_role("button", name="Details")).to_be_focused()
    page.keyboard.press("Enter")
    expect(drawer(page)).to_contain_text(MODEL)


def test_a_badge_under_the_pointer_explains_itself_and_is_quiet_again(opens: Opener) -> None:
    page = opens()
    ready(page)
    badge(page).hover()
    explained(page)
    expect(badge(page)).not_to_be_focused()
    popover(page).hover()
    page.mouse.move(5, 400)
    expect(popover(page)).to_have_count(0)


def test_a_press_counts_though_the_row_is_drawn_anew(opens: Opener) -> None:
    page = opens()
    ready(page)
    badge(page).hover()
    page.mouse.down()
    row(page, MODEL).evaluate("(node) => { node.innerHTML = node.innerHTML }")
    page.mouse.up()
    explained(page)


def test_the_drawer_shows_another_providers_answer(opens: Opener) -> None:
    page = opens(OPENED)
    judged(page)
    expect(drawer(page)).to_contain_text(re.compile("on this machine · built-in engine", re.IGNORECASE))
    drawer(page).get_by_role("button", name="Ollama", exact=True).click()
    expect(drawer(page)).to_contain_text(re.compile("on this machine · ollama", re.IGNORECASE))
    expect(page).to_have_url(re.compile("by=ollama"))
    drawer(page).get_by_role("button", name=re.compile("^Fit of OpenAI: —")).click()
    expect(popover(page)).to_contain_text("No score")


def test_a_proposal_is_carried_out(own: tuple[Served, Opener], picture: Picture) -> None:
    shelf, opens = own
    page = opens(f"?model={HUNGRY}")
    judged(page)
    proposal = drawer(page).locator(".fixes li").filter(has_text=re.compile(r"Use [\d,]+ tokens of context\."))
    promised = proposal.locator(".score").inner_text()
    picture(page, "fit-fixes")
    proposal.get_by_role("button").click()
    expect(page.locator(".notice.good:visible", has_text="loads every model so from now on")).to_be_visible()
    expect(drawer(page).locator(".now .score")).to_have_text(re.compile(r"^[1-9]\d*$"))
    assert promised.isdigit()
    assert str(LONG) not in (shelf.home / "config.toml").read_text("utf-8")


def test_a_badge_carries_out_what_it_proposes(own: tuple[Served, Opener]) -> None:
    _shelf, opens = own
    page = opens()
    ready(page)
    badge(page, HUNGRY.rpartition("/")[2]).click()
    explained(page)
    popover(page).get_by_role("button", name=re.compile("^Apply: Use")).click()
    expect(popover(page)).to_have_count(0)
    expect(page.locator(".notice.good:visible", has_text="loads every model so from now on")).to_be_visible()


def test_what_is_installed_is_judged_marked_and_compared(own: tuple[Served, Opener], picture: Picture) -> None:
    _shelf, opens = own
    page = opens("?model=samples:samples/tiny-llama-GGUF")
    drawer(page).get_by_role("button", name=re.compile("^Download")).click()
    drawer(page).get_by_role("button", name="Show in Installed").click()
    found = row(page, "tiny-llama-GGUF")
    expect(found).to_contain_text("scanned, nothing found")  # the other list has a row of that name too
    expect(found.locator(".badge")).to_have_accessible_name(re.compile("Fit of tiny-llama-GGUF: [1-9]"))
    expect(found.locator(".mark")).to_have_text(re.compile("^Best for "))
    found.locator(".badge").click()
    explained(page)
    picture(page, "fit-installed")
    page.keyboard.press("Escape")
    go(page, "Compare")
    expect(page.locator("select[data-name=which]:visible")).to_have_value("installed")
    expect(page.locator(".status:visible").last).to_have_text("3 pairs")


def test_a_served_model_leads_to_its_fit(opens: Opener) -> None:
    page = opens("?tab=settings&provider=openai")
    row(page, "gpt-4.1-mini").get_by_role("button", name=re.compile("^Fit")).click()
    expect(drawer(page)).to_contain_text("GPT-4.1 mini")
    expect(drawer(page)).to_contain_text("per million tokens")


def test_a_model_in_the_cloud_is_told_by_what_counts_there(opens: Opener, picture: Picture) -> None:
    page = opens("?model=openai/gpt-4.1-mini")
    judged(page)
    for words in ("context", "per million tokens", "tools", "answers in", "from what the provider says"):
        expect(drawer(page)).to_contain_text(words)
    expect(drawer(page).locator(".what-if details:visible")).to_have_count(0)
    picture(page, "fit-cloud")


def inside(part: Locator, whole: Locator) -> bool:
    """Whether all of it is in sight."""
    box, around = part.bounding_box(), whole.bounding_box()
    assert box is not None
    assert around is not None
    return around["x"] <= box["x"] and box["x"] + box["width"] <= around["x"] + around["width"] + 1


def cells(page: Page) -> Locator:
    return page.locator("td:visible")


@pytest.mark.parametrize(("width", "theme"), [(WIDE, "light"), (WIDE, "dark"), (NARROW, "light"), (NARROW, "dark")])
def test_map_and_table_say_the_same(opens: Opener, picture: Picture, width: int, theme: str) -> None:
    page = opens("?view=compare", width=width, theme=theme)
    expect(page.locator(".status:visible").last).to_have_text("30 pairs")
    painted = page.evaluate(
        """() => {
          const texts = []
          for (const doc of Bokeh.documents) for (const model of doc._all_models.values())
            if (model.type === 'ColumnDataSource' && model.data.told) texts.push([...model.data.text])
          return texts.at(-1)
        }"""
    )
    assert cells(page).locator("span").all_inner_texts() == painted
    assert any(text.isdigit() for text in painted)
    assert "—" in painted
    assert serious(page) == []
    picture(page, f"fit-map-{width}-{theme}")
    page.get_by_role("button", name="Table", exact=True).click()
    expect(cells(page).first.locator("span")).to_have_css("opacity", "1")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert serious(page) == []
    picture(page, f"fit-table-{width}-{theme}")


def test_a_pair_is_opened_by_the_mouse(opens: Opener) -> None:
    page = opens("?view=compare")
    expect(page.locator(".status:visible").last).to_have_text("30 pairs")
    place = page.get_by_role("gridcell", name=re.compile(rf"^{MODEL}, Ollama: \d+"))
    box = place.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 40, box["y"] + 20)
    expect(page.locator(".said:visible")).to_contain_text(f"{MODEL}, Ollama: ")
    expect(page.locator(".bk-tooltip-content")).to_contain_text("memory")
    page.mouse.click(box["x"] + 40, box["y"] + 20)
    expect(drawer(page)).to_contain_text(re.compile("on this machine · ollama", re.IGNORECASE))
    expect(page).to_have_url(re.compile(f"model=disk:org/{MODEL}&by=ollama"))


def test_a_pair_is_opened_by_the_keyboard(opens: Opener) -> None:
    page = opens("?view=compare", width=NARROW)
    expect(page.locator(".status:visible").last).to_have_text("30 pairs")
    first = page.locator("td[tabindex='0']")
    expect(first).to_have_count(1)
    first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    last = page.locator("td[data-row='1'][data-column='2']")
    expect(last).to_be_focused()
    assert inside(last, page.locator(".scroll:visible"))
    name = last.get_attribute("aria-label") or ""
    expect(page.locator(".said:visible")).to_have_text(name)
    page.keyboard.press("Enter")
    expect(drawer(page)).to_contain_text(name.partition(",")[0])
    expect(page).to_have_url(re.compile("by=openai"))


def test_providers_and_models_can_be_chosen(opens: Opener) -> None:
    page = opens("?view=compare")
    expect(page.locator(".status:visible").last).to_have_text("30 pairs")
    page.get_by_role("button", name="OpenAI", exact=True).click()
    expect(page.locator(".status:visible").last).to_have_text("20 pairs")
    page.locator("select[data-name=which]").select_option("installed")
    expect(page.locator(".note.empty:visible")).to_contain_text("Nothing to compare.")
    page.locator(".note.empty:visible").get_by_role("button", name="Find a model").click()
    ready(page)


def what_if(page: Page) -> Locator:
    judged(page)
    drawer(page).locator("summary", has_text="What if").click()
    return drawer(page).locator("details.what-if")


@pytest.mark.parametrize(("width", "theme"), [(WIDE, "light"), (WIDE, "dark"), (NARROW, "light"), (NARROW, "dark")])
def test_sliders_say_what_would_be(opens: Opener, picture: Picture, width: int, theme: str) -> None:
    page = opens(OPENED, width=width, theme=theme)
    panel = what_if(page)
    expect(panel.locator(".answer")).to_contain_text("as it is now")
    used = panel.locator(".legend").text_content() or ""
    panel.get_by_label("Context", exact=True).press("End")
    expect(panel.locator("output").first).to_have_text("40,960 tokens")
    expect(panel.locator(".legend")).not_to_have_text(used)
    panel.get_by_label("Machine", exact=True).select_option(label="80 GB card")
    expect(panel.locator(".answer")).to_contain_text(re.compile(r"now \d+"))
    expect(panel.get_by_role("button", name="Use these settings")).to_be_disabled()
    expect(panel).to_have_attribute("data-took", re.compile(r"^\d+\.\d$"))
    assert serious(page) == []
    panel.locator(".use").scroll_into_view_if_needed()
    picture(page, f"fit-what-if-{width}-{theme}")


def test_a_machine_can_be_described(opens: Opener) -> None:
    page = opens(OPENED)
    panel = what_if(page)
    machine = panel.get_by_label("Machine", exact=True)
    machine.select_option("other")
    box = panel.get_by_label("Describe it", exact=False)
    expect(box).to_be_focused()
    box.fill("a toaster")
    box.press("Enter")
    expect(panel.get_by_role("alert")).to_contain_text(re.compile(r"\w+"))
    box.fill("40 GB card")
    box.press("Enter")
    expect(machine.locator("option:checked")).to_have_text("40 GB card")
    expect(panel.locator(".answer")).to_contain_text(re.compile(r"now \d+"))


def test_settings_that_were_tried_are_used(own: tuple[Served, Opener]) -> None:
    shelf, opens = own
    page = opens(OPENED)
    panel = what_if(page)
    panel.get_by_label("Context", exact=True).press("ArrowLeft")
    expect(panel.locator("output").first).to_have_text("32,768 tokens")
    panel.get_by_role("button", name="Use these settings").click()
    expect(page.locator(".notice.good:visible", has_text="loads every model so from now on")).to_be_visible()
    assert "32768" in (shelf.home / "config.toml").read_text("utf-8")


def test_the_best_for_the_persons_own_providers_are_marked(opens: Opener) -> None:
    page = opens()
    ready(page)
    marks = page.locator(".mark:visible")
    expect(marks).not_to_have_count(0)
    expect(marks.first).to_have_text("Best for your computer")
    expect(marks.first).to_have_attribute("title", re.compile("among the best for Built-in engine"))
    assert marks.count() <= 3
