"""A process that changes the master key and is ended by force in the middle of it: `killed.py WHEN`.

WHEN: `added` (the new key is on the disk, the database knows nothing of it), `wrapped` (the database needs the new key,
the old one is still there), `whenever` (it changes keys over and over until somebody kills it).
"""

import asyncio
import signal
import sys
from dataclasses import replace

from modelshelf.access import AccessService
from modelshelf.config import ConfigManager
from modelshelf.store import Store
from modelshelf.vault import Vault
from modelshelf.vault.masters import Found, Masters
from modelshelf.vault.places import Place
from modelshelf.vault.sealing import MasterKey


def die() -> None:
    signal.raise_signal(signal.SIGKILL)


class Deadly:
    """A place at which the process ends."""

    def __init__(self, place: Place, when: str) -> None:
        self.source, self.ours, self.where = place.source, place.ours, place.where
        self._place, self._when = place, when

    def find(self, fingerprint: str | None) -> MasterKey | None:
        return self._place.find(fingerprint)

    def add(self, key: MasterKey, beside: MasterKey | None = None) -> MasterKey:
        kept = self._place.add(key, beside)
        if self._when == "added":
            die()
        return kept

    def remove(self, key: MasterKey) -> None:
        if self._when == "wrapped":
            die()
        self._place.remove(key)


class DeadlyMasters(Masters):
    when = ""

    def find(self, fingerprint: str) -> Found:
        found = super().find(fingerprint)
        return replace(found, place=Deadly(found.place, self.when))


async def main(when: str) -> None:
    config = ConfigManager()
    store = Store.at(config.paths.database)
    await store.start()
    vault = Vault(config, store, AccessService(store))
    masters = DeadlyMasters(config)
    masters.when = when
    vault.masters = masters
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        await vault.rotate_master()
        await vault.rotate_data_key()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
