"""The heat map on a whole shelf: pairs are filled as answers come, pressed as a browser presses them."""

from collections.abc import Iterator
from typing import Any

import pytest

from modelshelf.shelf import Shelf
from modelshelf_dashboard.library.compare import Compare
from modelshelf_dashboard.library.comparison import Compared, Comparison
from modelshelf_dashboard.library.discover import Discover
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.transfers import Transfers
from tests.dashboard.test_library import press, until

TINY = "samples:samples/tiny-llama-GGUF"


@pytest.fixture
def session() -> Iterator[Session]:
    made = Session(None)
    made.begin()
    yield made
    made.close()


@pytest.fixture
def heard() -> list[dict[str, Any]]:
    return []


async def test_every_pair_has_its_figure_and_its_words(
    shelf: Shelf, session: Session, heard: list[dict[str, Any]]
) -> None:
    shown = Comparison(shelf, session, heard.append)
    models = [Compared(TINY, "tiny-llama-GGUF"), Compared("samples:samples/no-such-model", "no-such-model")]
    await shown.compare(models, {"builtin": "Built-in engine"})
    assert shown.piece.state == "ready"
    assert shown.piece.status == "2 pairs"
    cell = shown.piece.cells[TINY]["builtin"]
    answer = shown.answers[TINY, "builtin"]
    assert cell["score"] == answer.score
    assert "tokens/s" in cell["told"]
    missing = shown.piece.cells["samples:samples/no-such-model"]["builtin"]
    assert missing["score"] is None
    assert missing["told"]
    painted = shown._painting.source.data
    assert list(painted["text"]) == [str(answer.score), "—"]
    assert list(painted["told"]) == [cell["told"], missing["told"]]


async def test_the_theme_is_painted(shelf: Shelf, session: Session, heard: list[dict[str, Any]]) -> None:
    shown = Comparison(shelf, session, heard.append)
    await shown.compare([Compared(TINY, "tiny-llama-GGUF")], {"builtin": "Built-in engine"})
    before, ramp = shown._painting.source.data["colour"][0], shown.piece.ramp
    await press(shown.piece, do="theme", dark=True)
    assert shown._painting.source.data["colour"][0] != before
    assert shown.piece.ramp != ramp
    assert heard == []


async def test_what_is_known_from_the_list_is_there_before_anyone_is_asked(
    shelf: Shelf, session: Session, heard: list[dict[str, Any]]
) -> None:
    shown = Comparison(shelf, session, heard.append)
    seen: list[Any] = []
    shown.piece.param.watch(lambda event: seen.append(event.new), "cells")
    card = (await shelf.catalog.detail(TINY)).card
    first = {"builtin": shelf.compatibility.quick(card)}
    await shown.compare([Compared(TINY, "tiny-llama-GGUF", first=first)], {"builtin": "Built-in engine"})
    assert seen[0][TINY]["builtin"]["score"] == first["builtin"].score


async def test_a_view_that_nobody_looks_at_asks_nobody(shelf: Shelf, session: Session) -> None:
    transfers = Transfers(shelf, session)
    compare = Compare(shelf, session, Discover(shelf, session, transfers), transfers)
    compare.ask()
    assert compare.map is None
    session.navigation.view = "compare"
    assert compare.map is not None


async def test_a_pressed_pair_opens_the_model_with_that_provider(shelf: Shelf, session: Session) -> None:
    transfers = Transfers(shelf, session)
    discover = Discover(shelf, session, transfers)
    compare = Compare(shelf, session, discover, transfers)
    session.navigation.view = "compare"
    shown = compare.map
    assert shown is not None
    await until(lambda: TINY in shown.piece.cells and shown.piece.state == "ready")
    assert len(shown.piece.rows) == len(discover.found)
    await press(shown.piece, do="open", row=TINY, column="builtin")
    assert (session.navigation.model, session.navigation.by) == (TINY, "builtin")
    await press(shown.piece, do="choose", name="which", value="installed")
    assert shown.piece.state == "empty"
    await press(shown.piece, do="choose", name="which", value="nonsense")
    await press(shown.piece, do="choose", name="most", value="1000000")
    assert [choice["value"] for choice in shown.piece.choices[:2]] == ["installed", "10"]
    await press(shown.piece, do="discover")
    assert session.navigation.view == "discover"
