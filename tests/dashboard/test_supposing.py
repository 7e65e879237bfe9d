"""What if, pressed as a browser presses it: every move is answered, and only what can be used is used."""

from collections.abc import Iterator
from typing import Any

import pytest

from modelshelf.errors import NotFound
from modelshelf.shelf import Shelf
from modelshelf_dashboard.library.supposing import Supposing
from modelshelf_dashboard.session import Session
from tests.dashboard.test_library import press, until

MODEL = "samples:samples/tiny-llama-GGUF"
HERE = {"context": 4096, "kv": "f16", "slots": 1, "machine": "0"}


@pytest.fixture
def session() -> Iterator[Session]:
    made = Session(None)
    made.begin()
    yield made
    made.close()


async def test_it_offers_what_the_model_can_and_starts_from_what_is(shelf: Shelf, session: Session) -> None:
    supposing = Supposing(shelf, session)
    await supposing.load(MODEL, "builtin")
    offer, answer = supposing.piece.offer, supposing.piece.answer
    assert offer["contexts"] == [512, 1024, 2048, 4096]
    assert {name: offer[name] for name in HERE} == HERE
    assert offer["machines"][0] == {"value": "0", "label": "This machine"}
    assert len(offer["machines"]) > 3
    assert answer["before"] == answer["score"]
    assert answer["changed"] is False
    supposing.clear()
    assert supposing.piece.offer == {}


async def test_a_move_that_makes_no_sense_is_held_to_what_does(shelf: Shelf, session: Session) -> None:
    supposing = Supposing(shelf, session)
    await supposing.load(MODEL, "builtin")
    await press(supposing.piece, do="try", n=1, context="many", kv="<b>", slots=-3, machine="mine")
    assert supposing._latest is not None
    assert supposing._latest.settings is not None
    assert (supposing._latest.settings.context, supposing._latest.settings.kv) == (4096, "f16")
    assert supposing._latest.settings.slots == 1


async def test_settings_are_used_here_and_nowhere_else(shelf: Shelf, session: Session) -> None:
    told: list[dict[str, Any]] = []
    session.tell = told.append
    applied: list[bool] = []
    supposing = Supposing(shelf, session, applied=lambda: applied.append(True))
    await supposing.load(MODEL, "builtin")
    await press(supposing.piece, **{**HERE, "do": "try", "n": 1, "context": 512, "machine": "1"})
    await press(supposing.piece, do="use")
    await press(supposing.piece, **{**HERE, "do": "try", "n": 2, "context": 1024})
    await press(supposing.piece, do="use")
    await until(lambda: applied)
    assert shelf.config.config.engine.context == 1024
    assert told[0]["tone"] == "good"


async def test_a_machine_in_words_joins_the_others(shelf: Shelf, session: Session) -> None:
    supposing = Supposing(shelf, session)
    await supposing.load(MODEL, "builtin")
    count = len(supposing._machines)
    await press(supposing.piece, do="machine", text="40 GB card")
    await until(lambda: len(supposing._machines) == count + 1)
    await press(supposing.piece, do="machine", text="/etc/machine.json")
    await press(supposing.piece, do="machine", text="a toaster")
    await press(supposing.piece, do="machine", text="40 GB card")
    await supposing._suppose("40 GB card")
    assert len(supposing._machines) == count + 1


async def test_what_nobody_has_cannot_be_asked_about(shelf: Shelf, session: Session) -> None:
    supposing = Supposing(shelf, session)
    with pytest.raises(NotFound):
        await supposing.load("samples:samples/no-such-model", "builtin")
    assert supposing.piece.offer == {}
    await press(supposing.piece, **{**HERE, "do": "try", "n": 1})
    assert supposing._latest is None
