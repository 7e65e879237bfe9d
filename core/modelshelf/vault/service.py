"""Keeps secrets: sealed by a data key, which is wrapped by a master key that lies elsewhere. Both can be changed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from filelock import FileLock, Timeout

from modelshelf.access import AccessService, Role, require
from modelshelf.config import ConfigManager
from modelshelf.errors import StoreError, VaultError
from modelshelf.store import Store
from modelshelf.store.tables import DataKeyRow
from modelshelf.vault import records, redaction, rows
from modelshelf.vault.files import settle
from modelshelf.vault.masters import Found, Masters
from modelshelf.vault.sealing import Key, MasterKey, NotGenuine
from modelshelf.vault.secret import Secret
from modelshelf.vault.types import Rotation, SecretInfo, VaultStatus

LOCK_SECONDS = 60.0
TRIES = 5


class Vault:
    """The secrets of a home. Whoever never saves one never meets a master key, a keychain's question or a file.

    Several processes may use it at once: every call reads the database anew. What is kept in memory is data keys.
    """

    name = "vault"

    def __init__(self, config: ConfigManager, store: Store, access: AccessService) -> None:
        self.access = access
        self.masters = Masters(config)
        self._config = config
        self._store = store
        self._opened: dict[str, Key] = {}

    async def start(self) -> None:
        """Keep secrets out of the logs, and see that the saved ones can be opened, unless the keychain has to be asked.

        Raises:
            VaultError: they cannot, or two places hold different master keys.
        """
        redaction.install()
        locks = await self._store.read(rows.locks)
        await asyncio.to_thread(self.masters.check, locks.master)

    async def stop(self) -> None:
        """Forget the keys."""
        self._opened = {}

    @require(Role.ADMIN, "secret.save")
    async def put(self, name: str, secret: Secret, *, bound_to: str = "") -> SecretInfo:
        """Save a secret, in place of one of that name. `get` gives it out only for what it is bound to, an origin say.

        Raises:
            UsageError: the name makes no sense, or the secret is empty or too long.
            VaultError: the master key is missing, or cannot be kept.
        """
        records.check(name, secret)
        for _ in range(TRIES):
            lock, key = await self._in_use() or await self._begin()
            row = records.sealed(name, secret, bound_to, lock, key)
            if await self._store.write(rows.save, row):
                return records.info(row)
        raise VaultError("Other processes keep changing the keys.", remedy="Try again.")

    async def get(self, name: str, *, bound_to: str = "") -> Secret:
        """A saved secret.

        Raises:
            NotFound: there is none of that name, or it was saved for something else than `bound_to`.
            VaultError: it is damaged, or the master key is missing or another one.
        """
        try:
            return await self._get(name, bound_to)
        except VaultError as error:
            if not error.facts.get("missing"):
                raise
            return await self._get(name, bound_to)  # another process may have changed the master key in between

    async def info(self, prefix: str = "") -> tuple[SecretInfo, ...]:
        """The saved secrets whose names begin so, by name; this needs no key."""
        return tuple(records.info(row) for row in await self._store.read(rows.named, prefix))

    @require(Role.ADMIN, "secret.delete")
    async def delete(self, name: str) -> None:
        """Forget a secret.

        Raises:
            NotFound: there is none of that name.
        """
        if not await self._store.write(rows.remove, name):
            raise records.unknown(name)

    @require(Role.ADMIN, "secret.rotate")
    async def rotate_data_key(self) -> Rotation:
        """Seal every secret anew with a fresh key, all or none; what is damaged already stays as it is.

        Raises:
            VaultError: the master key is missing, or another process is changing it.
        """
        locks = await self._store.read(rows.locks)
        if locks.active is None:
            return Rotation(0)
        master = (await asyncio.to_thread(self.masters.find, locks.active.master)).key
        fresh, key = records.wrapped(master)
        rotation = await self._store.write(rows.renew, master, fresh, key)
        self._opened = {fresh.id: key}
        return rotation

    async def rotate_master(self, new: Secret | None = None) -> Rotation:
        """Change the master key. A new one is made unless `new` is given; it is kept where the old one was.

        Ended at any moment, by force too, the database and the places agree on one of the two keys: the new one is on
        the disk before the database asks for it, and the old one goes when the database on the disk needs it no more.
        A key that somebody else keeps for us is changed by who keeps it: `new` is needed then.

        Raises:
            UsageError: `new` is no master key.
            VaultError: the old key is missing, or the new one cannot be kept where the old one is.
        """
        # The record names the first argument, which must be no secret.
        return await self._rotate_master("made here" if new is None else "given", new)

    async def status(self) -> VaultStatus:
        """How the vault is, found by opening every secret."""
        locks = await self._store.read(rows.locks)
        if locks.active is None or not locks.secrets:
            return VaultStatus("empty")
        status = partial(
            VaultStatus, master=locks.active.master[:12], secrets=locks.secrets, rotated=locks.active.created
        )
        try:
            found = await asyncio.to_thread(self.masters.find, locks.active.master)
        except VaultError as error:
            return status("closed", error=error.message, remedy=error.remedy)
        damaged = await asyncio.to_thread(records.damaged, await self._store.read(rows.every), found.key)
        place = found.place
        return status("damaged" if damaged else "well", source=place.source, place=place.where, damaged=damaged)

    @require(Role.ADMIN, "secret.rotate-master")
    async def _rotate_master(self, _how: str, new: Secret | None) -> Rotation:
        given = records.given(new) if new is not None else None
        async with self._alone():
            locks = await self._store.read(rows.locks)
            if locks.active is None:
                return Rotation(0)
            old = await asyncio.to_thread(self.masters.find, locks.active.master)
            key = given or MasterKey.new()
            if old.place.ours or given is None:
                await asyncio.to_thread(old.place.add, key, old.key)
            try:
                await self._store.write(rows.rewrap, old.key, key)
            except StoreError:
                await self._withdraw(old, key)
                raise
            await asyncio.to_thread(self._settle)
            if old.place.ours and old.key.fingerprint != key.fingerprint:
                await asyncio.to_thread(old.place.remove, old.key)
        return Rotation(locks.secrets)

    async def _get(self, name: str, bound_to: str) -> Secret:
        found = await self._store.read(rows.one, name)
        if found is None:
            raise records.unknown(name)
        row, lock = found
        try:
            return records.opened(row, await self._open(lock), bound_to)
        except NotGenuine:
            raise VaultError(
                f"The saved secret “{name}” was damaged or changed from outside.",
                remedy="Save it anew; the others are not concerned.",
            ) from None

    async def _open(self, lock: DataKeyRow | None) -> Key:
        if lock is None:
            raise NotGenuine
        if (known := self._opened.get(lock.id)) is None:
            found = await asyncio.to_thread(self.masters.find, lock.master)
            known = self._opened[lock.id] = rows.unseal(lock, found.key)
        return known

    async def _in_use(self) -> tuple[DataKeyRow, Key] | None:
        """The data key in use; None if there is none, or one that opens nothing and cannot be opened itself."""
        locks = await self._store.read(rows.locks)
        if locks.active is None:
            return None
        try:
            return locks.active, await self._open(locks.active)
        except NotGenuine:
            failure = VaultError("The key of the saved secrets was damaged or changed from outside.")
        except VaultError as error:
            failure = error
        if locks.secrets:
            raise failure
        return None

    async def _begin(self) -> tuple[DataKeyRow, Key]:
        """The first data key of this home. Of two processes that want one at the same time, one makes it."""
        async with self._alone():
            if known := await self._in_use():
                return known
            found = await asyncio.to_thread(self.masters.first)
            lock, key = records.wrapped(found.key)
            await self._store.write(rows.begin, lock)
            self._opened[lock.id] = key
            return lock, key

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """One at a time of all processes on this home, until the end of the block."""
        lock = FileLock(self._config.home / "vault.lock", timeout=LOCK_SECONDS, mode=0o600, thread_local=False)
        try:
            await asyncio.to_thread(lock.acquire)
        except Timeout:
            raise VaultError("Another process is changing the keys and does not end.", remedy="Try again.") from None
        try:
            yield
        finally:
            lock.release()

    async def _withdraw(self, old: Found, key: MasterKey) -> None:
        """Take a new master key away again, if it is certain that the database does not ask for it."""
        locks = await self._store.read(rows.locks)
        if old.place.ours and locks.active and locks.active.master == old.key.fingerprint != key.fingerprint:
            await asyncio.to_thread(old.place.remove, key)

    def _settle(self) -> None:
        """See the last transaction on the disk: the database itself does not wait for that."""
        database = self._config.paths.database
        for file in (database, database.with_name(database.name + "-wal")):
            if file.exists():
                settle(file)
