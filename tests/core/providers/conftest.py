"""A real library with the sample model in a real cache, the real engine, and simulators of the others."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import psutil
import pytest

from modelshelf.access import AccessService
from modelshelf.config import ConfigManager
from modelshelf.events import EventBus
from modelshelf.library import ModelLibrary
from modelshelf.providers import ChatChunk, ChatMessage, ChatRequest, ProviderConfig, ProviderContext
from modelshelf.providers.adapters.builtin import BuiltinProvider
from modelshelf.providers.engine import Engine, EngineModel
from modelshelf.providers.registry import ProviderRegistry
from modelshelf.samples import CHAT_REPO
from modelshelf.samples.shipped import repositories
from modelshelf.store import Store
from modelshelf.vault import Vault
from modelshelf.vetting import VettingService
from tests.conftest import LoopRunner, running
from tests.engines.ollama import OllamaSimulator

COMMIT = "1" * 40
LONG = {"ignore_eos": True}


@pytest.fixture(scope="session")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample model's file."""
    folder = tmp_path_factory.mktemp("models")
    repositories(folder)
    return next(folder.rglob(f"{CHAT_REPO}/*.gguf"))


@pytest.fixture
def cached(config: ConfigManager, gguf: Path) -> Path:
    """The sample model in the cache, as huggingface_hub lays it out."""
    return install(config.paths.cache, "samples/tiny-llama-GGUF", gguf)


def install(cache: Path, repo: str, *files: Path) -> Path:
    """Put files into the cache as a repository; returns the snapshot."""
    folder = cache / ("models--" + repo.replace("/", "--"))
    snapshot = folder / "snapshots" / COMMIT
    for made in (folder / "blobs", folder / "refs", snapshot):
        made.mkdir(parents=True, exist_ok=True)
    (folder / "refs" / "main").write_text(COMMIT)
    for file in files:
        data = file.read_bytes()
        blob = folder / "blobs" / hashlib.sha256(data).hexdigest()
        blob.write_bytes(data)
        (snapshot / file.name).symlink_to(blob)
    return snapshot


@pytest.fixture
def library(
    loop: LoopRunner, config: ConfigManager, store: Store, events: EventBus, access: AccessService
) -> ModelLibrary:
    """The library of the cache."""
    vetting = VettingService(config, store, events, access)
    return loop.enter(running(ModelLibrary(config, store, events, access, vetting)))


@pytest.fixture
def vault(loop: LoopRunner, config: ConfigManager, store: Store, access: AccessService) -> Vault:
    """An open vault without secrets."""
    return loop.enter(running(Vault(config, store, access)))


@pytest.fixture
def registry(
    loop: LoopRunner,
    config: ConfigManager,
    store: Store,
    events: EventBus,
    access: AccessService,
    library: ModelLibrary,
    vault: Vault,
    ollama: OllamaSimulator,
) -> ProviderRegistry:
    """A registry whose machine has the simulated Ollama, not the developer's own."""
    config.environ["OLLAMA_HOST"] = ollama.url
    return loop.enter(running(ProviderRegistry(config, store, events, access, library, vault)))


@pytest.fixture
def joined(loop: LoopRunner, registry: ProviderRegistry) -> None:
    """The simulated Ollama was found and is among the providers: the list changes no more by itself."""

    async def wait() -> None:
        async with asyncio.timeout(5):
            while len(await registry.list()) < 2:
                await asyncio.sleep(0.01)

    loop.runner.run(wait())


@pytest.fixture
def builtin(loop: LoopRunner, config: ConfigManager, library: ModelLibrary, cached: Path) -> BuiltinProvider:
    """The built-in engine with the sample model."""
    made = BuiltinProvider(ProviderConfig("builtin", "builtin", "Built-in engine"), ProviderContext(config, library))
    return loop.enter(aclosing(made))


@pytest.fixture
def ollama(loop: LoopRunner) -> OllamaSimulator:
    """A simulated Ollama with one model."""
    simulator = OllamaSimulator()
    simulator.add("tiny-llama")
    return loop.enter(simulator.serve())


def ask(*turns: str, max_tokens: int = 24, **extra: object) -> ChatRequest:
    """A request; turns are the user's and the assistant's by turns."""
    roles = ("user", "assistant")
    messages = tuple(ChatMessage(roles[number % 2], text) for number, text in enumerate(turns))
    return ChatRequest(messages, max_tokens=max_tokens, temperature=0.0, extra=extra)


async def collect(answer: AsyncGenerator[ChatChunk, None]) -> tuple[str, list[ChatChunk]]:
    """The whole text and its pieces."""
    async with aclosing(answer) as chunks:
        pieces = [chunk async for chunk in chunks]
    return "".join(piece.text for piece in pieces), pieces


@pytest.fixture
def model(gguf: Path) -> EngineModel:
    return EngineModel(gguf, "tiny-llama", context=4096)


@pytest.fixture
def engine(loop: LoopRunner, config: ConfigManager) -> Engine:
    return loop.enter(aclosing(Engine(config)))


async def children() -> list[int]:
    return [child.pid for child in await asyncio.to_thread(psutil.Process().children)]
