"""The journal beside a part file: the truth about which of its bytes are on the disk."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelshelf.downloads.pieces import Pieces

VERSION = 1
SECONDS = 2.0
TRIGGER = 20 * 2**20
# What may be on its way without being journalled: with what waits in sockets it stays below 64 MiB.
LIMIT = 36 * 2**20


@dataclass(frozen=True, slots=True)
class Identity:
    """Which bytes a part file is meant to hold."""

    size: int
    sha256: str | None
    git_sha1: str | None


@dataclass(slots=True)
class Journal:
    """What is known of a part file. `etag` is the server's validator for If-Range."""

    identity: Identity
    pieces: Pieces
    etag: str | None = None

    def dumps(self) -> bytes:
        """The journal as JSON. Full pieces and begun ones are [index, bytes written, CRC-32]."""
        identity, pieces = self.identity, self.pieces
        rows = [[i, count, pieces.crc[i]] for i, count in enumerate(pieces.written) if count]
        document = {
            "version": VERSION,
            "size": identity.size,
            "sha256": identity.sha256,
            "git_sha1": identity.git_sha1,
            "etag": self.etag,
            "piece": pieces.length,
            "pieces": rows,
        }
        return json.dumps(document, separators=(",", ":")).encode()

    @classmethod
    def loads(cls, data: bytes, identity: Identity) -> "Journal | None":
        """The journal in these bytes; None if they are damaged or speak of another file."""
        try:
            document = json.loads(data)
            return cls._checked(document, identity)
        except (ValueError, TypeError, KeyError, RecursionError):
            return None

    @classmethod
    def _checked(cls, document: dict[str, Any], identity: Identity) -> "Journal | None":
        found = Identity(document["size"], document["sha256"], document["git_sha1"])
        length, etag = document["piece"], document["etag"]
        if document["version"] != VERSION or found != identity or type(length) is not int or length < 1:
            return None
        if etag is not None and not isinstance(etag, str):
            return None
        pieces, seen = Pieces(identity.size, length), set()
        for index, count, crc in document["pieces"]:
            whole = all(type(value) is int for value in (index, count, crc))
            if not whole or index in seen or not 0 <= index < len(pieces.written) or not 0 <= crc < 2**32:
                return None
            seen.add(index)
            pieces.record(index, count, crc)
        return cls(identity, pieces, etag)


def read(path: Path, identity: Identity) -> Journal | None:
    """The journal in this file; None if there is none that can be trusted."""
    try:
        return Journal.loads(path.read_bytes(), identity)
    except OSError:
        return None


def write(path: Path, data: bytes) -> None:
    """Replace the journal as a whole. The bytes that it speaks of must be on the disk already."""
    temporary = path.with_suffix(".new")
    with temporary.open("wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(path)
