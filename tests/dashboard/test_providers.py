"""The section of the providers by its values: what it says of each state, and what it offers to do."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from modelshelf.config import ConfigManager
from modelshelf.providers import Ability, Health, HealthStatus, ServedModel
from modelshelf.providers.keys import KeyInfo
from modelshelf.providers.pulse import Pulse, pulse
from modelshelf.providers.spec import Price
from modelshelf.shelf import Shelf
from modelshelf.state import ProviderState
from modelshelf_dashboard.components.dialog import Dialog
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.settings import provider_rows as words
from modelshelf_dashboard.settings.providers import Providers

NOW = datetime.now(UTC)
HELD = KeyInfo("1", "lab", "*", "", "vault", "", True, "4f2a", "0123456789abcdef")


def state(status: HealthStatus = HealthStatus.WELL, **more: Any) -> ProviderState:
    given: dict[str, Any] = {
        "id": "lab", "kind": "ollama", "name": "Lab", "label": "Ollama", "url": "http://127.0.0.1:1",
        "health": Health(status, NOW, 4.0, "It says no.", "Mend it."), "abilities": (Ability.LIST, Ability.CHAT),
        "listed": NOW,
    }  # fmt: skip
    return ProviderState(**{**given, **more})


@pytest.mark.parametrize(
    ("found", "text", "does"),
    [
        (state(HealthStatus.DOWN), "Lab does not answer.", "test"),
        (state(HealthStatus.REFUSED), "Lab refuses us.", "key"),
        (state(lacks_key=True), "Lab needs a key.", "key"),
        (state(error="Its list makes no sense."), "Its list makes no sense.", "test"),
    ],
)
def test_trouble_is_a_sentence_with_what_mends_it(found: ProviderState, text: str, does: str) -> None:
    assert words.troubled(found)
    notice = words.trouble(found)
    assert (notice["text"], notice["action"]["do"], notice["id"]) == (text, does, "lab")


def test_what_is_well_or_switched_off_is_no_trouble() -> None:
    assert not words.troubled(state())
    assert not words.troubled(state(HealthStatus.DOWN, enabled=False))
    assert words.provider_row(state(enabled=False))["actions"] == [
        {"do": "enable", "word": "Switch on", "help": "llmSettings"}
    ]


def test_a_row_says_where_it_is_how_it_did_and_which_key_it_has() -> None:
    found = state(keys=(HELD,), pulse=Pulse(0.75, 12.0, (None, 10.0, -1)), models=[ServedModel("lab", "a")])
    row = words.provider_row(found)
    assert row["sub"] == "well · 127.0.0.1:1"
    assert row["cells"]["keys"]["main"] == "…4f2a"
    assert row["cells"]["response"]["main"] == "12 ms · 75%"
    assert row["cells"]["response"]["points"] == [None, 10.0, -1]
    assert "75%" in row["cells"]["response"]["label"]
    assert words.key_words(state(keys=(HELD, HELD))) == "2 keys"
    assert words.key_words(state(lacks_key=True)) == "none"


def test_what_it_cannot_do_is_said_once_for_each_reason() -> None:
    why = {ability: "It has no way." for ability in Ability if ability not in {Ability.LIST, Ability.CHAT}}
    why[Ability.LOAD] = "One model is chosen at its start."
    card = words.abilities_card(state(missing=why))
    assert card["lead"] == "It can list its models, answer questions."
    assert {pair["value"] for pair in card["pairs"]} == {"It has no way.", "One model is chosen at its start."}


def test_a_model_shows_its_price_its_abilities_and_its_end() -> None:
    soon, later = date.today() + timedelta(days=10), date.today() + timedelta(days=400)
    model = ServedModel(
        "lab", "big", context=131_072, price=Price(0.15, 0.6), abilities=("chat", "tools", "vision"), retires=soon
    )
    row = words.model_row(model, state())
    assert row["cells"]["price"]["main"] == "0.15 / 0.60"
    assert [chip["text"] for chip in row["chips"]] == ["tools", "pictures", f"until {soon.isoformat()}"]
    assert row["chips"][-1]["tone"] == "bad"
    assert words.model_row(ServedModel("lab", "x", retires=later), state())["chips"][0]["tone"] == "warn"
    assert words.model_row(ServedModel("lab", "x", deprecated=True), state())["chips"][0]["text"] == "deprecated"


@pytest.mark.parametrize(
    ("model", "abilities", "deeds"),
    [
        (ServedModel("lab", "m", loaded=False), (Ability.CHAT, Ability.LOAD, Ability.UNLOAD), ["try", "load"]),
        (ServedModel("lab", "m", loaded=True), (Ability.CHAT, Ability.LOAD, Ability.UNLOAD), ["try", "unload"]),
        (ServedModel("lab", "m"), (Ability.CHAT,), ["try"]),
        (ServedModel("lab", "m", abilities=("embed",)), (Ability.CHAT, Ability.EMBED), []),
        (ServedModel("lab", "m", abilities=("completion",)), (Ability.CHAT,), ["try"]),
    ],
)
def test_only_what_can_be_done_is_offered(model: ServedModel, abilities: tuple[Ability, ...], deeds: list[str]) -> None:
    actions = [item["do"] for item in words.model_row(model, state(abilities=abilities))["actions"]]
    assert actions == [*deeds, "navigate-to-model-library"], "how well it fits can be seen of every model"


def test_five_thousand_models_are_counted_and_the_first_hundred_shown(config: ConfigManager) -> None:
    shelf, session = Shelf(config), Session(None)
    session.begin()
    models = [ServedModel("lab", f"model-{number}", size=1) for number in range(5000)]
    shelf.providers_state.providers = [state(models=models)]
    view = Providers(shelf, session, Dialog())
    assert len(view.models.rows) == words.SHOWN
    assert view.models.status.startswith("5,000 models of Lab")
    view.search.text = "model-4999"
    assert [row["title"] for row in view.models.rows] == ["model-4999"]
    view.search.text = "nothing is called this"
    assert view.providers.state == "empty"
    session.close()


def test_the_pulse_of_an_hour() -> None:
    looks = [
        Health(HealthStatus.WELL, NOW - timedelta(minutes=90), 900.0),
        Health(HealthStatus.WELL, NOW - timedelta(minutes=59), 10.0),
        Health(HealthStatus.SLOW, NOW - timedelta(minutes=30), 30.0),
        Health(HealthStatus.DOWN, NOW, None),
    ]
    found = pulse(looks, NOW)
    assert found.availability == pytest.approx(2 / 3)
    assert found.median_ms == 20.0
    assert [point for point in found.points if point is not None] == [10.0, 30.0, -1]
    assert pulse([], NOW) == Pulse()
