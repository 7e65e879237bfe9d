"""The page as a whole."""

from collections.abc import Iterator

import panel as pn
import pytest
from panel.util.parameters import edit_readonly

from modelshelf.access import OWNER
from modelshelf.shelf import Shelf
from modelshelf_dashboard.page import create_page
from modelshelf_dashboard.session import Session


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
