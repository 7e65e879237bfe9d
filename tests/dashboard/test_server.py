"""How it is served: the address, static files, events, start and stop."""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path

import aiohttp
import pytest

from modelshelf.api import Site
from modelshelf.config import ConfigManager
from modelshelf.errors import NotFound, StoreError, UsageError
from modelshelf.events import JobProgress, LibraryChanged
from modelshelf_dashboard import links
from modelshelf_dashboard.assets import prime
from modelshelf_dashboard.server import HEAVY, PortInUse, check_address, listen, serve
from tests.conftest import LoopRunner
from tests.dashboard.serving import Browser, Served, SmallShelf, served


@pytest.fixture
def site(loop: LoopRunner, config: ConfigManager) -> Served:
    return loop.enter(served(SmallShelf(config)))


def test_a_port_in_use_is_one_sentence(config: ConfigManager) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config.set("server.port", port)
        with pytest.raises(PortInUse, match=rf"Port {port} on 127\.0\.0\.1 is in use\.") as caught:
            listen(config.config.server)
    assert caught.value.exit_code == 1
    assert "--port" in caught.value.remedy


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "shelf.example.org", ""])
def test_other_machines_are_not_served_without_users_and_tls(config: ConfigManager, host: str) -> None:
    config.set("server.host", host)
    with pytest.raises(UsageError, match="other machines could reach it"):
        check_address(config.config.server)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.0.0.5"])
def test_loopback_is_served(config: ConfigManager, host: str) -> None:
    config.set("server.host", host)
    check_address(config.config.server)


def test_an_address_of_another_machine_is_one_sentence(config: ConfigManager) -> None:
    config.set("server.host", "192.0.2.1")
    with pytest.raises(UsageError, match=r"cannot listen at 192\.0\.2\.1"):
        listen(config.config.server)


def test_behind_a_tls_proxy_the_cookie_is_bound_to_the_host() -> None:
    site = Site.at("127.0.0.1", 5006, public_url="https://Shelf.example.org/user/ann")
    assert site.secure
    assert site.cookie == "__Host-modelshelf"
    assert site.root_path == "/user/ann"
    assert site.own_origin("https://shelf.example.org")
    assert not site.own_origin("https://example.org")


async def test_static_files_are_small_tagged_and_cached(site: Served) -> None:
    anyone = site.browser()
    path = "/static/js/bokeh.min.js"
    async with site.http.get(site.url + path, headers={"accept-encoding": "br"}, auto_decompress=False) as answer:
        body = await answer.read()
        tag = answer.headers["etag"]
        assert answer.headers["content-encoding"] == "br"
        assert "accept-encoding" in answer.headers["vary"].lower()
        assert answer.headers["cache-control"] == "public, max-age=3600"
        assert answer.headers["content-type"].startswith(("text/javascript", "application/javascript"))
    plain = await anyone.get(path, accept_encoding="identity")
    assert "Content-Encoding" not in plain.headers
    assert len(body) < len(plain.body) / 3
    assert plain.headers["etag"] != tag
    again = await anyone.get(path, accept_encoding="br", if_none_match=tag)
    assert (again.status, again.body) == (304, b"")
    versioned = await anyone.get(path + "?v=1")
    assert "immutable" in versioned.headers["cache-control"]
    head = await anyone.send("HEAD", path, accept_encoding="identity")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(plain.body)))
    missing = await anyone.get("/static/js/nothing.js?v=2")
    assert missing.status == 404
    assert "cache-control" not in missing.headers


@pytest.mark.parametrize("path", ["/static/../../../etc/passwd", "/static/%2e%2e/%2e%2e/package.json", "/static/"])
async def test_nothing_else_is_served_as_static(site: Served, path: str) -> None:
    assert (await site.browser().get(path)).status in (302, 404)


async def test_the_files_of_components_are_for_who_is_signed_in(site: Served) -> None:
    path = "/components/panel.pane.markup/Markdown/_esm"
    assert (await site.browser().get(path)).status == 401
    assert (await (await site.owner()).get(path)).status in (400, 404)


async def test_every_answer_is_strict_with_the_browser(site: Served) -> None:
    owner = await site.owner()
    for path in ("/", "/login", "/api/me", "/api/nothing", "/static/js/bokeh.min.js", "/nothing"):
        headers = (await owner.get(path)).headers
        policy = headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "http:" not in policy
        assert "https:" not in policy
        assert "*" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "server" not in headers
    assert (await owner.get("/api/me")).headers["cache-control"] == "no-store"
    assert (await owner.get("/")).headers["cache-control"] == "no-store"


async def test_events_arrive_and_go_on_where_the_reader_stopped(site: Served) -> None:
    owner = await site.owner()
    async with site.http.get(f"{site.url}/api/events", headers=owner.headers) as stream:
        assert stream.content_type == "text/event-stream"
        reading = parts(stream)
        first = await anext(reading)
        assert first["event"] == "reset"
        site.shelf.events.publish(LibraryChanged(repo="a/one"))
        second = await anext(reading)
        assert (second["event"], json.loads(second["data"])) == ("library", {"repo": "a/one"})
    for number in range(20):
        site.shelf.events.publish(progress(number))
    site.shelf.events.publish(LibraryChanged(repo="a/two"))
    resumed = {**owner.headers, "last-event-id": second["id"]}
    async with site.http.get(f"{site.url}/api/events", headers=resumed) as stream:
        reading = parts(stream)
        latest, last = await anext(reading), await anext(reading)
        assert json.loads(latest["data"])["done"] == 19  # of a job's progress only the latest
        assert json.loads(last["data"]) == {"repo": "a/two"}
        assert int(last["id"].rpartition("-")[2]) == int(second["id"].rpartition("-")[2]) + 21


@pytest.mark.parametrize("seen", ["nonsense", "0-0", "{epoch}-999", "{epoch}--1", "{epoch}-"])
async def test_a_reader_who_missed_events_is_told_so(site: Served, seen: str) -> None:
    owner = await site.owner()
    seen = seen.format(epoch=site.app.state.event_log.epoch)
    async with site.http.get(f"{site.url}/api/events", headers={**owner.headers, "last-event-id": seen}) as stream:
        assert (await anext(parts(stream)))["event"] == "reset"


async def test_a_reader_may_choose_kinds(site: Served) -> None:
    owner = await site.owner()
    async with site.http.get(f"{site.url}/api/events?kinds=library", headers=owner.headers) as stream:
        reading = parts(stream)
        await anext(reading)
        site.shelf.events.publish(progress(1))
        site.shelf.events.publish(LibraryChanged(repo="a/one"))
        assert (await anext(reading))["event"] == "library"


async def test_every_reader_sees_every_event(site: Served) -> None:
    owner = await site.owner()

    async def read(count: int) -> list[str]:
        async with site.http.get(f"{site.url}/api/events", headers=owner.headers) as stream:
            reading = parts(stream)
            await anext(reading)
            ready.release()
            return [json.loads((await anext(reading))["data"])["repo"] for _ in range(count)]

    ready = asyncio.Semaphore(0)
    readers = [asyncio.create_task(read(50)) for _ in range(5)]
    for _ in readers:
        await ready.acquire()
    for number in range(50):
        site.shelf.events.publish(LibraryChanged(repo=f"a/{number}"))
    assert await asyncio.gather(*readers) == [[f"a/{number}" for number in range(50)]] * 5


async def test_closed_pages_are_let_go(site: Served) -> None:
    owner = await site.owner()
    for _ in range(3):
        async with owner.websocket(await owner.token()) as page:
            await page.receive()
            assert site.app.state.pages.count()[1] == 1
        while site.app.state.pages.count()[1]:
            await asyncio.wait([asyncio.create_task(owner.get("/api/health"))])


async def test_open_streams_and_pages_do_not_hold_up_the_stop(config: ConfigManager) -> None:
    async with served(SmallShelf(config)) as site:
        owner = await site.owner()
        stream = await site.http.get(f"{site.url}/api/events", headers=owner.headers)
        page = await owner.websocket(await owner.token())
        await stream.content.readline()
        begun = time.monotonic()
        site.server.should_exit = True
        await stream.content.read()
        while not page.closed:
            await page.receive()
    assert time.monotonic() - begun < 4
    assert site.shelf.services["store"].status == "stopped"


async def test_a_proxys_path_is_kept_whether_or_not_it_is_cut_off(config: ConfigManager) -> None:
    config.set("server.root_path", "/user/ann")
    async with served(SmallShelf(config)) as site:
        assert site.link.startswith(f"{site.url}/user/ann/login#")
        for prefix in ("", "/user/ann"):
            anyone = Browser(site.url + prefix, site.http)
            page = await anyone.get("/")
            assert (page.status, page.headers["location"]) == (302, "/user/ann/login")
            assert (await anyone.get("/api/me")).status == 401
        owner = Browser(site.url, site.http)
        assert "Path=/user/ann" in (await owner.sign_in(await site.shelf.access.owner_link())).headers["Set-Cookie"]
        assert (await owner.get("/user/ann/")).status == 200
        assert (await owner.get("/user/ann/api/me")).json()["name"] == "owner"


async def test_served_as_a_program_it_prints_one_link_and_stops_on_a_signal(config: ConfigManager, home: Path) -> None:
    program = "import sys; from modelshelf.config import ConfigManager; from modelshelf_dashboard.server import serve; "
    program += "config = ConfigManager(); config.set('server.port', 0); serve(config)"
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        env={**config.environ, "PATH": os.environ["PATH"], "MODELSHELF_HOME": str(home)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    said = ""
    while "/login#" not in said:
        line = await asyncio.wait_for(child.stdout.readline(), 60)
        assert line, (await child.communicate())[1].decode()
        said += line.decode()
    link = said.split()[-1]
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        owner = Browser(link.partition("/login")[0], http)
        assert (await owner.sign_in(link.partition("#")[2])).status == 204
        services = (await owner.get("/api/status")).json()["services"]
        assert {service["status"] for service in services} == {"running"}, services
        another = await asyncio.to_thread(links.new_link, config)
        assert (await Browser(owner.url, http).sign_in(another.partition("#")[2])).status == 204
    config.set("server.port", int(owner.url.rpartition(":")[2]))
    with pytest.raises(PortInUse, match="being served already"):
        await asyncio.to_thread(serve, config)
    child.send_signal(signal.SIGTERM)
    rest, errors = await asyncio.wait_for(child.communicate(), 30)
    assert child.returncode in (0, -signal.SIGTERM)
    assert "Traceback" not in errors.decode()
    assert "login#" not in rest.decode()
    with pytest.raises(NotFound, match="No server runs"):
        await asyncio.to_thread(links.new_link, config)


@pytest.mark.blocking
async def test_a_database_that_cannot_be_used_is_one_sentence(config: ConfigManager) -> None:
    config.set("server.port", 0)
    config.paths.database.write_bytes(b"this is no database, but long enough to be looked at" * 40)
    with pytest.raises(StoreError, match="cannot be used") as caught:
        await asyncio.to_thread(serve, config)
    assert "backup" in caught.value.remedy
    assert links.serving(config.home) is None


async def test_the_heavy_files_are_packed_before_the_first_visit(site: Served) -> None:
    import_module("panel_material_ui")  # its files are served once it is imported, as the page does
    for path in HEAVY:
        assert (await site.browser().send("HEAD", path)).status == 200, path
    await prime(site.app, site.url.removeprefix("http://"), HEAVY)


async def test_inline_scripts_run_by_the_pages_nonce_only(site: Served) -> None:
    owner = await site.owner()
    nonces = set()
    for _ in range(2):
        page = await owner.get("/")
        policy = page.headers["content-security-policy"]
        nonce = policy.split("'nonce-")[1].split("'")[0]
        assert "unsafe-eval" not in policy
        assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]
        assert page.text.count("<script") == page.text.count(f'<script nonce="{nonce}"') > 0
        nonces.add(nonce)
    assert len(nonces) == 2


def progress(done: int) -> JobProgress:
    return JobProgress(job="j", status="transferring", done=done, total=20, rate=1.0, eta=None)


async def parts(stream: aiohttp.ClientResponse) -> AsyncIterator[dict[str, str]]:
    """The events of a stream, comments left out."""
    found: dict[str, str] = {}
    async for raw in stream.content:
        line = raw.decode().rstrip("\n")
        name, colon, value = line.partition(": ")
        if name and colon:
            found[name] = value
        elif not line and found:
            yield found
            found = {}
