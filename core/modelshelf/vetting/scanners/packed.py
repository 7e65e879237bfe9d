"""Archives and packed files other than zip: unpacked within bounds, their members scanned."""

import bz2
import lzma
import zlib
from collections.abc import Iterator
from typing import Protocol

from modelshelf.vetting.content import MemoryContent, Slice
from modelshelf.vetting.rules import MAX_IN_MEMORY
from modelshelf.vetting.spec import Content, Desk
from modelshelf.vetting.types import Finding

MAX_MEMBERS = 100_000
_BLOCK = 512


class _Unpacker(Protocol):
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...


class PackedScanner:
    """gzip, bzip2 and xz: one stream, unpacked to at most 64 MiB."""

    formats = frozenset({"gzip", "bzip2", "xz"})
    modules = ()

    def scan(self, content: Content, desk: Desk) -> Iterator[Finding]:
        """Unpack and scan what comes out."""
        data, whole = _unpacked(content)
        if data is None:
            yield Finding("PACKED_BROKEN", content.name, "It does not unpack, or bytes follow what is packed.")
        elif not whole:
            yield Finding("PACKED_TOO_LARGE", content.name, f"It unpacks to more than {MAX_IN_MEMORY:,} bytes.")
        elif data:
            yield from desk.nested(MemoryContent(data, f"{content.name}:unpacked"))


class TarScanner:
    """tar archives."""

    formats = frozenset({"tar"})
    modules = ()

    def scan(self, content: Content, desk: Desk) -> Iterator[Finding]:
        """Check every member's kind and name, and scan what is in it."""
        place = count = 0
        while place + _BLOCK <= content.size:
            header = content.read(place, _BLOCK)
            if not header.strip(b"\0"):
                return
            count += 1
            size = _number(header[124:136])
            if count > MAX_MEMBERS or size is None or place + _BLOCK + size > content.size or not _summed(header):
                yield Finding("TAR_BROKEN", content.name, f"The member at byte {place:,} cannot be.")
                return
            yield from self._member(content, header, place + _BLOCK, size, desk)
            place += _BLOCK + -(-size // _BLOCK) * _BLOCK

    def _member(self, content: Content, header: bytes, start: int, size: int, desk: Desk) -> Iterator[Finding]:
        name = header[:100].rstrip(b"\0").decode("utf-8", "replace")
        kind = header[156:157]
        where = f"{content.name}:{name[:80]}"
        if name.startswith("/") or ".." in name.split("/") or "\\" in name:
            yield Finding("TAR_NAME", where, "A member would be written outside the folder.")
        if kind in {b"0", b"\0", b"7"}:
            if size:
                yield from desk.nested(Slice(content, start, size, where))
        elif kind not in {b"5", b"x", b"g", b"L"}:
            yield Finding("TAR_LINK", where, "A member is a link or a device.")


def _unpacked(content: Content) -> tuple[bytes | None, bool]:
    head = content.read(0, 4)
    unpacker: _Unpacker
    if head.startswith(b"\x1f\x8b"):
        unpacker = _Gzip()
    else:
        unpacker = bz2.BZ2Decompressor() if head.startswith(b"BZh") else lzma.LZMADecompressor(memlimit=256 << 20)
    parts, have, place = [], 0, 0
    try:
        while not unpacker.eof and place < content.size:
            chunk = content.read(place, 64 << 10)
            place += len(chunk)
            parts.append(unpacker.decompress(chunk, MAX_IN_MEMORY - have + 1))
            have += len(parts[-1])
            if have > MAX_IN_MEMORY:
                return b"", False
    except (OSError, EOFError, lzma.LZMAError, zlib.error):
        return None, True
    whole = unpacker.eof and not unpacker.unused_data and place == content.size
    return (b"".join(parts), True) if whole else (None, True)


class _Gzip:
    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(31)

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._inflater.decompress(data, max_length)

    @property
    def eof(self) -> bool:
        return self._inflater.eof

    @property
    def unused_data(self) -> bytes:
        return self._inflater.unused_data


def _number(field: bytes) -> int | None:
    try:
        return int(field.strip(b" \0") or b"0", 8)
    except ValueError:
        return None


def _summed(header: bytes) -> bool:
    return _number(header[148:156]) == sum(header[:148]) + 8 * 32 + sum(header[156:])
