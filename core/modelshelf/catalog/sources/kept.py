"""Small documents kept by their SHA-256: what was read once can be named by its digest later, without the network."""

import hashlib
import os
import uuid
from contextlib import suppress
from pathlib import Path

MOST = 2000
MOST_IN_MEMORY = 100
LARGEST = 4 * 2**20


class Kept:
    """A folder of documents, each under its digest; on a disk that fails they last as long as this process.

    For threads.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._memory: dict[str, bytes] = {}

    def put(self, data: bytes) -> None:
        """Keep a document, whole or not at all."""
        digest = hashlib.sha256(data).hexdigest()
        self._memory = dict([*self._memory.items(), (digest, data)][-MOST_IN_MEMORY:])
        place = self.folder / f"{digest}.json"
        temporary = self.folder / f".{uuid.uuid4().hex}"
        with suppress(OSError):
            if place.exists():
                os.utime(place)
                return
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                temporary.write_bytes(data)
                temporary.replace(place)
            finally:
                temporary.unlink(missing_ok=True)
            self._thin_out()

    def get(self, digest: str) -> bytes | None:
        """The document whose digest begins so, if it still has that digest."""
        for known, data in self._memory.items():
            if known.startswith(digest):
                return data
        for place in self.folder.glob(f"{digest}*.json"):
            with suppress(OSError):
                if place.stat().st_size <= LARGEST:
                    data = place.read_bytes()
                    if hashlib.sha256(data).hexdigest().startswith(digest):
                        return data
        return None

    def _thin_out(self) -> None:
        found = sorted(self.folder.glob("*.json"), key=lambda place: place.stat().st_mtime)
        for place in found[: max(len(found) - MOST, 0)]:
            place.unlink(missing_ok=True)
