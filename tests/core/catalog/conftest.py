"""Hubs for the catalogue's tests: a sample hub of its own, and servers that misbehave."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from modelshelf.catalog import CatalogService
from modelshelf.config import ConfigManager
from modelshelf.events import EventBus
from modelshelf.samples import SampleHub
from modelshelf.samples.certificates import certificates
from modelshelf.store import Store
from tests.conftest import LoopRunner, running

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], AbstractAsyncContextManager[str]]


@pytest.fixture
def tiny_hub(loop: LoopRunner, samples_folder: Path) -> SampleHub:
    """A hub without repositories, to which a test adds its own."""
    return loop.enter(running(SampleHub(samples_folder, samples=False)))


@pytest.fixture
def catalog(loop: LoopRunner, config: ConfigManager, store: Store, events: EventBus) -> CatalogService:
    """A catalogue that trusts the hubs of the tests; a test sets the sources it wants."""
    config.set("sources", [])
    return loop.enter(running(CatalogService(config, store, events)))


@pytest.fixture
def trusted(config: ConfigManager, samples_folder: Path) -> None:
    """The settings trust the authority of the test's servers."""
    config.set("network.ca_file", str(certificates(samples_folder / "tls").ca))


@pytest.fixture
def serve(samples_folder: Path) -> Serve:
    """An HTTPS server that answers every request by a function: `async with serve(answer) as url`."""
    context = certificates(samples_folder / "tls").server_context()

    @asynccontextmanager
    async def opened(handler: Handler) -> AsyncIterator[str]:
        async def answer(request: web.Request) -> web.StreamResponse:
            return await handler(request)

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        try:
            yield f"https://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    return opened


def source(name: str, url: str, **more: Any) -> dict[str, Any]:
    """The settings of a hub."""
    return {"name": name, "kind": "huggingface", "url": url, **more}


async def never(_: web.Request) -> web.StreamResponse:
    """An answer that does not come."""
    await asyncio.Event().wait()
    raise AssertionError
