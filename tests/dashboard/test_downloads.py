"""The views of downloads on a whole shelf: rows, batches, several at once, the bell."""

from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from modelshelf.downloads import FileState, Job, JobStatus, Order, Waiting
from modelshelf.downloads.numbers import Summary
from modelshelf.events import JobProgress
from modelshelf.shelf import Shelf
from modelshelf.state import DownloadsState
from modelshelf_dashboard.bell import Bell, job_entry, waiting_entry
from modelshelf_dashboard.components.dialog import Dialog
from modelshelf_dashboard.library.discover import Discover
from modelshelf_dashboard.library.downloads import Downloads
from modelshelf_dashboard.library.installed import Installed
from modelshelf_dashboard.library.job_rows import job_row
from modelshelf_dashboard.library.numbers import sentence
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.transfers import Transfers
from tests.core.state.test_downloads import JOB
from tests.dashboard.test_library import press, until

TINY, QUANTS = "samples/tiny-llama-GGUF", "samples/tiny-llama-quants-GGUF"
NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def session() -> Iterator[Session]:
    made = Session(None)
    yield made
    made.close()


async def fetched(shelf: Shelf, model: str) -> None:
    async with aclosing(shelf.downloads.follow(await shelf.downloads.start(model))) as steps:
        async for step in steps:
            last = step
    assert last.status is JobStatus.DONE, last.error


def rows(view: Downloads, section: int = 0) -> list[dict[str, Any]]:
    sections = view.queue.sections
    return list(sections[section]["rows"]) if len(sections) > section else []


def do(row: dict[str, Any]) -> list[str]:
    return [action["do"] for action in row["actions"]]


async def test_a_batch_folds_and_its_members_are_steered(shelf: Shelf, session: Session) -> None:
    await shelf.downloads.worker.stop()
    session.begin()
    session.navigation.view = "downloads"
    view = Downloads(shelf, session, Transfers(shelf, session))
    await until(lambda: view.queue.state == "empty")
    first, second = await shelf.downloads.start_batch([Order(TINY), Order(QUANTS, ("Q4_0",))])
    [batch] = await until(lambda: rows(view))
    assert (batch["title"], batch["word"]) == ("Batch of 2 models", "2 wait")
    await press(view.queue, do="unfold", id=batch["id"], context={})
    members = await until(lambda: rows(view)[1:])
    assert [row["id"] for row in members] == [first, second]
    assert do(members[1]) == ["first", "pause", "cancel"]
    await press(view.queue, do="first", id=second, context={})
    await until(lambda: [row["id"] for row in rows(view)[1:]] == [second, first])
    await press(view.queue, do="raise", id=first, context={})
    await until(lambda: rows(view)[1]["tags"] == ["priority +1"])
    await press(view.queue, do="unfold", id=second, context={})
    unfolded = await until(lambda: next((row for row in rows(view) if row.get("files")), None))
    assert [(file["path"], file["word"]) for file in unfolded["files"]] == [("tiny-llama.Q4_0.gguf", "waits")]
    await press(view.queue, do="batch-cancel", id=batch["id"], context={"ids": [first, second]})
    await until(lambda: [section["title"] for section in view.queue.sections] == ["Ended"])
    assert do(rows(view)[0]) == ["retry"]


def test_a_row_says_where_each_file_stands() -> None:
    job = replace(JOB, status=JobStatus.FAILED, error="It broke.", remedy="Mend it.", fetched=30, seconds=3, retries=2)
    files = [FileState("a.gguf", 10, 10, "done"), FileState("b.gguf", 10, 4, "failed", "404", "Ask them.")]
    row = job_row(job, files=files)
    assert [file["path"] for file in row["files"]] == ["b.gguf", "a.gguf"], "trouble comes first"
    assert row["files"][0]["action"]["do"] == "retry-file"
    assert row["files"][0]["note"] == "404 Ask them."
    assert row["files"][1]["action"] is None
    assert row["note"] == "It broke. Mend it."
    assert "2 requests tried again" in row["lines"]
    many = job_row(job, files=[FileState(f"{n:03}", 1, 0, "waiting") for n in range(150)])
    assert (len(many["files"]), many["left"]) == (100, "and 50 more files")
    done = job_row(replace(JOB, status=JobStatus.DONE), files=[FileState("a", 1, 1, "done", verdict="pass")])
    assert (done["files"][0]["word"], done["track"], do(done)) == ("checked and scanned", False, ["installed"])


def test_all_transfers_in_one_line() -> None:
    told = sentence(Summary(3, 10**9, 10**8, 100.0, 2, 0, (("cdn.example", 10**9),)))
    assert told == (
        "3 transfers · 1.0 GB in 2 min · 10.0 MB/s · 2 requests tried again · 0.1 GB fetched again"
        " · from cdn.example 1.0 GB"
    )


@pytest.mark.blocking
async def test_several_are_chosen_asked_about_and_begun(shelf: Shelf, session: Session) -> None:
    dialog = Dialog()
    session.begin()
    discover = Discover(shelf, session, Transfers(shelf, session), dialog)
    names = [f"samples:{name}" for name in (TINY, QUANTS, "samples/gated-llama-GGUF")]
    await until(lambda: {row["id"] for row in discover.table.rows} >= set(names))
    assert discover.table.bar == {}
    discover.table.picked = names
    assert discover.table.bar["text"] == "3 models chosen"
    await shelf.downloads.worker.stop()
    await press(discover.table, do="download-picked", id="", context={"ids": names})
    question = await until(lambda: dialog.question if dialog.question.get("word") else None)
    assert question["word"] == "Download 2 models, 10.1 MB"
    said = "\n".join(question["lines"])
    assert "10.1 MB to fetch." in said
    assert "Licences: Apache 2.0 (2)." in said
    assert "Left out: gated-llama-GGUF." in said
    await press(dialog, do="confirmed", id=question["id"], fields={})
    await until(lambda: shelf.downloads_state.open == 2)
    assert discover.table.picked == []
    discover.table.picked = names
    assert discover.table.bar["text"] == "3 models chosen, 2 of them are here or on their way"


@pytest.mark.blocking
async def test_installed_ones_are_verified_updated_and_removed_with_a_report(shelf: Shelf, session: Session) -> None:
    dialog = Dialog()
    notices: list[dict[str, Any]] = []
    session.tell = notices.append
    session.begin()
    installed = Installed(shelf, session, dialog, Transfers(shelf, session))
    await fetched(shelf, TINY)
    await fetched(shelf, "samples/tiny-llama")
    both = await until(lambda: [row["id"] for row in installed.table.rows] if len(installed.table.rows) == 2 else None)
    [model] = [model for model in await shelf.library.models() if model.repo == TINY]
    blob = model.files[0].file.resolve()
    blob.chmod(0o644)
    blob.write_bytes(bytes([blob.read_bytes()[0] ^ 1]) + blob.read_bytes()[1:])
    installed.table.picked = both
    assert "2 models chosen" in installed.table.bar["text"]
    await press(installed.table, do="verify-picked", id="", context={})
    report = await until(lambda: dialog.question)
    assert report["title"] == "1 of 2 could not be done."
    assert "is not what it should be" in report["lines"][0]
    assert report["lines"][0].startswith(TINY)

    installed.table.picked = both
    await press(installed.table, do="update-picked", id="", context={})
    report = await until(lambda: dialog.question if "looked at" in dialog.question["title"] else None)
    assert report["lines"] == ["samples/tiny-llama: it is the newest.", f"{TINY}: it is the newest."]
    installed.table.picked = both
    await press(installed.table, do="delete-picked", id="", context={})
    question = await until(lambda: dialog.question if dialog.question.get("word") else None)
    assert question["word"] == "Remove 2 models"
    await press(dialog, do="confirmed", id=question["id"], fields={})
    await until(lambda: not shelf.models_state.installed)
    await until(lambda: notices and notices[-1]["text"] == "2 models are removed.")


async def test_the_bell_tells_what_to_do_and_forgets_what_was_seen(shelf: Shelf, session: Session) -> None:
    session.begin()
    bell = Bell(shelf, session)
    await fetched(shelf, TINY)
    [item] = await until(lambda: bell.piece.items)
    assert (item["title"], item["word"], item["action"]["do"]) == ("tiny-llama-GGUF", "done", "installed")
    await press(bell.piece, do="installed", id=item["id"], context={})
    assert session.navigation.view == "installed"
    await until(lambda: not bell.piece.items)
    assert (await shelf.downloads.news()).count == 0


@pytest.mark.parametrize(
    ("job", "does"),
    [
        (replace(JOB, status=JobStatus.FAILED), "retry"),
        (replace(JOB, status=JobStatus.FAILED, result={"code": "NotEnoughDisk"}), "installed"),
        (replace(JOB, status=JobStatus.FAILED, result={"code": "GatedRepository"}), "open"),
        (replace(JOB, status=JobStatus.QUARANTINED), "quarantine"),
        (replace(JOB, status=JobStatus.REVIEW), "quarantine"),
    ],
)
def test_each_kind_of_news_has_its_one_action(job: Job, does: str) -> None:
    assert job_entry(replace(job, ended=NOW))["action"]["do"] == does


def test_those_that_wait_are_one_entry_with_the_reason() -> None:
    told = waiting_entry(Waiting("budget: the day's bytes are used up.", None, 12, "one"))
    assert (told["title"], told["word"], told["text"]) == ("12 downloads", "waiting", "the day's bytes are used up.")


def test_what_runs_comes_first_in_the_dock() -> None:
    state = DownloadsState()
    jobs = [replace(JOB, id=str(n), status=JobStatus.QUEUED, position=float(n)) for n in range(20)]
    jobs[15] = replace(jobs[15], status=JobStatus.TRANSFERRING)
    state.take(jobs, total=1000)
    assert [job.id for job in state.line(3)] == ["15", "0", "1"]
    assert state.open == 1000
    state.jobs[15].advance(JobProgress(job="15", status="transferring", done=9, total=10, rate=1.0, eta=1.0))
    state.take(jobs, total=1000)
    assert state.jobs[15].done == 9, "what is as it was is not written again"
