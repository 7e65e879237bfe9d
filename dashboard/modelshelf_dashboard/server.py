"""Page, websocket, REST and events in one app on one port, behind one login."""

import asyncio
import errno
import logging
import secrets
import socket
import sys
import webbrowser
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

import uvicorn
from fastapi import FastAPI
from panel.io.fastapi import add_applications

from modelshelf.access import look_up_by
from modelshelf.access.logins import Logins
from modelshelf.api import CookieLogins, EventLog, Guard, Site, add_api, is_loopback, url_host
from modelshelf.config import ConfigManager, ServerConfig
from modelshelf.errors import ModelshelfError, StoreError, UsageError
from modelshelf_dashboard import links, login
from modelshelf_dashboard.assets import Assets, prime
from modelshelf_dashboard.secure import Binding, BoundPolicy, LivePages, session_principal

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

log = logging.getLogger(__name__)

# What the page really needs: Panel's components are compiled from blobs, and styles are written into every shadow root.
# No eval, no inline script without the page's own nonce, and nothing comes from or goes to another host.
_POLICY = (
    "default-src 'self'; script-src {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self' blob:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'"
)
PLAIN_POLICY = _POLICY.format(scripts="'self'")
HEAVY = (
    "/static/js/bokeh.min.js",
    "/static/js/bokeh-gl.min.js",
    "/static/js/bokeh-widgets.min.js",
    "/static/extensions/panel/panel.min.js",
    "/static/extensions/panel-material-ui/panel-material-ui.bundle.js",
)


def page_policy(nonce: str) -> str:
    """The policy of a page whose inline scripts carry this nonce."""
    return _POLICY.format(scripts=f"'self' 'nonce-{nonce}' blob:")


STOP_SECONDS = 5

Page = Callable[[], Any]


class PortInUse(ModelshelfError, OSError):
    """Another program listens at the address."""

    remedy = "Stop that program, or choose another port with --port."


def build_app(shelf: "Shelf", site: Site, *, page: Page | None = None) -> FastAPI:
    """The app of a shelf. Starting and stopping the shelf is part of its lifespan.

    Args:
        shelf: not started yet.
        site: where browsers will find the server.
        page: makes the page for each browser session; by default the dashboard's own.
    """
    look_up_by(session_principal)
    logins = Logins(shelf.access)
    events = EventLog(shelf.events)
    authenticate = CookieLogins(site, logins)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await shelf.start()
        await events.start()
        try:
            yield
        finally:
            await events.stop()
            await shelf.stop()

    app = FastAPI(title="Modelshelf", openapi_url="/api/openapi.json", docs_url=None, redoc_url=None, lifespan=lifespan)
    add_api(app, shelf, events, authenticate)
    app.include_router(login.router(site, logins))
    panel = add_applications(
        {"/": page or _page_of(shelf)},
        app=app,
        title="Modelshelf",
        auth_policy=BoundPolicy(site, logins),
        websocket_origin=sorted(site.hosts),
        sign_sessions=True,
        secret_key=secrets.token_bytes(32),
        exclude_headers=["Cookie", "cookie", "Authorization", "authorization"],
        exclude_cookies=[site.cookie],
    )
    for context in panel.applications.values():
        context.application.add(Binding(site))
    pages = LivePages(panel.core)
    logins.on_end(pages.close)
    logins.on_end(events.look_again)
    app.state.pages = pages
    app.add_middleware(Assets, policy=page_policy)
    app.add_middleware(Guard, site=site, authenticate=authenticate, page_policy=PLAIN_POLICY)
    return app


def _page_of(shelf: "Shelf") -> Page:
    create_page = import_module("modelshelf_dashboard.page").create_page
    import_module("panel_material_ui.template.base")  # now, not when the first page is asked for
    return lambda: create_page(shelf)


def check_address(settings: ServerConfig) -> None:
    """Refuse to serve where strangers could listen or knock.

    Raises:
        UsageError: the address is not loopback.
    """
    if not is_loopback(settings.host):
        raise UsageError(
            f"Modelshelf does not serve on {settings.host}: other machines could reach it, without users and TLS.",
            remedy="Serve on 127.0.0.1; reach it through an SSH tunnel, or a proxy with TLS (server.public_url).",
        )


def listen(settings: ServerConfig) -> socket.socket:
    """A socket that listens at the configured address; port 0 takes a free one.

    Raises:
        PortInUse: another program listens there.
        UsageError: the address is not one of this machine, or may not be used.
    """
    host = "127.0.0.1" if settings.host == "localhost" else settings.host.strip("[]")
    server = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind((host, settings.port))
        server.listen(2048)
    except OSError as error:
        server.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(f"Port {settings.port} on {settings.host} is in use.") from None
        raise UsageError(
            f"Modelshelf cannot listen at {settings.host}:{settings.port}: {error.strerror}.",
            remedy="Choose another address or port.",
        ) from None
    server.setblocking(False)
    return server


class Server(uvicorn.Server):
    """uvicorn that tells when it serves, and lets the event streams end first when it stops."""

    def __init__(
        self, config: uvicorn.Config, started: Callable[[], Awaitable[None]], closing: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._told = started
        self._closing = closing
        self.failure: ModelshelfError | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets)
        if self.started:
            try:
                await self._told()
            except ModelshelfError as error:
                self.failure, self.should_exit = error, True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop, after the streams were told to end."""
        self._closing()
        await super().shutdown(sockets)


def create_server(
    shelf: "Shelf",
    listener: socket.socket,
    *,
    page: Page | None = None,
    greet: Callable[[str], None] = print,
    warm: bool = False,
) -> Server:
    """A server for a listening socket. `greet` is told the owner's link once it serves.

    `warm` packs the page's heavy files in advance, so that the first visitor does not wait for it.
    """
    settings = shelf.config.config.server
    port = listener.getsockname()[1]
    known = shelf.config.config
    # Whoever names this address as a provider's is told that it is ours, also where the port was chosen by the system.
    shelf.config.config = known.model_copy(update={"server": known.server.model_copy(update={"port": port})})
    site = Site.at(settings.host, port, root_path=settings.root_path, public_url=settings.public_url)
    app = build_app(shelf, site, page=page)
    base = settings.public_url.rstrip("/") or f"http://{url_host(settings.host)}:{port}{site.root_path}"

    async def started() -> None:
        store = shelf.services["store"]
        if store.status == "failed":  # nobody could sign in
            raise store.failure or StoreError(store.error, remedy=store.remedy)
        await asyncio.to_thread(links.note, shelf.config.home, base, listener.getsockname()[:2])
        greet(f"{base}/login#{await shelf.access.owner_link()}")
        if warm:
            await prime(app, min(site.hosts), HEAVY)

    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="auto",
        ws_max_size=20 * 2**20,
        timeout_graceful_shutdown=STOP_SECONDS,
        forwarded_allow_ips="",
        proxy_headers=False,
    )
    return Server(config, started, app.state.event_log.close)


def serve(config: ConfigManager, open_browser: bool = False) -> None:
    """Serve the shelf of these settings until SIGINT or SIGTERM; prints the owner's link once.

    Raises:
        PortInUse, UsageError: before anything was started.
        StoreError: the database cannot be used, so nobody could sign in.
    """
    from modelshelf.shelf import Shelf

    check_address(config.config.server)
    try:
        listener = listen(config.config.server)
    except PortInUse as error:
        if url := links.serving(config.home):
            raise PortInUse(
                f"This shelf is being served already, at {url}/.",
                remedy="Run `modelshelf serve --link` for a link that lets you in.",
            ) from error
        raise

    def greet(link: str) -> None:
        sys.stdout.write(f"Modelshelf is served. This link lets you in, once:\n\n    {link}\n\n")
        sys.stdout.flush()
        if open_browser:
            webbrowser.open(link)

    try:
        server = create_server(Shelf(config), listener, greet=greet, warm=True)
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        log.debug("stopped by the keyboard")
    finally:
        listener.close()
        links.forget(config.home)
    if server.failure:
        raise server.failure
