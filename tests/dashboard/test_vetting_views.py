"""Shields, the panel behind them, the quarantine and the check of everything, pressed as a browser presses them."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from modelshelf import vetting
from modelshelf.access import OWNER, Principal, Role
from modelshelf.config import ConfigManager
from modelshelf.shelf import Shelf
from modelshelf.state import DownloadState
from modelshelf.vetting import rules
from modelshelf.vetting.types import Finding
from modelshelf_dashboard.components.dialog import Dialog
from modelshelf_dashboard.components.piece import Piece
from modelshelf_dashboard.library import verdict_words
from modelshelf_dashboard.library.view import ModelLibrary
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.transfers import Transfers
from tests.core.library.conftest import install

EVIL = "samples:samples/suspicious-pickle"
TINY = "samples:samples/tiny-llama-GGUF"
REASON = "It is our own sample, and only prints a line."


class Page:
    """The library of one session, with what it says."""

    def __init__(self, shelf: Shelf, who: Principal = OWNER) -> None:
        self.shelf, self.session, self.dialog = shelf, Session(None, who), Dialog()
        self.told: list[dict[str, Any]] = []
        self.session.tell = self.told.append
        self.library = ModelLibrary(shelf, self.session, self.dialog, Transfers(shelf, self.session))
        self.panel, self.table = self.library.verdicts.panel, self.library.quarantine.table
        self.saved: list[dict[str, Any]] = []
        for piece in (self.panel, self.library.installed.checking.piece):
            piece.tell = lambda **said: self.saved.append(said["save"])  # type: ignore[method-assign]

    async def download(self, model: str) -> str:
        job = await self.shelf.downloads.start(model)
        await until(lambda: (found := self.shelf.downloads_state.find(job)) and not found.active)
        return job

    async def answer(self, **fields: Any) -> None:
        await press(self.dialog, do="confirmed", id=self.dialog.question["id"], fields=fields)

    def actions(self) -> dict[str, dict[str, Any]]:
        return {action["do"]: action for action in self.panel.shown.get("actions", ())}


@pytest.fixture
def page(shelf: Shelf) -> Iterator[Page]:
    made = Page(shelf)
    yield made
    made.session.close()


async def until(true: Callable[[], Any]) -> Any:
    async with asyncio.timeout(30):
        while not (found := true()):
            await asyncio.sleep(0.01)
    return found


def stands(state: DownloadState, status: str) -> bool:
    return state.status == status


async def press(piece: Piece, **message: Any) -> None:
    await piece._handle_msg(message)


async def test_the_malicious_sample_is_seen_held_explained_and_released(page: Page) -> None:
    page.session.begin()
    shelf, table, panel = page.shelf, page.table, page.panel
    page.session.navigation.model = EVIL
    drawer = page.library.detail.drawer
    shield = await until(lambda: drawer.shown.get("shield"))
    assert (shield["kind"], shield["word"]) == ("block", "blocked")
    assert "it would be held in quarantine" in drawer.shown["notes"][-1]["lines"][0]
    await press(drawer, do="shield")
    assert (panel.state, panel.shown["shield"]["kind"]) == ("ready", "block")
    assert "scanners object" in str(panel.shown["facts"])
    await press(panel, do="closed")

    await page.download(EVIL)
    await until(lambda: table.rows)
    row = next(row for row in table.rows if row["title"] == "pytorch_model.bin")
    assert row["shield"]["word"] == "blocked"
    await press(table, do="open", id=row["id"])
    await until(lambda: panel.state == "ready")
    (file,) = panel.shown["files"]
    assert any("Take the same model as safetensors" in finding["todo"] for finding in file["findings"])
    assert "SHA-256" in [fact["name"] for fact in panel.shown["facts"]]
    await press(panel, do="report-sarif")
    assert json.loads(page.saved[0]["text"])["runs"][0]["results"]
    assert page.saved[0]["name"] == "modelshelf-pytorch_model.bin.sarif"

    for held in list(table.rows):
        await press(table, do="release", id=held["id"])
        await page.answer(reason="ok")
        await until(lambda: "needs a reason" in page.dialog.question.get("error", ""))
        await page.answer(reason=REASON, go_on=True)
        await until(lambda: not page.dialog.question)
    await until(lambda: panel.state == "closed" and not table.rows)
    await until(lambda: shelf.models_state.has("samples/suspicious-pickle"))
    installed = page.library.installed
    (model,) = installed.table.rows or await until(lambda: installed.table.rows)
    assert model["shield"]["word"] == "let through"
    await press(installed.table, do="shield", id=model["id"])
    await until(lambda: panel.state == "ready")
    notes = [file["note"] for file in panel.shown["files"] if file.get("note")]
    assert notes
    assert notes[0] == f"Let through by owner: {REASON}"


async def test_who_may_not_sees_why_and_is_refused(shelf: Shelf, page: Page) -> None:
    page.session.begin()
    await page.download(EVIL)
    vera = Page(shelf, Principal("vera", Role.VIEWER))
    vera.session.begin()
    rows = await until(lambda: vera.table.rows)
    actions = {action["do"]: action.get("why", "") for action in rows[0]["actions"]}
    assert actions == {
        "open": "",
        "release": "Only an administrator may do this.",
        "delete": "Only an operator may do this.",
    }
    await press(vera.table, do="release", id=rows[0]["id"])
    await vera.answer(reason=REASON)
    assert "vera is viewer" in await until(lambda: vera.dialog.question.get("error", ""))
    await press(vera.library.installed.checking.piece, do="verify")
    assert vera.told[-1]["text"] == "Only an operator may do this."
    assert shelf.vetting.checks.state.status == "none"
    assert await shelf.vetting.quarantine.items()
    vera.session.close()


async def test_bytes_that_changed_are_not_released_and_the_question_says_so(page: Page) -> None:
    page.session.begin()
    await page.download(EVIL)
    row = (await until(lambda: page.table.rows))[0]
    place = page.shelf.vetting.quarantine.folder / row["id"]
    place.chmod(0o600)
    place.write_bytes(place.read_bytes()[:-1] + b"x")
    await press(page.table, do="release", id=row["id"])
    await page.answer(reason=REASON)
    error = await until(lambda: page.dialog.question.get("error", ""))
    assert "its bytes are not those that were held" in error
    assert "Delete it" in error
    await press(page.dialog, do="dismissed")
    await press(page.table, do="delete", id=row["id"])
    await page.answer()
    await until(lambda: row["id"] not in [item["id"] for item in page.table.rows])


@pytest.fixture
def coded(config: ConfigManager, tmp_path: Path) -> str:
    """A model whose configuration names code of its own, in a folder that is a source."""
    folder = tmp_path / "models" / "org" / "coded"
    folder.mkdir(parents=True)
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    written = {"model_type": "llama", "auto_map": {"AutoModel": "modeling_x.M"}}
    (folder / "config.json").write_text(json.dumps(written), "utf-8")
    config.set("sources", [{"name": "disk", "kind": "folder", "path": str(tmp_path / "models")}])
    return "disk:org/coded"


async def test_what_waits_for_a_decision_is_accepted_or_rejected(coded: str, page: Page) -> None:
    page.session.begin()
    for accept in (False, True):
        job = await page.download(coded)
        (row,) = await until(lambda: page.table.rows)
        assert row["shield"]["word"] == "needs a decision"
        await press(page.table, do="shield", id=row["id"])
        await until(lambda: page.panel.state == "ready")
        assert page.panel.shown["files"][0]["findings"][0]["title"] == "It brings code of its own"
        await press(page.panel, do="accept" if accept else "refuse")
        await page.answer(reason="We read that code, and it is harmless.")
        await until(lambda: page.panel.state == "closed" and not page.table.rows)
        state = page.shelf.downloads_state.find(job)
        assert state is not None
        await until(partial(stands, state, "done" if accept else "cancelled"))
    await until(lambda: page.shelf.models_state.has("org/coded"))


async def test_what_the_policy_wants_is_not_accepted_file_by_file(page: Page) -> None:
    page.session.begin()
    Path(page.shelf.vetting.policy_file).write_text('[formats]\ngguf = "review"\n', "utf-8")
    await page.download(TINY)
    (row,) = await until(lambda: page.table.rows)
    assert row["actions"][1]["why"] == "Your policy wants the decision."


async def test_everything_is_verified_and_what_is_damaged_is_named(page: Page) -> None:
    page.session.begin()
    await page.download(TINY)
    piece = page.library.installed.checking.piece
    (model,) = await until(lambda: page.shelf.models_state.installed)
    await until(lambda: piece.shown)
    await press(piece, do="verify")
    await until(lambda: piece.shown["text"] == "Everything is what it should be.")
    file = next(file for file in model.files if file.path.endswith(".gguf"))
    file.blob.chmod(0o600)
    with file.blob.open("r+b") as data:
        data.seek(-1, 2)
        data.write(b"x")
    await press(piece, do="verify")
    await until(lambda: piece.shown.get("troubles"))
    assert piece.shown["troubles"][0]["word"] == "other bytes than published"
    await press(piece, do="report-json")
    (kept,) = await until(lambda: page.saved)
    report = json.loads(kept["text"])
    rules_found = {finding["rule"] for file in report["files"] for finding in file["findings"]}
    assert (report["verdict"], "VERIFY_MISMATCH" in rules_found) == ("block", True)


async def test_the_check_can_be_paused_and_stopped_by_anyone_who_may(page: Page) -> None:
    page.session.begin()
    await page.download(TINY)
    piece, checks = page.library.installed.checking.piece, page.shelf.vetting.checks
    await checks.begin("", page.shelf.library, scan=True)
    await checks.steer("pause")
    await until(lambda: piece.shown.get("text") == "The check is paused.")
    assert [action["word"] for action in piece.shown["actions"]] == ["Resume", "Stop"]
    assert piece.shown["total"] > 3_000_000
    await press(piece, do="cancel")
    await until(lambda: piece.shown["text"] == "The check was stopped.")
    await press(piece, do="verify")
    await until(lambda: piece.shown["text"] == "Everything is what it should be.")


async def test_a_plan_for_several_says_what_a_look_beforehand_showed(page: Page) -> None:
    page.session.begin()
    discover = page.library.discover
    await until(lambda: {EVIL, TINY} <= {row["id"] for row in discover.table.rows})
    discover.table.picked = [EVIL, TINY]
    await press(discover.table, do="download-picked", id="", context={})
    lines = await until(lambda: page.dialog.question.get("word") and page.dialog.question["lines"])
    assert any("suspicious-pickle" in line and "it would be held in quarantine" in line for line in lines)
    assert any("nothing found in 1 of 2" in line for line in lines)


async def test_an_installed_model_is_scanned_again(page: Page) -> None:
    page.session.begin()
    await page.download(TINY)
    rows = await until(lambda: page.library.installed.table.rows)
    assert rows[0]["shield"]["word"] == "scanned, nothing found"
    await press(page.library.installed.table, do="shield", id=rows[0]["id"])
    await until(lambda: page.panel.state == "ready")
    facts = {fact["name"]: fact for fact in page.panel.shown["facts"]}
    assert facts["Rules"]["value"] == rules.RULES
    before = facts["Scanned"]["when"]
    await press(page.panel, do="rescan")
    again = await until(
        lambda: next((f for f in page.panel.shown["facts"] if f["name"] == "Scanned" and f["when"] != before), None)
    )
    assert again["when"] > before
    assert page.panel.busy == ""


async def test_what_another_program_put_there_is_scanned_and_accepted(page: Page) -> None:
    page.session.begin()
    await asyncio.to_thread(install, page.shelf.library.cache, "org/code", {"x.py": b"import os\n"})
    table, panel = page.library.installed.table, page.panel
    (row,) = await until(lambda: table.rows)
    assert row["shield"]["word"] == "not yet looked at"
    await press(table, do="shield", id=row["id"])
    await until(lambda: panel.state == "ready")
    assert "accept" not in page.actions()
    await press(panel, do="rescan")
    await until(lambda: "accept" in page.actions())
    assert panel.shown["shield"]["word"] == "needs a decision"
    await press(panel, do="accept")
    await page.answer(reason="I have read it line by line.")
    await until(lambda: panel.shown["shield"]["word"] == "let through")
    await until(lambda: not page.dialog.question)


async def test_a_held_file_that_is_gone_is_said_and_nothing_is_left_half_open(page: Page) -> None:
    page.session.begin()
    page.library.verdicts.open_held("0" * 32, "a.bin")
    assert page.panel.state == "loading"
    await until(lambda: page.panel.state == "error")
    assert "has the id" in page.panel.note["text"]
    await press(page.panel, do="closed")
    assert page.panel.state == "closed"


def test_every_rule_of_the_scanners_has_plain_words() -> None:
    folder = Path(str(vetting.__file__)).parent
    named = {
        rule
        for file in folder.rglob("*.py")
        for rule in re.findall(r"Finding\(\s*\"([A-Z][A-Z0-9_]+)\"", file.read_text("utf-8"))
    }
    assert len(named) > 50
    plain = {rule: verdict_words.explained(Finding(rule, "", ""))["title"] for rule in named}
    assert {rule for rule, title in plain.items() if title == rule.replace("_", " ").capitalize()} == set()
