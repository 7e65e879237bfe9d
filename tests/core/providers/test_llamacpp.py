"""llama-server in both its modes, and with one model the real engine beside the simulator."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from modelshelf.config import ConfigManager
from modelshelf.errors import NotFound, NotSignedIn, ProviderError, Unsupported, UsageError, WrongAddress
from modelshelf.library import ModelLibrary
from modelshelf.providers import Ability, HealthStatus, Progress, ProviderConfig, ProviderContext
from modelshelf.providers.adapters.llamacpp import LlamaCppProvider
from modelshelf.providers.engine import EngineModel, EngineProcess
from modelshelf.providers.engine.log import EngineLog
from modelshelf.providers.http import Endpoint
from modelshelf.vault import Secret
from tests.conftest import LoopRunner
from tests.core.providers.conftest import ask, collect
from tests.engines.llamacpp import PIECES, LlamaCppSimulator

KEY = "llama-simulated-000000"
FETCHED = "samples/tiny-GGUF:Q8_0"
OF_ROUTERS = {Ability.LOAD, Ability.UNLOAD, Ability.PULL, Ability.DELETE, Ability.REGISTER_LINK}


@dataclass
class Server:
    """A llama-server with an adapter to it; `told` are the providers that were said to have changed."""

    provider: LlamaCppProvider
    simulator: Any
    told: list[str]
    key: list[str]


type Start = Callable[..., Awaitable[Server]]


@pytest.fixture
def start(loop: LoopRunner, config: ConfigManager, library: ModelLibrary) -> Start:
    """Starts a simulated one, or adapts what is at an address."""

    async def started(url: str = "", *, key: str = "", models_dir: Path | None = None, **traits: Any) -> Server:
        simulator = LlamaCppSimulator(key=key, models_dir=models_dir, **traits)
        simulator.add("tiny-llama")
        if not url:
            await loop.stack.enter_async_context(simulator.serve())
        told, keys = list[str](), [key]

        async def find_key(_config: ProviderConfig, _model: str) -> Secret | None:
            return Secret(keys[0]) if keys[0] else None

        kept = {"models_dir": str(models_dir)} if models_dir else {}
        made = LlamaCppProvider(
            ProviderConfig("mine", "llamacpp", "Mine", url or simulator.url, True, kept),
            ProviderContext(config, library, told.append, find_key),
        )
        return Server(await loop.stack.enter_async_context(aclosing(made)), simulator, told, keys)

    return started


@pytest.fixture
def real(loop: LoopRunner, gguf: Path, tmp_path: Path) -> EngineProcess:
    """The built-in engine's child with the sample model: the same server in a process of ours."""
    model = EngineModel(gguf, "tiny-llama", context=1024)
    process = loop.runner.run(EngineProcess.start(model, EngineLog(tmp_path / "engine.log"), 120.0))
    loop.stack.push_async_callback(process.stop)
    return process


async def progress(steps: AsyncGenerator[Progress, None]) -> list[Progress]:
    async with aclosing(steps) as found:
        return [step async for step in found]


async def test_the_real_engine_lists_answers_and_tells_its_context(start: Start, real: EngineProcess) -> None:
    provider = (await start(real.url, key=real.key)).provider
    [model] = await provider.models()
    assert (model.name, model.loaded, model.context, model.quantisation) == ("tiny-llama", True, 1024, "Q8_0")
    assert model.size
    assert model.extra["max_context"] == 4096
    assert set(provider.missing) >= OF_ROUTERS
    assert (await provider.detail("tiny-llama"))["props"]["total_slots"] == 1
    health = await provider.health()
    assert (health.status, health.version) == (HealthStatus.WELL, "b0-unknown")
    text, pieces = await collect(provider.chat("tiny-llama", ask("Once upon a time", max_tokens=4)))
    assert text.strip()
    usage, timings = pieces[-1].usage, pieces[-1].timings
    assert usage
    assert (usage["completion_tokens"], usage["total_tokens"]) == (4, usage["prompt_tokens"] + 4)
    assert timings
    assert timings["tokens_per_second"] > 0
    with pytest.raises(NotFound, match="no-such-model"):
        await collect(provider.chat("no-such-model", ask("hello")))
    with pytest.raises(Unsupported, match="embeddings"):
        await provider.embed("tiny-llama", ["one"])


async def test_the_real_engine_s_key_is_proven(start: Start, real: EngineProcess) -> None:
    server = await start(real.url, key=real.key)
    assert await server.provider.check_key() == ""
    for wrong in ("wrong", ""):
        server.key[0] = wrong
        with pytest.raises(NotSignedIn):
            await server.provider.check_key()
        assert (await server.provider.health()).status is HealthStatus.REFUSED


async def test_the_simulator_answers_in_the_form_of_the_real_engine(real: EngineProcess, start: Start) -> None:
    server = await start(key=KEY)
    asked = {"model": "any name", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 2, "stream": True}
    shapes = []
    for url, key in ((real.url, real.key), (server.simulator.url, KEY)):
        async with (
            aclosing(Endpoint("it", url, headers={"Authorization": f"Bearer {key}"})) as known,
            aclosing(Endpoint("it", url)) as stranger,
        ):
            open_ = [
                path
                for path in ("health", "v1/health", "models", "v1/models", "props")
                if await _answers(stranger, path)
            ]
            listed, props = await known.json("GET", "models"), await known.json("GET", "props")
            async with aclosing(known.sse("v1/chat/completions", asked)) as events:
                last = [event async for event in events][-1]
            with pytest.raises(NotFound) as unknown:
                await known.json("GET", "models/sse")
        [model] = listed["data"]
        shapes.append((
            open_, set(listed), {"id", "aliases", "meta", "architecture"} <= set(model), set(model["architecture"]),
            {"n_ctx", "n_ctx_train", "size", "ftype"} <= set(model["meta"]),
            {"default_generation_settings", "build_info", "is_sleeping", "total_slots"} <= set(props),
            "n_ctx" in props["default_generation_settings"], last["choices"][0]["finish_reason"],
            "predicted_per_second" in last["timings"], unknown.value.message,
        ))  # fmt: skip
    assert shapes[0] == shapes[1]
    assert shapes[0][0] == ["health", "v1/health"]


async def _answers(endpoint: Endpoint, path: str) -> bool:
    try:
        await endpoint.json("GET", path)
    except NotSignedIn:
        return False
    return True


async def test_one_model_says_why_it_cannot_be_told_to_load(start: Start) -> None:
    server = await start()
    assert server.provider.abilities == LlamaCppProvider.abilities
    [model] = await server.provider.models()
    assert (model.loaded, model.context, model.abilities) == (True, 4096, ("chat",))
    assert LlamaCppProvider.abilities - server.provider.abilities == OF_ROUTERS
    assert server.told == ["mine"]
    for ability in OF_ROUTERS:
        assert "started without -m it holds several" in server.provider.missing[ability]
    with pytest.raises(Unsupported, match="started without -m"):
        await server.provider.load("tiny-llama")
    server.simulator.sleeping = True
    assert [model.loaded for model in await server.provider.models()] == [False]


async def test_a_server_that_loads_its_model_is_slow_not_down(start: Start) -> None:
    server = await start(key=KEY, loading=True)
    health = await server.provider.health()
    assert (health.status, health.detail) == (HealthStatus.SLOW, "Mine is still loading its model.")
    with pytest.raises(ProviderError, match="still loading its model"):
        await server.provider.models()
    server.simulator.loading = False
    await server.provider.models()
    server.simulator.loading = True
    with pytest.raises(ProviderError, match="still loading its model"):
        await collect(server.provider.chat("tiny-llama", ask("hello")))
    server.simulator.loading = False
    health = await server.provider.health()
    assert (health.status, health.version) == (HealthStatus.WELL, "b9931-simulated")


async def test_a_server_without_a_key_says_so(start: Start) -> None:
    assert await (await start()).provider.check_key() == "This llama-server asks for no key."


async def test_what_is_no_llama_server_is_told(start: Start) -> None:
    server = await start()
    server.simulator.hidden.add("/props")  # as LocalAI at the same port
    with pytest.raises(WrongAddress, match="does not answer as llama-server does"):
        await server.provider.models()
    assert (await server.provider.health()).status is HealthStatus.DOWN


@pytest.mark.parametrize("traits", [{"embeds": False}, {"pools": False}])
async def test_embeddings_that_were_not_switched_on_say_how_to(start: Start, traits: dict[str, bool]) -> None:
    with pytest.raises(Unsupported) as caught:
        await (await start(**traits)).provider.embed("tiny-llama", ["one"])
    assert "--embeddings --pooling" in caught.value.remedy


async def test_a_router_lists_what_it_knows_and_what_runs(start: Start) -> None:
    server = await start(router=True)
    server.simulator.add("user/seen-GGUF:Q4_K_M", vision=True, state="sleeping")
    models = {model.name: model for model in await server.provider.models()}
    seen = models["user/seen-GGUF:Q4_K_M"]
    assert (seen.repo, seen.quantisation, seen.abilities, seen.loaded) == (
        "user/seen-GGUF", "Q4_K_M", ("chat", "vision"), False,
    )  # fmt: skip
    assert seen.extra == {"status": "sleeping"}
    assert (models["tiny-llama"].loaded, models["tiny-llama"].context) == (False, None)
    assert "--models-dir" in server.provider.missing[Ability.REGISTER_LINK]
    await server.provider.load("tiny-llama")
    [model] = [model for model in await server.provider.models() if model.name == "tiny-llama"]
    assert (model.loaded, model.context, model.size) == (True, 4096, 4_000_000)


async def test_load_and_unload_wait_until_it_is_done(start: Start) -> None:
    server = await start(router=True, slow=2)
    await server.provider.load("tiny-llama")
    assert server.simulator.models["tiny-llama"].state == "loaded"
    await server.provider.load("tiny-llama")
    assert len(server.simulator.asked("/models/load")) == 1
    await server.provider.unload("tiny-llama")
    assert server.simulator.models["tiny-llama"].state == "unloaded"
    await server.provider.unload("tiny-llama")
    assert len(server.simulator.asked("/models/unload")) == 1


async def test_a_model_that_cannot_be_loaded_says_with_what_its_process_ended(start: Start) -> None:
    server = await start(router=True)
    server.simulator.models["tiny-llama"].fails = 1
    with pytest.raises(ProviderError, match="could not load tiny-llama: its process ended with status 1"):
        await server.provider.load("tiny-llama")


async def test_looking_at_the_details_loads_nothing(start: Start) -> None:
    server = await start(router=True)
    assert "props" not in await server.provider.detail("tiny-llama")
    assert server.simulator.models["tiny-llama"].state == "unloaded"
    await server.provider.load("tiny-llama")
    assert (await server.provider.detail("tiny-llama"))["props"]["total_slots"] == 1


async def test_a_model_that_left_since_is_not_found(start: Start) -> None:
    server = await start(router=True)
    await server.provider.models()
    del server.simulator.models["tiny-llama"]
    with pytest.raises(NotFound, match="tiny-llama"):
        await collect(server.provider.chat("tiny-llama", ask("hello")))


async def test_pull_reports_its_progress_by_events(start: Start) -> None:
    server = await start(router=True)
    server.simulator.gate.clear()
    steps, _ = await asyncio.gather(progress(server.provider.pull(FETCHED)), _go_on_when_heard(server.simulator))
    assert [step.done for step in steps] == [*(1_000_000 * piece for piece in range(1, PIECES + 1)), 4_000_000]
    assert (steps[-1].status, steps[-1].total) == ("done", 4_000_000)
    assert FETCHED in {model.name for model in await server.provider.models()}
    with pytest.raises(ProviderError, match="already exists"):
        await progress(server.provider.pull(FETCHED))


async def _go_on_when_heard(simulator: LlamaCppSimulator) -> None:
    await simulator.heard.wait()
    simulator.gate.set()


async def test_a_router_without_events_is_followed_by_its_list(start: Start) -> None:
    server = await start(router=True, deaf=True, stepwise=True)
    async with aclosing(server.provider.pull(FETCHED)) as steps:
        step = await anext(steps)
        assert (step.status, step.done, step.total) == ("downloading", 1_000_000, 4_000_000)
        server.simulator.stepwise = False
        server.simulator.gate.set()
        assert [step.status async for step in steps] == ["done"]


@pytest.mark.parametrize("deaf", [False, True])
async def test_a_download_that_fails_is_told(start: Start, deaf: bool) -> None:
    server = await start(router=True, deaf=deaf, lost=True)
    with pytest.raises(ProviderError, match=f"could not fetch {FETCHED}"):
        await progress(server.provider.pull(FETCHED))
    with pytest.raises(ProviderError, match="model validation failed"):
        await progress(server.provider.pull("samples/none"))


async def test_closing_a_pull_stops_it(start: Start) -> None:
    server = await start(router=True, stepwise=True)
    server.simulator.gate.clear()
    async with aclosing(server.provider.pull(FETCHED)) as steps:
        first, _ = await asyncio.gather(anext(steps), _go_on_when_heard(server.simulator))
        assert first.done == 1_000_000
    assert FETCHED not in server.simulator.models
    assert server.simulator.asked("/models/unload") == [{"model": FETCHED}]


async def test_delete_is_for_what_the_router_fetched(start: Start) -> None:
    server = await start(router=True)
    server.simulator.add("linked", source="models_dir")
    await server.provider.delete("tiny-llama")
    assert set(server.simulator.models) == {"linked"}
    with pytest.raises(UsageError, match="not in the router's own cache"):
        await server.provider.delete("linked")
    with pytest.raises(NotFound):
        await server.provider.delete("tiny-llama")


async def test_a_linked_file_is_served_under_its_name(start: Start, gguf: Path, tmp_path: Path) -> None:
    folder = tmp_path / "router"
    server = await start(router=True, models_dir=folder)
    steps = await progress(server.provider.register(gguf, "samples/mine:Q8_0"))
    assert steps[-1].status == "linked"
    assert (folder / "mine-Q8_0.gguf").samefile(gguf)
    text, _ = await collect(server.provider.chat("mine-Q8_0", ask("hello")))
    assert text


async def test_parts_are_linked_into_a_folder_of_their_own(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "router"
    parts = [tmp_path / f"big-0000{number}-of-00002.gguf" for number in (1, 2)]
    for part in parts:
        part.write_bytes(b"GGUF" + part.name.encode())
    server = await start(router=True, models_dir=folder)
    await progress(server.provider.register(parts[0], "big"))
    assert all((folder / "big" / part.name).samefile(part) for part in parts)


async def test_a_folder_that_is_not_the_router_s_is_told(start: Start, gguf: Path, tmp_path: Path) -> None:
    server = await start(router=True, models_dir=tmp_path / "router")
    server.simulator.models_dir = None
    with pytest.raises(ProviderError, match="does not see mine"):
        await progress(server.provider.register(gguf, "mine"))


async def test_many_ask_at_once(start: Start) -> None:
    server = await start(router=True)
    answers = await asyncio.gather(
        *(collect(server.provider.chat("tiny-llama", ask("hello"))) for _ in range(20)),
        *(server.provider.models() for _ in range(20)),
    )
    assert len(answers) == 40
