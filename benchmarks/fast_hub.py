"""A hub whose large files come from nginx over TLS on loopback: what the download benchmark fetches from.

The API and the resolver are the sample hub's; it redirects to nginx, which serves the same files at full speed
(`fast`), at 20 MiB/s for each connection (`slow`), or 50 ms late (`late`). Everything runs in a process of its own.
"""

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from aiohttp import web

from modelshelf.samples import Faults, SampleHub
from modelshelf.samples.certificates import certificates
from modelshelf.samples.repository import HubFile

LATE_SECONDS = 0.05
_CONFIG = """
daemon off;
worker_processes auto;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
{user}
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 100000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        ssl_session_cache shared:tls:4m;
        default_type application/octet-stream;
        location /fast/ {{ alias {files}/; }}
        location /slow/ {{ alias {files}/; limit_rate 20m; }}
        location /late/ {{ proxy_pass http://127.0.0.1:{late}; }}
        location /kept/ {{ internal; alias {files}/; }}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class FastHub:
    """The addresses of a running hub: its own, nginx's, and the file with their authority's certificate."""

    url: str
    bytes_url: str
    ca_file: Path


class _Redirecting(SampleHub):
    """A sample hub that sends everything to nginx under the file's checksum."""

    bytes_url = ""
    place_name = "fast"

    def sign(self, file: HubFile) -> str:
        return f"{self.bytes_url}/{self.place_name}/{file.sha256}"


@contextmanager
def fast_hub(folder: Path, repo: str, files: Path, place: str) -> Iterator[FastHub]:
    """A hub with one repository, whose files are those in a folder, until the end of the block.

    Raises:
        RuntimeError: nginx is not installed or does not start.
    """
    if shutil.which("nginx") is None:
        raise RuntimeError("nginx is not installed")
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_serve, args=(theirs, folder, repo, files, place), daemon=True)
    process.start()
    try:
        told = ours.recv()
        if isinstance(told, str):
            raise RuntimeError(told)  # noqa: TRY004 - what the child could not do, in words
        yield told
    finally:
        if process.is_alive():
            ours.send("end")
        process.join(10)


def _serve(pipe: Connection, folder: Path, repo: str, files: Path, place: str) -> None:
    asyncio.run(_serve_all(pipe, folder, repo, files, place))


async def _serve_all(pipe: Connection, folder: Path, repo: str, files: Path, place: str) -> None:
    async with AsyncExitStack() as stack:
        hub = _Redirecting(folder / "hub", samples=False)
        await hub.start()
        stack.push_async_callback(hub.stop)
        found = {str(path.relative_to(files)): path for path in sorted(files.rglob("*")) if path.is_file()}
        published = await hub.add(repo, found)
        kept = folder / "kept"
        kept.mkdir(exist_ok=True)
        for file in published.head.files.values():
            (kept / file.sha256).unlink(missing_ok=True)
            (kept / file.sha256).symlink_to(files / file.path)
        hub.place_name = place
        hub.faults = Faults(latency=LATE_SECONDS if place == "late" else 0.0)
        try:
            hub.bytes_url = await stack.enter_async_context(_nginx(folder, kept))
        except RuntimeError as error:
            pipe.send(str(error))
            return
        pipe.send(FastHub(hub.url, hub.bytes_url, hub.ca_file))
        await asyncio.to_thread(pipe.recv)


@asynccontextmanager
async def _nginx(folder: Path, kept: Path) -> AsyncIterator[str]:
    async with _late() as late:
        made = certificates(folder / "hub" / "tls")
        port = _free_port()
        config = folder / "nginx.conf"
        config.write_text(
            _CONFIG.format(
                folder=folder,
                files=kept,
                port=port,
                late=late,
                certificate=made.server,
                key=made.key,
                user="user root;" if os.geteuid() == 0 else "",
            )
        )
        process = subprocess.Popen(["nginx", "-p", folder, "-c", config], stderr=subprocess.PIPE)
        try:
            await _answering(process, port)
            yield f"https://127.0.0.1:{port}"
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait, 10)


@asynccontextmanager
async def _late() -> AsyncIterator[int]:
    """What nginx asks before it sends a late file."""

    async def answer(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(LATE_SECONDS)
        return web.Response(headers={"X-Accel-Redirect": f"/kept/{request.match_info['name']}"})

    app = web.Application()
    app.router.add_get("/late/{name}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def _answering(process: "subprocess.Popen[bytes]", port: int) -> None:
    for _ in range(200):
        if process.poll() is not None:
            told = process.stderr.read().decode() if process.stderr else ""
            raise RuntimeError(f"nginx does not start: {told.strip()}")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise RuntimeError("nginx does not answer")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
