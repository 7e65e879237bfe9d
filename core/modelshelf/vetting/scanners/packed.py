"""Archives and packed files other than zip: unpacked within bounds, their members scanned."""

import bz2
import lzma
import re
import zlib
from collections.abc import Iterator
from typing import Protocol

from modelshelf.vetting.content import MemoryContent, Slice
from modelshelf.vetting.rules import MAX_IN_MEMORY
from modelshelf.vetting.spec import Content, Desk
from modelshelf.vetting.types import Finding

MAX_MEMBERS = 100_000
MAX_EXTENSION = 1 << 20
_BLOCK = 512
_EXTENSIONS = frozenset({b"x", b"g", b"L", b"X"})


class _Unpacker(Protocol):
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...


class PackedScanner:
    """gzip, bzip2, xz, zlib and lzma: one stream, unpacked to at most 64 MiB."""

    formats = frozenset({"gzip", "bzip2", "xz", "zlib", "lzma"})
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
        renamed = ""  # what an extension header says of the name of the member after it
        while place + _BLOCK <= content.size:
            header = content.read(place, _BLOCK)
            if not header.strip(b"\0"):
                return
            count += 1
            size = _number(header[124:136])
            if count > MAX_MEMBERS or size is None or place + _BLOCK + size > content.size or not _summed(header):
                yield Finding("TAR_BROKEN", content.name, f"The member at byte {place:,} cannot be.")
                return
            if header[156:157] in _EXTENSIONS:
                renamed = _renamed(content.read(place + _BLOCK, min(size, MAX_EXTENSION)), header[156:157]) or renamed
                if size > MAX_EXTENSION:
                    yield Finding("TAR_BROKEN", content.name, f"The name at byte {place:,} is too long.")
                    return
            else:
                yield from self._member(content, header, renamed, place + _BLOCK, size, desk)
                renamed = ""
            place += _BLOCK + -(-size // _BLOCK) * _BLOCK

    def _member(
        self, content: Content, header: bytes, renamed: str, start: int, size: int, desk: Desk
    ) -> Iterator[Finding]:
        name, kind = renamed or _own_name(header), header[156:157]
        where = f"{content.name}:{name[:80]}"
        if any(_leads_out(one) for one in {name, _own_name(header)}):
            yield Finding("TAR_NAME", where, "A member would be written outside the folder.")
        if kind in {b"0", b"\0", b"7"}:
            if size:
                yield from desk.nested(Slice(content, start, size, where))
        elif kind != b"5":
            yield Finding("TAR_LINK", where, "A member is a link or a device.")


def _own_name(header: bytes) -> str:
    name, prefix = (part.partition(b"\0")[0].decode("utf-8", "replace") for part in (header[:100], header[345:500]))
    return f"{prefix}/{name}" if prefix and header[257:263] == b"ustar\0" else name


def _leads_out(name: str) -> bool:
    return name.startswith("/") or ".." in name.split("/") or bool(set(name) & set("\\:\0"))


def _renamed(data: bytes, kind: bytes) -> str:
    """The name that an extension header gives: the whole of it, or its record `path` or `linkpath`."""
    if kind == b"L":
        return data.rstrip(b"\0").decode("utf-8", "replace")
    names = re.findall(rb"\d+ (?:link)?path=([^\n]*)\n", data)
    return names[-1].decode("utf-8", "replace") if names else ""


def _unpacked(content: Content) -> tuple[bytes | None, bool]:
    head = content.read(0, 4)
    unpacker: _Unpacker
    if head.startswith(b"\x1f\x8b"):
        unpacker = _Inflater(31)
    elif head.startswith(b"BZh"):
        unpacker = bz2.BZ2Decompressor()
    elif head.startswith((b"\xfd7zX", b"\x5d\0\0", b"\x5e\0\0", b"\x2d\0\0", b"\x6d\0\0")):
        unpacker = lzma.LZMADecompressor(memlimit=256 << 20)
    else:
        unpacker = _Inflater(15)
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


class _Inflater:
    def __init__(self, window: int) -> None:
        self._inflater = zlib.decompressobj(window)

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
