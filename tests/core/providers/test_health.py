"""Who looks at the providers, how often, and how the others hear of it."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from modelshelf.access import AccessService
from modelshelf.config import ConfigManager
from modelshelf.events import EventBus, ProviderChanged
from modelshelf.library import ModelLibrary
from modelshelf.providers import Ability, HealthMonitor, HealthStatus, ProviderRegistry
from modelshelf.providers.health import MOST_BACKOFF, next_look
from modelshelf.store import Store
from modelshelf.store.tables import HealthRow
from modelshelf.vault import Vault
from tests.conftest import LoopRunner, running
from tests.engines.faults import Fault
from tests.engines.ollama import OllamaSimulator


@pytest.fixture
def monitor(
    loop: LoopRunner, config: ConfigManager, store: Store, events: EventBus, registry: ProviderRegistry
) -> HealthMonitor:
    return loop.enter(running(HealthMonitor(config, store, events, registry)))


async def until(monitor: HealthMonitor, provider: str, status: HealthStatus) -> None:
    async with asyncio.timeout(5):
        while provider not in monitor.latest or monitor.latest[provider].status is not status:
            await asyncio.sleep(0.01)


async def test_the_first_look_comes_at_once_without_delaying_the_start(monitor: HealthMonitor) -> None:
    assert monitor.latest == {}
    await until(monitor, "builtin", HealthStatus.WELL)
    await until(monitor, "ollama", HealthStatus.WELL)
    assert monitor.leading


async def test_an_added_provider_is_looked_at_soon(monitor: HealthMonitor, registry: ProviderRegistry) -> None:
    await until(monitor, "builtin", HealthStatus.WELL)
    await registry.add("ollama", url="http://127.0.0.1:1", provider="dead")
    await until(monitor, "dead", HealthStatus.DOWN)
    assert monitor.latest["dead"].remedy


async def test_a_change_is_told_and_a_look_without_change_is_not(
    monitor: HealthMonitor, events: EventBus, ollama: OllamaSimulator
) -> None:
    await until(monitor, "ollama", HealthStatus.WELL)
    with events.subscribe() as told:
        await monitor.check("ollama")
        ollama.faults.everywhere(Fault.BROKEN)
        await monitor.check("ollama")
        async with asyncio.timeout(2):
            event = await anext(told)
            while not isinstance(event, ProviderChanged):
                event = await anext(told)
    assert event == ProviderChanged(provider="ollama", seen=True)
    assert monitor.latest["ollama"].status is HealthStatus.DOWN


async def test_a_hanging_provider_neither_blocks_nor_delays_the_others(
    monitor: HealthMonitor, registry: ProviderRegistry, config: ConfigManager
) -> None:
    config.set("providers.timeout_seconds", 1.0)
    async with OllamaSimulator().serve() as hung:
        hung.faults.everywhere(Fault.SILENT)
        for number in range(10):
            await registry.add("ollama", url=f"{hung.url}/{number}", provider=f"hung-{number}")
        async with asyncio.timeout(2.5):
            looks = await asyncio.gather(*(monitor.check(f"hung-{number}") for number in range(10)))
            well = await monitor.check("builtin")
        assert {look.status for look in looks} == {HealthStatus.DOWN}
        assert well.status is HealthStatus.WELL
        hung.faults.released.set()


async def test_one_process_looks_and_the_others_follow(
    monitor: HealthMonitor, config: ConfigManager, store: Store, access: AccessService, library: ModelLibrary,
    vault: Vault, ollama: OllamaSimulator,
) -> None:  # fmt: skip
    await until(monitor, "ollama", HealthStatus.WELL)
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(running(EventBus(store)))
        registry = await stack.enter_async_context(
            running(ProviderRegistry(config, store, bus, access, library, vault))
        )
        follower = await stack.enter_async_context(running(HealthMonitor(config, store, bus, registry)))
        await until(follower, "ollama", HealthStatus.WELL)
        assert not follower.leading
        ollama.faults.everywhere(Fault.BROKEN)
        await monitor.check("ollama")
        async with asyncio.timeout(1):
            await until(follower, "ollama", HealthStatus.DOWN)
        await monitor.stop()
        await registry.change("ollama", name="Again")
        async with asyncio.timeout(2):
            while not follower.leading:
                await asyncio.sleep(0.01)


async def test_a_removed_provider_leaves_the_list(monitor: HealthMonitor, registry: ProviderRegistry) -> None:
    await until(monitor, "ollama", HealthStatus.WELL)
    await registry.remove("ollama")
    async with asyncio.timeout(3):
        while "ollama" in monitor.latest:
            await asyncio.sleep(0.01)


async def test_history_is_kept_for_a_week(monitor: HealthMonitor, store: Store) -> None:
    def add_old(session: Session) -> None:
        session.add(HealthRow(provider="builtin", status="down", at=datetime.now(UTC) - timedelta(days=8)))
        session.add(HealthRow(provider="builtin", status="slow", at=datetime.now(UTC) - timedelta(days=2)))

    await store.write(add_old)
    await monitor.check("builtin")
    history = await monitor.history("builtin", timedelta(days=30))
    assert HealthStatus.DOWN not in {look.status for look in history}
    assert history[0].status is HealthStatus.SLOW
    assert history[-1].status is HealthStatus.WELL
    kept = await store.read(lambda session: len(session.scalars(select(HealthRow)).all()))
    assert kept >= len(history)


@given(st.floats(1, 3600), st.integers(0, 10_000))
def test_a_provider_that_stays_down_is_looked_at_less_often_but_not_forgotten(interval: float, failures: int) -> None:
    pause = next_look(interval, failures)
    assert 0.9 * interval <= pause <= 1.1 * MOST_BACKOFF * interval
    if failures <= 1:
        assert pause <= 1.1 * interval


async def test_a_model_that_appears_at_a_provider_is_told_and_listed_without_asking_again(
    monitor: HealthMonitor, events: EventBus, ollama: OllamaSimulator
) -> None:
    await until(monitor, "ollama", HealthStatus.WELL)
    await monitor.check("ollama")
    ollama.add("fresh")
    with events.subscribe() as told:
        await monitor.check("ollama")
        asked = len(ollama.requests)
        async with asyncio.timeout(2):
            while await anext(told) != ProviderChanged(provider="ollama", seen=True):
                pass
        await monitor.refresh()
    assert {model.name for model in monitor.listed["ollama"].models} == {"tiny-llama:latest", "fresh:latest"}
    assert Ability.PULL in monitor.listed["ollama"].abilities
    assert len(ollama.requests) == asked


async def test_what_a_provider_offered_stays_when_it_goes_down(monitor: HealthMonitor, ollama: OllamaSimulator) -> None:
    await until(monitor, "ollama", HealthStatus.WELL)
    ollama.faults.everywhere(Fault.BROKEN)
    await monitor.check("ollama")
    await monitor.refresh()
    listed = monitor.listed["ollama"]
    assert [model.name for model in listed.models] == ["tiny-llama:latest"]
    assert "error 500" in listed.error


async def test_the_last_hour_is_known_again_after_a_restart(
    monitor: HealthMonitor, config: ConfigManager, store: Store, events: EventBus, registry: ProviderRegistry,
    ollama: OllamaSimulator,
) -> None:  # fmt: skip
    await until(monitor, "ollama", HealthStatus.WELL)
    ollama.faults.everywhere(Fault.BROKEN)
    await monitor.check("ollama")
    seen = monitor.pulse("ollama")
    assert seen.availability == 0.5
    assert seen.median_ms is not None
    assert seen.points[-1] == -1
    await monitor.stop()
    async with running(HealthMonitor(config, store, events, registry)) as again:
        async with asyncio.timeout(3):
            while again.pulse("ollama").availability is None:
                await asyncio.sleep(0.01)


async def test_a_provider_that_hangs_does_not_hold_up_one_that_is_added(
    monitor: HealthMonitor, registry: ProviderRegistry, config: ConfigManager
) -> None:
    config.set("providers.timeout_seconds", 30.0)
    async with OllamaSimulator().serve() as hung:
        hung.faults.everywhere(Fault.SILENT)
        await registry.add("ollama", url=hung.url, provider="hung")
        async with asyncio.timeout(5):
            while not hung.requests:
                await asyncio.sleep(0.01)
            await registry.add("ollama", url="http://127.0.0.1:1", provider="dead")
            await until(monitor, "dead", HealthStatus.DOWN)
        assert "hung" not in monitor.latest
        hung.faults.released.set()


async def test_a_version_that_nothing_can_keep_ends_no_watch(
    monitor: HealthMonitor, registry: ProviderRegistry, ollama: OllamaSimulator
) -> None:
    await until(monitor, "ollama", HealthStatus.WELL)
    ollama.version = "0.9\ud800\n\u202e"
    assert (await monitor.check("ollama")).version == "0.9"
    await registry.add("ollama", url="http://127.0.0.1:1", provider="dead")
    await until(monitor, "dead", HealthStatus.DOWN)
