import os
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from modelshelf.samples import SampleHub

Child = Callable[..., Awaitable[str]]


class Closing:
    """Ends what a fixture started, in the loop of the test."""

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    async def __aenter__(self) -> Any:
        if isinstance(self.thing, SampleHub):
            await self.thing.start()
        return self.thing

    async def __aexit__(self, *_: object) -> None:
        await (self.thing.stop() if isinstance(self.thing, SampleHub) else self.thing.close())


@pytest.fixture
def bare(loop: Any, tmp_path: Path) -> SampleHub:
    """A hub without the sample repositories."""
    hub: SampleHub = loop.enter(Closing(SampleHub(tmp_path / "hub", samples=False)))
    return hub


@pytest.fixture
def web(loop: Any) -> Callable[[SampleHub], Awaitable[aiohttp.ClientSession]]:
    """Makes a session that trusts a hub."""

    async def session(hub: SampleHub) -> aiohttp.ClientSession:
        made = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=hub.ssl_context))
        await loop.stack.enter_async_context(made)
        return made

    return session


@pytest.fixture
def child(tmp_path: Path) -> Child:
    """Runs a Python program in a process of its own, with nothing of this one's environment but what is given."""

    async def run(program: str, *arguments: str, environ: Mapping[str, str] | None = None) -> str:
        given = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
        process = await create_subprocess_exec(
            sys.executable,
            "-W",
            "error",
            "-c",
            program,
            *arguments,
            stdout=PIPE,
            stderr=PIPE,
            env=given | dict(environ or {}),
        )
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()[-4000:]
        return out.decode()

    return run
