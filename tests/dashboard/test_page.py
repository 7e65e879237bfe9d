"""The page as a whole."""

from collections.abc import Iterator

import panel as pn
import pytest
from panel.util.parameters import edit_readonly

from modelshelf.access import OWNER
from modelshelf.shelf import Shelf
from modelshelf_dashboard.page import Parts, create_page
from modelshelf_dashboard.session import Session, open_session


@pytest.fixture
def busy() -> Iterator[None]:
    """Panel works at something, somewhere."""
    yield
    with edit_readonly(pn.state):
        pn.state.busy = False


async def test_a_page_is_not_written_to_whenever_anything_anywhere_is_busy(shelf: Shelf, busy: None) -> None:
    before = set(Session.alive)
    page = create_page(shelf, OWNER)
    told: list[object] = []
    page.param.watch(told.append, "busy")
    with edit_readonly(pn.state):
        pn.state.busy = True
    assert not page.busy
    assert told == []
    for session in set(Session.alive) - before:
        session.close()


async def test_of_two_steps_in_one_message_both_stand_in_the_history(shelf: Shelf) -> None:
    session = open_session(OWNER)
    parts = Parts(shelf, session, embedded=False)
    with pn.io.hold():
        session.navigation.view = "installed"
        session.navigation.navigate_to_llm_settings(section="status", provider="builtin")
    places = [(place["n"], place["address"], place["push"]) for place in parts.router.places]
    assert places == [(1, "?view=installed", True), (2, "?tab=settings&section=status&provider=builtin", True)]
    await parts.router._handle_msg({"do": "address", "search": "?view=installed", "asked": 1})
    assert parts.router.places[-1] == {"n": 3, "address": "?view=installed", "push": False, "answers": 1}
    for _ in range(30):
        session.navigation.view = "discover" if session.navigation.view == "installed" else "installed"
    assert [place["n"] for place in parts.router.places] == list(range(14, 34))
    session.close()
