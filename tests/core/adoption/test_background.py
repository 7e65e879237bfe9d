"""Files are compared in the background: within a budget, not while downloads run, and what was read is kept."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.orm import Session

from modelshelf.adoption.background import Background, Times
from modelshelf.adoption.reading import Reins, Stopped, sha256_of
from modelshelf.adoption.types import StoredFile
from modelshelf.config import ConfigManager
from modelshelf.events import StoresChanged
from modelshelf.shelf import open_shelf
from modelshelf.store.tables import JobRow, now
from tests.conftest import LoopRunner, running
from tests.core.adoption.conftest import Machine
from tests.core.adoption.stores import TINY, ollama, write
from tests.core.sources.simulators import sha256

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

AT_ONCE = Times(first=0, between=0.02, calm=0, told=0.01)


class Startable:
    """Background has no waiting start; `running` wants one."""

    def __init__(self, work: Background) -> None:
        self.work = work

    async def start(self) -> None:
        self.work.start()

    async def stop(self) -> None:
        await self.work.stop()


def background(shelf: "Shelf", leads: bool = True) -> Background:
    return Background(shelf.config, shelf.store, shelf.events, lambda: leads, shelf.adoption._known, AT_ONCE)


@pytest.fixture
def twice(tmp_path: Path) -> Path:
    ollama(tmp_path / "ollama")
    return write(tmp_path / ".lmstudio/models/org/tiny/tiny.gguf", TINY)


async def until_compared(shelf: "Shelf") -> None:
    async with asyncio.timeout(20):
        while not await shelf.adoption.duplicates():
            await asyncio.sleep(0.01)


async def test_what_may_be_the_same_is_read_without_being_asked(twice: Path, shelf: "Shelf") -> None:
    with shelf.events.subscribe() as events:
        async with running(Startable(background(shelf))), asyncio.timeout(20):
            async for event in events:
                if isinstance(event, StoresChanged) and event.total:
                    assert event.total == 2 * len(TINY)
                    break
            await until_compared(shelf)


async def test_it_waits_while_a_download_runs(loop: LoopRunner, config: ConfigManager, twice: Path) -> None:
    async with open_shelf(config=config, without={"downloads"}) as shelf:
        await waits(shelf)


async def waits(shelf: "Shelf") -> None:
    await shelf.store.write(_put, JobRow(id="j1", source="hf", repo="org/m", status="transferring"))
    work = background(shelf)
    async with running(Startable(work)):
        async with asyncio.timeout(20):
            while not work.state.why:
                await asyncio.sleep(0.01)
        assert work.state.why == "It waits until the downloads are done."
        assert await shelf.adoption.duplicates() == ()
        await shelf.store.write(_put, JobRow(id="j1", source="hf", repo="org/m", status="done", ended=now()))
        await until_compared(shelf)


async def test_a_model_that_comes_to_a_store_is_told(twice: Path, shelf: "Shelf", tmp_path: Path) -> None:
    await shelf.adoption.look(fresh=True)
    with shelf.events.subscribe() as events:
        write(tmp_path / ".lmstudio/models/org/new/new.gguf", TINY)
        await shelf.adoption.look(fresh=True)
        async with asyncio.timeout(20):
            async for event in events:
                if isinstance(event, StoresChanged):
                    break
        await asyncio.sleep(0)
    assert [one.model.id for one in await shelf.adoption.models()][-2:] == ["lmstudio:org/new", "lmstudio:org/tiny"]


@pytest.fixture
def file(tmp_path: Path) -> StoredFile:
    write(tmp_path / ".lmstudio/models/org/tiny/tiny.gguf", TINY)
    (model,) = Machine(tmp_path).look().models
    return model.files[0]


def test_reading_keeps_to_its_budget_and_ends_when_it_is_told(file: StoredFile) -> None:
    class Patient(threading.Event):
        """Keeps what it was asked to wait for, instead of waiting."""

        waited = 0.0

        def wait(self, timeout: float | None = None) -> bool:
            self.waited += timeout or 0.0
            return self.is_set()

    stop, read = Patient(), list[int]()
    assert sha256_of(file, 100.0, Reins(stop), read.append) == sha256(TINY)
    assert sum(read) == len(TINY)
    assert stop.waited == pytest.approx(len(TINY) / 100, rel=0.2)
    stop.set()
    with pytest.raises(Stopped):
        sha256_of(file, 0.0, Reins(stop), read.append)


def test_a_reading_that_is_held_waits_and_can_be_ended(file: StoredFile) -> None:
    reins = Reins()
    reins.hold.set()
    with ThreadPoolExecutor() as threads:
        reading = threads.submit(sha256_of, file, 0.0, reins, lambda _count: None)
        with pytest.raises(TimeoutError):
            reading.result(0.05)
        reins.stop.set()
        with pytest.raises(Stopped):
            reading.result(20)


def test_a_file_that_is_another_by_now_has_no_checksum(file: StoredFile) -> None:
    write(file.place, TINY + b"x")
    assert sha256_of(file, 0.0, Reins(), lambda _count: None) is None


def _put(session: Session, row: JobRow) -> None:
    session.merge(row)
