"""What every adapter must do, run against each on the real thing or its simulator."""

from contextlib import aclosing

import pytest

from modelshelf.config import ConfigManager
from modelshelf.errors import NotFound
from modelshelf.library import ModelLibrary
from modelshelf.providers import Ability, HealthStatus, Provider, ProviderConfig, ProviderContext
from modelshelf.providers.adapters.builtin import BuiltinProvider
from modelshelf.providers.adapters.ollama import OllamaProvider
from tests.conftest import LoopRunner
from tests.core.providers.conftest import ask, collect
from tests.engines.ollama import OllamaSimulator

MODEL = "tiny-llama"
METHODS = {
    Ability.LIST: "models",
    Ability.DETAIL: "detail",
    Ability.HEALTH: "health",
    Ability.LOAD: "load",
    Ability.UNLOAD: "unload",
    Ability.PULL: "pull",
    Ability.REGISTER_UPLOAD: "register",
    Ability.DELETE: "delete",
    Ability.CHAT: "chat",
}


@pytest.fixture(params=["builtin", "ollama"])
def provider(
    request: pytest.FixtureRequest, loop: LoopRunner, config: ConfigManager, library: ModelLibrary
) -> Provider:
    if request.param == "builtin":
        found: BuiltinProvider = request.getfixturevalue("builtin")
        return found
    simulator: OllamaSimulator = request.getfixturevalue("ollama")
    made = OllamaProvider(
        ProviderConfig("mine", "ollama", "My Ollama", simulator.url), ProviderContext(config, library)
    )
    return loop.enter(aclosing(made))


async def test_every_declared_ability_has_its_method(provider: Provider) -> None:
    assert Ability.CHAT in provider.abilities
    assert all(callable(getattr(provider, METHODS[item])) for item in provider.abilities if item in METHODS)


async def test_a_healthy_one_says_so_with_its_version(provider: Provider) -> None:
    health = await provider.health()
    assert health.status is HealthStatus.WELL
    assert health.version
    assert health.latency_ms is not None


async def test_it_lists_its_models_with_their_names_and_sizes(provider: Provider) -> None:
    [model] = await provider.models()
    assert model.id == f"{provider.config.id}/{model.name}"
    assert model.name.split(":")[0] == MODEL
    assert model.size is not None
    assert model.size > 1_000_000
    assert model.loaded is False


async def test_a_loaded_model_says_so_until_it_is_unloaded(provider: Provider) -> None:
    await provider.load(MODEL)
    [loaded] = await provider.models()
    assert loaded.loaded is True
    assert loaded.context is not None
    await provider.unload(MODEL)
    [unloaded] = await provider.models()
    assert unloaded.loaded is False


async def test_it_streams_an_answer_and_ends_with_finish_usage_and_timings(provider: Provider) -> None:
    text, pieces = await collect(provider.chat(MODEL, ask("Once upon a time")))
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


async def test_several_turns_are_all_sent(provider: Provider) -> None:
    first, pieces = await collect(provider.chat(MODEL, ask("Once upon a time")))
    _, more = await collect(provider.chat(MODEL, ask("Once upon a time", first, "And then?")))
    assert pieces[-1].usage
    assert more[-1].usage
    assert more[-1].usage["prompt_tokens"] >= pieces[-1].usage["prompt_tokens"]


async def test_a_limit_of_tokens_ends_the_answer(provider: Provider) -> None:
    _, pieces = await collect(provider.chat(MODEL, ask("Once upon a time", max_tokens=2)))
    assert pieces[-1].finish == "length"
    assert pieces[-1].usage
    assert pieces[-1].usage["completion_tokens"] == 2


async def test_closing_the_answer_leaves_the_provider_usable(provider: Provider) -> None:
    async with aclosing(provider.chat(MODEL, ask("Once upon a time", max_tokens=2000))) as chunks:
        await anext(chunks)
    text, _ = await collect(provider.chat(MODEL, ask("Once upon a time")))
    assert text.strip()


async def test_an_unknown_model_is_not_found(provider: Provider) -> None:
    for call in (provider.load("no-such-model"), collect(provider.chat("no-such-model", ask("hello")))):
        with pytest.raises(NotFound) as caught:
            await call
        assert "no-such-model" in caught.value.message
        assert caught.value.remedy


async def test_closing_twice_is_no_harm(provider: Provider) -> None:
    await provider.models()
    await provider.aclose()
    await provider.aclose()
