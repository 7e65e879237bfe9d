import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate

import pytest
from sqlalchemy.orm import Session

from modelshelf.errors import StoreError
from modelshelf.events import QUEUE_LIMIT, Event, EventBus, JobProgress, LibraryChanged, decode
from modelshelf.store import Store


class Refusing(Store):
    """A store whose writes are refused until `mended`; `refused` is set by the first."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.refused, self.mended = asyncio.Event(), False

    async def write[**P, T](
        self, function: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        if self.mended:
            return await super().write(function, *args, **kwargs)
        self.refused.set()
        raise StoreError("The disk is full.")


def progress(job: str, done: int) -> JobProgress:
    return JobProgress(job=job, status="transferring", done=done, total=100, rate=1.0, eta=None)


async def test_events_reach_other_processes_and_come_once(tmp_path: Path) -> None:
    stores = [Store.at(tmp_path / "shared.db") for _ in range(2)]
    for store in stores:
        await store.start()
    here, there = (EventBus(store) for store in stores)
    await here.start()
    await there.start()
    with here.subscribe() as mine, there.subscribe() as theirs:
        here.publish(LibraryChanged(repo="a/b"))
        here.publish(LibraryChanged(repo="c/d"))
        async with asyncio.timeout(5):
            assert [await anext(theirs), await anext(theirs)] == [
                LibraryChanged(repo="a/b"),
                LibraryChanged(repo="c/d"),
            ]
            assert [await anext(mine), await anext(mine)] == [LibraryChanged(repo="a/b"), LibraryChanged(repo="c/d")]
        there.publish(LibraryChanged(repo="last/one"))
        async with asyncio.timeout(5):
            assert await anext(mine) == LibraryChanged(repo="last/one")
    for bus in (here, there):
        await bus.stop()
    for store in stores:
        await store.stop()


async def test_of_many_steps_only_the_last_crosses(tmp_path: Path) -> None:
    stores = [Store.at(tmp_path / "shared.db") for _ in range(2)]
    for store in stores:
        await store.start()
    here, there = (EventBus(store) for store in stores)
    await there.start()
    with there.subscribe() as theirs:
        for done in range(101):
            here.publish(progress("one", done))
        here.publish(LibraryChanged(repo="end/mark"))
        await here.start()
        seen: list[Event] = []
        async with asyncio.timeout(5):
            while not seen or seen[-1] != LibraryChanged(repo="end/mark"):
                seen.append(await anext(theirs))
    assert seen == [progress("one", 100), LibraryChanged(repo="end/mark")]
    for bus in (here, there):
        await bus.stop()
    for store in stores:
        await store.stop()


async def test_a_reader_that_sleeps_loses_the_oldest_and_blocks_nobody() -> None:
    bus = EventBus()
    with bus.subscribe() as events:
        for number in range(QUEUE_LIMIT + 10):
            bus.publish(LibraryChanged(repo=str(number)))
        assert await anext(events) == LibraryChanged(repo="10")


async def test_who_has_left_hears_nothing() -> None:
    bus = EventBus()
    with bus.subscribe() as events:
        pass
    bus.publish(LibraryChanged(repo="a/b"))
    with bus.subscribe() as later:
        bus.publish(LibraryChanged(repo="c/d"))
        assert await anext(later) == LibraryChanged(repo="c/d")
    assert events is not later


async def test_a_database_that_fails_for_a_while_ends_no_exchange(tmp_path: Path) -> None:
    here, there = Refusing.at(tmp_path / "shared.db"), Store.at(tmp_path / "shared.db")
    assert isinstance(here, Refusing)
    sender, receiver = EventBus(here), EventBus(there)
    for service in (here, there, sender, receiver):
        await service.start()
    with receiver.subscribe() as events:
        sender.publish(LibraryChanged(repo="a/b"))
        async with asyncio.timeout(5):
            await here.refused.wait()
        here.mended = True
        async with asyncio.timeout(5):
            assert await anext(events) == LibraryChanged(repo="a/b")
    for service in (sender, receiver, here, there):
        await service.stop()


@pytest.mark.parametrize("payload", ['{"repo": "a/b", "later": 1}', "{}", "no json"])
def test_an_event_of_another_version_is_left_out(payload: str) -> None:
    assert decode("library", payload) is None
