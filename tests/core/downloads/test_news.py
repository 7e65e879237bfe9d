"""What nobody has seen yet, what was asked for together, pages of a long queue, and the numbers of transfers."""

import pytest

from modelshelf.config import ConfigManager
from modelshelf.downloads import JobStatus, Order, jobs
from modelshelf.downloads.numbers import TransferLog
from modelshelf.events import EventBus, TransferEnded
from modelshelf.samples import ALWAYS, Faults, SampleHub
from tests.conftest import LoopRunner
from tests.core.downloads.conftest import World, a_world, noise, use
from tests.core.downloads.test_queue import stocked


@pytest.fixture
def idle(loop: LoopRunner, empty_hub: SampleHub, config: ConfigManager) -> World:
    """A manager that starts jobs and runs none."""
    use(empty_hub, config)
    return loop.enter(a_world(empty_hub, config, working=False))


async def test_what_ended_is_news_until_it_was_seen(world: World) -> None:
    await world.hub.add("org/good", {"a.gguf": noise(1000)})
    await world.hub.add("org/bad", {"a.gguf": noise(1000, 2)})
    good = await world.fetch("org/good")
    world.hub.faults = Faults(corrupt=ALWAYS)
    bad = await world.fetch("org/bad")
    news = await world.downloads.news()
    assert [(job.repo, job.status) for job in news.ended] == [
        ("org/bad", JobStatus.FAILED),
        ("org/good", JobStatus.DONE),
    ]
    assert (news.count, news.ended[0].remedy != "") == (2, True)
    assert (await world.downloads.news(limit=1)).ended_total == 2

    assert await world.downloads.mark_seen([good.id]) == 1
    assert [job.id for job in (await world.downloads.news()).ended] == [bad.id]
    await world.downloads.retry(bad.id)
    assert (await world.downloads.news()).count == 0
    await world.ended(bad.id)
    assert (await world.downloads.news()).count == 1, "it failed once more, and that is news"
    assert await world.downloads.mark_seen() == 1
    assert (await world.downloads.news()).count == 0


async def test_those_that_wait_for_the_same_are_one_entry(idle: World) -> None:
    ids = await stocked(idle, 3)
    await idle.store.write(jobs.park, jobs.Gate(0, "budget: the connection is metered"))
    [waiting] = (await idle.downloads.news()).waiting
    assert (waiting.count, waiting.detail) == (3, "budget: the connection is metered")
    assert await idle.downloads.mark_seen([ids[0]]) == 3
    assert (await idle.downloads.news()).count == 0


async def test_a_batch_keeps_its_name_and_its_sums(idle: World) -> None:
    await stocked(idle, 1)
    for name in ("x", "y", "z"):
        await idle.hub.add(f"org/{name}", {"a.gguf": noise(2000, ord(name))})
    ids = await idle.downloads.start_batch([Order("org/x"), Order("org/y"), Order("org/z")])
    [batch] = {(await idle.downloads.job(job)).batch for job in ids}
    await idle.downloads.cancel(ids[2])
    [state] = (await idle.downloads.batches([batch, ""])).values()
    assert (state.jobs, state.ended, state.failed, state.done, state.total) == (3, 1, 0, 0, 6000)
    assert {job.batch for job in (await idle.downloads.queue()).jobs} == {batch, ""}


async def test_pages_of_the_queue_and_of_what_ended(idle: World) -> None:
    ids = await stocked(idle, 5)
    await idle.downloads.move(ids[4], "first")
    await idle.downloads.cancel(ids[2])
    first, second = await idle.downloads.queue(3), await idle.downloads.queue(3, 3)
    assert [job.id for job in (*first.jobs, *second.jobs)] == [ids[4], ids[0], ids[1], ids[3]]
    assert (first.total, second.total) == (4, 4)
    ended = await idle.downloads.ended(10)
    assert ([job.id for job in ended.jobs], ended.total) == ([ids[2]], 1)


async def test_where_no_place_is_left_the_later_ones_make_room(idle: World) -> None:
    ids = await stocked(idle, 4)
    for _ in range(60):  # each time the gap between the first two is halved
        await idle.downloads.move(ids[3], "after", ids[0])
        await idle.downloads.move(ids[2], "after", ids[0])
    line = [job.id for job in (await idle.downloads.queue()).jobs]
    assert line == [ids[0], ids[2], ids[3], ids[1]]


async def test_a_thousand_pause_and_go_on_in_one_step_each(idle: World) -> None:
    ids = await stocked(idle, 3)
    assert set(await idle.downloads.pause_all()) == set(ids)
    assert {job.status for job in await idle.downloads.jobs()} == {JobStatus.PAUSED}
    assert set(await idle.downloads.resume_all()) == set(ids)
    assert {job.status for job in await idle.downloads.jobs()} == {JobStatus.QUEUED}


async def test_the_numbers_of_transfers_are_a_table_and_a_sum(world: World) -> None:
    await world.hub.add("org/m", {"a.gguf": noise(3000)})
    await world.fetch("org/m")
    frame = await world.downloads.numbers()
    assert list(frame["path"]) == ["a.gguf"]
    assert {"received", "seconds", "rate", "connections", "retries", "host", "refetched", "outcome"} <= set(frame)
    summary = await world.downloads.summary()
    assert (summary.transfers, summary.received, summary.failed) == (1, 3000, 0)
    assert summary.hosts[0][1] == 3000
    assert summary.rate > 0


async def test_a_transfer_that_ended_tells_its_numbers(world: World) -> None:
    bus = EventBus()
    tools = world.downloads.worker._tools
    assert tools is not None
    object.__setattr__(tools, "numbers", TransferLog(world.store, bus))
    await world.hub.add("org/m", {"a.gguf": noise(3000)})
    with bus.subscribe() as events:
        await world.fetch("org/m")
        event = await anext(events)
    assert isinstance(event, TransferEnded)
    assert (event.repo, event.received, event.outcome) == ("org/m", 3000, "done")
