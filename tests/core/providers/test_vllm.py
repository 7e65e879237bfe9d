"""What is vLLM's own: routes beside the API that no key guards, adapters, and no way to load anything."""

from collections.abc import Callable, Iterator

import pytest

from modelshelf.config import ConfigManager
from modelshelf.errors import NotSignedIn
from modelshelf.library import ModelLibrary
from modelshelf.providers import Ability, HealthStatus, ProviderConfig, ProviderContext
from modelshelf.providers.adapters.vllm import VllmProvider
from modelshelf.vault import Secret
from tests.conftest import LoopRunner
from tests.core.providers.conftest import ask, collect
from tests.engines.faults import Fault
from tests.engines.vllm import VERSION, VllmSimulator

Make = Callable[..., VllmProvider]


@pytest.fixture
def simulator(loop: LoopRunner) -> VllmSimulator:
    return loop.enter(VllmSimulator(key="sk-vllm").serve())


@pytest.fixture
def make(loop: LoopRunner, config: ConfigManager, library: ModelLibrary) -> Iterator[Make]:
    """Makes adapters, which are closed at the end."""
    config.set("providers.timeout_seconds", 5.0)
    every: list[VllmProvider] = []

    def made(url: str, key: str = "sk-vllm") -> VllmProvider:
        async def found(_config: ProviderConfig, _model: str) -> Secret | None:
            return Secret(key) if key else None

        context = ProviderContext(config, library, key=found)
        every.append(VllmProvider(ProviderConfig("mine", "vllm", "My vLLM", url), context))
        return every[-1]

    yield made
    for provider in every:
        loop.runner.run(provider.aclose())


@pytest.mark.parametrize("path", ["", "/v1", "/v1/", "/v1/chat/completions"])
async def test_the_root_and_the_api_are_both_its_address(simulator: VllmSimulator, make: Make, path: str) -> None:
    provider = make(simulator.url + path)
    health = await provider.health()
    assert (health.status, health.version, health.detail) == (HealthStatus.WELL, VERSION, "")
    assert {path for _, path, _ in simulator.requests} == {"/health", "/version", "/v1/models"}
    text, _ = await collect(provider.chat("tiny-llama", ask("hello")))
    assert text


async def test_an_adapter_names_the_model_that_it_changes(simulator: VllmSimulator, make: Make) -> None:
    simulator.add("org/base", root="org/base")
    simulator.add("poet", root="/loras/poet", parent="tiny-llama", max_model_len=None)
    base, named, poet = await make(simulator.url).models()
    assert (base.context, base.loaded, base.repo) == (8192, True, None)
    assert named.repo == "org/base"
    assert poet.extra == {"owned_by": "vllm", "root": "/loras/poet", "parent": "tiny-llama"}


async def test_open_routes_do_not_hide_a_wrong_key(simulator: VllmSimulator, make: Make) -> None:
    for key in ("sk-wrong", ""):
        assert (await make(simulator.url, key).health()).status is HealthStatus.REFUSED
        with pytest.raises(NotSignedIn):
            await make(simulator.url, key or "sk-other").check_key()
    assert await make(simulator.url).check_key() == ""


async def test_a_dead_engine_behind_a_living_server_is_down(simulator: VllmSimulator, make: Make) -> None:
    simulator.dead = True
    health = await make(simulator.url).health()
    assert health.status is HealthStatus.DOWN
    assert "503" in health.detail


async def test_one_too_old_to_tell_its_version(simulator: VllmSimulator, make: Make) -> None:
    simulator.hidden.add("/version")
    health = await make(simulator.url).health()
    assert (health.status, health.version) == (HealthStatus.WELL, "")


async def test_something_else_at_its_address_is_down(simulator: VllmSimulator, make: Make) -> None:
    simulator.faults.by_path = {"/v1/models": Fault.PAGE}
    assert (await make(simulator.url).health()).status is HealthStatus.DOWN


async def test_what_it_cannot_do_comes_with_the_command_that_does(make: Make) -> None:
    provider = make("http://127.0.0.1:9")
    for ability in (Ability.LOAD, Ability.REGISTER_PATH, Ability.PULL):
        assert "`vllm serve" in provider.missing[ability]
    assert all(why.endswith(".") for why in provider.missing.values())


async def test_one_that_others_reach_unencrypted_is_known(make: Make) -> None:
    addresses = ("http://127.0.0.1:8000", "http://10.0.0.5:8000", "https://10.0.0.5:8000")
    assert [make(address).exposed for address in addresses] == [False, True, False]
