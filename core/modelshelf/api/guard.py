"""The door of the server: only our own host names, only our own pages, and nothing below /api without a login.

One middleware in front of every route, page and websocket alike: a route that nobody thought of is closed.
"""

import ipaddress
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modelshelf.access import acting_as
from modelshelf.access.logins import Login, Logins
from modelshelf.api.problems import problem, unauthorised

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
PRIVATE = ("/api/", "/v1/", "/components/")  # pages and websockets ask their own policy; the rest is open
OPEN_PATHS = frozenset({"/api/health", "/api/ready"})
API_POLICY = "default-src 'none'; frame-ancestors 'none'"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})

Authenticate = Callable[[Scope], Awaitable[Login | None]]


@dataclass(frozen=True, slots=True)
class Site:
    """Where browsers find this server: `hosts` as they stand in the Host header, and the path in front of ours."""

    hosts: frozenset[str]
    port: int
    root_path: str = ""
    secure: bool = False

    @classmethod
    def at(cls, host: str, port: int, *, root_path: str = "", public_url: str = "") -> "Site":
        """The site of a server that listens at host and port; `public_url` is the address a proxy gives it."""
        names = LOOPBACK if is_loopback(host) else frozenset({url_host(host)})
        hosts = {f"{name}:{port}" for name in names} | (set(names) if port == 80 else set())
        public = urlsplit(public_url)
        if public.netloc:
            hosts.add(public.netloc.lower())
        return cls(
            hosts=frozenset(hosts),
            port=port,
            root_path=(root_path or public.path).rstrip("/"),
            secure=public.scheme == "https",
        )

    @property
    def cookie(self) -> str:
        """The name of the login's cookie. Cookies do not heed ports: two shelves on one machine need two names."""
        return "__Host-modelshelf" if self.secure else f"modelshelf-{self.port}"

    def own_host(self, headers: Headers) -> bool:
        """Whether the request came by one of our names: a foreign name that was made to point here does not."""
        return headers.get("host", "").lower() in self.hosts

    def own_origin(self, origin: str | None) -> bool:
        """Whether a page of ours sent the request."""
        return origin is not None and urlsplit(origin).netloc.lower() in self.hosts

    def secret(self, headers: Headers) -> str:
        """The secret in the login's cookie, or nothing."""
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return ""
        return morsel.value if morsel else ""


class CookieLogins:
    """Authenticates by the login's cookie. Bearer tokens will enter by a second function of this shape."""

    def __init__(self, site: Site, logins: Logins) -> None:
        self._site = site
        self._logins = logins

    async def __call__(self, scope: Scope) -> Login | None:
        """The login of a request or websocket."""
        secret = self._site.secret(Headers(scope=scope))
        return await self._logins.find(secret) if secret else None


class Guard:
    """Checks host, origin and login, acts for who asks, and sets the headers that keep a browser strict."""

    def __init__(self, app: ASGIApp, *, site: Site, authenticate: Authenticate, page_policy: str) -> None:
        self._app = app
        self._site = site
        self._authenticate = authenticate
        self._page_policy = page_policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        path = self._enter(scope)
        headers = Headers(scope=scope)
        if refusal := self._refusal(scope, headers):
            await self._refuse(refusal, scope, receive, send)
            return
        private = f"{path}/".startswith(PRIVATE) and path not in OPEN_PATHS
        login = await self._authenticate(scope) if private else None
        policy = API_POLICY if f"{path}/".startswith("/api/") and path != "/api/docs" else self._page_policy
        send = self._strict(send, policy, scope)
        if private and login is None:
            await unauthorised()(scope, receive, send)
            return
        scope.setdefault("state", {})["login"] = login
        with acting_as(login.principal) if login else nullcontext():
            await self._app(scope, receive, send)

    def _enter(self, scope: Scope) -> str:
        """Make path and root_path what ASGI wants, whether or not the proxy in front cuts the prefix off."""
        root, path = self._site.root_path, scope["path"]
        inner = path.removeprefix(root) if root and path.startswith(root + "/") else path
        scope["root_path"], scope["path"] = root, root + inner
        scope["raw_path"] = scope["path"].encode()
        return str(inner)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str, str] | None:
        if not self._site.own_host(headers):
            names = ", ".join(sorted(self._site.hosts))
            return 400, "This server does not answer under that host name.", f"Use one of these: {names}."
        changing = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
        origin = headers.get("origin")
        foreign = origin is not None and not self._site.own_origin(origin)
        # A program sends no Origin; a browser always does for these, and says itself when another site asks.
        site = headers.get("sec-fetch-site", "same-origin")
        if changing and (foreign or site not in ("same-origin", "none")):
            return 403, "The request came from another site's page.", "Use the page of this server itself."
        return None

    async def _refuse(self, refusal: tuple[int, str, str], scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        status, detail, remedy = refusal
        code = "ForeignOrigin" if status == 403 else "ForeignHost"
        await problem(status, detail, remedy, code=code)(scope, receive, self._strict(send, API_POLICY, scope))

    def _strict(self, send: Send, policy: str, scope: Scope) -> Send:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("content-security-policy", policy)
                headers["x-content-type-options"] = "nosniff"
                headers["referrer-policy"] = "no-referrer"
                headers["x-frame-options"] = "DENY"
                headers["cross-origin-opener-policy"] = "same-origin"
                headers["cross-origin-resource-policy"] = "same-origin"
                headers["permissions-policy"] = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
                if self._site.secure:
                    headers["strict-transport-security"] = "max-age=31536000"
                if policy == API_POLICY:
                    headers.setdefault("cache-control", "no-store")
            await send(message)

        return send if scope["type"] == "websocket" else with_headers


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def url_host(host: str) -> str:
    """A host as it stands in a URL: IPv6 in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host.lower()
