"""Pictures, NumPy arrays and protocol-buffer files: their structure must reach exactly to their end."""

import ast
import re
import warnings
from collections.abc import Iterator
from math import prod

from modelshelf.vetting.content import Slice
from modelshelf.vetting.spec import Content, Desk
from modelshelf.vetting.types import Finding

_DTYPE = re.compile(r"[<>|=]?([biufcSUVmM])(\d*)(?:\[\w+\])?")


class PictureScanner:
    """PNG, JPEG, GIF and WebP."""

    formats = frozenset({"png", "jpeg", "gif", "webp"})
    modules = ()

    def scan(self, content: Content, desk: Desk) -> Iterator[Finding]:
        """A picture that goes on after its end is two files in one."""
        tail = content.read(max(0, content.size - 16), 16)
        head = content.read(0, 16)
        if head.startswith(b"\x89PNG"):
            whole = _png_end(content) == content.size
        elif head.startswith(b"\xff\xd8"):
            whole = tail.rstrip(b"\0").endswith(b"\xff\xd9")
        elif head.startswith(b"GIF"):
            whole = tail.endswith(b";")
        else:
            length = 8 + int.from_bytes(head[4:8], "little")
            whole = content.size in {length, length + length % 2}
        if not whole:
            yield Finding("POLYGLOT", content.name, "The picture does not end where it should: something else follows.")


def _png_end(content: Content) -> int:
    place = 8
    for _ in range(100_000):
        header = content.read(place, 8)
        if len(header) < 8:
            break
        place += 12 + int.from_bytes(header[:4], "big")
        if header[4:] == b"IEND":
            return place
    return -1


class NumpyScanner:
    """.npy files: plain numbers, or objects, which are pickles."""

    formats = frozenset({"npy"})
    modules = ()

    def scan(self, content: Content, desk: Desk) -> Iterator[Finding]:
        """Read the header, and hold the file's length against it."""
        head = content.read(0, 12)
        wide = head[6:7] in {b"\x02", b"\x03"}
        length = int.from_bytes(head[8 : 12 if wide else 10], "little")
        start = (12 if wide else 10) + length
        if head[6:7] not in {b"\x01", b"\x02", b"\x03"} or length > 65_536 or start > content.size:
            yield Finding("NPY_BROKEN", content.name, "Its header is none that NumPy writes.")
            return
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)
                header = ast.literal_eval(content.read(start - length, length).decode("latin-1").strip())
            descr, _, shape = (header.pop(key) for key in ("descr", "fortran_order", "shape"))
            size = _item_size(descr)
            values = prod(int(extent) for extent in shape)
        except (ValueError, SyntaxError, TypeError, LookupError, AttributeError, RecursionError, MemoryError):
            yield Finding("NPY_BROKEN", content.name, "Its header is none that NumPy writes.")
            return
        if header or values < 0:
            yield Finding("NPY_BROKEN", content.name, "Its header is none that NumPy writes.")
        elif size is None:
            yield Finding("NPY_OBJECTS", content.name, "It holds objects, which NumPy loads by unpickling them.")
            yield from desk.nested(Slice(content, start, content.size - start, f"{content.name}:objects"))
        elif start + size * values != content.size:
            yield Finding(
                "NPY_LENGTH", content.name, f"It has {content.size:,} bytes instead of {start + size * values:,}."
            )


def _item_size(descr: object) -> int | None:
    """Bytes of one value; None when values are objects."""
    if isinstance(descr, list):
        total = 0
        for field in descr:
            size = _item_size(field[1])
            if size is None:
                return None
            total += size * (prod(field[2]) if len(field) > 2 else 1)
        return total
    text = str(descr)
    if text.lstrip("<>|=").startswith("O"):
        return None
    match = _DTYPE.fullmatch(text)
    if match is None:
        raise ValueError(text)
    width = int(match[2] or 0)
    return width * (4 if match[1] == "U" else 1)
