"""Ollama's own quirks, and every way to misbehave: each a clear error in bounded time."""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import pytest

from modelshelf.config import ConfigManager
from modelshelf.errors import NotFound, ProviderError, Unreachable, UsageError, WrongAddress
from modelshelf.library import ModelLibrary
from modelshelf.providers import HealthStatus, Progress, ProviderConfig, ProviderContext
from modelshelf.providers.adapters.ollama import OllamaProvider
from modelshelf.samples.certificates import certificates
from tests.conftest import LoopRunner
from tests.core.providers.conftest import ask, collect
from tests.engines.faults import Fault
from tests.engines.ollama import OllamaSimulator


@pytest.fixture
def changed() -> list[str]:
    """The providers whose models were told to be others."""
    return []


@pytest.fixture
def provider(
    loop: LoopRunner, config: ConfigManager, library: ModelLibrary, ollama: OllamaSimulator, changed: list[str]
) -> OllamaProvider:
    config.set("providers.timeout_seconds", 5.0)
    context = ProviderContext(config, library, changed.append)
    return loop.enter(aclosing(OllamaProvider(ProviderConfig("mine", "ollama", "My Ollama", ollama.url), context)))


async def progress(steps: AsyncGenerator[Progress, None]) -> list[Progress]:
    async with aclosing(steps) as found:
        return [step async for step in found]


async def test_a_listed_model_carries_what_ollama_tells(provider: OllamaProvider, ollama: OllamaSimulator) -> None:
    ollama.add("qwen3:8b", size=5_200_000_000, family="qwen3")
    model = next(model for model in await provider.models() if model.name == "qwen3:8b")
    assert (model.size, model.quantisation, model.architecture) == (5_200_000_000, "Q4_K_M", "qwen3")
    assert (await provider.detail("qwen3:8b"))["model_info"]["qwen3.context_length"] == 8192


async def test_five_thousand_models_do_not_hold_up_the_loop(provider: OllamaProvider, ollama: OllamaSimulator) -> None:
    for number in range(5000):
        ollama.add(f"model-{number}")
    assert len(await provider.models()) == 5001


async def test_an_ollama_too_old_to_say_what_is_loaded(provider: OllamaProvider, ollama: OllamaSimulator) -> None:
    ollama.hidden.add("/api/ps")
    [model] = await provider.models()
    assert model.loaded is None


async def test_the_request_carries_limit_and_temperature(provider: OllamaProvider, ollama: OllamaSimulator) -> None:
    await collect(provider.chat("tiny-llama", ask("hello", max_tokens=3)))
    [body] = ollama.asked("/api/chat")
    assert body["options"] == {"num_predict": 3, "temperature": 0.0}
    assert body["messages"] == [{"role": "user", "content": "hello"}]


async def test_pull_reports_its_progress(provider: OllamaProvider, ollama: OllamaSimulator, changed: list[str]) -> None:
    steps = await progress(provider.pull("gemma3"))
    assert [step.done for step in steps if step.total] == [0, 1000, 2000]
    assert steps[-1].status == "success"
    assert "gemma3:latest" in ollama.models
    assert changed == ["mine"]


async def test_an_error_inside_the_stream_is_an_error(provider: OllamaProvider) -> None:
    with pytest.raises(ProviderError, match="My Ollama answers: pull model manifest: file does not exist"):
        await progress(provider.pull("missing"))


async def test_a_file_is_registered_by_upload_once(
    provider: OllamaProvider, ollama: OllamaSimulator, gguf: Path
) -> None:
    steps = await progress(provider.register(gguf, "mine"))
    digest = hashlib.sha256(gguf.read_bytes()).hexdigest()
    assert ollama.blobs == {f"sha256:{digest}": gguf.stat().st_size}
    assert steps[-1].status == "success"
    assert "copying" in {step.status for step in steps}
    again = await progress(provider.register(gguf, "mine-too"))
    assert "copying" not in {step.status for step in again}
    assert {model.name for model in await provider.models()} >= {"mine:latest", "mine-too:latest"}


async def test_a_part_of_a_split_model_is_not_uploaded(provider: OllamaProvider, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="several parts"):
        await progress(provider.register(tmp_path / "big-00001-of-00002.gguf", "big"))


async def test_delete_forgets_a_model(provider: OllamaProvider, ollama: OllamaSimulator) -> None:
    await provider.delete("tiny-llama")
    assert ollama.models == {}
    with pytest.raises(NotFound):
        await provider.delete("tiny-llama")


async def test_a_limit_says_when_to_come_back(provider: OllamaProvider, ollama: OllamaSimulator) -> None:
    ollama.faults.everywhere(Fault.LIMITED)
    with pytest.raises(ProviderError) as caught:
        await provider.models()
    assert caught.value.remedy == "Try again in 7 s."


async def test_a_redirect_is_not_followed(provider: OllamaProvider, ollama: OllamaSimulator) -> None:
    ollama.faults.everywhere(Fault.REDIRECT)
    with pytest.raises(WrongAddress, match="redirects to another address; that was not followed"):
        await provider.models()


async def test_nobody_listening_is_down_with_a_remedy(config: ConfigManager, library: ModelLibrary) -> None:
    # Port 1 needs root to listen on and has no service.
    config_ = ProviderConfig("gone", "ollama", "Gone", "http://127.0.0.1:1")
    async with aclosing(OllamaProvider(config_, ProviderContext(config, library))) as provider:
        health = await provider.health()
        assert health.status is HealthStatus.DOWN
        assert health.detail == "Gone does not answer at http://127.0.0.1:1."
        assert health.remedy
        with pytest.raises(Unreachable):
            await provider.models()


async def test_https_wants_a_certificate_that_is_trusted(
    config: ConfigManager, library: ModelLibrary, samples_folder: Path
) -> None:
    made = certificates(samples_folder / "tls")
    async with OllamaSimulator().serve(made.server_context()) as simulator:
        settings = ProviderConfig("tls", "ollama", "Far", simulator.url)
        async with aclosing(OllamaProvider(settings, ProviderContext(config, library))) as stranger:
            health = await stranger.health()
        assert health.status is HealthStatus.DOWN
        assert "no certificate that can be trusted" in health.detail
        config.set("network.ca_file", str(made.ca))
        async with aclosing(OllamaProvider(settings, ProviderContext(config, library))) as friend:
            assert (await friend.health()).status is HealthStatus.WELL


async def test_offline_only_this_machine_is_asked(
    provider: OllamaProvider, config: ConfigManager, library: ModelLibrary
) -> None:
    config.set("network.offline", True)
    assert (await provider.health()).status is HealthStatus.WELL
    far = ProviderConfig("far", "ollama", "Far", "https://192.0.2.1")
    async with aclosing(OllamaProvider(far, ProviderContext(config, library))) as other:
        assert (await other.health()).detail == "Far was not asked: the settings say to stay offline."
