"""LM Studio in its three ages: what each can be told, and how its models are loaded, fetched and linked."""

import errno
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from modelshelf.config import ConfigManager
from modelshelf.errors import NoPermission, NotFound, NotSignedIn, ProviderError, Unsupported, UsageError, WrongAddress
from modelshelf.library import ModelLibrary
from modelshelf.providers import Ability, HealthStatus, Progress, ProviderConfig, ProviderContext
from modelshelf.providers.adapters.lmstudio import LmStudioProvider
from modelshelf.providers.spec import LoadSettings
from modelshelf.vault import Secret
from tests.conftest import LoopRunner
from tests.core.providers.conftest import ask, collect
from tests.engines.lmstudio import KEY, LmStudioSimulator


@dataclass
class Studio:
    """An LM Studio with an adapter to it; `told` are the providers that were said to have changed."""

    provider: LmStudioProvider
    simulator: LmStudioSimulator
    told: list[str]
    key: list[str] = field(default_factory=list)
    wanted: dict[str, LoadSettings] = field(default_factory=dict)


type Start = Callable[..., Awaitable[Studio]]


@pytest.fixture
def start(loop: LoopRunner, config: ConfigManager, library: ModelLibrary, tmp_path: Path) -> Start:
    """Starts one."""

    async def started(age: str = "v1", *, key: str = "", url: str = "") -> Studio:
        simulator = LmStudioSimulator(age=age, key=key)
        simulator.add("tiny-llama")
        simulator.add("text-embedding-tiny", kind="embedding")
        await loop.stack.enter_async_context(simulator.serve())
        told: list[str] = []
        keys, wanted = [key], dict[str, LoadSettings]()

        async def find_key(_config: ProviderConfig, _model: str) -> Secret | None:
            return Secret(keys[0]) if keys[0] else None

        async def settings(_provider: str, model: str) -> LoadSettings:
            return wanted.get(model, LoadSettings())

        context = ProviderContext(config, library, told.append, find_key, settings)
        kept = {"models_dir": str(tmp_path / "studio")}
        made = LmStudioProvider(ProviderConfig("mine", "lmstudio", "Mine", url or simulator.url, True, kept), context)
        return Studio(await loop.stack.enter_async_context(aclosing(made)), simulator, told, keys, wanted)

    return started


async def progress(steps: AsyncGenerator[Progress, None]) -> list[Progress]:
    async with aclosing(steps) as found:
        return [step async for step in found]


async def test_a_listed_model_carries_what_lm_studio_tells(start: Start) -> None:
    studio = await start()
    studio.simulator.add("google/gemma-3-4b", vision=True, size=3_300_000_000)
    await studio.provider.load("google/gemma-3-4b", LoadSettings(context=8192))
    models = {model.name: model for model in await studio.provider.models()}
    gemma = models["google/gemma-3-4b"]
    assert (gemma.size, gemma.quantisation, gemma.architecture) == (3_300_000_000, "Q4_K_M", "llama")
    assert gemma.abilities == ("chat", "tools", "vision")
    assert (gemma.loaded, gemma.context, gemma.instances) == (True, 8192, ("google/gemma-3-4b",))
    assert (models["tiny-llama"].loaded, models["tiny-llama"].context) == (False, 32_768)
    assert models["text-embedding-tiny"].abilities == ("embed",)
    assert (await studio.provider.detail("google/gemma-3-4b"))["params_string"] == "3M"


@pytest.mark.parametrize(
    ("age", "reason", "gone"),
    [
        ("v0", "older than 0.4", {Ability.LOAD, Ability.UNLOAD, Ability.PULL}),
        ("openai", "older than 0.3.6", {Ability.LOAD, Ability.UNLOAD, Ability.PULL, Ability.LOADED, Ability.DETAIL}),
    ],
)
async def test_an_older_one_says_what_it_cannot(start: Start, age: str, reason: str, gone: set[Ability]) -> None:
    studio = await start(age)
    provider = studio.provider
    assert provider.abilities == LmStudioProvider.abilities
    models = {model.name: model for model in await provider.models()}
    assert models["tiny-llama"].loaded is (False if age == "v0" else None)
    assert models["text-embedding-tiny"].abilities == ("embed",)
    assert LmStudioProvider.abilities - provider.abilities == gone
    assert set(provider.missing) == set(Ability) - provider.abilities
    assert all(reason in provider.missing[ability] for ability in gone)
    assert studio.told == ["mine"]
    with pytest.raises(Unsupported, match=reason):
        await provider.load("tiny-llama")
    with pytest.raises(Unsupported, match=reason):
        await progress(provider.pull("qwen/qwen3-4b"))
    text, _ = await collect(provider.chat("tiny-llama", ask("hello")))
    assert text


async def test_one_that_was_never_asked_is_refused_with_the_reason_too(start: Start) -> None:
    studio = await start("v0")
    with pytest.raises(Unsupported, match=r"older than 0\.4"):
        await studio.provider.unload("tiny-llama")
    with pytest.raises(NotFound, match="no-such-model"):
        await (await start("v0")).provider.load("no-such-model")


async def test_a_newer_version_has_its_abilities_back(start: Start) -> None:
    studio = await start()
    for path in ("/api/v1/models", "/api/v0/models"):
        studio.simulator.hidden.add(path)
    await studio.provider.models()
    assert Ability.LOAD not in studio.provider.abilities
    studio.simulator.hidden.clear()
    await studio.provider.models()
    assert studio.provider.abilities == LmStudioProvider.abilities
    assert studio.told == ["mine", "mine"]


async def test_load_settings_are_sent_and_others_load_anew(start: Start) -> None:
    studio = await start()
    model = studio.simulator.models["tiny-llama"]
    studio.wanted["tiny-llama"] = LoadSettings(context=2048, flash_attention=False)
    await studio.provider.load("tiny-llama", LoadSettings(context=16_384))
    [config] = model.instances.values()
    assert (config["context_length"], config["flash_attention"]) == (16_384, False)
    await studio.provider.load("tiny-llama", LoadSettings(context=16_384))
    assert len(studio.simulator.asked("/api/v1/models/load")) == 1
    await studio.provider.load("tiny-llama")
    [config] = model.instances.values()
    assert config["context_length"] == 2048


async def test_unload_ends_every_instance(start: Start) -> None:
    studio = await start()
    model = studio.simulator.models["tiny-llama"]
    model.instances = {"tiny-llama": {"context_length": 4096}, "tiny-llama:2": {"context_length": 8192}}
    await studio.provider.unload("tiny-llama:2")
    assert model.instances == {}


async def test_a_question_says_how_long_the_model_may_stay(start: Start) -> None:
    studio = await start()
    studio.wanted["tiny-llama"] = LoadSettings(idle_seconds=300)
    await collect(studio.provider.chat("tiny-llama", ask("hello")))
    assert studio.simulator.ttls == {"tiny-llama": 300}
    await studio.provider.embed("text-embedding-tiny", ["one"])
    assert studio.simulator.ttls["text-embedding-tiny"] is None


async def test_a_question_loads_the_model_as_wanted_but_disturbs_none_that_is_loaded(start: Start) -> None:
    studio = await start()
    model = studio.simulator.models["tiny-llama"]
    studio.wanted["tiny-llama"] = LoadSettings(context=2048)
    await collect(studio.provider.chat("tiny-llama", ask("hello")))
    assert [config["context_length"] for config in model.instances.values()] == [2048]
    studio.wanted["tiny-llama"] = LoadSettings(context=1024)
    await collect(studio.provider.chat("tiny-llama", ask("hello")))
    assert [config["context_length"] for config in model.instances.values()] == [2048]


async def test_pull_follows_the_download_through_a_pause(start: Start) -> None:
    studio = await start()
    steps = await progress(studio.provider.pull("qwen/qwen3-4b"))
    assert [step.status for step in steps] == ["downloading", "paused", "downloading", "completed"]
    assert [step.done for step in steps] == [0, 666_666, 1_333_333, 2_000_000]
    assert steps[-1].total == 2_000_000
    assert "qwen/qwen3-4b" in {model.name for model in await studio.provider.models()}
    assert studio.told == ["mine"]
    [step] = await progress(studio.provider.pull("qwen/qwen3-4b"))
    assert step.status == "already_downloaded"


async def test_a_link_to_the_hub_may_name_the_quantisation(start: Start) -> None:
    studio = await start()
    studio.simulator.catalogue["samples/tiny-GGUF"] = 1000
    studio.simulator.course = ["downloading", "completed"]
    await progress(studio.provider.pull("hf.co/samples/tiny-GGUF:Q8_0"))
    [body] = studio.simulator.asked("/api/v1/models/download")
    assert body == {"model": "https://huggingface.co/samples/tiny-GGUF", "quantization": "Q8_0"}


async def test_a_download_that_fails_or_is_of_nothing_is_told(start: Start) -> None:
    studio = await start()
    studio.simulator.course = ["downloading", "failed"]
    with pytest.raises(ProviderError, match="did not fetch qwen/qwen3-4b: failed"):
        await progress(studio.provider.pull("qwen/qwen3-4b"))
    with pytest.raises(NotFound, match="was not found"):
        await progress(studio.provider.pull("qwen/none"))


async def test_a_model_that_is_not_loaded_on_demand_is_named(start: Start) -> None:
    studio = await start()
    studio.simulator.jit = False
    with pytest.raises(NotFound, match="tiny-llama"):
        await collect(studio.provider.chat("tiny-llama", ask("hello")))


async def test_the_key_is_proven_and_what_it_may_not_do_is_told(start: Start) -> None:
    studio = await start(key=KEY)
    assert await studio.provider.check_key() == ""
    studio.simulator.denied.add("/api/v1/models/load")
    with pytest.raises(NoPermission, match="may not do that"):
        await studio.provider.load("tiny-llama")
    studio.key[0] = ""
    with pytest.raises(NotSignedIn):
        await studio.provider.check_key()
    assert (await studio.provider.health()).status is HealthStatus.REFUSED
    # A refusal is no sign of an older version.
    assert not [path for _, path, _ in studio.simulator.requests if path == "/api/v0/models"]


async def test_a_server_without_keys_says_so(start: Start) -> None:
    assert await (await start()).provider.check_key() == "This LM Studio asks for no key."


async def test_something_else_at_the_address_is_told(start: Start) -> None:
    studio = await start("openai")
    studio.simulator.hidden.add("/v1/models")
    with pytest.raises(WrongAddress, match="no list of models"):
        await studio.provider.models()


async def test_a_file_is_linked_without_a_second_copy(start: Start, gguf: Path, tmp_path: Path) -> None:
    studio = await start()
    steps = await progress(studio.provider.register(gguf, "samples/tiny:Q8_0"))
    target = tmp_path / "studio" / "samples" / "tiny-Q8_0" / gguf.name
    assert target.samefile(gguf)
    assert not target.is_symlink()
    assert steps[-1] == Progress("linked", gguf.stat().st_size, gguf.stat().st_size)
    await progress(studio.provider.register(gguf, "samples/tiny:Q8_0"))
    await progress(studio.provider.register(gguf, "tiny"))
    assert (tmp_path / "studio" / "modelshelf" / "tiny" / gguf.name).samefile(gguf)


async def test_a_link_in_the_cache_is_followed_to_the_bytes(start: Start, cached: Path, tmp_path: Path) -> None:
    file = next(cached.glob("*.gguf"))
    assert file.is_symlink()
    await progress((await start()).provider.register(file, "tiny"))
    target = tmp_path / "studio" / "modelshelf" / "tiny" / file.name
    assert not target.is_symlink()
    assert target.samefile(file)


async def test_every_part_of_a_split_model_is_linked_or_none(start: Start, tmp_path: Path) -> None:
    parts = [tmp_path / f"big-0000{number}-of-00002.gguf" for number in (1, 2)]
    parts[0].write_bytes(b"GGUF one")
    studio = await start()
    with pytest.raises(NotFound, match="00002-of-00002"):
        await progress(studio.provider.register(parts[0], "big"))
    parts[1].write_bytes(b"GGUF two")
    folder = tmp_path / "studio" / "modelshelf" / "big"
    folder.mkdir(parents=True)
    (folder / parts[0].name).write_text("another")
    with pytest.raises(UsageError, match="not overwritten"):
        await progress(studio.provider.register(parts[0], "big"))
    assert [file.name for file in folder.iterdir()] == [parts[0].name]
    assert (folder / parts[0].name).read_text() == "another"
    (folder / parts[0].name).unlink()
    await progress(studio.provider.register(parts[0], "big"))
    assert all((folder / part.name).samefile(part) for part in parts)


@pytest.mark.parametrize("name", ["..", "///", "../..", ""])
async def test_a_name_that_leads_elsewhere_is_refused(start: Start, gguf: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        await progress((await start()).provider.register(gguf, name))
    assert not (tmp_path / "studio").exists()


async def test_another_machine_s_folder_is_out_of_reach(start: Start, gguf: Path) -> None:
    provider = (await start(url="https://studio.example")).provider
    assert Ability.REGISTER_LINK not in provider.abilities
    assert "another machine" in provider.missing[Ability.REGISTER_LINK]
    with pytest.raises(Unsupported, match="another machine"):
        await progress(provider.register(gguf, "tiny"))


async def test_on_another_disk_it_is_linked_by_name_and_the_cost_of_a_copy_told(
    start: Start, gguf: Path, tmp_path: Path
) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == gguf.stat().st_dev or not os.access(other, os.W_OK):
        pytest.skip("there is one file system only")
    file = other / f"modelshelf-{os.getpid()}.gguf"
    file.write_bytes(b"GGUF elsewhere")
    try:
        with pytest.raises(OSError) as caught:
            os.link(file, tmp_path / "probe")
        assert caught.value.errno == errno.EXDEV
        steps = await progress((await start()).provider.register(file, "tiny"))
        target = tmp_path / "studio" / "modelshelf" / "tiny" / file.name
        assert target.is_symlink()
        assert target.samefile(file)
        assert "a copy on that disk would take" in steps[-1].status
    finally:
        file.unlink()
