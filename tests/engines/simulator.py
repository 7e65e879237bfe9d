"""The root of the simulators: real HTTP on loopback, a key that is checked, requests that are remembered, faults."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

from tests.engines.faults import Faults, misbehaving
from tests.engines.serving import serving

BODY = web.RequestKey("simulated body", dict[str, Any])


@dataclass
class Simulator:
    """Speaks one provider's documented protocol. Subclasses add routes, and models in whatever form they have.

    `key` is the key it wants, none if empty; `requests` are method, path and JSON body of what was asked, `headers` the
    headers of each. An answer has `words` pieces (`word0 word1 …`), waits at `gate` before each, and breaks off after
    `break_after` of them. `running` counts answers under way, `idle` is set while there is none. `hidden` are paths
    that an older version has not.
    """

    key: str = ""
    words: int = 12
    break_after: int | None = None
    hidden: set[str] = field(default_factory=set)
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)
    sent: int = 0
    running: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    @asynccontextmanager
    async def serve(self, context: ssl.SSLContext | None = None) -> AsyncIterator[Self]:
        """Serve on loopback; `url` is its address."""
        self.gate.set()
        app = web.Application(middlewares=[self._note, misbehaving(self.faults)], client_max_size=1 << 30)
        self.routes(app.router)
        async with serving(app, context) as self.url:
            try:
                yield self
            finally:
                self.faults.released.set()
                self.gate.set()

    def routes(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        raise NotImplementedError

    def open_to_all(self, path: str) -> bool:
        """Whether a path needs no key."""
        return False

    def wrong_key(self) -> web.Response:
        """What it answers to no key or a wrong one."""
        return web.json_response({"error": {"message": "Incorrect API key provided"}}, status=401)

    def told_key(self, request: web.Request) -> str:
        """The key that a request carries."""
        return request.headers.get("Authorization", "").removeprefix("Bearer ")

    def asked(self, path: str) -> list[Any]:
        """The bodies of the requests to a path."""
        return [body for _, found, body in self.requests if found == path]

    @web.middleware
    async def _note(self, request: web.Request, handler: Any) -> web.StreamResponse:
        body = await self._body(request)
        self.requests.append((request.method, request.path, body))
        self.headers.append(dict(request.headers))
        request[BODY] = body if isinstance(body, dict) else {}
        if request.path in self.hidden:
            raise web.HTTPNotFound
        if self.key and not self.open_to_all(request.path) and self.told_key(request) != self.key:
            return self.wrong_key()
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _body(self, request: web.Request) -> Any:
        if not request.can_read_body or request.content_type != "application/json":
            return None
        try:
            return await request.json()
        except ValueError:
            return None

    @asynccontextmanager
    async def answering(self) -> AsyncIterator[None]:
        """Around an answer that is streamed: it counts as running."""
        self.running += 1
        self.idle.clear()
        try:
            yield
        finally:
            self.running -= 1
            if self.running == 0:
                self.idle.set()

    async def next_word(self, request: web.Request, number: int) -> str | None:
        """The next piece of an answer, when the gate is open; None when the connection was closed instead."""
        await self.gate.wait()
        await asyncio.sleep(0)
        if number == self.break_after:
            assert request.transport
            request.transport.close()
            return None
        self.sent += 1
        return f"word{number} "


def sse(event: Any, *, name: str = "") -> bytes:
    """A server-sent event with JSON in it."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(event)}\n\n".encode()
