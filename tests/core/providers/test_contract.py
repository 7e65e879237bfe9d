"""What every adapter must do, run against each on the real thing or its simulator."""

import asyncio
import traceback
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import pytest

from modelshelf.config import ConfigManager
from modelshelf.errors import (
    ModelshelfError,
    NoPermission,
    NotFound,
    NotSignedIn,
    ProviderError,
    Unreachable,
    Unsupported,
)
from modelshelf.library import ModelLibrary
from modelshelf.providers import Ability, HealthStatus, Provider, ProviderConfig, ProviderContext
from modelshelf.vault import Secret
from tests.conftest import LoopRunner
from tests.core.providers.conftest import ask, collect
from tests.core.providers.subjects import EVERY, EVERY_KEYED, EVERY_SIMULATED, SUBJECTS, Subject, able
from tests.engines.faults import Fault

CALLS = {
    Ability.LIST: lambda provider: provider.models(),
    Ability.DETAIL: lambda provider: provider.detail("x"),
    Ability.LOAD: lambda provider: provider.load("x"),
    Ability.UNLOAD: lambda provider: provider.unload("x"),
    Ability.PULL: lambda provider: anext(provider.pull("x")),
    Ability.DELETE: lambda provider: provider.delete("x"),
    Ability.CHAT: lambda provider: anext(provider.chat("x", ask("hello"))),
    Ability.EMBED: lambda provider: provider.embed("x", ["hello"]),
    Ability.ESTIMATE: lambda provider: provider.estimate("x"),
}
BROKEN_ANSWERS = [fault for fault in Fault if fault is not Fault.SILENT]


@dataclass
class Behind:
    """An adapter under test with what stands behind it; the built-in engine has no simulator."""

    provider: Provider
    model: str
    embedder: str
    simulator: Any
    key: list[Secret | None]


@pytest.fixture
def behind(request: pytest.FixtureRequest, loop: LoopRunner, config: ConfigManager, library: ModelLibrary) -> Behind:
    if request.param == "builtin":
        return Behind(request.getfixturevalue("builtin"), "tiny-llama", "", None, [None])
    subject: Subject = SUBJECTS[request.param]
    simulator = loop.enter(subject.simulator().serve())
    # Simulators are quick; what is slow here is the machine, or a fault that the test is about.
    config.set("providers.timeout_seconds", 2.0)
    held = [Secret(subject.key) if subject.key else None]

    async def key(_config: ProviderConfig, _model: str) -> Secret | None:
        return held[0]

    made = subject.adapter(
        ProviderConfig("mine", request.param, "Mine", simulator.url + subject.path, True, dict(subject.settings)),
        ProviderContext(config, library, key=key),
    )
    return Behind(loop.enter(aclosing(made)), subject.model, subject.embedder, simulator, held)


every = pytest.mark.parametrize("behind", EVERY, indirect=True)
simulated = pytest.mark.parametrize("behind", EVERY_SIMULATED, indirect=True)


@every
async def test_what_it_cannot_do_is_refused_with_the_reason(behind: Behind) -> None:
    provider = behind.provider
    assert Ability.CHAT in provider.abilities or Ability.EMBED in provider.abilities
    assert set(provider.missing) == set(Ability) - set(provider.abilities)
    for ability in set(CALLS) - set(provider.abilities):
        with pytest.raises(Unsupported) as caught:
            await CALLS[ability](provider)
        assert "Mine" in caught.value.message or behind.simulator is None
        assert provider.missing[ability] in caught.value.message


@every
async def test_a_healthy_one_says_so(behind: Behind) -> None:
    health = await behind.provider.health()
    assert health.status is HealthStatus.WELL, health
    assert health.latency_ms is not None


@every
async def test_it_lists_its_models_by_name(behind: Behind) -> None:
    models = {model.name.split(":")[0]: model for model in await behind.provider.models()}
    model = models[behind.model.split(":")[0]]
    assert model.id == f"{behind.provider.config.id}/{model.name}"
    assert model.size is None or model.size > 1_000_000
    assert model.loaded in ({None, False, True} if Ability.LOAD not in behind.provider.abilities else {None, False})


@pytest.mark.parametrize("behind", ["builtin", *able(Ability.LOAD)], indirect=True)
async def test_a_loaded_model_says_so_until_it_is_unloaded(behind: Behind) -> None:
    provider = behind.provider
    await provider.load(behind.model)
    assert (await named(provider, behind.model)).loaded is True
    await provider.unload(behind.model)
    assert (await named(provider, behind.model)).loaded is False


@every
async def test_it_streams_an_answer_and_ends_with_finish_usage_and_timings(behind: Behind) -> None:
    text, pieces = await collect(behind.provider.chat(behind.model, ask("Once upon a time")))
    assert text.strip()
    assert len(pieces) > 2
    last = pieces[-1]
    assert last.finish in {"stop", "length"}
    assert last.usage is not None
    assert last.usage["total_tokens"] == last.usage["prompt_tokens"] + last.usage["completion_tokens"]
    assert last.timings is not None
    assert last.timings["tokens_per_second"] > 0
    assert last.timings["seconds_to_first_token"] >= 0
    assert all(piece.finish is None for piece in pieces[:-1])


@every
async def test_several_turns_are_all_sent(behind: Behind) -> None:
    first, pieces = await collect(behind.provider.chat(behind.model, ask("Once upon a time")))
    _, more = await collect(behind.provider.chat(behind.model, ask("Once upon a time", first, "And then?")))
    assert pieces[-1].usage
    assert more[-1].usage
    assert more[-1].usage["prompt_tokens"] >= pieces[-1].usage["prompt_tokens"]


@every
async def test_a_limit_of_tokens_ends_the_answer(behind: Behind) -> None:
    _, pieces = await collect(behind.provider.chat(behind.model, ask("Once upon a time", max_tokens=2)))
    assert pieces[-1].finish == "length"
    assert pieces[-1].usage
    assert pieces[-1].usage["completion_tokens"] == 2


@every
async def test_closing_the_answer_leaves_the_provider_usable(behind: Behind) -> None:
    async with aclosing(behind.provider.chat(behind.model, ask("Once upon a time", max_tokens=2000))) as chunks:
        await anext(chunks)
    text, _ = await collect(behind.provider.chat(behind.model, ask("Once upon a time")))
    assert text.strip()


@simulated
async def test_closing_an_answer_stops_the_provider_s_work(behind: Behind) -> None:
    simulator = behind.simulator
    simulator.words = 1_000_000
    async with aclosing(behind.provider.chat(behind.model, ask("hello", max_tokens=1_000_000))) as chunks:
        await anext(chunks)
        assert simulator.running == 1
    async with asyncio.timeout(5):
        await simulator.idle.wait()
    assert simulator.sent < 1_000_000


@simulated
async def test_an_answer_that_breaks_off_is_an_error(behind: Behind) -> None:
    behind.simulator.break_after = 3
    async with aclosing(behind.provider.chat(behind.model, ask("hello"))) as chunks:
        with pytest.raises((ProviderError, Unreachable), match="broke"):
            async for _ in chunks:
                pass


@every
async def test_an_unknown_model_is_not_found(behind: Behind) -> None:
    calls: list[Awaitable[Any]] = [collect(behind.provider.chat("no-such-model", ask("hello")))]
    if Ability.LOAD in behind.provider.abilities:
        calls.append(behind.provider.load("no-such-model"))
    for call in calls:
        with pytest.raises(NotFound) as caught:
            await call
        assert "no-such-model" in caught.value.message
        assert caught.value.remedy


@pytest.mark.parametrize("behind", [name for name in EVERY_SIMULATED if SUBJECTS[name].embedder], indirect=True)
async def test_it_embeds_every_text(behind: Behind) -> None:
    found = await behind.provider.embed(behind.embedder, ["one", "two", "three"])
    assert len(found.vectors) == 3
    assert len({len(vector) for vector in found.vectors}) == 1
    assert found.vectors[0] != found.vectors[1]


@pytest.mark.parametrize("behind", able(Ability.DETAIL), indirect=True)
async def test_it_tells_more_of_a_model(behind: Behind) -> None:
    assert await behind.provider.detail(behind.model)


@pytest.mark.parametrize("behind", EVERY_KEYED, indirect=True)
async def test_the_key_is_sent_and_a_wrong_one_is_told_from_none_right(behind: Behind) -> None:
    assert (await behind.provider.health()).status is HealthStatus.WELL
    await behind.provider.check_key()
    for wrong in (Secret("sk-wrong-canary-000000"), None):
        behind.key[0] = wrong
        with pytest.raises(NotSignedIn) as caught:
            await behind.provider.check_key()
        assert caught.value.remedy
        shown = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
        assert "canary" not in shown
        with pytest.raises(NotSignedIn):
            await collect(behind.provider.chat(behind.model, ask("hello")))


@pytest.mark.parametrize("fault", list(Fault))
@simulated
async def test_every_fault_is_a_clear_error_within_the_time(behind: Behind, fault: Fault) -> None:
    behind.simulator.faults.everywhere(fault)
    async with asyncio.timeout(10):
        with pytest.raises(ModelshelfError) as caught:
            await behind.provider.models()
        health = await behind.provider.health()
    sentence(caught.value)
    refused = fault in {Fault.BAD_KEY, Fault.FORBIDDEN}
    assert isinstance(caught.value, NotSignedIn | NoPermission) == refused
    assert health.status in ({HealthStatus.REFUSED} if refused else {HealthStatus.DOWN, HealthStatus.SLOW})
    assert health.detail
    behind.simulator.faults.clear()
    assert (await behind.provider.health()).status is HealthStatus.WELL


@pytest.mark.parametrize("fault", BROKEN_ANSWERS)
@simulated
async def test_every_fault_of_a_chat_is_a_clear_error(behind: Behind, fault: Fault) -> None:
    behind.simulator.faults.everywhere(fault)
    async with asyncio.timeout(10):
        with pytest.raises(ModelshelfError) as caught:
            await collect(behind.provider.chat(behind.model, ask("hello")))
    sentence(caught.value)
    behind.simulator.faults.clear()
    text, _ = await collect(behind.provider.chat(behind.model, ask("hello")))
    assert text


@every
async def test_closing_twice_is_no_harm(behind: Behind) -> None:
    await behind.provider.models()
    await behind.provider.aclose()
    await behind.provider.aclose()


async def named(provider: Provider, name: str) -> Any:
    """The model of this name."""
    return next(model for model in await provider.models() if model.name.split(":")[0] == name.split(":")[0])


def sentence(error: ModelshelfError) -> None:
    """An error that a person can use."""
    assert error.message[-1] in ".!?"
    assert error.remedy
    assert "Traceback" not in error.message
    assert "Error" not in error.message


async def progress(steps: AsyncGenerator[Any, None]) -> list[Any]:
    """Every step of a pull or an upload."""
    async with aclosing(steps) as found:
        return [step async for step in found]
