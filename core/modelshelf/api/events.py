"""Live events: GET /api/events, server-sent, resumable by Last-Event-ID."""

import asyncio
import json
import uuid
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from modelshelf.events import Event, EventBus, JobProgress

KEPT = 2000
PAUSE_SECONDS = 0.1  # a browser wants at most ten updates a second
HEARTBEAT_SECONDS = 15.0

router = APIRouter(tags=["events"])


@dataclass(frozen=True, slots=True)
class Entry:
    """An event with its number in this server's log."""

    number: int
    event: Event


class EventLog:
    """The last events of this server, for readers that come and go. Numbers begin at 1 and have no gaps."""

    def __init__(self, bus: EventBus) -> None:
        self.epoch = uuid.uuid4().hex[:12]
        self._bus = bus
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._last = 0
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.closing = False

    async def start(self) -> None:
        """Begin to collect."""
        self._task = asyncio.create_task(self._collect(), name="api.events")

    async def stop(self) -> None:
        """End, and let every reader end."""
        self.close()
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def close(self) -> None:
        """Let every reader end now; what stops the server calls this first."""
        self.closing = True
        self.wake()

    def wake(self) -> None:
        """Let every reader look whether it may still read."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def look_again(self, _stamp: str) -> None:
        """A login has ended: its readers have to stop."""
        self.wake()

    def position(self, last_event_id: str) -> int | None:
        """Where a reader goes on that has seen this id; None if that is not known here any more."""
        epoch, _, number = last_event_id.partition("-")
        if epoch != self.epoch or not number.isdecimal():
            return None
        seen = int(number)
        oldest = self._entries[0].number if self._entries else self._last + 1
        return seen if oldest - 1 <= seen <= self._last else None

    @property
    def newest(self) -> int:
        """The number of the newest event."""
        return self._last

    def after(self, seen: int) -> list[Entry]:
        """What came after event `seen`, of each job's progress only the latest."""
        entries = [entry for entry in self._entries if entry.number > seen]
        last = {entry.event.job: entry for entry in entries if isinstance(entry.event, JobProgress)}
        return [e for e in entries if not isinstance(e.event, JobProgress) or last[e.event.job] is e]

    async def wait(self, seconds: float) -> None:
        """Until there is news, or for so long."""
        news = self._news
        try:
            async with asyncio.timeout(seconds):
                await news.wait()
        except TimeoutError:
            return

    async def _collect(self) -> None:
        with self._bus.subscribe() as events:
            async for event in events:
                self._last += 1
                self._entries.append(Entry(self._last, event))
                self.wake()


async def stream(
    log: EventLog, seen: int | None, kinds: Sequence[str], allowed: Callable[[], Awaitable[bool]]
) -> AsyncGenerator[str, None]:
    """The log as server-sent events until the reader goes, may not read any more, or the server stops.

    `reset` tells a reader that it missed events and has to read the state anew.
    """
    if seen is None:
        seen = log.newest
        yield f"id: {log.epoch}-{seen}\nevent: reset\ndata: {{}}\n\n"
    else:
        yield ": welcome back\n\n"
    while not log.closing and await allowed():
        entries = log.after(seen)
        if not entries:
            newest = log.newest
            await log.wait(HEARTBEAT_SECONDS)
            if log.newest == newest:
                yield ": still here\n\n"
            continue
        for entry in entries:
            seen = entry.number
            if not kinds or entry.event.kind in kinds:
                data = json.dumps(entry.event.payload())
                yield f"id: {log.epoch}-{entry.number}\nevent: {entry.event.kind}\ndata: {data}\n\n"
        await asyncio.sleep(PAUSE_SECONDS)


@router.get("/events", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
async def events(
    request: Request,
    kinds: Annotated[str, Query(description="comma-separated; empty: all", max_length=200)] = "",
    last_event_id: Annotated[str, Header(max_length=100)] = "",
) -> StreamingResponse:
    """What happens, as it happens: job, progress, transfer, library, quarantine, provider, source, service.

    The first event is `reset` unless the reader goes on where it stopped (Last-Event-ID): read the state, then follow.
    """
    log: EventLog = request.app.state.event_log
    authenticate = request.app.state.authenticate
    scope = request.scope

    async def allowed() -> bool:
        return await authenticate(scope) is not None

    wanted = [kind for kind in kinds.split(",") if kind]
    position = log.position(last_event_id) if last_event_id else None

    async def body() -> AsyncGenerator[str, None]:
        async with aclosing(stream(log, position, wanted, allowed)) as parts:
            async for part in parts:
                yield part

    return StreamingResponse(
        body(), media_type="text/event-stream", headers={"cache-control": "no-store", "x-accel-buffering": "no"}
    )
