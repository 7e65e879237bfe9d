"""A proxy as companies have them: it ends TLS, looks at what comes, and passes it on."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import trustme

_BLOCK = 65_536
_PAGE = b"<html><body>Please sign in to the network.</body></html>"


class Manner(Enum):
    """What the proxy does with who asks."""

    PASS = "pass"  # hand on what was asked and answered
    PORTAL = "portal"  # answer everything with its own page, as networks with a sign-in page do
    WANTS_PASSWORD = "wants password"
    FORBIDS = "forbids"
    DAMAGES = "damages"  # put other bytes into large answers, as many at a time


@dataclass
class Intercepting:
    """The proxy: `upstream` says where the names that it knows lead, `asked` which were asked for."""

    upstream: Mapping[str, tuple[str, int]]
    context: ssl.SSLContext
    authority: trustme.CA
    manner: Manner = Manner.PASS
    only: str = ""  # the one host that it meets in this manner; empty for all
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def write_ca(self, file: Path) -> Path:
        self.authority.cert_pem.write_to_path(str(file))
        return file

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, target, _ = (await reader.readuntil(b"\r\n\r\n")).decode().split(" ", 2)
        self.asked.append(f"{method} {target}")
        host = target.partition(":")[0]
        manner = self.manner if self.only in ("", host) else Manner.PASS
        if manner in (Manner.WANTS_PASSWORD, Manner.FORBIDS):
            status = "407 Proxy Authentication Required" if manner is Manner.WANTS_PASSWORD else "403 Forbidden"
            writer.write(f"HTTP/1.1 {status}\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.drain()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.authority.issue_cert(host).configure_cert(context)
        await writer.start_tls(context)
        if manner is Manner.PORTAL:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(_PAGE) + _PAGE
            )
            await writer.drain()
            return
        await self._relay(reader, writer, self.upstream[target], watched=self.only in ("", host))

    async def _relay(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, place: tuple[str, int], *, watched: bool
    ) -> None:
        back, forth = await asyncio.open_connection(*place, ssl=self.context)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pump(reader, forth, watched=False))
                tasks.create_task(self._pump(back, writer, watched=watched))
        finally:
            forth.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, watched: bool) -> None:
        with suppress(OSError):
            while block := await source.read(_BLOCK):
                if watched and self.manner is Manner.DAMAGES and len(block) > _BLOCK // 4:
                    block = block[:-1] + bytes([block[-1] ^ 1])
                sink.write(block)
                await sink.drain()
        sink.close()


@asynccontextmanager
async def intercepting(upstream: Mapping[str, tuple[str, int]], context: ssl.SSLContext) -> AsyncIterator[Intercepting]:
    """A running proxy until the end of the block."""
    proxy = Intercepting(upstream, context, trustme.CA())
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        server.close_clients()
        await server.wait_closed()
