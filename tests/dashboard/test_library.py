"""The library's views on a whole shelf, pressed as a browser presses them."""

import asyncio
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modelshelf.access import OWNER, Principal, Role
from modelshelf.compat.types import Fix
from modelshelf.config import ConfigManager
from modelshelf.errors import ConfigError
from modelshelf.shelf import Shelf, open_shelf
from modelshelf_dashboard.components.piece import Piece
from modelshelf_dashboard.library.detail import Detail
from modelshelf_dashboard.library.discover import Discover
from modelshelf_dashboard.library.fixing import Fixing
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.transfers import Transfers
from tests.shapes.gguf import write
from tests.shapes.models import SHAPES

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
    offered, *_others = detail.drawer.shown["actions"]
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
    offered, *_others = detail.drawer.shown["actions"]
    assert offered["word"] == "Download"
    await press(detail.drawer, do="download", context=offered["context"])
    (job,) = await until(lambda: shelf.downloads_state.jobs)
    assert await until(lambda: list(job.files)) == ["tiny-llama.F16.gguf"]


async def test_a_proposed_file_is_fetched_and_a_proposed_provider_shown(shelf: Shelf, session: Session) -> None:
    session.begin()
    changed: list[bool] = []
    fixing = Fixing(shelf, session, Transfers(shelf, session), lambda: changed.append(True))
    answer = await shelf.compatibility.check_model_compatibility(QUANTS)
    fixing.make(QUANTS, answer, Fix("PROVIDER", "Use Ollama instead.", 99, {"provider": "ollama"}))
    assert (session.navigation.model, session.navigation.by) == (QUANTS, "ollama")
    fixing.make(QUANTS, answer, None)
    assert changed == [True]
    fixing.make(QUANTS, answer, Fix("FILE", "Take Q4_0 instead.", 99, {"file": "tiny-llama.Q4_0.gguf"}))
    (job,) = await until(lambda: shelf.downloads_state.jobs)
    assert await until(lambda: list(job.files)) == ["tiny-llama.Q4_0.gguf"]


LONG = 1 << 20  # tokens: no machine holds the cache of them


@pytest.fixture
def hungry(config: ConfigManager, tmp_path: Path) -> str:
    """A model whose cache for the context that is set does not fit, in a folder that is a source."""
    folder = tmp_path / "models" / "org" / "hungry"
    folder.mkdir(parents=True)
    shape = SHAPES["phi3_mini"]
    write(replace(shape, keys={**shape.keys, "context_length": LONG}), folder / "hungry.Q4_K_M.gguf", "Q4_K_M")
    config.set("sources", [{"name": "disk", "kind": "folder", "path": str(tmp_path / "models")}])
    config.set("engine.context", LONG)
    return "disk:org/hungry"


def tokens_of(sentence: str) -> int:
    """The context that a proposal names, if it is only that."""
    found = re.fullmatch(r"Use ([\d,]+) tokens of context\.", sentence)
    return int(found[1].replace(",", "")) if found else 0


@pytest.mark.parametrize("who", [OWNER, Principal("vera", Role.VIEWER)], ids=["owner", "viewer"])
async def test_apply_does_what_the_proposal_says_for_who_may(hungry: str, shelf: Shelf, who: Principal) -> None:
    session = Session(None, who)
    told: list[dict[str, Any]] = []
    session.tell = told.append
    session.begin()
    transfers = Transfers(shelf, session)
    discover = Discover(shelf, session, transfers)
    detail = Detail(shelf, session, transfers, changed=discover.redo)
    session.navigation.model = hungry
    fixes = await until(lambda: detail.drawer.shown.get("fixes"))
    fix, context = next((one, found) for one in fixes if (found := tokens_of(one["text"])))
    (row,) = await until(lambda: discover.table.rows)
    await press(detail.drawer, do=fix["action"]["do"], context=fix["action"]["context"])
    if who is OWNER:
        await until(lambda: shelf.config.config.engine.context == context)
        assert tomllib.loads(shelf.config.file.read_text("utf-8"))["engine"]["context"] == context
        await until(lambda: (detail.drawer.shown.get("fit") or {}).get("score") == fix["score"])
        assert "loads every model so" in told[0]["text"]
        assert discover.table.rows[0]["cells"]["fit"]["score"] != row["cells"]["fit"]["score"]
    else:
        (notice,) = await until(lambda: told)
        assert "vera is viewer" in notice["text"]
        assert shelf.config.config.engine.context == LONG
    session.close()


async def test_a_setting_that_the_environment_holds_is_said_to_stay(loop: object, config: ConfigManager) -> None:
    config.environ["MODELSHELF_ENGINE__CONTEXT"] = "2048"
    config.load()
    async with open_shelf(config=config) as shelf:
        with pytest.raises(ConfigError, match=r"engine\.context stays 2048") as caught:
            await shelf.configure("engine.context", 1024)
    assert "without MODELSHELF_ENGINE__CONTEXT" in caught.value.remedy
