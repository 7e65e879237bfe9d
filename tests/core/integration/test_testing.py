"""The self-test of a shelf: its own providers, what could be better, and the report."""

import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from modelshelf.access import Principal, Role, acting_as
from modelshelf.compat.types import Compatibility, Confidence, RankedFile
from modelshelf.errors import RoleRequired, UsageError
from modelshelf.integration import IntegrationTest, Report, Step
from modelshelf.integration.advice import alike, better_quantisation, faster_provider, idle_model
from modelshelf.integration.html import to_html
from modelshelf.integration.own import STEPS, Wish
from modelshelf.integration.steps import Advice, NotRun, take
from modelshelf.providers.profile_spec import Profile
from modelshelf.providers.spec import ServedModel
from modelshelf.vault import Secret
from tests.conftest import LoopRunner
from tests.engines.compatible import CompatibleSimulator

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

KEY = "a-good-key-1234"
NOW = datetime(2026, 11, 27, tzinfo=UTC)


class Walked(IntegrationTest):
    """The journey as it was walked before: what comes after it is looked at here."""

    async def run(self) -> AsyncGenerator[Step, None]:
        yield Step("open a shelf", "passed", evidence="before")


@pytest.fixture
def lab(loop: LoopRunner) -> str:
    """A server that wants a key."""
    return loop.enter(CompatibleSimulator(key=KEY).serve()).url


async def look(shelf: "Shelf", wish: Wish | None = None) -> Report:
    found = [one async for one in shelf.selftest.run(wish, test=Walked())]
    assert isinstance(found[-1], Report)
    return found[-1]


def of(report: Report, provider: str) -> dict[str, Step]:
    return {step.name: step for step in report.steps if step.group == provider}


async def test_a_provider_is_reached_let_in_and_listed_and_asked_only_if_that_is_wished(
    shelf: "Shelf", lab: str
) -> None:
    await shelf.providers.add("openai-compatible", url=lab, provider="lab", name="Lab")
    await shelf.providers.add_key("lab", secret=Secret(KEY))
    steps = of(await look(shelf), "lab")
    assert list(steps) == list(STEPS)
    assert [step.status for step in steps.values()] == ["passed", "passed", "passed", "not run"]
    assert lab in steps["reachable"].evidence
    assert "…1234" in steps["key valid"].evidence
    assert KEY not in json.dumps([step.as_dict() for step in steps.values()])
    assert "2 models: tiny-llama" in steps["lists models"].evidence
    assert "--load" in steps["answers"].error
    asked = of(await look(shelf, Wish(load=True)), "lab")["answers"]
    assert asked.status == "passed", asked
    assert asked.evidence.startswith("tiny-llama: “")


async def test_a_wrong_key_makes_the_step_of_the_key_red(shelf: "Shelf", lab: str) -> None:
    await shelf.providers.add("openai-compatible", url=lab, provider="lab")
    await shelf.providers.add_key("lab", secret=Secret("another-key-999"))
    report = await look(shelf)
    steps = of(report, "lab")
    assert [step.status for step in steps.values()] == ["passed", "failed", "not run", "not run"]
    found = steps["key valid"]
    assert found.remedy
    assert found.mend == "providers"
    assert not report.passed
    assert report.exit_code == 1


async def test_a_provider_that_is_down_makes_the_first_step_red_and_delays_no_other(shelf: "Shelf") -> None:
    await shelf.providers.add("openai-compatible", url="http://127.0.0.1:9", provider="gone")
    report = await look(shelf)
    gone, own = of(report, "gone"), of(report, "builtin")
    assert [step.status for step in gone.values()] == ["failed", "not run", "not run", "not run"]
    assert "127.0.0.1:9" in gone["reachable"].error
    assert own["reachable"].status == "passed"
    assert [step.status for step in own.values()][1] == "not run"
    assert report.exit_code == 6


async def test_the_last_report_is_kept_for_every_process(shelf: "Shelf") -> None:
    assert await shelf.selftest.last() is None
    report = await look(shelf)
    assert await shelf.selftest.last() == Report.from_dict(report.as_dict())
    shelf.selftest.file.write_text("{")
    assert await shelf.selftest.last() is None


async def test_one_runs_at_a_time_and_only_for_who_may(shelf: "Shelf") -> None:
    with acting_as(Principal("guest", Role.VIEWER)), pytest.raises(RoleRequired):
        await shelf.selftest.allowed(Wish())
    run = shelf.selftest.run(test=Walked())
    await anext(run)
    with pytest.raises(UsageError, match="runs already"):
        await shelf.selftest.allowed(Wish())
    await run.aclose()
    assert not shelf.selftest.running


async def test_what_cannot_run_is_never_called_passed() -> None:
    async def work() -> str:
        raise NotRun("It has no such thing.")

    step = await take("try", work, seconds=1)
    assert (step.status, step.error, step.evidence) == ("not run", "It has no such thing.", "")


async def test_a_defect_makes_its_own_step_red() -> None:
    async def work() -> str:
        raise ZeroDivisionError("by nought")

    step = await take("try", work, seconds=1)
    assert step.status == "failed"
    assert "ZeroDivisionError: by nought" in step.error
    assert "doctor --bundle" in step.remedy


def test_the_page_of_a_report_escapes_all_and_fetches_nothing() -> None:
    bad = "<script src='https://evil.example/x.js'></script>"
    steps = (
        Step("open a shelf", "passed", 0.1, bad),
        Step("reachable", "failed", 1.0, error=bad, remedy=bad, group=bad),
        Step("key valid", "not run", error=bad, group=bad),
    )
    page = to_html(Report("1.0", bad, NOW, 2.5, steps, (Advice("X", bad, bad),)))
    assert "<script" not in page
    assert page.count("&lt;script src=&#x27;https://evil.example/x.js&#x27;&gt;") == 8
    assert "@media print" in page
    assert not [word for word in ("<link", "<img", "url(", "@import", "<iframe") if word in page]
    assert "default-src 'none'" in page
    assert "1 of 3 steps are red; 1 did not run." in page


def ranked(name: str, score: int) -> RankedFile:
    return RankedFile((f"m.{name}.gguf",), 10, name, Compatibility("a/b", "builtin", score, True, Confidence.EXACT))


def test_a_better_quantisation_is_named_with_both_scores() -> None:
    files = [ranked("Q4_K_M", 91), ranked("Q8_0", 62), ranked("F16", 0)]
    advice = better_quantisation("a/b", {"m.Q8_0.gguf"}, files)
    assert advice is not None
    assert "Q4_K_M scores 91" in advice.detail
    assert "Q8_0 only 62" in advice.detail
    assert advice.remedy == "Download m.Q4_K_M.gguf of a/b."
    assert better_quantisation("a/b", {"m.Q8_0.gguf", "m.Q4_K_M.gguf"}, files) is None
    assert better_quantisation("a/b", {"other.gguf"}, files) is None
    assert better_quantisation("a/b", {"m.Q8_0.gguf"}, [ranked("Q4_K_M", 66), ranked("Q8_0", 62)]) is None


def test_an_idle_model_is_worth_unloading() -> None:
    model = ServedModel("builtin", "tiny", loaded=True, memory=3 * 2**30)
    advice = idle_model(model, NOW - timedelta(minutes=45), NOW)
    assert advice is not None
    assert "45 minutes" in advice.detail
    assert "3.0 GiB" in advice.remedy
    assert idle_model(model, NOW - timedelta(minutes=5), NOW) is None
    assert idle_model(model, None, NOW)


def test_a_profile_is_told_of_a_provider_that_is_clearly_faster() -> None:
    profile = Profile("work", "builtin/tiny")
    fast = ServedModel("lab", "tiny")
    advice = faster_provider(profile, 20.0, [(22.0, ServedModel("slow", "tiny")), (60.0, fast)])
    assert advice is not None
    assert advice.figures == {"profile": "work", "model": "lab/tiny", "rate": 60.0, "now": 20.0}
    assert faster_provider(profile, 20.0, [(22.0, fast)]) is None
    assert faster_provider(profile, 20.0, []) is None


def test_short_names_alone_do_not_make_two_models_one() -> None:
    mine = ServedModel("a", "tiny", size=100)
    assert not alike(mine, ServedModel("b", "tiny", size=900))
    assert alike(mine, ServedModel("b", "Tiny", size=100))
    assert alike(ServedModel("a", "x", repo="o/m"), ServedModel("b", "y", repo="O/m"))
    assert not alike(ServedModel("a", "x", repo="o/m"), ServedModel("b", "x", repo="o/n"))
