"""Which key a provider uses for which model: from the vault, or from an environment variable that is never copied."""

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Protocol

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session
from yarl import URL

from modelshelf.access import AccessService, Role, require
from modelshelf.config import ConfigManager
from modelshelf.errors import NotFound, UsageError
from modelshelf.providers.spec import ProviderConfig, ProviderFactory
from modelshelf.store import Store
from modelshelf.store.tables import ProviderKeyRow
from modelshelf.vault import Secret

EVERY_MODEL = "*"
_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


class SecretStore(Protocol):
    """Where keys are kept: `modelshelf.vault.Vault`."""

    async def put(self, name: str, secret: Secret, *, bound_to: str = "") -> object:
        """Keep a secret under a name, to be given out for what it is bound to only."""
        ...

    async def get(self, name: str, *, bound_to: str = "") -> Secret:
        """The secret of a name.

        Raises:
            NotFound: there is none, or it is bound to something else.
        """
        ...

    async def delete(self, name: str) -> None:
        """Forget a secret."""
        ...


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """A key of a provider as it may be shown. `origin` is vault | environment | usual environment.

    `pattern` names the models it is for, `*` all of them. `present` tells whether there is a value now; of that only
    `last4` and `fingerprint` are shown.
    """

    id: str
    provider: str
    pattern: str
    label: str
    origin: str
    env: str
    present: bool
    last4: str
    fingerprint: str


class ProviderKeys:
    """The keys of all providers. A model's key is that of the pattern that fits it most closely."""

    def __init__(
        self,
        config: ConfigManager,
        store: Store,
        access: AccessService,
        vault: SecretStore,
        tell: Callable[[str], None],
    ) -> None:
        self.access = access
        self._environ = config.environ
        self._store = store
        self._vault = vault
        self._tell = tell

    async def find(self, factory: ProviderFactory, config: ProviderConfig, model: str) -> Secret | None:
        """The key for a model, or for other routes where `model` is empty; None if there is none.

        Raises:
            ModelshelfError: the vault cannot be opened.
        """
        rows = await self._store.read(_rows, config.id)
        for row in _by_fit(rows, model):
            if found := await self._value(row, config):
                return found
        return self._usual(factory, config)

    async def list(self, factory: ProviderFactory, config: ProviderConfig) -> Sequence[KeyInfo]:
        """The keys of a provider, those that its kind usually has in the environment last."""
        return await self._infos(factory, config, await self._store.read(_rows, config.id))

    async def survey(
        self, providers: Sequence[tuple[ProviderFactory | None, ProviderConfig]]
    ) -> Mapping[str, Sequence[KeyInfo]]:
        """The keys of many providers by their ids, as `list`, in one look."""
        by_provider: dict[str, list[ProviderKeyRow]] = {}
        for row in await self._store.read(_all_rows):
            by_provider.setdefault(row.provider, []).append(row)
        return {
            config.id: await self._infos(factory, config, by_provider.get(config.id, []))
            for factory, config in providers
            if factory is not None
        }

    async def _infos(
        self, factory: ProviderFactory, config: ProviderConfig, rows: Sequence[ProviderKeyRow]
    ) -> Sequence[KeyInfo]:
        found = [_info(row, await self._value(row, config)) for row in rows]
        bound = {row.env for row in rows}
        for name in self._usual_names(factory, config):
            if name not in bound and (value := self.named(name)):
                usual = ProviderKeyRow(id=name, provider=config.id, pattern=EVERY_MODEL, label="", env=name)
                found.append(_info(usual, value, usual=True))
        return found

    @require(Role.ADMIN, "provider.key.add")
    async def add(
        self,
        provider: ProviderConfig,
        *,
        secret: Secret | None = None,
        env: str = "",
        pattern: str = EVERY_MODEL,
        label: str = "",
    ) -> str:
        """Give a provider a key, or the name of the environment variable that holds it; the id of the new entry.

        A key for the same pattern is replaced. It is bound to the provider's present address: moved elsewhere, the
        provider needs it again.

        Raises:
            UsageError: neither or both were given, or a name or pattern that makes no sense.
        """
        row = await self.prepare(provider, secret=secret, env=env, pattern=pattern, label=label)
        for replaced in await self._store.write(insert_key, row):
            await self._drop(provider.id, replaced)
        self._tell(provider.id)
        return row.id

    async def prepare(
        self,
        provider: ProviderConfig,
        *,
        secret: Secret | None = None,
        env: str = "",
        pattern: str = EVERY_MODEL,
        label: str = "",
    ) -> ProviderKeyRow:
        """As `add`, up to the entry itself: for a provider that is saved together with it. `abandon` takes it back."""
        if (secret is None) == (not env):
            raise UsageError("A key is either given or named as an environment variable.", remedy="Give one of them.")
        if env:
            check_env(env)
        pattern = pattern.strip() or EVERY_MODEL
        if len(pattern) > 200 or not pattern.isprintable():
            raise UsageError("That is no pattern for model names.", remedy="Write it like gpt-4*.")
        row = ProviderKeyRow(
            id=uuid.uuid4().hex, provider=provider.id, pattern=pattern, label=" ".join(label.split())[:100], env=env
        )
        if secret is not None:
            await self._vault.put(_place(provider.id, row.id), secret, bound_to=_origin(provider))
        return row

    async def abandon(self, row: ProviderKeyRow) -> None:
        """Forget the secret of an entry that was prepared and not saved."""
        await self._drop(row.provider, row.id)

    @require(Role.ADMIN, "provider.key.remove")
    async def remove(self, provider: str, key: str) -> None:
        """Forget a key.

        Raises:
            NotFound: the provider has no such key.
        """
        if not await self._store.write(_delete, provider, key):
            raise NotFound("The provider has no such key.", remedy="List its keys to see their ids.")
        await self._drop(provider, key)
        self._tell(provider)

    def named(self, env: str) -> Secret | None:
        """The key in an environment variable."""
        value = self._environ.get(env, "").strip()
        return Secret(value) if value else None

    async def forget(self, provider: str) -> None:
        """Forget every key of a provider that is removed."""
        for row in await self._store.read(_rows, provider):
            await self._store.write(_delete, provider, row.id)
            await self._drop(provider, row.id)

    async def names(self, provider: str) -> Mapping[str, str]:
        """The environment variables that are named for a provider, by pattern: what an export may hold."""
        return {row.pattern: row.env for row in await self._store.read(_rows, provider) if row.env}

    async def _value(self, row: ProviderKeyRow, config: ProviderConfig) -> Secret | None:
        """The key itself. One that was entered for another address is not there for this one."""
        if row.env:
            return self.named(row.env)
        try:
            return await self._vault.get(_place(row.provider, row.id), bound_to=_origin(config))
        except NotFound:
            return None

    async def _drop(self, provider: str, key: str) -> None:
        try:
            await self._vault.delete(_place(provider, key))
        except NotFound:
            return

    def _usual(self, factory: ProviderFactory, config: ProviderConfig) -> Secret | None:
        values = (self.named(name) for name in self._usual_names(factory, config))
        return next((value for value in values if value), None)

    def _usual_names(self, factory: ProviderFactory, config: ProviderConfig) -> Sequence[str]:
        """A key that a service's own name stands for goes to that service, never to an address of somebody else."""
        own = URL(factory.default_url) if factory.default_url else None
        asked = URL(config.url or factory.default_url) if own else None
        return factory.env_names if own and asked and own.origin() == asked.origin() else ()


def check_env(name: str) -> None:
    """Refuse what cannot be the name of an environment variable.

    Raises:
        UsageError: it cannot.
    """
    if not _ENV.fullmatch(name):
        raise UsageError("That is no name of an environment variable.", remedy="Write it like MY_API_KEY.")


def _place(provider: str, key: str) -> str:
    return f"provider/{provider}/{key}"


def _origin(config: ProviderConfig) -> str:
    return str(URL(config.url).origin()) if config.url else ""


def _by_fit(rows: Sequence[ProviderKeyRow], model: str) -> Sequence[ProviderKeyRow]:
    """The keys whose pattern fits, the closest first. Other routes than a model's take the most general one."""
    fitting = [row for row in rows if not model or fnmatchcase(model, row.pattern)]
    if not model:
        return sorted(fitting, key=lambda row: (row.pattern != EVERY_MODEL, len(row.pattern)))
    return sorted(fitting, key=lambda row: (row.pattern != model, -len(row.pattern.replace("*", ""))))


def _info(row: ProviderKeyRow, value: Secret | None, *, usual: bool = False) -> KeyInfo:
    origin = "usual environment" if usual else "environment" if row.env else "vault"
    told = (value.last4, value.fingerprint) if value else ("", "")
    return KeyInfo(row.id, row.provider, row.pattern, row.label, origin, row.env, value is not None, *told)


def _rows(session: Session, provider: str) -> Sequence[ProviderKeyRow]:
    query = select(ProviderKeyRow).where(ProviderKeyRow.provider == provider)
    return session.scalars(query.order_by(ProviderKeyRow.position, ProviderKeyRow.created)).all()


def _all_rows(session: Session) -> Sequence[ProviderKeyRow]:
    return session.scalars(select(ProviderKeyRow).order_by(ProviderKeyRow.position, ProviderKeyRow.created)).all()


def insert_key(session: Session, row: ProviderKeyRow) -> Sequence[str]:
    """Add a key; the ids of those it replaces."""
    same = [old.id for old in _rows(session, row.provider) if old.pattern == row.pattern]
    session.execute(delete(ProviderKeyRow).where(ProviderKeyRow.id.in_(same)))
    row.position = 1 + (session.scalar(select(func.max(ProviderKeyRow.position))) or 0)
    session.add(row)
    return same


def _delete(session: Session, provider: str, key: str) -> bool:
    row = session.get(ProviderKeyRow, key)
    if row is None or row.provider != provider:
        return False
    session.delete(row)
    return True
