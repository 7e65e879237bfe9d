"""Words: how names and queries are taken apart, and when a word is in a name.

A name is letters and digits of ASCII with signs between; each run is a token. A word matches a name if each of its own
tokens begins a token of the name or, from three letters on, stands anywhere inside one.
"""

import re
import unicodedata

INSIDE = 3  # letters from which a word is looked for inside tokens, too
_RUNS = re.compile(r"[a-z0-9]+")


def tokens(name: str) -> list[str]:
    """The tokens of a name, in order, repeated ones too."""
    return _RUNS.findall(name.lower())


def word_tokens(word: str) -> tuple[str, ...] | None:
    """What a word asks for: its distinct tokens, none where it is signs alone; None if no name can hold it."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", word.lower()) if not unicodedata.combining(c))
    if not plain.isascii():
        return None
    return tuple(dict.fromkeys(_RUNS.findall(plain)))


def is_in(word: str, name: str) -> bool:
    """Whether a word matches a name."""
    wanted = word_tokens(word)
    if wanted is None:
        return False
    found = tokens(name)
    return all(any(_matches(part, token) for token in found) for part in wanted)


def _matches(part: str, token: str) -> bool:
    return part in token if len(part) >= INSIDE else token.startswith(part)
