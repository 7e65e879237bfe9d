"""The settings a model is loaded with by the built-in engine, and for how long it stays."""

import asyncio
import subprocess
import sys
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from modelshelf.config import ConfigManager
from modelshelf.errors import EngineFailed, NotFound, UsageError
from modelshelf.library import ModelLibrary
from modelshelf.providers import ProviderConfig, ProviderContext, ServedModel
from modelshelf.providers.adapters.builtin import BuiltinProvider
from modelshelf.providers.engine import Engine, EngineModel, EngineProcess
from modelshelf.providers.engine.process import CHILD
from modelshelf.providers.http import Endpoint
from modelshelf.providers.spec import LoadSettings
from tests.conftest import LoopRunner
from tests.core.providers.conftest import ask, children, collect

LONG = 3000


@dataclass
class Settled:
    """The built-in engine with what was settled for its models; `told` is set when they are others than before."""

    provider: BuiltinProvider
    wanted: LoadSettings
    told: asyncio.Event

    @property
    def process(self) -> EngineProcess:
        """The one child."""
        [process] = self.provider._engine.loaded
        return process

    async def ask(self, path: str) -> Any:
        """What the child answers."""
        endpoint = Endpoint("the child", self.process.url, headers={"Authorization": f"Bearer {self.process.key}"})
        async with aclosing(endpoint):
            return await endpoint.json("GET", path)


@pytest.fixture
def settled(loop: LoopRunner, config: ConfigManager, library: ModelLibrary, cached: Path) -> Settled:
    made = Settled.__new__(Settled)
    made.wanted, made.told = LoadSettings(), asyncio.Event()

    async def settings(_provider: str, _model: str) -> LoadSettings:
        return made.wanted

    context = ProviderContext(config, library, lambda _: made.told.set(), load_settings=settings)
    provider = BuiltinProvider(ProviderConfig("builtin", "builtin", "Built-in engine"), context)
    made.provider = loop.enter(aclosing(provider))
    return made


async def test_a_model_is_loaded_as_asked_over_settled_over_configured(settled: Settled, config: ConfigManager) -> None:
    config.set("engine.slots", 2)
    settled.wanted = LoadSettings(context=512, kv="q8_0")
    await settled.provider.load("tiny-llama", LoadSettings(context=1024, gpu_layers=-1, flash_attention=True))
    assert (await settled.ask("props"))["default_generation_settings"]["n_ctx"] == 1024
    assert len(await settled.ask("slots")) == 2
    assert settled.process.model.kv == "q8_0"
    assert (await listed(settled)).context == 1024


async def test_one_layer_on_the_gpu_and_no_flash_attention_load_too(settled: Settled) -> None:
    await settled.provider.load("tiny-llama", LoadSettings(gpu_layers=1, flash_attention=False))
    text, _ = await collect(settled.provider.chat("tiny-llama", ask("Once upon a time")))
    assert text.strip()


@pytest.mark.parametrize(
    ("order", "told"),
    [
        ({}, "-1 AUTO F16 False 512"),
        ({"gpu_layers": -1, "flash_attention": True, "kv": "q4_0"}, "-2 ENABLED Q4_0 False 512"),
        ({"gpu_layers": 7, "flash_attention": False, "embeds": True, "batch": 2048}, "7 DISABLED F16 True 2048"),
    ],
)
async def test_the_child_gives_the_settings_to_the_engine(order: dict[str, Any], told: str) -> None:
    usual = {"model": "m", "alias": "a", "key": "k", "context": 512, "slots": 1, "kv": "f16", "threads": 0}
    usual |= {"gpu_layers": None, "flash_attention": None, "embeds": False, "batch": 512}
    script = (
        f"import runpy; made = runpy.run_path({str(CHILD)!r})['parameters']({usual | order!r})\n"
        "kind = lambda value: value.name.rpartition('TYPE_')[2]\n"
        "print(made.n_gpu_layers, kind(made.flash_attn_type), kind(made.cache_type_k), made.embedding, made.n_ubatch)"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=subprocess.PIPE)
    said, _ = await process.communicate()
    assert said.decode().strip() == told


async def test_a_small_cache_without_flash_attention_is_what_the_engine_refuses(
    engine: Engine, model: EngineModel
) -> None:
    with pytest.raises(EngineFailed, match="cannot load tiny-llama"):
        async with engine.hold(replace(model, kv="q8_0", flash_attention=False)):
            pass


async def test_what_was_asked_for_holds_until_it_is_unloaded(settled: Settled) -> None:
    await settled.provider.load("tiny-llama", LoadSettings(context=512))
    first = settled.process.pid
    await collect(settled.provider.chat("tiny-llama", ask("hello")))
    assert settled.process.pid == first
    await settled.provider.unload("tiny-llama")
    await collect(settled.provider.chat("tiny-llama", ask("hello")))
    assert settled.process.model.context == 4096


async def test_changed_settings_load_it_anew_when_its_answers_have_ended(settled: Settled) -> None:
    settled.wanted = LoadSettings(context=512)
    chunks = settled.provider.chat("tiny-llama", ask("Once", max_tokens=LONG // 10, ignore_eos=True))
    await anext(chunks)
    first = settled.process.pid
    settled.wanted = LoadSettings(context=1024)
    (text, pieces), (other, _) = await asyncio.gather(
        collect(chunks), collect(settled.provider.chat("tiny-llama", ask("Once upon a time")))
    )
    assert text
    assert other
    assert pieces[-1].finish == "length"
    assert settled.process.pid != first
    assert settled.process.model.context == 1024


async def test_it_is_unloaded_when_nobody_used_it_for_so_long(settled: Settled) -> None:
    settled.wanted = LoadSettings(idle_seconds=1)
    async with aclosing(settled.provider.chat("tiny-llama", ask("Once", max_tokens=LONG, ignore_eos=True))) as chunks:
        await anext(chunks)
        pid = settled.process.pid
        settled.told.clear()
    async with asyncio.timeout(20):
        await settled.told.wait()
    assert (await listed(settled)).loaded is False
    text, _ = await collect(settled.provider.chat("tiny-llama", ask("Once upon a time")))
    assert text.strip()
    assert settled.process.pid != pid
    # Another number of seconds is no reason to load it anew.
    again = settled.process.pid
    settled.wanted = LoadSettings(idle_seconds=600)
    await collect(settled.provider.chat("tiny-llama", ask("Once upon a time")))
    assert settled.process.pid == again


async def test_it_is_not_unloaded_while_it_answers(config: ConfigManager, model: EngineModel) -> None:
    async with aclosing(Engine(config)) as engine:
        async with engine.hold(replace(model, idle_seconds=1)):
            pass
        async with engine.hold(replace(model, idle_seconds=1)) as process:
            assert not await process.ended(1.5)
        assert await process.ended(20)
    assert await children() == []


@pytest.mark.parametrize(
    "settings",
    [LoadSettings(kv="q8_0", flash_attention=False), LoadSettings(context=1), LoadSettings(kv="f32")],
)
async def test_settings_that_make_no_sense_are_refused_before_anything_is_loaded(
    settled: Settled, settings: LoadSettings
) -> None:
    with pytest.raises(UsageError):
        await settled.provider.load("tiny-llama", settings)
    assert await children() == []
    text, _ = await collect(settled.provider.chat("tiny-llama", ask("Once upon a time")))
    assert text.strip()


async def test_details_and_an_estimate_come_from_the_header(builtin: BuiltinProvider) -> None:
    told = await builtin.detail("tiny-llama")
    assert (told["architecture"], told["context"], told["quantisation"]) == ("llama", 4096, "Q8_0")
    assert "<|" in told["chat_template"]
    assert "tensors" not in told
    little = await builtin.estimate("tiny-llama", LoadSettings(context=512, kv="q8_0"))
    much = await builtin.estimate("tiny-llama", LoadSettings(context=4096))
    assert little["weights"] == much["weights"] > 3_000_000
    assert little["kv"] < much["kv"] / 8
    assert much["total"] > much["weights"]
    for call in (builtin.detail, builtin.estimate):
        with pytest.raises(NotFound):
            await call("no-such-model")


async def listed(settled: Settled) -> ServedModel:
    [model] = await settled.provider.models()
    return model
