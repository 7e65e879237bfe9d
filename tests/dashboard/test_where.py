"""The section of a model's drawer that tells where it can be used, pressed as a browser presses it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelshelf.config import ConfigManager
from modelshelf.samples import CHAT_REPO
from modelshelf.shelf import Shelf, open_shelf
from modelshelf_dashboard.library.detail import Detail
from modelshelf_dashboard.library.where import lost_with
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.settings.adding import AddProvider
from modelshelf_dashboard.transfers import Transfers
from tests.conftest import LoopRunner
from tests.core.registration.conftest import sample, stock, until
from tests.engines.ollama import OllamaSimulator


@pytest.fixture
def session() -> Iterator[Session]:
    made = Session(None)
    yield made
    made.close()


@pytest.fixture
def ollama(loop: LoopRunner) -> OllamaSimulator:
    return loop.enter(OllamaSimulator().serve())


@pytest.fixture
def shelf(loop: LoopRunner, config: ConfigManager, ollama: OllamaSimulator) -> Shelf:
    config.environ["OLLAMA_HOST"] = ollama.url
    made = loop.enter(open_shelf(config=config))
    loop.runner.run(until(lambda: len(made.providers_state.providers) == 2))
    return made


def row(detail: Detail, title: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [one for one in detail.drawer.shown.get("where", ()) if one["title"] == title]
    return found[0] if found else {}


async def test_a_copy_is_offered_with_its_cost_and_can_be_undone(
    shelf: Shelf, session: Session, ollama: OllamaSimulator, tmp_path: Path
) -> None:
    await stock(shelf, sample(tmp_path))
    session.begin()
    detail = Detail(shelf, session, Transfers(shelf, session))
    session.navigation.model = f"samples:{CHAT_REPO}"
    await until(lambda: bool(row(detail, "Ollama")))
    assert row(detail, "Built-in engine")["sub"] == "Served as tiny-llama · no copy"
    assert "action" not in row(detail, "Built-in engine")
    offered = row(detail, "Ollama")["action"]
    assert (offered["do"], offered["word"]) == ("use", "Register (copies 3.5 MB)")
    assert [one["name"] for one in detail.drawer.shown["commands"]] == ["llama.cpp"]

    await detail.drawer._handle_msg({"do": "use", "context": offered["context"]})
    await until(lambda: row(detail, "Ollama").get("action", {}).get("do") == "unuse")
    assert row(detail, "Ollama")["sub"] == "Registered by upload as tiny-llama · 3.5 MB copied"
    assert list(ollama.models) == ["tiny-llama:latest"]
    lines = lost_with(await shelf.registration.breaks(CHAT_REPO))
    assert lines == ["It is taken back from: ollama (tiny-llama)."]

    await detail.drawer._handle_msg({"do": "unuse", "context": row(detail, "Ollama")["action"]["context"]})
    await until(lambda: row(detail, "Ollama").get("action", {}).get("do") == "use")
    assert row(detail, "Ollama")["sub"] == "Taken back; it is not given again by itself."
    assert not ollama.models


async def test_the_dialog_of_a_provider_asks_when_it_is_given_models(shelf: Shelf, session: Session) -> None:
    session.begin()
    adding = AddProvider(shelf, session, lambda _id: None)
    adding.change("ollama")
    await until(lambda: bool(adding.form.form))
    [field] = [field for field in adding.form.form["fields"] if field["name"] == "register"]
    assert field["options"] == ["", "automatic", "ask", "never"]
    values = {"name": "Ollama", "url": adding.form.form["fields"][1]["value"], "register": "automatic"}
    await adding.form._handle_msg({"do": "save", "values": values})
    await until(lambda: not adding.form.open)
    assert (await shelf.providers.config("ollama")).settings["register"] == "automatic"
