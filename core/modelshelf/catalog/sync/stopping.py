"""Work that somebody may stop, from whichever process."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from modelshelf.events import Subscription, SyncStop

type Stop = asyncio.Task[None]
"""Done once somebody wants listing to stop."""


async def wanted(events: Subscription) -> None:
    """Wait until somebody wants listing to stop."""
    async for event in events:
        if isinstance(event, SyncStop):
            return


async def unless(stop: Stop, work: Coroutine[Any, Any, None]) -> bool:
    """Do the work; False if it was given up because `stop` came first. What it keeps as it ends is waited for."""
    doing = asyncio.create_task(work, name="catalog.list")
    try:
        await asyncio.wait({stop, doing}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        given_up = not doing.done()
        if given_up:
            doing.cancel()
            await asyncio.gather(doing, return_exceptions=True)
    if given_up and doing.cancelled():
        return False
    await doing
    return True
