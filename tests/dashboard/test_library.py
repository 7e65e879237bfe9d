"""The library's views on a whole shelf, pressed as a browser presses them."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from modelshelf.shelf import Shelf
from modelshelf_dashboard.components.piece import Piece
from modelshelf_dashboard.library.detail import Detail
from modelshelf_dashboard.library.discover import Discover
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.transfers import Transfers

QUANTS = "samples:samples/tiny-llama-quants-GGUF"


@pytest.fixture
def session() -> Iterator[Session]:
    made = Session(None)
    yield made
    made.close()


async def until(true: Callable[[], Any]) -> Any:
    async with asyncio.timeout(20):
        while not (found := true()):
            await asyncio.sleep(0.01)
    return found


async def press(piece: Piece, **message: Any) -> None:
    await piece._handle_msg(message)


async def test_both_downloads_fetch_the_best_file_for_this_machine(shelf: Shelf, session: Session) -> None:
    session.begin()
    transfers = Transfers(shelf, session)
    detail, discover = Detail(shelf, session, transfers), Discover(shelf, session, transfers)
    session.navigation.model = QUANTS
    await until(lambda: detail.drawer.shown.get("pending") is False)
    (best, *_others) = await shelf.compatibility.rank(await shelf.catalog.detail(QUANTS))
    (offered,) = detail.drawer.shown["actions"]
    assert offered["word"] == "Download F16 · 6.6 MB"
    assert tuple(offered["context"]["files"]) == best.files

    await until(lambda: any(row["id"] == QUANTS for row in discover.table.rows))
    await press(discover.table, do="download", id=QUANTS, context={})
    (job,) = await until(lambda: shelf.downloads_state.jobs)
    assert await until(lambda: tuple(job.files)) == best.files


async def test_a_download_before_the_best_file_is_known_waits_for_it(shelf: Shelf, session: Session) -> None:
    detail = Detail(shelf, session, Transfers(shelf, session))
    session.navigation.model = QUANTS
    session.begin()
    await until(lambda: detail.drawer.shown.get("pending"))
    (offered,) = detail.drawer.shown["actions"]
    assert offered["word"] == "Download"
    await press(detail.drawer, do="download", context=offered["context"])
    (job,) = await until(lambda: shelf.downloads_state.jobs)
    assert await until(lambda: list(job.files)) == ["tiny-llama.F16.gguf"]
