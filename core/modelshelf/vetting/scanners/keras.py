"""HDF5: Keras keeps the configuration of a model in it, as text."""

import re
from collections.abc import Iterator
from json import JSONDecodeError, JSONDecoder

from modelshelf.vetting.scanners.layers import is_harmless
from modelshelf.vetting.scanners.walk import Walk, pairs_once, whole_number
from modelshelf.vetting.spec import Content, Desk
from modelshelf.vetting.types import Finding

_CODE = re.compile(
    rb'"class_name"\s*:\s*"(?:[^"]{0,60}>)?'
    rb'(?:Lambda|__lambda__|TorchModuleWrapper|TFSMLayer|JaxLayer|FlaxLayer|get_file|load_model)"'
)
_MODULE = re.compile(rb'"module"\s*:\s*"([^"]{1,80})"')
# A letter written as an escape: no writer does that, and it hides a name from those who only look for it.
_HIDDEN = re.compile(rb"\\u00(?:4[1-9A-Fa-f]|5[0-9AaFf]|6[1-9A-Fa-f]|7[0-9Aa])")
_DOCUMENT = re.compile(rb'\{\s*"(?:[\w. -]|\\u[0-9A-Fa-f]{4}){1,60}"\s*:')
_CHUNK = 8 << 20
_OVERLAP = 512
MAX_DOCUMENT = 16 << 20


class Hdf5Scanner:
    """HDF5 files."""

    formats = frozenset({"hdf5"})
    modules = ("jinja2.sandbox", "jinja2.ext", "modelshelf.vetting.scanners.templates")

    def scan(self, content: Content, desk: Desk) -> Iterator[Finding]:
        """Look for layers that carry code, and hold the file's length against its own."""
        end = _end(content)
        if end is not None and end != content.size:
            yield Finding("HDF5_LENGTH", content.name, f"It has {content.size:,} bytes instead of {end:,}.")
        place, passed, overlap = 0, 0, b""
        while place < content.size:
            chunk = content.read(place, _CHUNK)
            window, start = overlap + chunk, place - len(overlap)
            place += len(chunk)
            for match in _DOCUMENT.finditer(window):
                if start + match.start() >= passed:
                    found, passed = _document(content, start + match.start())
                    yield from found
            if finding := _raw(window, content.name):
                yield finding
                return
            overlap = window[-_OVERLAP:]
            if not chunk:
                return


def _document(content: Content, start: int) -> tuple[list[Finding], int]:
    """What is wrong in the document that begins here, and where it ends; a place within for what is none."""
    doubles: list[str] = []
    decoder = JSONDecoder(object_pairs_hook=lambda pairs: pairs_once(pairs, doubles), parse_int=whole_number)
    size = 65_536
    while True:
        raw = content.read(start, size)
        text = raw.decode("utf-8", "surrogateescape")
        try:
            document, end = decoder.raw_decode(text)
            break
        except RecursionError:
            return [Finding("JSON_NESTING", content.name, "Its configuration nests too deeply.")], start + len(raw)
        except JSONDecodeError as error:
            # A text that is cut by the end of what was read may go on; what breaks before is none.
            if error.pos < len(text) - 64 or len(raw) < size or size >= MAX_DOCUMENT:
                return [], start + 1
            size *= 16
        except ValueError:
            return [Finding("JSON_BROKEN", content.name, "Its configuration holds an enormous number.")], start + 1
    found = list(Walk(content.name).findings(document))
    if doubles:
        found.append(Finding("JSON_DOUBLE_KEY", content.name, f"“{doubles[0][:60]}” is there twice."))
    return found, start + len(text[:end].encode("utf-8", "surrogateescape"))


def _raw(window: bytes, name: str) -> Finding | None:
    """What stands out in bytes that need not be a whole document."""
    if _CODE.search(window):
        return Finding("KERAS_CODE", name, "A layer carries code or calls any function.")
    for match in _MODULE.finditer(window):
        module = match[1].decode("latin-1")
        if module != "builtins" and not is_harmless(module):
            return Finding("KERAS_MODULE", name, f"It would import {module[:60]}.")
    for match in _HIDDEN.finditer(window):
        around = window[max(0, match.start() - 60) : match.end() + 60]
        if b"class" in around or b"module" in around:
            return Finding("KERAS_HIDDEN", name, "It hides a name by escapes.")
    return None


def _end(content: Content) -> int | None:
    """The length that the superblock states, where its version is known."""
    head = content.read(0, 96)
    places = {0: 40, 1: 44, 2: 28, 3: 28}
    place = places.get(head[8]) if len(head) == 96 else None
    eight = head[13] == 8 if place in {40, 44} else len(head) > 9 and head[9] == 8
    return int.from_bytes(head[place : place + 8], "little") if place is not None and eight else None
