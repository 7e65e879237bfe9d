"""An answer in plain words: verdict, what holds it down, speed, memory, the best change; and who is marked as best."""

from typing import Any

import pytest

from modelshelf.compat.types import Compatibility, Confidence, Fix, Memory, Reason
from modelshelf_dashboard import fits, ramp
from modelshelf_dashboard.library.marks import Best, marks
from modelshelf_dashboard.library.supposing import steps

GIB = 1 << 30
MEMORY = Memory(weights=4 * GIB, kv=1 * GIB, recurrent=0, compute=GIB // 2, output=0, host=0)
VALUES = {"memory": 0.9, "speed": 0.3, "fidelity": 0.9, "context": 1.0, "abilities": 1.0}


def answer(score: int | None = 70, **more: Any) -> Compatibility:
    known: dict[str, Any] = {"memory": MEMORY, "budget": 8 * GIB, "speed": (2.0, 5.4), "values": VALUES}
    return Compatibility("a/b", "builtin", score, True, Confidence.EXACT, **(known | more))


@pytest.mark.parametrize(
    ("score", "said"),
    [
        (100, "Runs well"),
        (85, "Runs well"),
        (84, "Runs"),
        (64, "Runs with limits"),
        (39, "Hardly runs"),
        (1, "Hardly runs"),
        (0, "Does not run"),
        (None, "No score"),
    ],
)
def test_a_score_in_words(score: int | None, said: str) -> None:
    assert fits.verdict(score) == said


def test_the_lowest_value_is_named() -> None:
    assert fits.held_down(answer()) == "Speed: it writes slowly"
    assert fits.held_down(answer(values=dict.fromkeys(VALUES, 0.95))) == "nothing much"
    assert fits.held_down(answer(values={})) == ""
    reasons = (Reason("MEM_EXCEEDS", "It needs 9 GiB of memory; 8 GiB are free."),)
    assert fits.held_down(answer(0, reasons=reasons)) == reasons[0].detail


@pytest.mark.parametrize(
    ("speed", "said"),
    [
        ((2.0, 5.4), "2.0–5.4 tokens/s"),
        ((48.2, 60.7), "48–61 tokens/s"),
        ((30.0, 30.0), "30 tokens/s"),
        ((2000.0, 5000.0), "more than 400 tokens/s"),
        (None, ""),
    ],
)
def test_speed_as_a_range(speed: tuple[float, float] | None, said: str) -> None:
    assert fits.pace(answer(speed=speed)) == said


def test_a_badge_says_where_the_speed_is_from() -> None:
    rows = {row["name"]: row["value"] for row in fits.told(answer(measured=True), "b")["rows"]}
    assert rows["Speed"].endswith("measured here")
    rows = {row["name"]: row["value"] for row in fits.told(answer(), "b")["rows"]}
    assert rows["Speed"].endswith("reckoned from the memory's bandwidth")
    assert rows["How sure"] == "exact, from the file's header"


def test_a_badge_offers_the_change_that_brings_most() -> None:
    fixes = (Fix("KV_TYPE", "Use a q8_0 cache.", 75, {"kv": "q8_0"}), Fix("FILE", "Take Q4_K_M.", 90, {"file": "x"}))
    told = fits.told(
        answer(fixes=(*fixes, Fix("IDLE", "Close other programs.", 90), Fix("WORSE", "Worse.", 60, {"kv": 1}))), "b"
    )
    assert told["fix"]["text"] == "Take Q4_K_M."
    assert told["fix"]["score"] == 90
    assert told["fix"]["action"]["word"] == "Take it"
    context = told["fix"]["action"]["context"]
    assert fits.chosen_fix(answer(fixes=fixes), context) == fixes[1]
    assert fits.chosen_fix(answer(), context) is None


def test_a_badge_says_when_the_list_said_otherwise() -> None:
    assert "The list says 50" in fits.told(answer(70), "b", listed=50)["note"]
    assert fits.told(answer(70), "b", listed=70)["note"] == ""


def test_the_memory_bar_says_what_is_free_or_missing() -> None:
    assert [(part["label"], part["told"]) for part in fits.memory(MEMORY, 8 * GIB)] == [
        ("weights", "4.0 GiB"),
        ("context", "1.0 GiB"),
        ("work", "0.5 GiB"),
        ("free", "2.5 GiB"),
    ]
    assert fits.memory(MEMORY, 5 * GIB)[-1] == {"label": "missing", "told": "0.5 GiB", "share": 0, "colour": "bad"}
    assert fits.memory(None, 8 * GIB) == []


def test_what_runs_elsewhere_is_told_by_context_price_abilities_and_latency() -> None:
    said = fits.served_facts(131072, (3.0, 15.0), ("tools", "vision"), 320.0)
    assert said == "128 k context · $3.00 in, $15.00 out per million tokens · tools, vision · answers in 320 ms"
    assert fits.served_facts(None, (None, None), (), None) == ""


def best(provider: str, score: int) -> tuple[str, Compatibility]:
    return provider, answer(score)


def test_few_are_marked_and_of_equals_the_larger() -> None:
    judged: list[tuple[str, int, Best]] = [(f"m{i}", i, best("builtin", 90 if i < 8 else 50)) for i in range(10)]
    judged.append(("other", 1, best("ollama", 70)))
    judged.append(("none", 99, None))
    found = marks(judged, {"builtin": "Built-in engine", "ollama": "Ollama"})
    assert sorted(found) == ["m6", "m7", "other"]
    assert found["m7"]["text"] == "Best for your computer"
    assert found["other"]["text"] == "Best for Ollama"
    assert "among the best for Ollama: 70, runs." in found["other"]["tip"]


def test_contexts_are_powers_of_two_up_to_the_models_own() -> None:
    assert steps(40960, 4096) == [512, 1024, 2048, 4096, 8192, 16384, 32768, 40960]
    assert steps(4096, 3000) == [512, 1024, 2048, 3000, 4096]
    assert steps(256, 4096) == [256]
    assert steps(None, 4096)[-1] == 131072


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_ramp_is_read_by_lightness_alone_and_its_figures_by_everyone(dark: bool) -> None:
    colours = [ramp.colour(score, dark=dark) for score in range(101)]
    light = [ramp.luminance(colour) for colour in colours]
    assert light == sorted(light, reverse=not dark)
    assert len(set(colours)) > 90
    assert min(ramp.contrast(ramp.ink(colour), colour) for colour in colours) >= 4.5
