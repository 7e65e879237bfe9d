"""A real server on loopback in the test's own loop, and what a browser would send to it."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import aiohttp
import panel as pn

from modelshelf.access import AccessService, Principal, Role
from modelshelf.config import ConfigManager
from modelshelf.events import EventBus
from modelshelf.store import Store
from modelshelf_dashboard.secure import session_principal
from modelshelf_dashboard.server import Server, create_server, listen

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf


class SmallShelf:
    """The parts that serving itself needs: database, events and access, all real."""

    def __init__(self, config: ConfigManager) -> None:
        self.config = config
        self.store = Store.at(config.paths.database)
        self.events = EventBus(self.store)
        self.access = AccessService(self.store)
        self.services = {
            name: SimpleNamespace(name=name, status="stopped", error="", remedy="")
            for name in ("store", "events", "access")
        }

    async def start(self) -> None:
        for name, part in self._parts():
            await part.start()
            self.services[name].status = "running"

    async def stop(self) -> None:
        for name, part in reversed(self._parts()):
            await part.stop()
            self.services[name].status = "stopped"

    def _parts(self) -> list[tuple[str, Any]]:
        return [("store", self.store), ("events", self.events), ("access", self.access)]


def page() -> pn.Column:
    """A page that says who looks at it."""
    return pn.Column(pn.pane.Markdown(f"seen by {session_principal().name}"))


@dataclass
class Browser:
    """A browser's side: one cookie, and an Origin where browsers send one."""

    url: str
    http: aiohttp.ClientSession
    cookie: str = ""
    name: str = ""
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def headers(self) -> dict[str, str]:
        return {**({"cookie": f"{self.name}={self.cookie}"} if self.cookie else {}), **self.extra}

    async def get(self, path: str, **headers: str) -> "Seen":
        return await self.send("GET", path, **headers)

    async def send(self, method: str, path: str, *, json: Any = None, **headers: str) -> "Seen":
        sent = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        async with self.http.request(method, self.url + path, headers=sent, json=json, allow_redirects=False) as answer:
            return Seen(answer.status, answer.headers, await answer.read())

    async def sign_in(self, secret: str) -> "Seen":
        seen = await self.send("POST", "/login", json={"secret": secret}, origin=self.url)
        if cookie := seen.headers.get("Set-Cookie"):
            self.name, self.cookie = cookie.partition(";")[0].split("=", 1)
        return seen

    async def token(self) -> str:
        """Load the page, as a browser would, and take its session's token."""
        seen = await self.get("/")
        assert seen.status == 200, seen.text
        found = re.search(r'"token":"([^"]+)"', seen.text)
        assert found, seen.text
        return found[1]

    def websocket(self, token: str, **headers: str) -> Any:
        """Open the page's websocket."""
        sent = {"origin": self.url, **self.headers, **headers}
        return self.http.ws_connect(self.url + "/ws", headers=sent, protocols=["bokeh", token])

    async def refused_websocket(self, token: str, **headers: str) -> int:
        """The status with which the websocket is refused; fails if it is opened."""
        try:
            async with self.websocket(token, **headers):
                raise AssertionError("the websocket was opened")
        except aiohttp.WSServerHandshakeError as error:
            return error.status


@dataclass
class Seen:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        import json

        return json.loads(self.body)


@dataclass
class Served:
    """A running server."""

    url: str
    link: str
    shelf: Any
    server: Server
    http: aiohttp.ClientSession

    @property
    def app(self) -> Any:
        return cast("Any", self.server.config.app)

    def browser(self, **extra: str) -> Browser:
        return Browser(self.url, self.http, extra=extra)

    async def owner(self) -> Browser:
        browser = self.browser()
        assert (await browser.sign_in(await self.shelf.access.owner_link())).status == 204
        return browser

    async def someone(self, name: str, role: Role) -> Browser:
        """A browser that is signed in as somebody else."""
        secret = await self.shelf.access.begin_session(Principal(name, role))
        return Browser(self.url, self.http, secret, f"modelshelf-{self.url.rpartition(':')[2]}")


@asynccontextmanager
async def served(shelf: Any, *, show: Callable[[], Any] | None = page) -> AsyncIterator[Served]:
    """The shelf's server from the first request it can answer to its orderly end."""
    shelf.config.set("server.port", 0)
    links: list[str] = []
    with listen(shelf.config.config.server) as listener:
        server = create_server(cast("Shelf", shelf), listener, page=show, greet=links.append)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            while not links:
                await asyncio.wait([task], timeout=0.01)
                if task.done():
                    await task
            async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
                yield Served(url, links[0], shelf, server, http)
        finally:
            server.should_exit = True
            await task
