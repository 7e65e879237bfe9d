"""What the contract suite runs against: each adapter with the real thing or a simulator behind it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from modelshelf.providers.adapters.anthropic import AnthropicProvider
from modelshelf.providers.adapters.cloud import factory_of
from modelshelf.providers.adapters.compatible import CompatibleProvider
from modelshelf.providers.adapters.llamacpp import LlamaCppProvider
from modelshelf.providers.adapters.lmstudio import LmStudioProvider
from modelshelf.providers.adapters.ollama import OllamaProvider
from modelshelf.providers.adapters.openai_cloud import OpenAIProvider
from modelshelf.providers.adapters.vllm import VllmProvider
from modelshelf.providers.cloud_services import CloudModel, CloudService
from modelshelf.providers.spec import Ability
from tests.engines.anthropic import KEY as ANTHROPIC_KEY
from tests.engines.anthropic import AnthropicSimulator
from tests.engines.cloud import KEY as CLOUD_KEY
from tests.engines.cloud import CloudSimulator
from tests.engines.compatible import CompatibleSimulator
from tests.engines.llamacpp import LlamaCppSimulator
from tests.engines.lmstudio import KEY as LMSTUDIO_KEY
from tests.engines.lmstudio import LmStudioSimulator
from tests.engines.ollama import OllamaSimulator
from tests.engines.openai_cloud import EMBEDDER, OpenAISimulator
from tests.engines.openai_cloud import KEY as OPENAI_KEY
from tests.engines.openai_cloud import MODEL as OPENAI_MODEL
from tests.engines.vllm import VllmSimulator


def _ollama() -> OllamaSimulator:
    simulator = OllamaSimulator()
    simulator.add("tiny-llama")
    return simulator


def _anthropic() -> AnthropicSimulator:
    simulator = AnthropicSimulator(key=ANTHROPIC_KEY)
    simulator.add("claude-tiny-4-5")
    return simulator


def _lmstudio(age: str = "v1") -> LmStudioSimulator:
    simulator = LmStudioSimulator(key=LMSTUDIO_KEY if age == "v1" else "", age=age)
    simulator.add("tiny-llama")
    simulator.add("text-embedding-tiny", kind="embedding")
    return simulator


def _llamacpp(*, router: bool = False) -> LlamaCppSimulator:
    simulator = LlamaCppSimulator(key=LLAMACPP_KEY, router=router)
    simulator.add("tiny-llama")
    return simulator


@dataclass(frozen=True)
class Subject:
    """An adapter, what stands behind it, the model that is asked and its embedder; `path` follows the address.

    `key` is the key that the simulator wants; `settings` those of the provider. `lacks` are abilities of the adapter
    that this version or mode turns out not to have.
    """

    adapter: Any
    simulator: Callable[[], Any]
    model: str = "tiny-llama"
    embedder: str = ""
    path: str = ""
    key: str = ""
    settings: tuple[tuple[str, Any], ...] = ()
    lacks: frozenset[Ability] = frozenset()


LLAMACPP_KEY = "llama-simulated-000000"
CLOUD = CloudService(
    "cloudy",
    "Cloudy",
    "https://api.cloudy.example/v1",
    ("CLOUDY_API_KEY",),
    models={"tiny-embed": CloudModel("tiny-embed", abilities=("embed",))},
    proof="key",
)
# The built-in engine is the real one and takes part by the name "builtin".
SUBJECTS: dict[str, Subject] = {
    "ollama": Subject(OllamaProvider, _ollama, embedder="tiny-llama"),
    "lmstudio": Subject(LmStudioProvider, _lmstudio, embedder="text-embedding-tiny", key=LMSTUDIO_KEY),
    "lmstudio-v0": Subject(
        LmStudioProvider,
        lambda: _lmstudio("v0"),
        embedder="text-embedding-tiny",
        lacks=frozenset({Ability.LOAD, Ability.UNLOAD, Ability.PULL}),
    ),
    "llamacpp": Subject(
        LlamaCppProvider,
        _llamacpp,
        embedder="tiny-llama",
        key=LLAMACPP_KEY,
        lacks=frozenset({Ability.LOAD, Ability.UNLOAD, Ability.PULL, Ability.DELETE, Ability.REGISTER_LINK}),
    ),
    "llamacpp-router": Subject(
        LlamaCppProvider,
        lambda: _llamacpp(router=True),
        embedder="tiny-llama",
        key=LLAMACPP_KEY,
        lacks=frozenset({Ability.REGISTER_LINK}),
    ),
    "vllm": Subject(VllmProvider, VllmSimulator, embedder="tiny-llama"),
    "vllm-key": Subject(VllmProvider, partial(VllmSimulator, key="sk-vllm"), embedder="tiny-llama", key="sk-vllm"),
    "openai": Subject(
        OpenAIProvider, OpenAISimulator, model=OPENAI_MODEL, embedder=EMBEDDER, path="/v1", key=OPENAI_KEY
    ),
    "openai-thinking": Subject(OpenAIProvider, OpenAISimulator, model="o3-mini", path="/v1", key=OPENAI_KEY),
    "cloud": Subject(factory_of(CLOUD), CloudSimulator, embedder="tiny-embed", path="/v1", key=CLOUD_KEY),
    "compatible": Subject(CompatibleProvider, CompatibleSimulator, embedder="tiny-embed", path="/v1"),
    "compatible-key": Subject(
        CompatibleProvider,
        partial(CompatibleSimulator, key="sk-compatible"),
        embedder="tiny-embed",
        key="sk-compatible",
    ),
    "compatible-typed": Subject(
        CompatibleProvider, partial(CompatibleSimulator, form="missing"), settings=(("models", ["tiny-llama"]),)
    ),
    "anthropic": Subject(AnthropicProvider, _anthropic, model="claude-tiny-4-5", key=ANTHROPIC_KEY),
}
EVERY = ("builtin", *SUBJECTS)
EVERY_SIMULATED = tuple(SUBJECTS)
EVERY_KEYED = tuple(name for name, subject in SUBJECTS.items() if subject.key)


def able(ability: Any) -> tuple[str, ...]:
    """The simulated subjects that have an ability."""
    return tuple(
        name
        for name, subject in SUBJECTS.items()
        if ability in subject.adapter.abilities and ability not in subject.lacks
    )
