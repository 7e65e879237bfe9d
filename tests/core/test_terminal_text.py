"""Texts of strangers do not steer a terminal: what would is written out."""

from pathlib import Path

import pytest

from modelshelf.adoption.types import printable
from modelshelf.cli.output import Output, complain, err, out
from modelshelf.errors import NotFound
from tests.core.adoption.conftest import Machine
from tests.core.adoption.stores import TINY, write

STEERING = "\x1b]0;owned\x07\x1b[2Jred \u202egpj.exe\x9b1m"


def test_a_table_a_line_and_an_error_hold_nothing_that_steers(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(False)
    with out.capture() as said, err.capture() as told:
        output.line(STEERING)
        output.table(["Name"], [[STEERING]])
        complain(NotFound(STEERING, remedy=STEERING))
    for text in (said.get(), told.get()):
        assert not set(text) & set("\x1b\x07\x9b\u202e")
        assert r"\x1b]0;owned\x07" in text


def test_a_file_name_stays_one_line() -> None:
    assert printable(Path("a\nb\x1bc")) == r"a\nb\x1bc"
    assert printable(Path("grün \udcff")) == r"grün \udcff"


def test_what_is_odd_in_a_store_is_told_in_plain_letters(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    write(tmp_path / ".lmstudio/models/org/name/\x1b[31mred\nline.gguf", TINY)
    assert r"\x1b[31mred\nline.gguf has a name that no hub allows" in machine.problem()
