"""Follows what a llama.cpp router fetches: by its events, and by its list where these are missing or went by."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Self

from modelshelf.errors import ModelshelfError, ProviderError
from modelshelf.providers.answers import count, mapping, objects, text
from modelshelf.providers.http import Endpoint
from modelshelf.providers.spec import Progress

LIST_SECONDS = 1.0
MOST_EVENTS = 1000


class Following:
    """One download; enter before it is ordered, since events that nobody heard are not told again."""

    def __init__(self, http: Endpoint, model: str) -> None:
        self.ended = False
        self._http = http
        self._model = model
        self._events: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue(MOST_EVENTS)
        self._listener: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._listener = asyncio.create_task(self._listen(), name=f"llamacpp.pull.{self._model}")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._listener:
            self._listener.cancel()
            [outcome] = await asyncio.gather(self._listener, return_exceptions=True)
            if isinstance(outcome, Exception):
                raise outcome

    async def steps(self) -> AsyncGenerator[Progress, None]:
        """How far it is, until it is done.

        Raises:
            ProviderError: it failed.
            Unreachable, NotSignedIn.
        """
        last = Progress("downloading")
        while not self.ended:
            event = await self._next() or await self._listed()
            kind, data = text(event.get("event")), mapping(event.get("data"))
            if kind == "download_failed":
                self.ended = True
                raise ProviderError(
                    f"{self._http.who} could not fetch {self._model}.", remedy="Look into the router's own log."
                )
            self.ended = kind == "download_finished"
            step = Progress("downloading", *_sums(mapping(data.get("progress")) or data))
            if kind == "download_progress" and step.done > last.done:
                yield (last := step)
        yield Progress("done", last.total or last.done, last.total)

    async def _next(self) -> Mapping[str, Any] | None:
        try:
            async with asyncio.timeout(LIST_SECONDS):
                return await self._events.get()
        except TimeoutError:
            return None

    async def _listen(self) -> None:
        try:
            async with aclosing(self._http.sse("models/sse", None, method="GET")) as events:
                async for event in events:
                    if event.get("model") == self._model:
                        await self._events.put(event)
        except ModelshelfError:
            # An older router has no events, and any may close the stream: then the list is asked alone.
            return

    async def _listed(self) -> Mapping[str, Any]:
        """What the list tells, as an event would."""
        listed = objects(mapping(await self._http.json("GET", "models")).get("data"))
        item = next((item for item in listed if item.get("id") == self._model), None)
        if item is None:
            return {"event": "download_failed"}
        status = mapping(item.get("status"))
        if status.get("value") != "downloading":
            return {"event": "download_finished"}
        return {"event": "download_progress", "data": status.get("progress")}


def _sums(files: Mapping[str, Any]) -> tuple[int, int | None]:
    """The bytes that came and that are expected, over all files of a download."""
    told = [mapping(file) for file in files.values()]
    totals = [count(file.get("total")) for file in told]
    done = sum(count(file.get("done")) or 0 for file in told)
    return done, sum(total for total in totals if total is not None) if told and all(totals) else None
