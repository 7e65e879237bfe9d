"""The door for scanners: whatever implements `Scanner` and is named in the entry points `modelshelf.scanners`."""

from collections.abc import Iterator
from typing import Protocol

from modelshelf.vetting.types import Finding


class Content(Protocol):
    """The bytes to scan: a file, a member of an archive, a text in a header."""

    name: str  # as a person would name it, for example `model.zip:data.pkl`
    size: int

    def read(self, start: int, length: int) -> bytes:
        """The bytes from `start`, fewer than `length` only at the end."""
        ...


class Desk(Protocol):
    """What a scanner may ask for while it works."""

    def nested(self, content: Content) -> Iterator[Finding]:
        """Scan something found inside, by its own content; archives may nest three deep."""
        ...


class Scanner(Protocol):
    """Looks at content of the formats it names; all scanners of a format look, and the worst verdict counts."""

    formats: frozenset[str]

    @property
    def modules(self) -> tuple[str, ...]:
        """What the scanner imports when it is first used; a process that scans many files imports it once."""
        return ()

    def scan(self, content: Content, desk: Desk) -> Iterator[Finding]:
        """Yield what is wrong; nothing when all is well.

        A FormatError, and every other error, counts as a finding that blocks.
        """
        ...
