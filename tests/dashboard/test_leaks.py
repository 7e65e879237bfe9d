"""Fifty pages are opened and closed on a whole shelf; nothing of them is left alive, and nothing watches for them."""

import asyncio
import gc
from typing import Any

import param
import pytest

from modelshelf.shelf import Shelf
from modelshelf_dashboard.components.piece import Piece
from modelshelf_dashboard.session import Session
from tests.dashboard.serving import served

PAGES = 50
AT_ONCE = 5


@pytest.mark.blocking
async def test_closed_pages_leave_nothing_alive(loop: Any, config: Any) -> None:
    shelf = Shelf(config)
    async with served(shelf, show=None) as site:
        owner = await site.owner()

        async def visit() -> None:
            token = await owner.token()
            async with owner.websocket(token) as socket:
                await socket.receive()

        await visit()
        await _expire(site.app)
        watched = _watchers(shelf)
        for _round in range(PAGES // AT_ONCE):
            async with asyncio.TaskGroup() as group:
                for _page in range(AT_ONCE):
                    group.create_task(visit())
        assert len(Session.alive) >= PAGES // 2
        await _expire(site.app)
        assert _watchers(shelf) == watched
        assert len(Session.alive) == 0
        assert _pieces() == 0


async def _expire(app: Any) -> None:
    """End every session now; by itself that takes the server half a minute."""
    core = app.state.pages._core
    for context in core.applications.values():
        for session in list(context.sessions):
            session.request_expiration()
        await context._cleanup_sessions(0)
    while any(list(context.sessions) for context in core.applications.values()):
        await asyncio.sleep(0.05)
        for context in core.applications.values():
            await context._cleanup_sessions(0)
    await asyncio.sleep(0)
    for _ in range(3):
        gc.collect()


def _pieces() -> int:
    return sum(isinstance(item, Piece) for item in gc.get_objects())


def _watchers(shelf: Shelf) -> int:
    states: list[param.Parameterized] = [shelf.models_state, shelf.providers_state, shelf.downloads_state]
    states += shelf.providers_state.providers
    return sum(
        len(watchers)
        for state in states
        for kinds in state._param__private.watchers.values()
        for watchers in kinds.values()
    )
