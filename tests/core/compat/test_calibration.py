"""What is measured makes estimates better: the engine that really ran, and rows that were kept."""

import asyncio

import pytest

from modelshelf.compat import Machine
from modelshelf.compat.calibration import CHAT, KEPT, LEAST_TOKENS, LOAD, Calibration, Measurement
from modelshelf.config import ConfigManager
from modelshelf.events import SpeedMeasured
from modelshelf.providers import ChatChunk, ChatReply
from modelshelf.shelf import Shelf, open_shelf
from modelshelf.store import Store
from tests.core.compat.test_service import TINY, fetch

HERE = Machine("here", "any", 8, 32 << 30, 32 << 30, (), 40e9)
GB = 1e9
KEY = "samples/tiny-llama-gguf/tiny-llama.Q8_0.gguf"


async def long_answer(shelf: Shelf) -> ChatReply:
    """An answer that is long enough to be timed; a tiny model may end at once."""
    for number in range(20):
        reply = await shelf.chat("builtin/tiny-llama", f"Story number {number}:", max_tokens=64)
        if reply.usage["completion_tokens"] >= LEAST_TOKENS and "tokens_per_second" in reply.timings:
            return reply
    raise AssertionError("no answer was long enough")


async def measured(shelf: Shelf) -> ChatReply:
    """What was answered, once its speed is kept."""
    with shelf.events.subscribe() as events:
        reply = await long_answer(shelf)
        async with asyncio.timeout(20):
            async for event in events:
                if isinstance(event, SpeedMeasured) and shelf.compatibility.calibration.pace("builtin", KEY):
                    return reply
    raise AssertionError


async def test_a_load_and_a_chat_of_the_real_engine_are_measured(shelf: Shelf) -> None:
    await fetch(shelf, TINY)
    before = await shelf.compatibility.check_model_compatibility(TINY)
    assert not before.measured
    assert "SPEED_ESTIMATED" in [reason.code for reason in before.reasons]
    reply = await measured(shelf)
    after = await shelf.compatibility.check_model_compatibility(TINY)
    assert after.measured
    assert after.speed is not None
    assert after.speed[0] < reply.timings["tokens_per_second"] < after.speed[1]
    assert "SPEED_MEASURED" in [reason.code for reason in after.reasons]
    served = await shelf.compatibility.check_model_compatibility("builtin/tiny-llama")
    assert served.speed == after.speed
    assert shelf.compatibility.calibration.load_rate("builtin")


async def test_a_model_that_was_never_timed_goes_by_others_of_its_engine(store: Store) -> None:
    learnt = Calibration(store)
    await learnt.open(HERE)
    assert learnt.pace("builtin", "org/a/a.gguf") is None
    await learnt.note(Measurement("builtin", "org/a/a.gguf", CHAT, 5.0, 4 * GB))
    await learnt.note(Measurement("builtin", "org/b/b.gguf", CHAT, 100.0, 0.01 * GB))
    own, others = learnt.pace("builtin", "org/a/a.gguf"), learnt.pace("builtin", "org/c/c.gguf")
    assert own is not None
    assert own.exact
    assert own.low < 5.0 < own.high
    assert others is not None
    assert not others.exact
    assert others.low < 20 * GB < others.high
    assert others.low > 1 * GB, "a model that memory does not rule says nothing about others"
    assert learnt.pace("ollama", "org/a/a.gguf") is None


async def test_measurements_outlive_the_process_and_stay_with_their_machine(store: Store) -> None:
    first = Calibration(store)
    await first.open(HERE)
    await first.note(Measurement("builtin", "m", CHAT, 7.0, 3 * GB))
    await first.note(Measurement("builtin", "m", LOAD, 2 * GB, 3 * GB))
    again, elsewhere = Calibration(store), Calibration(store)
    await again.open(HERE)
    await elsewhere.open(Machine("there", "other", 2, 8 << 30, 8 << 30))
    assert (again.rate("builtin", "m"), again.load_rate("builtin")) == (7.0, 2 * GB)
    assert elsewhere.rate("builtin", "m") is None


async def test_one_odd_answer_does_not_rule(store: Store) -> None:
    learnt = Calibration(store)
    await learnt.open(HERE)
    for rate in (10.0, 11.0, 0.2, 10.5, 9.8):
        await learnt.note(Measurement("builtin", "m", CHAT, rate, 1 * GB))
    assert learnt.rate("builtin", "m") == pytest.approx(10.0)


async def test_the_oldest_measurements_go(store: Store) -> None:
    learnt = Calibration(store)
    await learnt.open(HERE)
    for number in range(KEPT + 3):
        await learnt.note(Measurement("builtin", f"m{number}", CHAT, 7.0, 3 * GB))
    again = Calibration(store)
    await again.open(HERE)
    assert again.rate("builtin", "m2") is None
    assert again.rate("builtin", f"m{KEPT + 2}") == 7.0


async def test_what_was_told_just_before_the_end_is_kept(config: ConfigManager) -> None:
    """A command asks one thing and ends: its answer counts all the same."""
    async with open_shelf(config=config) as shelf:
        await fetch(shelf, TINY)
        await shelf.compatibility.machine()
        end = ChatChunk(timings={"tokens_per_second": 123.0}, usage={"completion_tokens": 40, "total_tokens": 60})
        shelf.providers.answered("builtin/tiny-llama", end)
    async with open_shelf(config=config) as again:
        await again.compatibility.machine()
        assert again.compatibility.calibration.rate("builtin", KEY) == 123.0
