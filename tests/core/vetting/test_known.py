"""What is known of an installed model without reading it, and what a person's word changes of it."""

from contextlib import aclosing

import pytest
from sqlalchemy import delete

from modelshelf.access import Principal, Role, acting_as
from modelshelf.errors import RoleRequired, UsageError
from modelshelf.shelf import Shelf
from modelshelf.store.tables import VerdictRow
from modelshelf.vetting import Verdict

EVIL, TINY = "samples/suspicious-pickle", "samples/tiny-llama-GGUF"
REASON = "It is our own sample, and only prints a line."


async def ended(shelf: Shelf, model: str) -> str:
    job = await shelf.downloads.start(model)
    async with aclosing(shelf.downloads.follow(job)) as steps:
        async for _step in steps:
            pass
    return job


async def test_verdicts_are_told_with_when_and_not_read_anew(shelf: Shelf) -> None:
    await ended(shelf, TINY)
    model = await shelf.library.get(TINY)
    known = {file.path: file for file in await shelf.vetting.known(model)}
    weights = next(file for path, file in known.items() if path.endswith(".gguf"))
    assert weights.report is not None
    assert (weights.report.verdict, weights.accepted) == (Verdict.PASS, False)
    before = weights.at
    await shelf.vetting.rescan(TINY, shelf.library)
    after = {file.path: file for file in await shelf.vetting.known(model)}[weights.path].at
    assert before is not None
    assert after is not None
    assert after > before
    with acting_as(Principal("vera", Role.VIEWER)), pytest.raises(RoleRequired):
        await shelf.vetting.rescan(TINY, shelf.library)


async def test_before_a_scan_nothing_is_known_and_a_report_says_so(shelf: Shelf) -> None:
    await ended(shelf, TINY)
    model = await shelf.library.get(TINY)
    await shelf.store.write(lambda session: session.execute(delete(VerdictRow)))
    known = await shelf.vetting.known(model)
    assert {file.report for file in known} == {None}
    assert {file.for_report().verdict for file in known} == {Verdict.REVIEW}


async def test_what_was_released_is_let_through_and_says_by_whom(shelf: Shelf) -> None:
    await ended(shelf, EVIL)
    for held in await shelf.vetting.quarantine.items():
        await shelf.vetting.quarantine.release(held.id, REASON)
    await ended(shelf, EVIL)
    model = await shelf.library.get(EVIL)
    assert model.verdict == "pass"
    assert "pytorch_model.bin" in model.accepted
    known = {file.path: file for file in await shelf.vetting.known(model)}["pytorch_model.bin"]
    assert (known.accepted, known.by, known.reason) == (True, "owner", REASON)
    assert known.report is not None
    assert known.report.findings
    (shelf.vetting.policy_file).write_text('[formats]\npickle = "block"\n', "utf-8")
    known = {file.path: file for file in await shelf.vetting.known(model)}["pytorch_model.bin"]
    assert known.report is not None
    assert known.report.verdict is Verdict.BLOCK


async def test_only_what_waits_for_a_decision_can_be_refused(shelf: Shelf) -> None:
    done = await ended(shelf, TINY)
    with pytest.raises(UsageError, match="waits for no decision"):
        await shelf.downloads.refuse(done)


async def test_the_source_tells_of_the_files_that_are_meant(shelf: Shelf) -> None:
    assert (await shelf.vetting.hub_signal(TINY)).findings == ()
    whole = await shelf.vetting.hub_signal(EVIL)
    part = await shelf.vetting.hub_signal(EVIL, ["pytorch_model.bin"])
    assert (len(whole.findings), len(part.findings)) == (2, 1)
    assert part.sentence == "The source's own scanners object to 1 file."
