"""What every test shares: async tests, a loop that must not be blocked, and a real shelf in a temporary home."""

import asyncio
import gc
import inspect
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from modelshelf.access import AccessService
from modelshelf.config import ConfigManager
from modelshelf.events import EventBus
from modelshelf.store import Store
from tests.hermetic import environment

if TYPE_CHECKING:
    from modelshelf.samples import SampleHub
    from modelshelf.shelf import Shelf

WORKED_SECONDS = 0.5
WAITED_SECONDS = 10.0


class Collecting:
    """How long the collector has held this process: in one that has run thousands of tests that is no test's fault."""

    seconds = 0.0
    _since = 0.0

    @classmethod
    def note(cls, phase: str, _info: dict[str, int]) -> None:
        """Called by the collector at its start and its end."""
        if phase == "start":
            cls._since = time.perf_counter()
        else:
            cls.seconds += time.perf_counter() - cls._since


gc.callbacks.append(Collecting.note)


class Held:
    """What a callback took of the loop: work is the processor's own count, so that a busy machine is no test's fault.

    A callback that waits for something else than a processor (a lock, a disk, a socket) is told by the clock. That
    counts the pauses of the machine too: only a long wait is a finding.
    """

    def __init__(self) -> None:
        self._start, self._thread, self._collected = time.perf_counter(), time.thread_time(), Collecting.seconds

    def told(self) -> str | None:
        """What is wrong, in words, or None."""
        collected = Collecting.seconds - self._collected
        worked = time.thread_time() - self._thread - collected
        waited = time.perf_counter() - self._start - worked - collected
        if worked > WORKED_SECONDS:
            return f"{worked:.2f} s of work"
        return f"{waited:.2f} s of waiting" if waited > WAITED_SECONDS else None


class LoopRunner:
    """One event loop per test that notes every callback which held it too long."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.blocked: list[str] = []

    def __enter__(self) -> "LoopRunner":
        run = asyncio.Handle._run
        blocked = self.blocked

        def timed(handle: asyncio.Handle) -> None:
            held = Held()
            run(handle)
            if told := held.told():
                blocked.append(f"{told} by {handle!r}")

        setattr(asyncio.Handle, "_run", timed)  # noqa: B010 - there is no public seam to time callbacks
        self._run = run
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.runner.run(self.stack.aclose())
        finally:
            self.runner.close()
            setattr(asyncio.Handle, "_run", self._run)  # noqa: B010

    def enter[T](self, context: AbstractAsyncContextManager[T]) -> T:
        """Enter an async context manager that is left at the end of the test, in the test's own loop."""
        return self.runner.run(self.stack.enter_async_context(context))


@pytest.fixture
def loop(request: pytest.FixtureRequest) -> Iterator[LoopRunner]:
    """The loop of the test; one that holds it too long fails, unless marked `blocking`."""
    with LoopRunner() as runner:
        yield runner
    if runner.blocked and request.node.get_closest_marker("blocking") is None:
        pytest.fail("the event loop was blocked for " + runner.blocked[0])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Async tests get a loop."""
    for item in items:
        if (
            isinstance(item, pytest.Function)
            and inspect.iscoroutinefunction(item.obj)
            and "loop" not in item.fixturenames
        ):
            item.fixturenames.insert(0, "loop")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run async tests in their loop."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in names if name in pyfuncitem.funcargs}
    loop = pyfuncitem.funcargs["loop"]
    assert isinstance(loop, LoopRunner)
    loop.runner.run(pyfuncitem.obj(**arguments))
    return True


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home."""
    return tmp_path / "home"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment of its own: nothing of the machine's settings, tokens or caches reaches a test."""
    return environment(tmp_path)


@pytest.fixture
def config(home: Path, environ: dict[str, str]) -> ConfigManager:
    """Settings with the sample source only: no test reaches beyond loopback."""
    manager = ConfigManager(home, environ)
    manager.set("sources", [{"name": "samples", "kind": "samples", "label": "Samples (offline)"}])
    return manager


@pytest.fixture
def store(loop: LoopRunner, config: ConfigManager) -> Store:
    """An open database."""
    return loop.enter(running(Store.at(config.paths.database)))


@pytest.fixture
def events(loop: LoopRunner, store: Store) -> EventBus:
    """A running bus on the database."""
    return loop.enter(running(EventBus(store)))


@pytest.fixture
def access(loop: LoopRunner, store: Store) -> AccessService:
    """The record of deeds."""
    return loop.enter(running(AccessService(store)))


@pytest.fixture(scope="session")
def samples_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the sample models are made, once for all tests."""
    return tmp_path_factory.mktemp("samples")


@pytest.fixture
def hub(loop: LoopRunner, samples_folder: Path) -> "SampleHub":
    """A started sample hub."""
    from modelshelf.samples import SampleHub

    return loop.enter(running(SampleHub(samples_folder)))


@pytest.fixture
def shelf(loop: LoopRunner, config: ConfigManager) -> "Shelf":
    """A whole shelf, started, with the sample source only."""
    from modelshelf.shelf import open_shelf

    return loop.enter(open_shelf(config=config))


class Startable(Protocol):
    """What starts and stops."""

    async def start(self) -> Any: ...

    async def stop(self) -> Any: ...


@asynccontextmanager
async def running[S: Startable](service: S) -> AsyncIterator[S]:
    """A service that runs within the block."""
    await service.start()
    try:
        yield service
    finally:
        await service.stop()
