"""What a provider can get wrong, as switches that every simulator has."""

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware


class Fault(StrEnum):
    """One way to misbehave."""

    BAD_KEY = "401"
    FORBIDDEN = "403"
    LIMITED = "429"
    BROKEN = "500"
    PAGE = "a web page"
    GARBAGE = "bytes that are no JSON"
    SHAPE = "JSON of another shape"
    DEEP = "JSON nested beyond reason"
    ENDLESS = "a line that never ends"
    SILENT = "no answer at all"
    HALF = "the connection closes in the middle"
    REDIRECT = "a redirect to another host"


@dataclass
class Faults:
    """Which paths misbehave; `released` ends the silence of `SILENT` so that a server can stop."""

    by_path: dict[str, Fault] = field(default_factory=dict)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def everywhere(self, fault: Fault) -> None:
        """Misbehave on every path."""
        self.by_path = {"/": fault}

    def clear(self) -> None:
        """Behave again."""
        self.by_path = {}

    def of(self, path: str) -> Fault | None:
        """The fault of a path: that of its longest prefix."""
        found = [prefix for prefix in self.by_path if path.startswith(prefix)]
        return self.by_path[max(found, key=len)] if found else None


_STATUS = {Fault.BAD_KEY: 401, Fault.FORBIDDEN: 403, Fault.LIMITED: 429, Fault.BROKEN: 500}
_BODY = {
    Fault.PAGE: (b"<!DOCTYPE html><html><body>router login</body></html>", "text/html"),
    Fault.GARBAGE: (b"\x00\xff{{{not json\n", "application/json"),
    Fault.SHAPE: (b"[1, 2, 3]\n", "application/json"),
    Fault.DEEP: (b"[" * 200_000 + b"]" * 200_000, "application/json"),
}


def misbehaving(faults: Faults) -> Middleware:
    """The middleware of a simulator."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        fault = faults.of(request.path)
        if fault is None:
            return await handler(request)
        if fault in _STATUS:
            headers = {"Retry-After": "7"} if fault is Fault.LIMITED else {}
            return web.json_response({"error": f"simulated {fault}"}, status=_STATUS[fault], headers=headers)
        if fault in _BODY:
            body, kind = _BODY[fault]
            return web.Response(body=body, content_type=kind)
        if fault is Fault.REDIRECT:
            return web.Response(status=302, headers={"Location": "http://203.0.113.7/stolen"})
        if fault is Fault.SILENT:
            await faults.released.wait()
            return web.Response(status=503)
        return await _broken_stream(request, fault)

    return middleware


async def _broken_stream(request: web.Request, fault: Fault) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    if fault is Fault.HALF:
        response.content_length = 1000
    await response.prepare(request)
    await response.write(b'{"models": [')
    try:
        while fault is Fault.ENDLESS:
            await response.write(b"0, " * 100_000)
    except ConnectionError:
        return response
    assert request.transport
    request.transport.close()
    return response
