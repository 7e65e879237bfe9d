"""Words: how names and queries are taken apart, and when a word is in a name.

Upper and lower case, and accents, are one. A name is letters and digits of ASCII with signs between; each run is a
token. A word matches a name if each of its own tokens begins a token of the name or, from three letters on, stands
anywhere inside one. A word with letters of other scripts matches the names that hold it anywhere.
"""

import re
import unicodedata

INSIDE = 3  # letters from which a word is looked for inside tokens, too
_RUNS = re.compile(r"[a-z0-9]+")


def folded(text: str) -> str:
    """A text without the difference of case, of accents, and of forms that mean the same."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(c for c in plain if not unicodedata.combining(c))


def tokens(name: str) -> list[str]:
    """The tokens of a name, in order, repeated ones too."""
    return _RUNS.findall(folded(name))


def word_tokens(word: str) -> tuple[str, ...] | None:
    """What a word asks for: its distinct tokens, none where it is signs alone; None if it has other letters."""
    plain = folded(word)
    if not plain.isascii():
        return None
    return tuple(dict.fromkeys(_RUNS.findall(plain)))


def is_in(word: str, name: str) -> bool:
    """Whether a word matches a name."""
    wanted = word_tokens(word)
    if wanted is None:
        return not name.isascii() and folded(word) in folded(name)
    found = tokens(name)
    return all(any(_matches(part, token) for token in found) for part in wanted)


def _matches(part: str, token: str) -> bool:
    return part in token if len(part) >= INSIDE else token.startswith(part)
