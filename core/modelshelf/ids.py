"""Names of models: `source:org/name@commit/file`, of which only `org/name` must be given."""

import re
import unicodedata
from dataclasses import dataclass, replace
from typing import Self

from modelshelf.errors import UsageError

_SOURCE = re.compile(r"^(?P<source>[a-z0-9][a-z0-9_.-]*):(?P<rest>[^/:].*)$")
_PART = re.compile(r"^(?!.*(\.\.|--))[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_-])?$")


_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")
_LIKE_SIGNS = frozenset("\u2044\u2215\u29f8\u2236\u2216\u29f5")  # what could be taken for a slash, a colon, a backslash
_JOINER = "\u200d"  # joins emoji
LONGEST_PART = 96
MOST_MARKS = 4  # on one letter


@dataclass(frozen=True, slots=True)
class ModelId:
    """A model, a revision of it or a file in it."""

    repo: str
    source: str | None = None
    revision: str | None = None
    file: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `source:org/name@commit/file`.

        Raises:
            UsageError: the text names no repository, or a part has characters no hub allows.
        """
        source, rest = None, text.strip()
        if match := _SOURCE.match(rest):
            source, rest = match["source"], match["rest"]
        name, at, tail = rest.partition("@")
        if at:
            revision, _, file = tail.partition("/")
            parts = name.split("/")
        else:
            revision, parts = "", name.split("/")
            parts, file = parts[:2], "/".join(parts[2:])
        if len(parts) != 2 or not all(_PART.match(part) for part in parts) or (at and not revision):
            raise UsageError(
                f"“{text}” is not a model's name.",
                remedy="Write it as org/name, for example samples/tiny-llama-GGUF.",
            )
        return cls("/".join(parts), source, revision or None, file or None)

    @classmethod
    def valid(cls, text: str) -> bool:
        """Whether `parse` would read it."""
        try:
            cls.parse(text)
        except UsageError:
            return False
        return True

    def at(self, commit: str) -> Self:
        """The same model pinned to a commit."""
        return replace(self, revision=commit)

    @property
    def author(self) -> str:
        """The publisher: what stands before the slash."""
        return self.repo.partition("/")[0]

    @property
    def name(self) -> str:
        """What stands after the slash."""
        return self.repo.partition("/")[2]

    def __str__(self) -> str:
        head = f"{self.source}:" if self.source else ""
        revision = f"@{self.revision}" if self.revision else ""
        return f"{head}{self.repo}{revision}{'/' + self.file if self.file else ''}"


def is_listed(name: str) -> bool:
    """Whether it is `org/name` in letters of other scripts: to be found and shown, though no hub would have it.

    Letters, digits, marks and signs of every script may be in it; nothing that cannot be seen, that turns the
    direction of text, or that could be taken for a slash or a colon.
    """
    parts = name.split("/")
    return len(parts) == 2 and not name.isascii() and all(_is_listed_part(part) for part in parts)


def _is_listed_part(part: str) -> bool:
    if not 0 < len(part) <= LONGEST_PART or part[0] in ".-" or part[-1] in f".-{_JOINER}":
        return False
    marks = 0
    for place, letter in enumerate(part):
        kind = unicodedata.category(letter)[0]
        marks = marks + 1 if kind == "M" else 0
        if not _may_stand(letter, kind) or marks > MOST_MARKS or (place == 0 and kind == "M"):
            return False
    return ".." not in part and "--" not in part


def _may_stand(letter: str, kind: str) -> bool:
    if letter.isascii():
        return letter in _PLAIN
    if letter == _JOINER:
        return True
    alike = unicodedata.normalize("NFKC", letter)
    return kind in "LMNSP" and letter not in _LIKE_SIGNS and not any(sign in alike for sign in "/\\:@<>")


def split_served(name: str) -> tuple[str, str]:
    """Split `provider/served-name` at the first slash.

    Raises:
        UsageError: there is no slash, or nothing on one side of it.
    """
    provider, slash, model = name.partition("/")
    if not slash or not provider or not model:
        raise UsageError(f"“{name}” names no provider.", remedy="Write provider/model, for example builtin/tiny-llama.")
    return provider, model
