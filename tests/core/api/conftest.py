"""A whole shelf served, with the sample hub in front, and its owner who asks it over HTTP."""

import asyncio
from typing import Any

import pytest

from modelshelf.config import ConfigManager
from tests.conftest import LoopRunner
from tests.dashboard.serving import Browser, Served, served


@pytest.fixture
def site(loop: LoopRunner, config: ConfigManager) -> Served:
    from modelshelf.shelf import Shelf

    return loop.enter(served(Shelf(config)))


@pytest.fixture
def owner(loop: LoopRunner, site: Served) -> Browser:
    return loop.runner.run(site.owner())


async def downloaded(owner: Browser, model: str) -> dict[str, Any]:
    """Fetch a model by the API alone."""
    started = await owner.send("POST", "/api/downloads", json={"model": model})
    assert started.status == 202, started.text
    job = started.json()
    async with owner.http.get(f"{owner.url}/api/events?kinds=job", headers=owner.headers) as stream:
        while not job["ended"]:
            await asyncio.wait_for(stream.content.readline(), 30)
            job = (await owner.get(f"/api/downloads/{job['id']}")).json()
    found: dict[str, Any] = job
    return found
