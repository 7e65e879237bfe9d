"""TensorFlow's saved models: graphs whose operators may read and write files or call Python."""

import re
from collections.abc import Iterator

from modelshelf.vetting.spec import Content, Desk
from modelshelf.vetting.types import Finding

_CHUNK = 8 << 20
_OVERLAP = 64
_HARMFUL = (
    b"WriteFile", b"ReadFile", b"PyFunc", b"EagerPyFunc", b"PyFuncStateless", b"MatchingFiles", b"WholeFileReader",
    b"WholeFileReaderV2", b"DebugIdentityV2", b"DebugIdentityV3",
)  # fmt: skip
# A node names its operator in field 2: the mark, the length, the name.
_HARM = re.compile(b"|".join(b"\x12" + bytes([len(name)]) + name for name in _HARMFUL))


class SavedModelScanner:
    """The graph of a saved model."""

    formats = frozenset({"savedmodel"})
    modules = ()

    def scan(self, content: Content, desk: Desk) -> Iterator[Finding]:
        """Find operators that do more than compute."""
        place, overlap = 0, b""
        while place < content.size:
            window = overlap + content.read(place, _CHUNK)
            if match := _HARM.search(window):
                name = match.group()[2:].decode("ascii")
                yield Finding("TENSORFLOW_OPERATOR", content.name, f"The operator {name} reaches files or runs Python.")
                return
            place += _CHUNK
            overlap = window[-_OVERLAP:]
