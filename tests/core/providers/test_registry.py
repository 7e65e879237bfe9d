"""Which providers there are: added, changed, found, removed; one that is dead costs the others nothing."""

import asyncio

import pytest

from modelshelf.access import AccessService, Principal, Role, acting_as
from modelshelf.config import ConfigManager
from modelshelf.errors import (
    NotFound,
    ProviderError,
    RoleRequired,
    Unreachable,
    UnsafeAddress,
    UsageError,
)
from modelshelf.events import EventBus, ProviderChanged
from modelshelf.library import ModelLibrary
from modelshelf.providers import ProviderConfig, ProviderRegistry
from modelshelf.store import Store
from modelshelf.vault import Vault
from tests.conftest import running
from tests.core.providers.conftest import ask, collect
from tests.engines.faults import Fault
from tests.engines.ollama import OllamaSimulator

GONE = "http://127.0.0.1:1"


async def found(registry: ProviderRegistry) -> ProviderConfig:
    """The Ollama that joins by itself."""
    async with asyncio.timeout(5):
        while not (others := (await registry.list())[1:]):
            await asyncio.sleep(0.01)
    return others[0]


async def test_the_built_in_engine_is_always_first(registry: ProviderRegistry) -> None:
    assert (await registry.list())[0].id == "builtin"
    assert {"builtin", "ollama"} <= set(registry.kinds())


async def test_an_ollama_on_this_machine_joins_by_itself_once(
    registry: ProviderRegistry, ollama: OllamaSimulator, events: EventBus
) -> None:
    config = await found(registry)
    assert (config.id, config.kind, config.url) == ("ollama", "ollama", ollama.url)
    assert await registry.discover() == []
    assert [model.id for model in await registry.models("ollama")] == ["ollama/tiny-llama:latest"]


async def test_one_that_was_removed_is_not_found_again(
    registry: ProviderRegistry, config: ConfigManager, store: Store, events: EventBus, access: AccessService,
    library: ModelLibrary, vault: Vault, ollama: OllamaSimulator,
) -> None:  # fmt: skip
    await found(registry)
    await registry.remove("ollama")
    again = ProviderRegistry(config, store, events, access, library, vault)
    async with running(again):
        assert [item.url for item in await again.discover()] == [ollama.url]
        assert again._search
        await again._search
        assert [item.id for item in await again.list()] == ["builtin"]
        added = await again.add("ollama", url=ollama.url)
        assert added.id == "ollama"
        assert len(await again.list()) == 2


async def test_what_answers_on_the_port_but_is_no_ollama_does_not_join(
    registry: ProviderRegistry, ollama: OllamaSimulator
) -> None:
    await found(registry)
    await registry.remove("ollama")
    ollama.faults.everywhere(Fault.PAGE)
    assert await registry.discover() == []


async def test_adding_tells_others_and_survives(registry: ProviderRegistry, events: EventBus, store: Store) -> None:
    with events.subscribe() as told:
        added = await registry.add("ollama", url=GONE + "/base/", provider="work", name=" Work  machine ")
        assert added == ProviderConfig("work", "ollama", "Work machine", GONE + "/base", True, {})
        async with asyncio.timeout(2):
            async for event in told:
                if event == ProviderChanged(provider="work"):
                    break
    assert added in await registry.list()


async def test_ids_are_unique_and_plain(registry: ProviderRegistry) -> None:
    first = await registry.add("ollama", url=GONE, provider="mine")
    assert first.id == "mine"
    with pytest.raises(UsageError, match="already"):
        await registry.add("ollama", url=GONE, provider="mine")
    with pytest.raises(UsageError, match="already"):
        await registry.add("ollama", url=GONE, provider="builtin")
    for wrong in ("a/b", "Ä", "x" * 41, "-"):
        with pytest.raises(UsageError, match="no id"):
            await registry.add("ollama", url=GONE, provider=wrong)
    with pytest.raises(UsageError, match="no kind"):
        await registry.add("magic")
    with pytest.raises(UsageError, match="1 to 100"):
        await registry.add("ollama", url=GONE, name="x" * 101)


async def test_our_own_address_is_no_provider(registry: ProviderRegistry, config: ConfigManager) -> None:
    with pytest.raises(UnsafeAddress, match="itself"):
        await registry.add("ollama", url=f"http://127.0.0.1:{config.config.server.port}")


async def test_a_refused_change_changes_nothing(registry: ProviderRegistry) -> None:
    await found(registry)
    await registry.add("ollama", url=GONE, provider="mine", name="Mine")
    before = await registry.list()
    with pytest.raises(UsageError):
        await registry.change("mine", name="New", url="http://user:pass@127.0.0.1")
    with pytest.raises(NotFound, match="no provider “none”"):
        await registry.change("none", name="New")
    assert await registry.list() == before


async def test_a_changed_address_is_used_at_once(registry: ProviderRegistry, ollama: OllamaSimulator) -> None:
    await registry.add("ollama", url=GONE, provider="mine")
    with pytest.raises(Unreachable):
        await registry.models("mine")
    await registry.change("mine", url=ollama.url)
    assert await registry.models("mine")


async def test_switched_off_it_is_not_asked(registry: ProviderRegistry, ollama: OllamaSimulator) -> None:
    await found(registry)
    await registry.enable("ollama", False)
    asked = len(ollama.requests)
    with pytest.raises(ProviderError, match="switched off"):
        await registry.models("ollama")
    assert await registry.models() == []
    assert len(ollama.requests) == asked
    await registry.enable("ollama")
    assert await registry.models("ollama")


async def test_the_built_in_engine_can_be_switched_off_but_not_removed(registry: ProviderRegistry) -> None:
    with pytest.raises(UsageError, match="cannot be removed"):
        await registry.remove("builtin")
    assert (await registry.enable("builtin", False)).enabled is False
    assert next(item.enabled for item in await registry.list()) is False
    assert (await registry.enable("builtin")).enabled is True


async def test_only_an_admin_changes_providers_and_an_operator_loads(
    registry: ProviderRegistry, access: AccessService
) -> None:
    await registry.add("ollama", url=GONE, provider="mine")
    deeds = (
        lambda: registry.add("ollama", url=GONE, provider="other"),
        lambda: registry.change("mine", name="x"),
        lambda: registry.enable("mine", False),
        lambda: registry.remove("mine"),
    )
    with acting_as(Principal("eve", Role.OPERATOR)):
        for deed in deeds:
            with pytest.raises(RoleRequired):
                await deed()
    with acting_as(Principal("val", Role.VIEWER)), pytest.raises(RoleRequired):
        await registry.load("mine/model")
    refused = [row for row in await access.audit() if row["outcome"] == "refused"]
    assert {row["principal"] for row in refused} == {"eve", "val"}
    assert len(await registry.list()) >= 2


async def test_a_dead_provider_costs_the_others_nothing(
    registry: ProviderRegistry, config: ConfigManager, ollama: OllamaSimulator
) -> None:
    config.set("providers.timeout_seconds", 1.0)
    await found(registry)
    async with OllamaSimulator().serve() as hung:
        hung.faults.everywhere(Fault.SILENT)
        for number in range(5):
            await registry.add("ollama", url=GONE, provider=f"dead-{number}")
            await registry.add("ollama", url=hung.url + f"/{number}", provider=f"hung-{number}")
        async with asyncio.timeout(3):
            offers = {offer.provider.id: offer for offer in await registry.offers()}
        assert [model.name for model in offers["ollama"].models] == ["tiny-llama:latest"]
        failed = {id_ for id_, offer in offers.items() if offer.error}
        assert failed == {f"{how}-{number}" for how in ("dead", "hung") for number in range(5)}
        assert all(isinstance(offers[id_].error, Unreachable) for id_ in failed)
        hung.faults.released.set()


async def test_load_and_unload_by_served_name(registry: ProviderRegistry, ollama: OllamaSimulator) -> None:
    await found(registry)
    await registry.load("ollama/tiny-llama")
    assert ollama.loaded == {"tiny-llama:latest"}
    await registry.unload("ollama/tiny-llama")
    assert ollama.loaded == set()
    with pytest.raises(UsageError):
        await registry.load("tiny-llama")
    with pytest.raises(NotFound):
        await registry.load("nobody/tiny-llama")


async def test_another_process_s_change_is_seen(
    registry: ProviderRegistry, config: ConfigManager, store: Store, access: AccessService, library: ModelLibrary,
    vault: Vault, ollama: OllamaSimulator,
) -> None:  # fmt: skip
    await found(registry)
    async with (
        running(EventBus(store)) as bus,
        running(ProviderRegistry(config, store, bus, access, library, vault)) as other,
    ):
        await other.change("ollama", url=GONE)
        with pytest.raises(Unreachable):
            await registry.models("ollama")


async def test_an_answer_under_way_outlives_a_new_name(registry: ProviderRegistry, ollama: OllamaSimulator) -> None:
    await found(registry)
    ollama.gate.clear()
    answer = asyncio.create_task(collect((await registry.get("ollama")).chat("tiny-llama", ask("hello"))))
    async with asyncio.timeout(3):
        while not ollama.running:
            await asyncio.sleep(0.01)
    await registry.change("ollama", name="Renamed")
    assert (await registry.get("ollama")).config.name == "Renamed"
    ollama.gate.set()
    text, _ = await answer
    assert text.startswith("word0 ")
