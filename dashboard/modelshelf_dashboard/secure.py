"""Binds every live page to the login it was made for, and closes the pages of a login that ends.

Panel's own policy would let one person's cookie open another person's session by its token, and would hand out a token
for any session that a request names. Here the login's stamp goes into the signed token, requests may not name sessions,
and a websocket must bring a token with its own login's stamp.
"""

import hmac
from collections.abc import Mapping
from typing import Any

import panel as pn
from bokeh.application.handlers.handler import Handler
from bokeh.document import Document
from bokeh.server.auth import AuthPolicy
from bokeh.server.core import BokehServerCore
from bokeh.server.request import RequestLike, ServerRequest
from bokeh.util.token import get_token_payload

from modelshelf.access import OWNER, Principal
from modelshelf.access.logins import Logins, stamp
from modelshelf.api.guard import Site
from modelshelf.errors import NotSignedIn

KEY = "modelshelf_login"
NAMING = frozenset({"bokeh-token", "bokeh-session-id"})


class Binding(Handler):
    """Writes the login's stamp into each new session's token."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self._site = site

    def process_request(self, request: RequestLike) -> dict[str, Any]:
        """What goes into the token; it is signed."""
        cookie = request.cookies.get(self._site.cookie)
        return {KEY: stamp(cookie.value) if cookie else ""}

    def modify_document(self, doc: Document) -> None:
        """Nothing: the page is another handler's."""


class BoundPolicy(AuthPolicy):
    """Lets in who is signed in, and to their own pages only."""

    def __init__(self, site: Site, logins: Logins) -> None:
        super().__init__(lambda _request: None, login_url=self._sign_in)
        self._site = site
        self._logins = logins

    async def authenticate(self, request: ServerRequest) -> Principal | None:
        """Who asks for a page or opens its websocket; None refuses."""
        cookie = request.cookies.get(self._site.cookie)
        login = await self._logins.find(cookie.value) if cookie else None
        if login is None or NAMING & set(request.arguments) or "bokeh-session-id" in request.headers:
            return None
        if _is_websocket(request) and not self._own_token(request, login.stamp):
            return None
        return login.principal

    def _own_token(self, request: ServerRequest, name: str) -> bool:
        protocols = _protocols(request)
        if len(protocols) != 2 or not self._site.own_origin(request.headers.get("origin")):
            return False
        told = get_token_payload(protocols[1]).get(KEY)  # the server has checked the signature
        return isinstance(told, str) and hmac.compare_digest(told, name)

    @staticmethod
    def _sign_in(request: ServerRequest) -> str:
        ours = not any(name.startswith("bokeh-") for name in request.arguments)
        query = f"?{request.query}" if request.query and ours else ""
        return f"{request.root_path.rstrip('/')}/login{query}"


class LivePages:
    """The pages that are open."""

    def __init__(self, core: BokehServerCore) -> None:
        self._core = core

    async def close(self, name: str) -> None:
        """Close every page of the login with this stamp, and let go of what it held."""
        for context in self._core.applications.values():
            for session in [item for item in context.sessions if _stamp_of(item) == name]:
                for connection in [c for c in self._core._clients if getattr(c, "_session", None) is session]:
                    # Bokeh has no public way to close one page's websocket.
                    socket: Any = connection._socket
                    await socket.close(1008, "Signed out")
                session.request_expiration()

    def count(self) -> tuple[int, int]:
        """How many sessions and websockets there are."""
        sessions = sum(len(list(context.sessions)) for context in self._core.applications.values())
        return sessions, len(self._core._clients)


def session_principal() -> Principal:
    """Who looks at the page whose code runs now; the owner in a notebook, a script or under `panel serve`.

    Raises:
        NotSignedIn: the page is served by us, but nobody is known to look at it.
    """
    document = pn.state.curdoc
    context: Any = document.session_context if document else None
    if context is None or not getattr(context, "_token", None) or KEY not in context.token_payload:
        return OWNER
    user = getattr(context.request, "user", None)
    if not isinstance(user, Principal):
        raise NotSignedIn("Nobody is signed in to this page.", remedy="Load the page again.")
    return user


def _stamp_of(session: Any) -> str:
    payload: Mapping[str, Any] = get_token_payload(session.token) if session.token else {}
    return str(payload.get(KEY, ""))


def _is_websocket(request: ServerRequest) -> bool:
    return request.path.endswith("/ws") or bool(_protocols(request))


def _protocols(request: ServerRequest) -> list[str]:
    header = request.headers.get("sec-websocket-protocol", "")
    return [part.strip() for part in header.split(",") if part.strip()]
