"""How bytes leave the sample hub: ranges, entity tags, and whatever faults are in force."""

import asyncio
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from modelshelf.samples.faults import Faults, Switchboard
from modelshelf.samples.repository import HubFile

PIECE = 1 << 20
SLICE_SECONDS = 0.05
MISSING = 1000
DAMAGE = 16

_RANGE = re.compile(r"^bytes=(\d*)-(\d*)$")


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes to send: `start` to `stop` (not included) of the file, told as a part (206) or the whole (200)."""

    start: int
    stop: int
    part: bool


def asked(request: web.Request, file: HubFile) -> Span | None:
    """What the request's Range means for the file, or None if it cannot be satisfied (416)."""
    whole = Span(0, file.size, part=False)
    match = _RANGE.match(request.headers.get("Range", ""))
    if match is None or match.group() == "bytes=-":
        return whole
    condition = request.headers.get("If-Range")
    if condition is not None and condition != f'"{file.content_etag}"':
        return whole
    first, last = match.groups()
    start = int(first) if first else max(0, file.size - int(last))
    stop = min(file.size, int(last) + 1) if first and last else file.size
    return Span(start, stop, part=True) if start < stop else None


class Delivery:
    """One answer with a body."""

    def __init__(self, request: web.Request, file: HubFile, board: Switchboard, *, spoilt: bool) -> None:
        self.request = request
        self.file = file
        self.sent = 0
        self._board = board
        self._spoilt = spoilt and board.faults.concern(file.path)
        self._faults = board.faults if self._spoilt else Faults(rate=board.faults.rate)

    async def answer(self, headers: dict[str, str]) -> web.StreamResponse:
        """Send the file, or the part of it that was asked for."""
        headers = {**headers, "ETag": f'"{self.file.content_etag}"', "Accept-Ranges": "bytes"}
        span = asked(self.request, self.file)
        if span is None:
            return web.Response(status=416, headers={**headers, "Content-Range": f"bytes */{self.file.size}"})
        shown, read = self._bent(span)
        response = web.StreamResponse(status=206 if shown.part else 200, headers=headers)
        if shown.part:
            response.headers["Content-Range"] = f"bytes {shown.start}-{shown.stop - 1}/{self.file.size}"
        response.content_type = "application/octet-stream"
        response.content_length = read.stop - read.start
        if self.request.method == "GET" and self._take("long_length", self._faults.long_length):
            response.content_length += MISSING
        await response.prepare(self.request)
        if self.request.method == "GET":
            with suppress(ConnectionError):  # who left needs no answer
                await self._send(response, read)
            if response.content_length != self.sent:
                self._hang_up()
        return response

    def _take(self, switch: str, times: int) -> bool:
        return self._board.take(switch, times) if times else False

    def _bent(self, span: Span) -> tuple[Span, Span]:
        """What the answer says it holds, and what it holds in truth."""
        faults, read = self._faults, span
        if self.request.method != "GET":
            return span, span
        if span.part and self._take("range_ignored", faults.range_ignored):
            span = read = Span(0, self.file.size, part=False)
        if span.part and self._take("wrong_offset", faults.wrong_offset):
            span = read = _moved(span, self.file.size)
        if span.part and self._take("lying_body", faults.lying_body):
            read = _moved(span, self.file.size)
        if read.stop == self.file.size and self._take("truncate", faults.truncate):
            read = Span(read.start, max(read.start, read.stop - MISSING), read.part)
        return span, read

    async def _send(self, response: web.StreamResponse, span: Span) -> None:
        faults, size = self._faults, span.stop - span.start
        breaks = 0 < faults.close_after < size and self._take("close", faults.close_times)
        stop = span.start + faults.close_after if breaks else span.stop
        silent = faults.silence_seconds and size > faults.silence_after and self._take("silence", faults.silence_times)
        rate = faults.trickle if faults.trickle and self._take("trickle", faults.trickle_times) else faults.rate
        piece = max(1, min(PIECE, int(rate * SLICE_SECONDS))) if rate else PIECE
        loop = asyncio.get_running_loop()
        began, offset = loop.time(), span.start
        while offset < stop:
            if silent and self.sent >= faults.silence_after:
                silent = False
                await asyncio.sleep(faults.silence_seconds)
            end = min(stop, offset + piece)
            if silent:
                end = min(end, span.start + faults.silence_after)
            await response.write(self._damaged(await self._read(offset, end), offset))
            self.sent, offset = self.sent + end - offset, end
            if rate:
                await asyncio.sleep(began + self.sent / rate - loop.time())

    async def _read(self, start: int, stop: int) -> bytes:
        content = self.file.content
        if isinstance(content, bytes):
            return content[start:stop]
        return await asyncio.to_thread(_pread, content, start, stop - start)

    def _damaged(self, data: bytes, offset: int) -> bytes:
        """The data with 16 bytes of the file's middle flipped, if they are in it and the switch is on."""
        middle = max(0, self.file.size // 2 - DAMAGE)
        first, last = max(middle, offset) - offset, min(middle + DAMAGE, offset + len(data)) - offset
        if first >= last or not self._take("corrupt", self._faults.corrupt):
            return data
        return data[:first] + bytes(byte ^ 0x55 for byte in data[first:last]) + data[last:]

    def _hang_up(self) -> None:
        if self.request.transport is not None:
            self.request.transport.close()


def _moved(span: Span, size: int) -> Span:
    """A part of the same length elsewhere in the file, as far as there is an elsewhere."""
    length = span.stop - span.start
    start = span.start - 4096 if span.start >= 4096 else min(span.start + 4096, size - length)
    return Span(start, start + length, part=True)


def _pread(path: Path, start: int, length: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.pread(descriptor, length, start)
    finally:
        os.close(descriptor)
