"""Keras: layers that carry code, modules outside Keras; in JSON, in .keras archives and in HDF5 files."""

import re
from collections.abc import Iterator
from typing import Any

from modelshelf.vetting.spec import Content, Desk
from modelshelf.vetting.types import Finding

_CODE_CLASSES = frozenset(
    {"Lambda", "__lambda__", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "get_file", "function"}
)
_MODULES = re.compile(r"(?:tensorflow\.|tf_)?keras(?:_hub|_nlp|_cv)?(?:\.[\w.]+)?")
_UTILITIES = re.compile(r"(?:^|\.)(?:utils|saving|export|config|backend)(?:\.|$)")
_H5_CODE = re.compile(rb'"class_name"\s*:\s*"(?:Lambda|__lambda__|TorchModuleWrapper|get_file)"')
_H5_MODULE = re.compile(rb'"module"\s*:\s*"([^"]{1,80})"')
_CHUNK = 8 << 20


def check_layer(value: dict[str, Any], where: str) -> Iterator[Finding]:
    """Check one serialised object `{class_name, module, config, registered_name}`."""
    name, module = str(value["class_name"]), value.get("module")
    if name.rpartition(">")[2] in _CODE_CLASSES:
        yield Finding("KERAS_CODE", where, f"A {name[:40]} of Keras carries code or calls any function.")
    if isinstance(module, str) and not is_harmless(module):
        yield Finding("KERAS_MODULE", where, f"It would import {module[:60]}, which is no part of Keras.")


def is_harmless(module: str) -> bool:
    """Whether a module belongs to Keras and holds layers, not tools."""
    return bool(_MODULES.fullmatch(module)) and not _UTILITIES.search(module)


class Hdf5Scanner:
    """HDF5 files: Keras keeps its configuration in them as text."""

    formats = frozenset({"hdf5"})
    modules = ()

    def scan(self, content: Content, desk: Desk) -> Iterator[Finding]:
        """Look for layers that carry code, and hold the file's length against its own."""
        end = _end(content)
        if end is not None and end != content.size:
            yield Finding("HDF5_LENGTH", content.name, f"It has {content.size:,} bytes instead of {end:,}.")
        place, overlap = 0, b""
        while place < content.size:
            chunk = content.read(place, _CHUNK)
            place += len(chunk)
            window = overlap + chunk
            if _H5_CODE.search(window):
                yield Finding("KERAS_CODE", content.name, "A layer carries code or calls any function.")
                return
            for module in _H5_MODULE.findall(window):
                if not is_harmless(module.decode("latin-1")):
                    yield Finding("KERAS_MODULE", content.name, f"It would import {module.decode('latin-1')[:60]}.")
                    return
            overlap = window[-256:]
            if not chunk:
                return


def _end(content: Content) -> int | None:
    """The length that the superblock states, where its version is known."""
    head = content.read(0, 96)
    places = {0: 40, 1: 44, 2: 28, 3: 28}
    place = places.get(head[8]) if len(head) == 96 else None
    eight = head[13] == 8 if place in {40, 44} else len(head) > 9 and head[9] == 8
    return int.from_bytes(head[place : place + 8], "little") if place is not None and eight else None
