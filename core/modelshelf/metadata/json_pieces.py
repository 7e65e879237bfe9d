"""Reads JSON objects of hostile size piece by piece, so that memory stays near the size of what is kept."""

import json
import re
from collections.abc import Iterator
from typing import Any

from modelshelf.errors import FormatError

_SPACE = re.compile(r"[ \t\r\n]*")
_STRINGS = json.JSONDecoder()


def no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An `object_pairs_hook` that refuses a key that is there twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def load(text: str | bytes, name: str) -> Any:
    """Parse a small document strictly: no double keys, no NaN, bounded depth.

    Raises:
        FormatError: it is not such JSON.
    """
    try:
        return json.loads(text, object_pairs_hook=no_doubles, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        why = "it nests too deeply" if isinstance(error, RecursionError) else str(error)
        raise FormatError(f"{name} is not valid JSON: {why[:200]}.") from None


class Pieces:
    """A JSON text and a position in it."""

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name
        self.pos = 0

    def fail(self, why: str) -> FormatError:
        """The error for the present position."""
        return FormatError(f"{self.name}: {why} at character {self.pos:,}.", offset=self.pos)

    def peek(self) -> str:
        """The next character that is not white space; empty at the end."""
        match = _SPACE.match(self.text, self.pos)
        self.pos = match.end() if match else self.pos
        return self.text[self.pos : self.pos + 1]

    def expect(self, character: str) -> None:
        """Go past this character."""
        if self.peek() != character:
            raise self.fail(f"“{character}” expected")
        self.pos += 1

    def string(self, limit: int) -> str:
        """A string of at most `limit` characters."""
        if self.peek() != '"':
            raise self.fail("a string expected")
        try:
            value, end = _STRINGS.raw_decode(self.text, self.pos)
        except ValueError:
            raise self.fail("a broken string") from None
        if len(value) > limit:
            raise self.fail(f"a string of more than {limit:,} characters")
        self.pos = end
        return str(value)

    def keys(self, limit: int, *, unique: bool = True) -> Iterator[str]:
        """The keys of an object; the caller reads the value before it asks for the next.

        To see that they are `unique` takes all of them in memory.
        """
        self.expect("{")
        seen: set[str] = set()
        count = 0
        if self.peek() == "}":
            self.pos += 1
            return
        while True:
            key = self.string(1024)
            if key in seen:
                raise self.fail(f"“{key[:80]}” is there twice")
            if unique:
                seen.add(key)
            count += 1
            if count > limit:
                raise self.fail(f"more than {limit:,} entries")
            self.expect(":")
            yield key
            if self.peek() == "}":
                self.pos += 1
                return
            self.expect(",")

    def match(self, pattern: re.Pattern[str]) -> str:
        """What the pattern finds here."""
        self.peek()
        match = pattern.match(self.text, self.pos)
        if match is None:
            raise self.fail("an unexpected value")
        self.pos = match.end()
        return match.group()

    def value(self, limit: int) -> Any:
        """Any value that is written in at most `limit` characters."""
        self.peek()
        try:
            decoder = json.JSONDecoder(object_pairs_hook=no_doubles, parse_constant=_no_constant)
            value, length = decoder.raw_decode(self.text[self.pos : self.pos + limit])
        except (ValueError, RecursionError):
            raise self.fail("a value that is no JSON, or too long") from None
        self.pos += length
        return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
