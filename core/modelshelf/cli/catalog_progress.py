"""Listing sources, told line by line."""

import asyncio
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

from modelshelf.catalog.builder import Built
from modelshelf.cli.output import Output, emit
from modelshelf.errors import StoreError
from modelshelf.events import CatalogChanged, Event, Subscription, SyncChanged

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from modelshelf.shelf import Shelf


STOPS_WITHIN = 30.0
ENDED = frozenset({"stopped", "done", "failed"})


async def followed(shelf: "Shelf", output: Output, *, full: bool) -> Built:
    """Bring the catalogue up to date here, or have the process do it that leads; tell how it goes.

    Raises:
        As `CatalogSync.now`; StoreError: the other process could not.
    """
    with shelf.events.subscribe() as events:
        work = asyncio.create_task(shelf.catalog_sync.now(full=full))
        try:
            async with aclosing(_until(work, events)) as told:
                async for event in told:
                    _tell(event, output)
            built = await work
            return built or await _elsewhere(events, output)
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


async def _until(work: "asyncio.Task[Built | None]", events: Subscription) -> "AsyncGenerator[Event, None]":
    """Events as long as the work goes on."""
    while not work.done():
        coming = asyncio.ensure_future(anext(events))
        try:
            await asyncio.wait({work, coming}, return_when=asyncio.FIRST_COMPLETED)
            if coming.done():
                yield coming.result()
        finally:
            coming.cancel()


async def _elsewhere(events: Subscription, output: Output) -> Built:
    """Follow the process that leads, to the end of its round."""
    output.line("The server of this home does it; this follows.")
    generation = ""
    async for event in events:
        _tell(event, output)
        if isinstance(event, CatalogChanged):
            generation = event.generation
        if isinstance(event, SyncChanged) and not event.source and event.status == "failed":
            raise StoreError(event.error, remedy="`modelshelf catalog status` tells more.")
        if isinstance(event, SyncChanged) and not event.source and event.status in {"done", "stopped"}:
            return Built(generation, event.found)
    raise AssertionError  # events never end


def _tell(event: Event, output: Output) -> None:
    if not isinstance(event, SyncChanged):
        return
    if output.as_json:
        emit({"event": event.status, "source": event.source, "found": event.found, "error": event.error})
    elif event.status == "waiting":
        output.line(f"{event.source}: {event.error} Waiting.")
    elif event.status == "asking" and event.found:
        output.line(f"{event.source}: {event.found:,} models")
    elif event.status == "building":
        output.line("Making the catalogue …")
    elif event.status == "stopped" and not event.source:
        output.line("Listing was stopped; the next sync goes on from there.")


async def stopped(shelf: "Shelf") -> bool:
    """Have listing stop, wherever it goes on, and wait until it has; False if nobody lists."""
    with shelf.events.subscribe() as events:
        if not await shelf.catalog_sync.halt():
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(STOPS_WITHIN):
                async for event in events:
                    if isinstance(event, SyncChanged) and not event.source and event.status in ENDED:
                        return True
    return True
