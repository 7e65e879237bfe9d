"""Logins as a server needs them: found without asking the database each time, and ended everywhere at once."""

import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from modelshelf.access.service import AccessService
from modelshelf.access.types import Principal

FRESH_SECONDS = 5.0
CACHE_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Login:
    """Somebody who is signed in. `stamp` names the login without giving its secret away."""

    principal: Principal
    stamp: str


def stamp(secret: str) -> str:
    """The name of a login, made of its secret; the secret cannot be had from it."""
    return hashlib.sha256(b"modelshelf-login:" + secret.encode()).hexdigest()[:32]


class Logins:
    """The logins of one server. A login ended by another process is noticed within `FRESH_SECONDS`."""

    def __init__(self, access: AccessService) -> None:
        self._access = access
        self._known: dict[str, tuple[float, Login]] = {}
        self._listeners: list[Callable[[str], Awaitable[None]]] = []

    def on_end(self, listener: Callable[[str], Awaitable[None]]) -> None:
        """Call `listener(stamp)` whenever a login is ended here: live pages and streams close."""
        self._listeners.append(listener)

    async def find(self, secret: str) -> Login | None:
        """The login with this secret; None if there is none, it was ended or has run out."""
        name = stamp(secret)
        if (known := self._known.get(name)) and known[0] > time.monotonic():
            return known[1]
        principal = await self._access.find(secret)
        self._known.pop(name, None)
        if principal is None:
            return None
        if len(self._known) >= CACHE_LIMIT:
            self._known.clear()
        login = Login(principal, name)
        self._known[name] = time.monotonic() + FRESH_SECONDS, login
        return login

    async def begin(self, secret: str) -> str | None:
        """Exchange an owner link's secret for a login's; None if it is not accepted."""
        return await self._access.exchange(secret)

    async def end(self, secret: str) -> None:
        """End a login and tell everyone who serves it."""
        await self._access.end(secret)
        name = stamp(secret)
        self._known.pop(name, None)
        for listener in self._listeners:
            await listener(name)
