"""The template for translators holds every text of the page."""

from pathlib import Path

import pytest

from modelshelf_dashboard.texts import DOMAIN, LOCALES

extract = pytest.importorskip("babel.messages.extract")
pofile = pytest.importorskip("babel.messages.pofile")

KEYWORDS = {"_": None, "_n": (1, 2), "N_": None}
COMMAND = "pybabel extract -k _n:1,2 -k N_ --no-location --sort-output --omit-header -o locale/modelshelf.pot ."


def test_the_template_is_up_to_date() -> None:
    found = extract.extract_from_dir(LOCALES.parent, method_map=[("**.py", "python")], keywords=KEYWORDS)
    written = {message if isinstance(message, str) else message[0] for _file, _line, message, _notes, _context in found}
    with (LOCALES / f"{DOMAIN}.pot").open("rb") as template:
        known = {_first(message.id) for message in pofile.read_po(template) if message.id}
    assert written == known, f"run in {Path(LOCALES.parent).name}: {COMMAND}"


def _first(message: str | tuple[str, ...]) -> str:
    return message if isinstance(message, str) else message[0]
