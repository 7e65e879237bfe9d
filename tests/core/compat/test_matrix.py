"""Many models with many providers, what would be if, and doing what a fix says."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pandas as pd
import pytest

from modelshelf.compat import Fix, Machine, Settings
from modelshelf.errors import NotFound, UsageError
from modelshelf.providers.spec import LoadSettings
from modelshelf.shelf import Shelf
from tests.conftest import LoopRunner
from tests.core.compat.test_service import TINY, fetch
from tests.engines.ollama import OllamaSimulator

GIB = 1 << 30
MIB = 1 << 20


def at(frame: pd.DataFrame, model: str, provider: str) -> float:
    return float(frame[provider].to_dict()[model])


@asynccontextmanager
async def _ollama(shelf: Shelf) -> AsyncIterator[OllamaSimulator]:
    async with OllamaSimulator().serve() as simulator:
        await shelf.providers.add("ollama", url=simulator.url, provider="near", name="Ollama here")
        await shelf.providers.add("ollama", url="https://192.0.2.1:11434", provider="far", name="Far away")
        yield simulator


@pytest.fixture
def ollama(loop: LoopRunner, shelf: Shelf) -> OllamaSimulator:
    return loop.enter(_ollama(shelf))


async def test_the_matrix_has_a_score_for_what_runs_and_none_where_it_makes_no_sense(
    shelf: Shelf, ollama: OllamaSimulator
) -> None:
    await fetch(shelf, TINY)
    frame = await shelf.compatibility.matrix(
        [TINY, "samples/tiny-llama", "samples/nothing"], ["builtin", "near", "far"]
    )
    assert list(frame.index) == [TINY, "samples/tiny-llama", "samples/nothing"]
    assert list(frame.columns) == ["builtin", "near", "far"]
    assert at(frame, TINY, "builtin") > 60
    assert at(frame, TINY, "near") > 60
    assert at(frame, "samples/tiny-llama", "builtin") == 0
    assert math.isnan(at(frame, TINY, "far"))
    assert math.isnan(at(frame, "samples/nothing", "builtin"))
    answers = frame.attrs["answers"]
    assert answers[TINY, "builtin"].score == at(frame, TINY, "builtin")
    assert answers["samples/nothing", "builtin"].reasons[0].code == "NOT_KNOWN"
    alone = await shelf.compatibility.check_model_compatibility(TINY, "near")
    assert alone.score == at(frame, TINY, "near")


async def test_without_names_the_matrix_is_what_is_installed_with_what_is_switched_on(
    shelf: Shelf, ollama: OllamaSimulator
) -> None:
    await fetch(shelf, TINY)
    await shelf.providers.enable("far", enabled=False)
    frame = await shelf.compatibility.matrix()
    assert list(frame.index) == [TINY]
    assert set(frame.columns) == {"builtin", "near"}


async def test_an_unknown_provider_is_refused(shelf: Shelf) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        await shelf.compatibility.matrix([TINY], ["nowhere"])


async def test_what_if_answers_at_once_for_other_settings_and_machines(shelf: Shelf) -> None:
    what = await shelf.compatibility.what_if(TINY)
    assert what.context_limit == 4096
    asked = what.answer()
    assert asked.memory is not None
    short = what.answer(replace(what.settings, context=512))
    assert short.memory is not None
    assert short.memory.kv < asked.memory.kv
    card = await shelf.compatibility.named_machine("24 GB card")
    with_card = what.answer(machine=card)
    assert "ENGINE_BUILD" in [reason.code for reason in with_card.reasons]
    tiny = Machine("tiny", "any", 1, 4 * MIB, 4 * MIB)
    assert what.answer(machine=tiny).score == 0
    alone = await shelf.compatibility.check_model_compatibility(TINY)
    assert (asked.score, asked.memory) == (alone.score, alone.memory)


async def test_the_providers_of_a_model_come_best_first(shelf: Shelf, ollama: OllamaSimulator) -> None:
    found = await shelf.compatibility.get_recommended_providers_for_model(TINY)
    assert {answer.provider for answer in found} == {"builtin", "near"}
    scores = [answer.score or 0 for answer in found]
    assert scores == sorted(scores, reverse=True)


async def test_a_fix_of_settings_is_for_the_model_once_it_is_there(shelf: Shelf) -> None:
    answer = await shelf.compatibility.check_model_compatibility(TINY)
    fix = Fix("CONTEXT", "Use 1,024 tokens of context.", 90, {"context": 1024, "kv": "q8_0"})
    said = await shelf.compatibility.apply(answer, fix)
    assert "every model" in said
    assert (shelf.config.config.engine.context, shelf.config.config.engine.kv) == (1024, "q8_0")
    await fetch(shelf, TINY)
    assert "tiny-llama" in await shelf.compatibility.apply(answer, replace(fix, apply={"context": 2048}))
    assert await shelf.providers.load_settings("builtin", "tiny-llama") == LoadSettings(context=2048)
    after = await shelf.compatibility.check_model_compatibility("builtin/tiny-llama")
    assert after.settings is not None
    assert (after.settings.context, after.settings.kv) == (2048, "q8_0")


async def test_a_fix_that_unloads_gives_the_memory_back(shelf: Shelf) -> None:
    await fetch(shelf, TINY)
    await shelf.providers.load("builtin/tiny-llama")
    answer = await shelf.compatibility.check_model_compatibility(TINY)
    await shelf.compatibility.apply(answer, Fix("UNLOAD", "", 90, {"unload": "builtin/tiny-llama"}))
    (model,) = await shelf.providers.models("builtin")
    assert model.loaded is False


async def test_a_fix_that_is_a_choice_is_left_to_the_person(shelf: Shelf) -> None:
    answer = await shelf.compatibility.check_model_compatibility(TINY)
    with pytest.raises(UsageError):
        await shelf.compatibility.apply(answer, Fix("FILE", "", 90, {"file": "other.gguf"}))


async def test_the_best_of_ones_own_providers_is_known_for_a_card(shelf: Shelf, ollama: OllamaSimulator) -> None:
    await shelf.compatibility.machine()
    cards = (await shelf.catalog.find("tiny")).rows
    found = {card.repo: shelf.compatibility.best(card) for card in cards}
    best = found[TINY]
    assert best is not None
    assert best[0] in {"builtin", "near"}
    assert found["samples/tiny-llama"] is None


async def test_a_licence_that_is_refused_gets_nothing(shelf: Shelf) -> None:
    licence = (await shelf.catalog.detail(TINY)).card.licence
    assert licence
    await shelf.configure("compatibility.refused_licences", [licence.upper()])
    answer = await shelf.compatibility.check_model_compatibility(TINY)
    assert (answer.score, answer.reasons[0].code) == (0, "LICENCE_POLICY")


async def test_a_context_that_was_chosen_for_a_model_counts(shelf: Shelf) -> None:
    answer = await shelf.compatibility.check_model_compatibility(TINY, settings=Settings(context=2048))
    assert answer.settings is not None
    assert answer.settings.context == 2048
