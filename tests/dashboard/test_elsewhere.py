"""The section of other programs' stores, pressed as a browser presses it."""

import asyncio
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from modelshelf.access import Principal, Role
from modelshelf.shelf import Shelf
from modelshelf_dashboard.components.dialog import Dialog
from modelshelf_dashboard.components.piece import Piece
from modelshelf_dashboard.library.elsewhere import SHOWN, OtherStores
from modelshelf_dashboard.session import Session
from tests.core.adoption.stores import OTHER, TINY, ollama, write
from tests.core.sources.simulators import gguf


@pytest.fixture
def session() -> Iterator[Session]:
    made = Session(None)
    yield made
    made.close()


@pytest.fixture
def stores(tmp_path: Path) -> Path:
    """Two programs that hold the same model, and one more."""
    ollama(tmp_path / "ollama")
    write(tmp_path / ".lmstudio/models/org/tiny/tiny.gguf", TINY)
    write(tmp_path / ".lmstudio/models/org/other/other.gguf", OTHER)
    return tmp_path


async def until(true: Callable[[], Any]) -> Any:
    async with asyncio.timeout(20):
        while not (found := true()):
            await asyncio.sleep(0.01)
    return found


async def press(piece: Piece, **message: Any) -> None:
    await piece._handle_msg(message)


class Section:
    """The section on a page of its own, with what it said."""

    def __init__(self, shelf: Shelf, session: Session) -> None:
        self.told: list[dict[str, Any]] = []
        session.tell = self.told.append
        self.dialog = Dialog()
        self.stores = OtherStores(shelf, session, self.dialog)
        session.begin()

    def row(self, start: str) -> dict[str, Any]:
        return next((row for row in self.stores.table.rows if row["id"].startswith(start)), {})

    def word(self, start: str) -> str:
        return next((action["word"] for action in self.row(start).get("actions", [])), "")


async def test_nothing_is_shown_where_nothing_is(shelf: Shelf, session: Session) -> None:
    section = Section(shelf, session)
    await until(lambda: shelf.models_state.loaded)
    assert (section.stores.head.shown, section.stores.table.visible) == ({}, False)


async def test_a_press_adopts_and_a_press_gives_back(stores: Path, shelf: Shelf, session: Session) -> None:
    section = Section(shelf, session)
    await until(lambda: section.row("ollama:tiny:1b"))
    assert section.row("ollama:tiny:1b")["cells"]["state"]["main"] == "being compared"
    assert section.stores.head.shown["text"] == "Elsewhere on this machine"
    assert "Ollama: 1 model" in section.stores.head.shown["sub"]
    await shelf.adoption.compare()
    await until(lambda: section.word("twice "))
    assert section.row("lmstudio:org/tiny")["sub"] == "LM Studio · same as in Ollama"

    await press(section.stores.table, do="adopt", id="ollama:tiny:1b")
    await until(lambda: section.told)
    assert section.told[-1]["text"] == "library/tiny is in the library: no copy."
    await until(lambda: section.row("ollama:tiny:1b")["cells"]["state"]["main"] == "the same file, no copy")
    assert section.word("ollama:tiny:1b") == ""

    twice = await until(lambda: "the library" in section.row("twice ").get("sub", "") and section.row("twice "))
    assert twice["actions"][0]["word"].startswith("Give back 0.")
    await press(section.stores.table, do="give", id=twice["id"])
    assert "Both are read anew" in section.dialog.question["lines"][-1]
    await press(section.dialog, do="confirmed", fields={})
    shared = await until(lambda: section.row("shared "))
    assert not section.row("twice ")
    await press(section.stores.table, do="separate", id=shared["id"])
    await until(lambda: not section.row("shared "))


async def test_what_cannot_be_shared_is_asked_first(
    stores: Path, shelf: Shelf, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "link", refuses)  # another file system, as far as the kernel says
    section = Section(shelf, session)
    await until(lambda: section.row("ollama:tiny:1b"))
    if (await shelf.adoption.plan("tiny:1b")).way == "reflink":
        pytest.skip("this disk shares blocks")
    await press(section.stores.table, do="adopt", id="ollama:tiny:1b")
    (field,) = (await until(lambda: section.dialog.question))["fields"]
    assert field["label"].startswith("Copy it instead, which takes ")
    await press(section.dialog, do="confirmed", fields={"copy": True})
    await until(lambda: section.told)
    assert section.told[-1]["text"] == "library/tiny is in the library: a copy."


async def test_a_viewer_is_told_why_not(stores: Path, shelf: Shelf) -> None:
    session = Session(None, Principal("vera", Role.VIEWER))
    section = Section(shelf, session)
    await until(lambda: section.row("ollama:tiny:1b"))
    assert all(action["why"] for row in section.stores.table.rows for action in row["actions"])
    await press(section.stores.table, do="adopt", id="ollama:tiny:1b")
    await until(lambda: section.told)
    assert "needs operator" in section.told[-1]["text"]
    session.close()


async def test_a_folder_is_added_by_its_path(stores: Path, shelf: Shelf, session: Session) -> None:
    section = Section(shelf, session)
    await until(lambda: section.row("ollama:tiny:1b"))
    write(stores / "mine/org/more/more.gguf", gguf("more"))
    await press(section.stores.head, do="add")
    await press(section.dialog, do="confirmed", fields={"folder": f" {stores}/mine "})
    await until(lambda: section.row("folder:org/more"))


async def test_who_comes_to_the_view_sees_what_came_meanwhile(shelf: Shelf, session: Session, tmp_path: Path) -> None:
    section = Section(shelf, session)
    await shelf.adoption.look()
    write(tmp_path / ".lmstudio/models/org/new/new.gguf", TINY)
    shelf.adoption._rest = 0  # as if some seconds had gone by
    session.navigation.view = "installed"
    await until(lambda: section.row("lmstudio:org/new"))


@pytest.fixture
def many(tmp_path: Path) -> None:
    """More models than are shown, and one that is not whole."""
    for number in range(SHOWN + 5):
        write(tmp_path / f".lmstudio/models/org/m{number:03}/m.gguf", gguf(str(number)))
    write(tmp_path / ".lmstudio/models/org/bad/bad-00001-of-00002.gguf", TINY)


async def test_many_rows_are_folded_and_cut(many: None, shelf: Shelf, session: Session) -> None:
    section = Section(shelf, session)
    await until(lambda: section.stores.table.rows)
    assert (len(section.stores.table.rows), section.stores.table.visible) == (SHOWN, False)
    assert section.stores.table.status.startswith("105 models · and 5 more")
    await press(section.stores.head, do="fold")
    assert section.stores.table.visible
    (trouble,) = section.stores.head.shown["troubles"]
    assert "parts are missing" in trouble["text"]
