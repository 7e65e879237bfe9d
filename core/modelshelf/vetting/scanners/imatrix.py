"""Importance matrices in their old form: names and numbers, which must reach exactly to the end."""

import struct
from collections.abc import Iterator

from modelshelf.vetting.spec import Content, Desk
from modelshelf.vetting.types import Finding

MAX_ENTRIES = 65_536
MAX_NAME = 255
_LENGTH = struct.Struct("<i")


def begins(head: bytes) -> bool:
    """Whether a matrix could begin so: a count, and the name of a tensor."""
    if len(head) < 16:
        return False
    entries, length = struct.unpack_from("<2i", head)
    name = head[8 : 8 + length] if 0 < length <= MAX_NAME else b""
    return 0 < entries <= MAX_ENTRIES and len(name) == length and b".weight" in name and name.isascii()


class MatrixScanner:
    """Importance matrices as llama.cpp wrote them before it wrote GGUF."""

    formats = frozenset({"imatrix"})
    modules = ()

    def scan(self, content: Content, desk: Desk) -> Iterator[Finding]:
        """Go from entry to entry; what follows the last is a count and the name of the text that was read."""
        place = 4
        for _ in range(_number(content, 0)):
            place += 4 + _number(content, place)
            place += 8 + 4 * max(_number(content, place + 4), 0)
            if place > content.size:
                break
        if place == content.size:
            return
        length = _number(content, place + 4)
        if not 0 <= length <= 4096 or place + 8 + length != content.size:
            yield Finding("IMATRIX_LENGTH", content.name, "It does not end where its numbers end.")


def _number(content: Content, place: int) -> int:
    data = content.read(place, 4) if place >= 0 else b""
    return int(_LENGTH.unpack(data)[0]) if len(data) == 4 else 0
