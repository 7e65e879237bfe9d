"""The list of what is wrong: every line's button does what it says, and what cannot be undone asks first."""

import os
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from modelshelf.config import ConfigManager
from modelshelf.integration.issues import Action, Issue
from modelshelf.shelf import Shelf, open_shelf
from modelshelf_dashboard.components.dialog import Dialog
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.settings.troubles import Troubles
from tests.conftest import LoopRunner
from tests.core.library.conftest import install
from tests.dashboard.test_library import press, until


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session(None)
    yield session
    session.close()


@pytest.fixture
def still(loop: LoopRunner, config: ConfigManager) -> Shelf:
    """A shelf whose state nobody writes but the test."""
    return loop.enter(open_shelf(config=config, without={"state", "health", "downloads", "catalog sync"}))


class Shown:
    """The list with what it said of providers, and the dialog it asks in."""

    def __init__(self, shelf: Shelf, session: Session) -> None:
        self.told: list[dict[str, Any]] = []
        self.dialog = Dialog()
        self.view = Troubles(shelf, session, self.dialog, self.told.append)
        session.begin()

    def line(self, text: str) -> dict[str, Any] | None:
        return next((item for item in self.view.wrong.items if text in item["text"]), None)


@pytest.mark.parametrize(
    ("action", "address"),
    [
        (Action("find", {"provider": "ollama"}), "?filters=is:fits+provider:ollama"),
        (Action("installed", {"model": "samples:org/m@123"}), "?view=installed&model=samples:org/m"),
        (Action("quarantine"), "?view=quarantine"),
        (Action("key", {"provider": "cloud"}), "?tab=settings&provider=cloud"),
    ],
)
async def test_a_button_leads_where_it_can_be_mended(
    still: Shelf, session: Session, action: Action, address: str
) -> None:
    shown = Shown(still, session)
    still.integration_state.issues = [Issue("x", "wrong", "It is wrong.", action=action)]
    await until(lambda: shown.line("It is wrong."))
    await press(shown.view.wrong, do=action.do, id="x", context={})
    assert session.navigation.address() == address
    assert shown.told == ([{"do": "key", "id": "cloud"}] if action.do == "key" else [])


async def test_a_button_mends_it_at_once(shelf: Shelf, session: Session) -> None:
    shown = Shown(shelf, session)
    session.navigation.navigate_to_llm_settings(section="status")
    line = await until(lambda: (found := shown.line("has no models")) and found["action"]["do"] == "download" and found)
    await press(shown.view.wrong, do="download", id=line["id"], context={})
    await until(lambda: shown.line("Nothing is wrong."))


async def test_a_provider_s_button_is_its_section_s(still: Shelf, session: Session) -> None:
    shown = Shown(still, session)
    for action in (Action("test", {"provider": "builtin"}), Action("enable", {"provider": "builtin"})):
        text = f"{action.do} it."
        still.integration_state.issues = [Issue(action.do, "wrong", text, action=action)]
        await until(partial(shown.line, text))
        await press(shown.view.wrong, do=action.do, id=action.do, context={})
        assert shown.told[-1] == {"do": action.do, "id": "builtin"}


async def test_what_cannot_be_undone_asks_and_what_can_has_its_undo(shelf: Shelf, session: Session) -> None:
    shown = Shown(shelf, session)
    loose = install(shelf.config.paths.cache, "org/m", {"m.gguf": b"x"}).parent.parent / "blobs" / ("a" * 64)
    loose.write_bytes(b"left")
    os.utime(loose, (1, 1))
    await shelf.library.models()
    line = await until(lambda: shown.line("used by nothing"))
    await press(shown.view.wrong, do="resolve", id=line["id"], context={})
    (mended,) = await until(lambda: shown.view.mended.items)
    assert not loose.exists()
    await press(shown.view.mended, do="undo", id=mended["id"], context={})
    await until(loose.exists)

    shelf.config.set("library.low_disk_gb", 1e9)
    await until(lambda: shown.line("used by nothing"))
    await press(shown.view.wrong, do="resolve", id=line["id"], context={})
    full = await until(lambda: (found := shown.line("free where")) and found["action"]["do"] == "resolve" and found)
    await press(shown.view.wrong, do="resolve", id=full["id"], context={})
    assert "This cannot be undone." in shown.dialog.question["lines"]
    await press(shown.dialog, do="confirmed", id=shown.dialog.question["id"], fields={})
    choose = await until(lambda: (found := shown.line("free where")) and found["action"]["do"] == "choose" and found)
    await press(shown.view.wrong, do="choose", id=choose["id"], context={})
    assert session.navigation.address() == "?view=installed"
    assert shelf.conflicts.trash.size() == 0
