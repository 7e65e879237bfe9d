"""Roles are checked where the work is done, whichever face asked; deeds and refusals are recorded."""

import functools
import hashlib
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from modelshelf.access.types import NOBODY, OWNER, Principal, Role
from modelshelf.errors import RoleRequired
from modelshelf.store import Store
from modelshelf.store.tables import AuditRow, LoginRow, now

P = ParamSpec("P")
T = TypeVar("T")

LINK_LIFE = timedelta(hours=24)
LOGIN_LIFE = timedelta(days=30)

# A process on the owner's own account acts for the owner; a server sets the principal of each request.
_principal: ContextVar[Principal | None] = ContextVar("principal", default=None)
_lookups: list[Callable[[], Principal]] = []


def current() -> Principal:
    """Who asks now.

    Raises:
        NotSignedIn: a served page asks, and nobody is signed in to it.
    """
    if known := _principal.get():
        return known
    return _lookups[-1]() if _lookups else OWNER


def look_up_by(lookup: Callable[[], Principal]) -> None:
    """From now on, code that acts for nobody in particular asks `lookup` who it acts for: a served page's callbacks."""
    if lookup not in _lookups:
        _lookups.append(lookup)


@contextmanager
def acting_as(principal: Principal) -> Iterator[None]:
    """Act for somebody within the `with` block."""
    token = _principal.set(principal)
    try:
        yield
    finally:
        _principal.reset(token)


class Guarded(Protocol):
    """A service whose methods carry `require`."""

    @property
    def access(self) -> "AccessService":
        """Where deeds are recorded."""
        ...


S = TypeVar("S", bound=Guarded)


def require(
    role: Role, action: str
) -> Callable[[Callable[Concatenate[S, P], Awaitable[T]]], Callable[Concatenate[S, P], Coroutine[Any, Any, T]]]:
    """Let a service's coroutine run only for principals of at least this role, and record it.

    The first argument after self, as text, is the target that the record names.

    Raises:
        RoleRequired: the principal's role is lower; the refusal is recorded too.
    """

    def wrap(method: Callable[Concatenate[S, P], Awaitable[T]]) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
        async def guarded(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
            target = str(next(iter((*args, *kwargs.values())), ""))
            who = current()
            if who.role < role:
                await self.access.record(action, target, "refused")
                raise RoleRequired(f"{who.name} is {who.role.label}; {action} needs {role.label}.")
            await self.access.record(action, target, "allowed")
            return await method(self, *args, **kwargs)

        functools.update_wrapper(guarded, method)
        return guarded

    return wrap


class AccessService:
    """Logins of the page and the record of deeds."""

    name = "access"

    def __init__(self, store: Store) -> None:
        self._store = store

    async def start(self) -> None:
        """Forget logins that have run out."""
        await self._store.write(_forget_expired)

    async def stop(self) -> None:
        """Nothing is held."""

    async def record(self, action: str, target: str = "", outcome: str = "done", detail: str = "") -> None:
        """Add a row to the audit table for the present principal."""
        who = current()
        row = AuditRow(
            principal=who.name,
            role=who.role.label,
            action=action,
            target=target[:500],
            outcome=outcome,
            detail=detail[:500],
        )
        await self._store.write(_add, row)

    async def audit(self, limit: int = 100) -> list[dict[str, Any]]:
        """The newest records first."""
        rows = await self._store.read(_newest_audit, limit)
        names = ("id", "at", "principal", "role", "action", "target", "outcome", "detail")
        return [{name: getattr(row, name) for name in names} for row in rows]

    async def owner_link(self) -> str:
        """A new secret for the one-time link of the owner; it is exchanged once for a login."""
        return await self._issue("link", OWNER, LINK_LIFE)

    async def exchange(self, secret: str) -> str | None:
        """Turn an owner link's secret into a login's; None if it is unknown, used or too old."""
        row = await self._store.write(_take_link, _digest(secret))
        if row is None:
            with acting_as(NOBODY):
                await self.record("login", outcome="refused", detail="unknown or used link")
            return None
        return await self.begin_session(Principal(row.principal, Role[row.role.upper()]))

    async def begin_session(self, who: Principal) -> str:
        """Sign somebody in; returns the secret of the login. Whoever calls this has made sure that it is them."""
        secret = await self._issue("session", who, LOGIN_LIFE)
        with acting_as(who):
            await self.record("login")
        return secret

    async def find(self, secret: str) -> Principal | None:
        """Who a login belongs to; None if it is unknown or has run out."""
        row = await self._store.read(_find_login, _digest(secret))
        return Principal(row.principal, Role[row.role.upper()]) if row else None

    async def end(self, secret: str) -> None:
        """End a login."""
        if who := await self.find(secret):
            await self._store.write(_drop_login, _digest(secret))
            with acting_as(who):
                await self.record("logout")

    async def _issue(self, kind: str, who: Principal, life: timedelta) -> str:
        secret = secrets.token_urlsafe(32)
        row = LoginRow(digest=_digest(secret), kind=kind, principal=who.name, role=who.role.label, expires=now() + life)
        await self._store.write(_add, row)
        return secret


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _add(session: Session, row: AuditRow | LoginRow) -> None:
    session.add(row)


def _newest_audit(session: Session, limit: int) -> Sequence[AuditRow]:
    return session.scalars(select(AuditRow).order_by(AuditRow.id.desc()).limit(limit)).all()


def _forget_expired(session: Session) -> None:
    session.execute(delete(LoginRow).where(LoginRow.expires < now()))


def _find_login(session: Session, digest: str) -> LoginRow | None:
    query = select(LoginRow).where(LoginRow.digest == digest, LoginRow.kind == "session", LoginRow.expires > now())
    return session.scalars(query).first()


def _take_link(session: Session, digest: str) -> LoginRow | None:
    query = select(LoginRow).where(LoginRow.digest == digest, LoginRow.kind == "link", LoginRow.expires > now())
    row = session.scalars(query).first()
    if row is not None:
        session.delete(row)
    return row


def _drop_login(session: Session, digest: str) -> None:
    session.execute(delete(LoginRow).where(LoginRow.digest == digest))
