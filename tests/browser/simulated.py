"""Simulators beside a browser: each in a thread with a loop of its own, since Playwright holds the test's."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Background:
    """A simulator that serves in the background."""

    def __init__(self, simulator: Any) -> None:
        self.simulator = simulator
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Any:
        self._thread.start()
        assert self._ready.wait(10), "the simulator did not start"
        return self.simulator

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        async with self.simulator.serve():
            self._ready.set()
            await self._end.wait()


@contextmanager
def simulated(*simulators: Any) -> Iterator[None]:
    """All of them serve within the block."""
    running = [Background(simulator) for simulator in simulators]
    for one in running:
        one.__enter__()
    try:
        yield
    finally:
        for one in running:
            one.__exit__()
