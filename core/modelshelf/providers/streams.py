"""Lines, JSON lines and server-sent events out of bytes that arrive in pieces of any size."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

LINE_LIMIT = 4 << 20
_FIELDS = frozenset({b"", b"data", b"error", b"event", b"id", b"retry"})


class TooLong(ValueError):
    """A line that never ends."""


@dataclass(slots=True)
class Lines:
    """Cuts bytes into lines, without their ends; `limit` bounds one line."""

    limit: int = LINE_LIMIT
    _rest: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The lines that `data` completes.

        Raises:
            TooLong: a line is longer than the limit.
        """
        self._rest += data
        if b"\n" in data:
            *whole, rest = bytes(self._rest).split(b"\n")
            self._rest = bytearray(rest)
            for line in whole:
                if len(line) > self.limit:
                    raise TooLong
                yield line.removesuffix(b"\r")
        if len(self._rest) > self.limit:
            raise TooLong

    def end(self) -> bytes:
        """What came after the last line's end."""
        rest, self._rest = bytes(self._rest), bytearray()
        return rest


@dataclass(slots=True)
class ServerSentEvents:
    """Joins the lines of a stream of events to the data of each event; comments and other fields are left out.

    `begun` tells whether any line so far belongs to an event.
    """

    begun: bool = False
    _data: list[bytes] = field(default_factory=list)

    def line(self, line: bytes) -> str | None:
        """The data of the event that this line completes, if it does."""
        if not line:
            data, self._data = self._data, []
            return b"\n".join(data).decode("utf-8", "replace") if data else None
        name, _, value = line.partition(b":")
        self.begun = self.begun or name in _FIELDS
        if name in (b"data", b"error"):
            self._data.append(value.removeprefix(b" "))
        return None


def decode_object(text: str | bytes) -> dict[str, Any]:
    """A JSON object.

    Raises:
        ValueError: it is not JSON, or something else than an object, or nested beyond reason.
    """
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if isinstance(found, dict):
        return found
    raise ValueError("not an object")
