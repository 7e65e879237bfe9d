"""The page's texts go through here: `_("Download")`, `_n("{n} model", "{n} models", n)`.

The language is the setting `ui.language`, else the environment's; without a catalogue the English text is shown.
"""

import gettext
from pathlib import Path

LOCALES = Path(__file__).parent / "locale"
DOMAIN = "modelshelf"


class _Texts:
    """The catalogue in use, one per process as the setting is."""

    def __init__(self) -> None:
        self.catalogue: gettext.NullTranslations = gettext.NullTranslations()


_texts = _Texts()


def choose(language: str = "") -> None:
    """Show texts in this language (`de`); empty means the one of the environment."""
    languages = [language] if language else None
    _texts.catalogue = gettext.translation(DOMAIN, LOCALES, languages, fallback=True)


def _(text: str, **figures: object) -> str:
    """The text in the chosen language, its `{names}` filled in afterwards."""
    told = _texts.catalogue.gettext(text)
    return told.format(**figures) if figures else told


def _n(one: str, many: str, n: int, **figures: object) -> str:
    """The text for this number; `{n}` is filled in with thousands marked."""
    return _texts.catalogue.ngettext(one, many, n).format(n=f"{n:,}", **figures)


def N_(text: str) -> str:  # noqa: N802 - the name that translation tools look for
    """Mark a text for translation where it is written, to be translated where it is shown."""
    return text
