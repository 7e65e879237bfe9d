"""Servers with OpenAI's routes in all their forms, and the real engine as one of them."""

from collections.abc import Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modelshelf.config import ConfigManager
from modelshelf.errors import (
    KeyUnproven,
    NotFound,
    NotSignedIn,
    ProviderError,
    UsageError,
    WrongAddress,
)
from modelshelf.library import ModelLibrary
from modelshelf.providers import HealthStatus, ProviderConfig, ProviderContext
from modelshelf.providers.adapters.compatible import CompatibleProvider
from modelshelf.providers.answers import MOST_MODELS
from modelshelf.providers.engine import Engine, EngineModel
from modelshelf.vault import Secret
from tests.conftest import LoopRunner
from tests.core.providers.conftest import ask, collect
from tests.engines.compatible import CompatibleSimulator, vector
from tests.engines.faults import Fault
from tests.engines.openai_cloud import OpenAISimulator

Make = Callable[..., CompatibleProvider]


@pytest.fixture
def simulator(loop: LoopRunner, request: pytest.FixtureRequest) -> CompatibleSimulator:
    """The server; a test may give what is particular about it."""
    return loop.enter(CompatibleSimulator(**getattr(request, "param", {})).serve())


@pytest.fixture
def make(loop: LoopRunner, config: ConfigManager, library: ModelLibrary) -> Iterator[Make]:
    """Makes adapters, which are closed at the end."""
    config.set("providers.timeout_seconds", 5.0)
    every: list[CompatibleProvider] = []

    def made(url: str, key: str = "", **settings: Any) -> CompatibleProvider:
        async def found(_config: ProviderConfig, _model: str) -> Secret | None:
            return Secret(key) if key else None

        context = ProviderContext(config, library, key=found)
        given_ = ProviderConfig("mine", "openai-compatible", "My server", url, True, settings)
        every.append(CompatibleProvider(given_, context))
        return every[-1]

    yield made
    for provider in every:
        loop.runner.run(provider.aclose())


def server(**traits: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("simulator", [traits], indirect=True, ids=[str(traits)])


@pytest.mark.parametrize("path", ["/v1", "", "/v1/", "/v1/chat/completions", "/v1/models"])
@pytest.mark.parametrize(
    "simulator",
    [{"form": form, "page": 1} for form in ("data", "models", "bare", "names", "paged", "linked")],
    ids=lambda traits: traits["form"],
    indirect=True,
)
async def test_every_form_of_list_at_every_form_of_address(
    simulator: CompatibleSimulator, make: Make, path: str
) -> None:
    provider = make(simulator.url + path)
    models = {model.name: model for model in await provider.models()}
    assert list(models) == ["tiny-llama", "tiny-embed"]
    assert models["tiny-llama"].abilities == ("chat",)
    assert models["tiny-embed"].abilities == ("embed",)
    text, _ = await collect(provider.chat("tiny-llama", ask("hello")))
    assert text.startswith("word0 ")


async def test_what_answers_is_remembered(simulator: CompatibleSimulator, make: Make) -> None:
    provider = make(simulator.url)
    await provider.models()
    assert [path for _, path, _ in simulator.requests] == ["/models", "/v1/models"]
    simulator.requests.clear()
    await provider.models()
    await provider.embed("tiny-embed", ["one"])
    assert [path for _, path, _ in simulator.requests] == ["/v1/models", "/v1/embeddings"]


async def test_a_web_page_at_the_root_is_no_list(simulator: CompatibleSimulator, make: Make) -> None:
    simulator.faults.by_path = {"/models": Fault.PAGE, "/chat": Fault.PAGE}
    assert len(await make(simulator.url).models()) == 2
    simulator.faults.everywhere(Fault.PAGE)
    with pytest.raises(WrongAddress, match="web page"):
        await make(simulator.url).models()


async def test_no_address_is_said(make: Make) -> None:
    with pytest.raises(UsageError, match="no address"):
        make("")


@server(form="missing")
async def test_without_a_list_names_are_typed(simulator: CompatibleSimulator, make: Make) -> None:
    bare = make(simulator.url)
    with pytest.raises(NotFound, match="no list of models") as caught:
        await bare.models()
    assert "type the names" in caught.value.remedy
    assert (await bare.health()).status is HealthStatus.DOWN
    typed = make(simulator.url, models=["tiny-llama", " tiny-llama ", "", 7])
    assert [model.id for model in await typed.models()] == ["mine/tiny-llama"]
    assert (await typed.health()).status is HealthStatus.WELL
    assert await typed.detail("tiny-llama") == {"id": "tiny-llama"}
    with pytest.raises(KeyUnproven):
        await typed.check_key()
    text, _ = await collect(typed.chat("tiny-llama", ask("hello")))
    assert text


async def test_names_typed_beside_a_list_are_offered_too(simulator: CompatibleSimulator, make: Make) -> None:
    provider = make(simulator.url, models=["tiny-llama", "hidden"])
    assert [model.name for model in await provider.models()] == ["tiny-llama", "tiny-embed", "hidden"]
    assert (await provider.detail("tiny-llama"))["owned_by"] == "simulator"
    with pytest.raises(NotFound, match="none-such"):
        await provider.detail("none-such")


@server(key="sk-right")
async def test_a_key_is_proven_by_what_is_refused_without_it(simulator: CompatibleSimulator, make: Make) -> None:
    assert await make(simulator.url, "sk-right").check_key() == ""
    simulator.public = True
    for key in ("sk-right", "sk-wrong"):
        with pytest.raises(KeyUnproven, match="without a key"):
            await make(simulator.url, key).check_key()
    assert await make(simulator.url, "sk-right").ping("tiny-llama") == "word0 "
    with pytest.raises(NotSignedIn):
        await make(simulator.url, "sk-wrong").ping("tiny-llama")


async def test_a_server_without_keys_says_so(simulator: CompatibleSimulator, make: Make) -> None:
    assert "without a key" in await make(simulator.url).check_key()


@pytest.mark.parametrize(
    ("simulator", "usage"),
    [
        ({"finish": "none"}, {}),
        ({"finish": "no blank line"}, {}),
        ({"finish": "no usage"}, {}),
        ({"finish": "inner usage"}, {"prompt_tokens": 5, "completion_tokens": 12, "total_tokens": 17}),
        ({"thinks": True}, {"prompt_tokens": 5, "completion_tokens": 12, "total_tokens": 17}),
        ({"streams": False}, {"prompt_tokens": 5, "completion_tokens": 12, "total_tokens": 17}),
    ],
    ids=str,
    indirect=["simulator"],
)
async def test_odd_answers_are_understood(simulator: CompatibleSimulator, make: Make, usage: dict[str, int]) -> None:
    text, pieces = await collect(make(simulator.url + "/v1").chat("tiny-llama", ask("hello")))
    assert text.split() == [f"word{number}" for number in range(12)]
    assert pieces[-1].finish == "stop"
    assert pieces[-1].usage == usage


@server(finish="nothing")
async def test_an_answer_without_an_end_is_broken(simulator: CompatibleSimulator, make: Make) -> None:
    with pytest.raises(ProviderError, match="broke the answer off"):
        await collect(make(simulator.url + "/v1").chat("tiny-llama", ask("hello")))


@server(fails_after=3)
async def test_an_error_in_the_stream_is_told(simulator: CompatibleSimulator, make: Make) -> None:
    with pytest.raises(ProviderError, match="ran out of memory"):
        await collect(make(simulator.url + "/v1").chat("tiny-llama", ask("hello")))
    assert len(simulator.asked("/v1/chat/completions")) == 1


async def test_what_an_answer_can_do_without_is_left_out_when_refused(
    simulator: CompatibleSimulator, make: Make
) -> None:
    provider = make(simulator.url + "/v1")
    simulator.refuses = {"stream_options", "temperature"}
    text, _ = await collect(provider.chat("tiny-llama", ask("hello")))
    assert text
    assert [set(body) & simulator.refuses for body in simulator.asked("/v1/chat/completions")][-1] == set()
    simulator.refuses = {"seed"}
    with pytest.raises(ProviderError, match="seed"):
        await collect(provider.chat("tiny-llama", replace(ask("hello"), seed=7)))


async def test_a_limit_in_other_words(make: Make) -> None:
    async with OpenAISimulator().serve() as thinking:
        thinking.add("o1x")  # it thinks, which its name does not tell us
        provider = make(thinking.url + "/v1", thinking.key)
        assert await provider.ping("o3-mini") == "word0 "
        assert await provider.ping("o1x") == "word0 "
        limits = [
            {name: body[name] for name in ("max_tokens", "max_completion_tokens") if name in body}
            for body in thinking.asked("/v1/chat/completions")
        ]
        assert limits == [{"max_completion_tokens": 16}, {"max_tokens": 1}, {"max_completion_tokens": 1}]


async def test_vectors_come_in_the_order_of_the_texts(simulator: CompatibleSimulator, make: Make) -> None:
    provider = make(simulator.url)
    found = await provider.embed("tiny-embed", ["one", "two", "three"])
    assert found.vectors == tuple(tuple(vector(text)) for text in ("one", "two", "three"))
    assert found.usage == {"prompt_tokens": 3, "total_tokens": 3}
    with pytest.raises(NotFound, match="none-such"):
        await provider.embed("none-such", ["one"])
    simulator.faults.by_path = {"/v1/embeddings": Fault.SHAPE}
    with pytest.raises(ProviderError, match="one vector for each"):
        await provider.embed("tiny-embed", ["one"])


async def test_twenty_thousand_models_and_no_more(simulator: CompatibleSimulator, make: Make) -> None:
    for number in range(21_000):
        simulator.add(f"model-{number}", context_length=8192)
    assert len(await make(simulator.url).models()) == MOST_MODELS


@server(form="paged", page=2)
async def test_a_list_that_turns_in_a_circle_ends(simulator: CompatibleSimulator, make: Make) -> None:
    class Circling(CompatibleSimulator):
        def _listed(self, request: Any) -> Any:
            return {**super()._listed(request), "has_more": True, "last_id": "tiny-llama"}

    async with Circling(form="paged").serve() as circling:
        assert len(await make(circling.url).models()) == 2
        assert len(circling.requests) < 5


async def test_the_real_engine_is_a_compatible_server(config: ConfigManager, make: Make, gguf: Path) -> None:
    config.set("providers.timeout_seconds", 10.0)
    order = EngineModel(gguf, "tiny-llama", context=512)
    async with aclosing(Engine(config)) as engine, engine.hold(order) as process:
        for path in ("", "/v1"):
            provider = make(process.url + path, process.key)
            [model] = await provider.models()
            assert (model.name, model.abilities) == ("tiny-llama", ("chat",))
            assert model.context
            assert model.size
            text, pieces = await collect(provider.chat(model.name, ask("Once upon a time", max_tokens=8)))
            assert text.strip()
            assert pieces[-1].usage
            assert pieces[-1].usage["completion_tokens"] == 8
            assert (await provider.health()).status is HealthStatus.WELL
            with pytest.raises(ProviderError, match="embeddings"):
                await provider.embed(model.name, ["one"])
            with pytest.raises(NotSignedIn):
                await collect(make(process.url + path, "sk-wrong").chat(model.name, ask("hello")))


async def test_a_route_that_moves_is_found_again(make: Make) -> None:
    async with CompatibleSimulator(base="").serve() as server:
        provider = make(server.url)
        await provider.models()
        server.hidden = {"/models"}
        with pytest.raises(NotFound):
            await provider.models()
        server.hidden = set()
        assert await provider.models()
