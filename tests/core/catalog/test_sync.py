"""Going through hubs: all of it, once each, whatever stumbles, and on from where it stopped."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from modelshelf.access import AccessService
from modelshelf.catalog import CatalogService
from modelshelf.catalog.builder import Built
from modelshelf.catalog.columns.generations import Generations
from modelshelf.catalog.holdings import Holdings
from modelshelf.catalog.sync.crawl import TOP
from modelshelf.catalog.sync.more import more
from modelshelf.catalog.sync.service import CatalogSync
from modelshelf.config import ConfigManager
from modelshelf.errors import ConfigError, GatedRepository, NotFound
from modelshelf.events import CatalogChanged, Event, EventBus, Subscription, SyncAsked, SyncChanged
from modelshelf.samples import Faults, SampleHub
from modelshelf.samples.crowd import crowd
from modelshelf.samples.repository import Commit
from tests.conftest import LoopRunner, running
from tests.core.catalog.conftest import source

MANY = 20_000


@pytest.fixture
def large_hub(loop: LoopRunner, samples_folder: Path) -> SampleHub:
    """A hub that answers lists a thousand models at a time."""
    return loop.enter(running(SampleHub(samples_folder, samples=False, page=1000)))


@pytest.fixture
def sync(
    config: ConfigManager, events: EventBus, access: AccessService, catalog: CatalogService, large_hub: SampleHub,
    trusted: None,
) -> CatalogSync:  # fmt: skip
    """Nothing is waited for; the hub is the only source."""
    config.set("catalog.requests_per_minute", 600_000)
    config.set("catalog.sync", "all")
    config.set("sources", [source("hub", large_hub.url)])
    return CatalogSync(config, events, access, catalog, lambda: True, backoff=0.0)


async def heard(told: Subscription) -> list[Event]:
    """What was told up to the end of a round."""
    seen: list[Event] = []
    async for event in told:
        seen.append(event)
        if isinstance(event, SyncChanged) and (event.source, event.status) == ("", "done"):
            break
    return seen


def fill(hub: SampleHub, count: int) -> None:
    hub.repos |= {repo.id: repo for repo in crowd(count)}


async def test_twenty_thousand_models_come_whole_and_once_each_through_faults(
    sync: CatalogSync, catalog: CatalogService, large_hub: SampleHub, events: EventBus
) -> None:
    await asyncio.to_thread(fill, large_hub, MANY)
    large_hub.faults = Faults(status=504, status_times=3, status_on="api", repeat=2)
    with events.subscribe() as told:
        built = await sync.now()
        seen = await heard(told)
    assert built is not None
    assert built.rows == MANY
    page = await catalog.index.page("")
    assert page.total == MANY
    names = set((await catalog.to_frame(["id"]))["id"])
    assert names == set(large_hub.repos)
    assert CatalogChanged(generation=built.generation, rows=MANY) in seen
    waited = [event for event in seen if isinstance(event, SyncChanged) and event.status == "waiting"]
    assert len(waited) == 3
    assert "error 504" in waited[0].error
    (state,) = await sync.progress()
    assert (state.status, state.error) == ("whole", "")
    row = (await catalog.index.rows(["crowd-3/gemma-1b-3-GGUF"]))["crowd-3/gemma-1b-3-GGUF"].card
    assert (row.licence, row.context, row.architecture) == ("llama3.1", 32768, "gemma")


async def test_a_crawl_that_was_cut_off_goes_on_where_it_stopped(
    sync: CatalogSync, catalog: CatalogService, config: ConfigManager, large_hub: SampleHub
) -> None:
    fill(large_hub, 3000)
    large_hub.page = 100
    known = Holdings(config.paths.catalog, "hub")
    known.save(replace(known.state(), top=True))
    large_hub.faults = Faults(latency=0.01)
    task = asyncio.create_task(sync.now())
    while len(large_hub.requests) < 12:
        await asyncio.sleep(0.005)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    state = known.state()
    assert state.crawling
    assert 0 < state.found < 3000
    large_hub.faults = Faults()
    large_hub.requests.clear()
    built = await sync.now()
    assert built is not None
    assert built.rows == 3000
    assert len(large_hub.requests) == 30 - state.found // 100
    assert not known.state().crawling


async def test_news_is_asked_for_and_a_whole_crawl_notices_what_is_gone(
    sync: CatalogSync, catalog: CatalogService, large_hub: SampleHub
) -> None:
    fill(large_hub, 300)
    await sync.now()
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    changed = next(iter(large_hub.repos.values()))
    large_hub.repos[changed.id] = replace(changed, likes=4711, commits=(Commit("f" * 40, changed.head.files, now),))
    await large_hub.add("new/one-GGUF", {"one-Q4_0.gguf": b"x"}, date=now)
    gone = list(large_hub.repos)[5]
    large_hub.remove(gone)
    large_hub.requests.clear()
    built = await sync.now()
    assert built is not None
    assert built.rows == 301
    assert len(large_hub.requests) == 1  # one page of what changed last
    found = await catalog.index.rows([changed.id, "new/one-GGUF", gone])
    assert found[changed.id].card.likes == 4711
    assert {*found} == {changed.id, "new/one-GGUF", gone}
    built = await sync.now(full=True)
    assert built is not None
    assert built.rows == 300
    assert gone not in await catalog.index.rows([gone])


async def test_a_hub_without_end_is_left_and_what_it_said_is_kept(
    sync: CatalogSync, catalog: CatalogService, large_hub: SampleHub
) -> None:
    fill(large_hub, 2500)
    large_hub.faults = Faults(endless=True)
    built = await sync.now()
    assert built is not None
    assert built.rows == 2500
    (state,) = await sync.progress()
    assert "the same models again and again" in state.error


async def test_a_hub_that_is_down_leaves_the_catalogue_as_it_was(
    sync: CatalogSync, catalog: CatalogService, config: ConfigManager, large_hub: SampleHub
) -> None:
    with pytest.raises(NotFound, match="There is no catalogue yet"):
        await catalog.index.page("")
    large_hub.faults = Faults(status=403, status_times=1000, status_on="api")
    with pytest.raises(GatedRepository, match="does not let this account see"):
        await sync.now()
    large_hub.faults = Faults()
    fill(large_hub, 10)
    await sync.now()
    large_hub.faults = Faults(status=500, status_times=1000, status_on="api")
    built = await sync.now()
    assert built is not None
    assert built.rows == 10
    (state,) = await sync.progress()
    assert "error 500" in state.error


async def test_another_process_that_leads_is_asked_to_do_it(
    config: ConfigManager, events: EventBus, access: AccessService, catalog: CatalogService
) -> None:
    from filelock import FileLock

    other = FileLock(config.paths.leader)
    config.paths.leader.parent.mkdir(parents=True, exist_ok=True)
    other.acquire()
    sync = CatalogSync(config, events, access, catalog, lambda: False)
    try:
        with events.subscribe() as told:
            assert await sync.now(full=True) is None
            assert await anext(told) == SyncAsked(full=True)
    finally:
        other.release()


async def test_a_hub_that_names_a_wait_is_waited_for(
    sync: CatalogSync, config: ConfigManager, events: EventBus, large_hub: SampleHub
) -> None:
    """Both forms: Retry-After, and a RateLimit header that says how long until there may be more requests."""
    fill(large_hub, 10)
    refusal = Faults(status=429, status_times=1, status_on="api")
    for faults in (replace(refusal, retry_after="1"), replace(refusal, ratelimit='"api";r=0;t=1')):
        large_hub.faults = faults
        begun = asyncio.get_running_loop().time()
        with events.subscribe() as told:
            await sync.now(full=True)
            seen = await heard(told)
        assert asyncio.get_running_loop().time() - begun >= 1
        (waited,) = [event for event in seen if isinstance(event, SyncChanged) and event.status == "waiting"]
        assert "asked too often" in waited.error


def test_generations_go_when_nobody_holds_them(tmp_path: Path) -> None:
    generations = Generations(tmp_path)
    names = []
    holds = []
    for _ in range(3):
        with generations.making() as built:
            (built / "x.npy").write_bytes(b"x")
            names.append(generations.publish(built))
        holds.append(generations.hold())
    with generations.making() as unfinished:
        assert generations.sweep() == []
        assert unfinished.exists()
    first, second, third = holds
    assert first is not None
    assert second is not None
    assert third is not None
    assert generations.current() == third.folder.name == names[2]
    first.release()
    assert generations.sweep() == [names[0]]
    second.release()
    third.release()
    assert generations.sweep() == [names[1]]
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [names[2]]


async def test_a_source_that_is_switched_off_is_searched_no_more(
    sync: CatalogSync, catalog: CatalogService, config: ConfigManager, events: EventBus, large_hub: SampleHub,
    tmp_path: Path,
) -> None:  # fmt: skip
    fill(large_hub, 10)
    (tmp_path / "models" / "mine" / "one").mkdir(parents=True)
    (tmp_path / "models" / "mine" / "one" / "one-Q4_0.gguf").write_bytes(b"x")
    hub, folder = source("hub", large_hub.url), {"name": "disk", "kind": "folder", "path": str(tmp_path / "models")}
    config.set("sources", [hub, folder])
    await sync.now()
    assert (await catalog.index.page("")).total == 11
    assert not await sync._other_sources()
    config.set("sources", [hub | {"enabled": False}, folder])
    assert await sync._other_sources()
    with events.subscribe() as told:
        await sync._look_after()
        seen = [event.status for event in await heard(told) if isinstance(event, SyncChanged)]
    assert seen == ["building", "done"], "nobody is told for ever that it is being made"
    config.set("sources", [hub | {"enabled": False}, folder | {"enabled": False}])
    assert not await sync._other_sources(), "of nothing no catalogue is made"
    config.set("sources", [hub | {"enabled": False}, folder])
    assert [row.card.repo for row in (await catalog.index.page("")).rows] == ["mine/one"]
    assert [one.status for one in await sync.progress()] == ["off", "whole"]


async def test_the_most_downloaded_alone_are_kept_where_that_is_enough(
    sync: CatalogSync, catalog: CatalogService, config: ConfigManager, large_hub: SampleHub
) -> None:
    config.set("catalog.sync", "top")
    fill(large_hub, 120)
    large_hub.page = 50
    for _ in range(2):
        built = await sync.now()
        assert built is not None
        assert built.rows == 120
    state = Holdings(config.paths.catalog, "hub").state()
    assert (len(state.news), state.base, state.crawling) == (1, (), False)
    assert [one.status for one in await sync.progress()] == ["partly"]
    large_hub.faults = Faults(status=500, status_times=1000, status_on="api")
    await sync.now()
    assert (await catalog.index.page("")).total == 120


async def test_whoever_asks_stops_listing_and_the_next_time_it_goes_on_from_there(
    sync: CatalogSync, catalog: CatalogService, config: ConfigManager, large_hub: SampleHub, events: EventBus
) -> None:
    """First the most downloaded, then all: what came before the stop is in use, and is not asked for again."""
    fill(large_hub, 3000)
    large_hub.page = 100
    large_hub.faults = Faults(latency=0.01)
    config.set("catalog.sync", "top")
    known = Holdings(config.paths.catalog, "hub")
    assert not await sync.halt()
    assert (await stopped_after(6, sync, large_hub, events)).rows == known.state().top_found > 0
    assert known.state().top_cursor
    assert [one.status for one in await sync.progress()] == ["partly"]
    large_hub.faults = Faults()
    before = len(large_hub.requests)
    built = await sync.now()
    assert built is not None
    assert built.rows == 3000
    assert known.state().received > 0
    assert len(large_hub.requests) - before < 30
    config.set("catalog.sync", "all")
    large_hub.faults = Faults(latency=0.01)
    await stopped_after(6, sync, large_hub, events)
    assert known.state().crawling
    assert known.state().cursor
    large_hub.faults = Faults()
    await sync.now()
    assert not known.state().crawling
    assert (await catalog.index.page("")).total == 3000


async def stopped_after(requests: int, sync: CatalogSync, hub: SampleHub, events: EventBus) -> Built:
    """Begin a round, and stop it once the hub was asked so often."""
    hub.requests.clear()
    with events.subscribe() as told:
        task = asyncio.create_task(sync.now())
        while len(hub.requests) < requests:
            await asyncio.sleep(0.005)
        assert await sync.halt()
        built = await task
        assert built is not None
        ends = [event.source async for event in until_stopped(told) if event.status == "stopped"]
        assert ends == ["hub", ""]
    return built


async def until_stopped(told: Subscription) -> AsyncIterator[SyncChanged]:
    async for event in told:
        if isinstance(event, SyncChanged):
            yield event
            if (event.source, event.status) == ("", "stopped"):
                return


async def test_a_stop_before_anything_came_leaves_no_catalogue_and_no_error(
    sync: CatalogSync, catalog: CatalogService, large_hub: SampleHub, events: EventBus
) -> None:
    fill(large_hub, 10)
    large_hub.faults = Faults(latency=30.0)
    assert (await stopped_after(1, sync, large_hub, events)).rows == 0
    assert not await catalog.index.available()


async def test_more_than_the_most_downloaded_is_offered_with_what_it_takes_and_listed_on_demand(
    sync: CatalogSync, config: ConfigManager, events: EventBus
) -> None:
    config.set("catalog.sync", "top")
    config.set("catalog.requests_per_minute", 100)
    known = Holdings(config.paths.catalog, "hub")
    assert await sync.more() is None
    known.save(replace(known.state(), top=True, models=TOP, received=TOP * 100))
    rest = await sync.more()
    assert rest is not None
    assert (rest.listed, rest.models) == (TOP, 0), "nobody knows how many a hub of one's own has"
    told = more(known.state(), "Hub", "hf", "https://huggingface.co", 100)
    assert told is not None
    assert (told.models, told.requests, told.seconds / 60) == (2_500_000, 2450, 24.5)
    assert told.received == 245_000_000
    with events.subscribe() as heard:
        await sync.list_all()
        assert await anext(heard) == SyncAsked()
    assert ConfigManager(config.home, config.environ).config.catalog.sync == "all"
    assert await sync.more() is None
    named = ConfigManager(config.home, {**config.environ, "MODELSHELF_CATALOG__SYNC": "top"})
    sync._config = named
    with pytest.raises(ConfigError, match="a variable of the environment"):
        await sync.list_all()


@pytest.mark.parametrize("faults", [Faults(repeat=2), Faults(endless=True)])
async def test_pages_that_come_twice_neither_end_the_most_downloaded_nor_count_twice(
    sync: CatalogSync, config: ConfigManager, large_hub: SampleHub, faults: Faults
) -> None:
    config.set("catalog.sync", "top")
    fill(large_hub, 1000)
    large_hub.page = 100
    large_hub.faults = faults
    built = await sync.now()
    assert built is not None
    assert built.rows == 1000
    state = Holdings(config.paths.catalog, "hub").state()
    assert (state.top, state.models, state.topped, state.top_cursor) == (True, 1000, (), "")
    assert [one.error for one in await sync.progress()] == [""]


async def test_news_on_pages_that_come_twice_is_all_heard(sync: CatalogSync, large_hub: SampleHub) -> None:
    fill(large_hub, 50)
    await sync.now()
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    for number in range(300):
        await large_hub.add(f"new/m{number}", {"m-Q4_0.gguf": b"x"}, date=now)
    large_hub.page = 100
    large_hub.faults = Faults(repeat=2)
    built = await sync.now()
    assert built is not None
    assert built.rows == 350
