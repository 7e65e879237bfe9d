"""Self-test, doctor and hooks as the page shows them, pressed as a browser presses them."""

import base64
import io
import json
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from modelshelf.access import OWNER, Principal, Role
from modelshelf.integration import Advice, Report, Step
from modelshelf.integration.advice import IDLE_MODEL
from modelshelf.store.tables import now
from modelshelf_dashboard.components.piece import Piece
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.settings.doctor import DoctorView
from modelshelf_dashboard.settings.hooks import HooksView
from modelshelf_dashboard.settings.selftest import SelfTestView
from tests.dashboard.test_vetting_views import press, until

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

RED = Step("key valid", "failed", 0.2, error="It is refused.", remedy="Enter it anew.", group="lab", mend="providers")
REPORT = Report(
    "1.0", "here", now(), 4.2,
    (Step("ask", "passed", 1.2, "“hello”"), RED, Step("answers", "not run", error="It failed before.", group="lab")),
    (Advice(IDLE_MODEL, "builtin/tiny is idle.", "Unload it.", {"model": "builtin/tiny", "bytes": 1}),),
)  # fmt: skip


class Page:
    """A session with what it says."""

    def __init__(self, who: Principal = OWNER) -> None:
        self.session, self.told, self.saved = Session(None, who), list[dict[str, Any]](), list[dict[str, Any]]()
        self.session.tell = self.told.append
        self.session.begin()

    def hear(self, piece: Piece) -> None:
        piece.tell = lambda **said: self.saved.append(said["save"])  # type: ignore[method-assign]


@pytest.fixture
def page() -> Iterator[Page]:
    made = Page()
    yield made
    made.session.close()


def rows(piece: Any) -> list[dict[str, Any]]:
    return [row for group in piece.shown["groups"] for row in group["rows"]]


def deeds(piece: Any) -> dict[str, dict[str, Any]]:
    return {action["do"]: action for action in piece.shown["actions"]}


async def test_the_last_report_is_shown_with_what_mends_it(shelf: "Shelf", page: Page) -> None:
    shelf.selftest.file.write_text(json.dumps(REPORT.as_dict()))
    view = SelfTestView(shelf, page.session)
    await until(lambda: view.list.shown["groups"])
    assert view.list.shown["tone"] == "bad"
    assert "“key valid” failed: It is refused." in view.list.shown["text"]
    assert [row["word"] for row in rows(view.list)] == ["passed", "failed", "not run", "better"]
    red = rows(view.list)[1]
    assert red["remedy"] == "Enter it anew."
    assert red["action"]["context"] == {"section": "providers", "provider": "lab"}
    page.hear(view.list)
    for form in ("html", "json"):
        await press(view.list, do=form, id="")
    html, document = page.saved
    assert html["name"].endswith(".html")
    assert html["text"].startswith("<!doctype html>")
    assert Report.from_dict(json.loads(document["text"])) == REPORT


async def test_it_runs_is_stopped_and_leaves_nothing(shelf: "Shelf", page: Page) -> None:
    view = SelfTestView(shelf, page.session)
    assert list(deeds(view.list)) == ["test"]
    await press(view.list, do="option", id="load", on=True)
    assert [option["on"] for option in view.list.shown["options"]] == [False, True]
    await press(view.list, do="test", id="")
    await until(lambda: rows(view.list))
    assert view.list.shown["busy"]
    assert view.list.shown["share"] > 0
    assert list(deeds(view.list)) == ["stop"]
    await press(view.list, do="stop", id="")
    await until(lambda: not view.list.shown["busy"])
    assert not shelf.selftest.running
    assert list(deeds(view.list)) == ["test"]


async def test_who_may_not_run_it_sees_why(shelf: "Shelf") -> None:
    page = Page(Principal("guest", Role.VIEWER))
    assert deeds(SelfTestView(shelf, page.session).list)["test"]["why"]
    assert deeds(DoctorView(shelf, page.session).list)["bundle"]["why"] == "Only an administrator may."
    assert not HooksView(shelf, page.session).list.visible
    page.session.close()


async def test_the_doctor_looks_and_gives_the_support_file(shelf: "Shelf", page: Page) -> None:
    shelf.config.set("network.ca_file", str(shelf.config.home / "none.pem"))
    view = DoctorView(shelf, page.session)
    page.hear(view.list)
    await press(view.list, do="look", id="")
    await until(lambda: view.list.shown["groups"] and not view.list.shown["busy"])
    first = rows(view.list)[0]
    assert (first["word"], first["name"]) == ("wrong", "certificates")
    assert first["remedy"]
    assert view.list.shown["text"] == "1 thing is wrong."
    await press(view.list, do="bundle", id="")
    await until(lambda: page.saved)
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(page.saved[0]["base64"]))) as bundle:
        assert "report.json" in bundle.namelist()


async def test_webhooks_are_tested_by_a_button(shelf: "Shelf", page: Page) -> None:
    gone = {"name": "ci", "url": "http://127.0.0.1:9/hidden"}
    shelf.config.set("hooks.webhooks", [gone, {"name": "bad", "url": "http://example.org/"}])
    view = HooksView(shelf, page.session)
    await until(lambda: view.list.visible)
    assert [(row["word"], row["name"]) for row in rows(view.list)] == [("webhook", "ci"), ("broken", "bad")]
    assert "hidden" not in json.dumps(view.list.shown)
    await press(view.list, do="test", id="ci")
    await until(lambda: page.told)
    assert "does not answer" in page.told[0]["text"]
    await press(view.list, do="retry", id="")
    await until(lambda: len(page.told) == 2)
