"""Models that run elsewhere: what their provider says of them decides."""

from datetime import UTC, date, datetime

import pytest

from modelshelf.compat import Compatibility, Settings
from modelshelf.compat.clouds import Elsewhere, judge_served
from modelshelf.providers.spec import Health, HealthStatus, Price, ServedModel

TODAY = date(2026, 11, 27)
MODEL = ServedModel(
    "openai", "gpt-x", context=128_000, abilities=("chat", "tools"), price=Price(input=1.25, output=10.0)
)


def health(status: HealthStatus = HealthStatus.WELL, latency: float | None = 300.0) -> Health:
    return Health(status, datetime.now(UTC), latency, "The key is wrong.", "Enter it again.")


def ask(
    served: ServedModel = MODEL,
    settings: Settings | None = None,
    *,
    required: bool = False,
    needs: frozenset[str] = frozenset(),
    look: Health | None = None,
    rate: float | None = None,
) -> Compatibility:
    asked = Elsewhere(served, "OpenAI", settings or Settings(), required, needs, frozenset(), look, rate, TODAY)
    return judge_served(asked, model="openai/gpt-x", provider="openai")


def codes(answer: Compatibility) -> list[str]:
    return [reason.code for reason in answer.reasons]


def test_a_model_that_is_served_has_a_score_and_its_terms() -> None:
    answer = ask(look=health())
    assert answer.score == 100
    assert answer.available
    assert {"SERVED_ELSEWHERE", "CONTEXT", "ABILITIES", "PRICE", "LATENCY"} <= set(codes(answer))
    (price,) = (reason for reason in answer.reasons if reason.code == "PRICE")
    assert price.figures == {"input": 1.25, "output": 10.0}
    assert answer.memory is None


def test_a_slow_provider_and_a_slow_model_do_less_well() -> None:
    quick, slow = ask(look=health()), ask(look=health(latency=4000.0))
    assert (slow.score or 0) < (quick.score or 0)
    assert ask(rate=2.0).score is not None
    assert (ask(rate=2.0).score or 0) < (ask(rate=80.0).score or 0)
    assert ask(rate=80.0).measured


def test_a_context_that_is_too_long_is_a_gate_only_when_required() -> None:
    short = ServedModel("openai", "gpt-x", context=8192)
    assert ask(short, Settings(context=32768), required=True).score == 0
    partly = ask(short, Settings(context=32768)).score
    assert partly is not None
    assert 0 < partly < 100


def test_an_ability_that_is_needed_and_missing_is_a_gate() -> None:
    answer = ask(needs=frozenset({"vision"}))
    assert (answer.score, codes(answer)[0]) == (0, "FEATURE_MISSING")


@pytest.mark.parametrize(
    ("retires", "code", "works"),
    [(date(2026, 11, 1), "MODEL_RETIRED", False), (date(2026, 12, 24), "RETIRES_SOON", True)],
)
def test_a_model_that_retires_says_when(retires: date, code: str, works: bool) -> None:
    answer = ask(ServedModel("openai", "gpt-x", context=8192, retires=retires))
    assert code in codes(answer)
    assert bool(answer.score) is works
    assert f"{retires:%d %B %Y}" in next(reason.detail for reason in answer.reasons if reason.code == code)


def test_a_key_without_access_leaves_the_score_and_says_what_to_do() -> None:
    answer = ask(look=health(HealthStatus.REFUSED, None))
    assert answer.score
    assert not answer.available
    (reason,) = (reason for reason in answer.reasons if reason.code == "KEY_NO_ACCESS")
    assert "The key is wrong." in reason.detail
    assert reason.figures["remedy"] == "Enter it again."
