"""The malicious sample on its way: seen before the download, held, released with a reason; and the policy's say."""

from contextlib import aclosing
from pathlib import Path

import pytest

from modelshelf.access import Principal, Role, acting_as
from modelshelf.downloads.types import Job
from modelshelf.errors import ChecksumMismatch, NotFound, RoleRequired, UsageError
from modelshelf.shelf import Shelf
from modelshelf.vetting import Verdict

EVIL = "samples/suspicious-pickle"
REASON = "It is our own sample, and only prints a line."


async def ended(shelf: Shelf, job: str) -> Job:
    async with aclosing(shelf.downloads.follow(job)) as steps:
        async for step in steps:
            last = step
    return last


async def test_what_is_unsafe_is_seen_before_the_download(shelf: Shelf) -> None:
    found = await shelf.vetting.prescan(EVIL)
    assert found.verdict is Verdict.BLOCK
    assert found.hub.status == "done"
    rules = {finding.rule for finding in found.findings}
    assert {"HUB_UNSAFE", "PICKLE_IMPORT"} <= rules
    assert 0 < found.fetched < 3_000_000


async def test_a_good_model_is_looked_at_for_a_few_bytes(shelf: Shelf) -> None:
    found = await shelf.vetting.prescan("samples/tiny-llama-GGUF")
    assert found.verdict is Verdict.PASS
    assert found.reports
    assert not found.unseen
    assert found.as_dict()["verdict"] == "pass"


async def test_held_explained_and_released_by_an_administrator_with_a_reason(shelf: Shelf) -> None:
    job = await ended(shelf, await shelf.downloads.start(EVIL))
    assert job.status == "quarantined"
    held = await shelf.vetting.quarantine.items()
    assert {item.path for item in held} >= {"pytorch_model.bin"}
    assert all(item.findings for item in held)
    for item in held:
        with acting_as(Principal("guest", Role.OPERATOR)), pytest.raises(RoleRequired):
            await shelf.vetting.quarantine.release(item.id, REASON)
        with pytest.raises(UsageError, match="needs a reason"):
            await shelf.vetting.quarantine.release(item.id, "ok")
        await shelf.vetting.quarantine.release(item.id, REASON)
        with pytest.raises(NotFound):
            await shelf.vetting.quarantine.release(item.id, REASON)
    assert await shelf.vetting.quarantine.items() == ()
    deeds = [(row["action"], row["outcome"]) for row in await shelf.access.audit()]
    assert ("quarantine.release", "done") in deeds
    assert ("quarantine.release", "refused") in deeds
    again = await ended(shelf, await shelf.downloads.start(EVIL))
    assert again.status == "done", (again.error, again.result)


async def test_what_changed_in_quarantine_is_not_released(shelf: Shelf) -> None:
    await ended(shelf, await shelf.downloads.start(EVIL))
    (item, *_) = await shelf.vetting.quarantine.items()
    place = shelf.vetting.quarantine.folder / item.id
    place.chmod(0o600)
    place.write_bytes(place.read_bytes()[:-1] + b"x")
    with pytest.raises(ChecksumMismatch, match="is not released"):
        await shelf.vetting.quarantine.release(item.id, REASON)
    assert item.id in {held.id for held in await shelf.vetting.quarantine.items()}


def policy(shelf: Shelf, text: str) -> None:
    Path(shelf.vetting.policy_file).write_text(text, "utf-8")


async def test_a_forbidden_publisher_is_not_even_fetched(shelf: Shelf) -> None:
    policy(shelf, '[[rule]]\npublisher = "SAMPLES"\ndecision = "block"\nreason = "Not these."\n')
    job = await ended(shelf, await shelf.downloads.start("samples/tiny-llama-GGUF"))
    assert job.status == "quarantined"
    assert job.fetched == 0
    assert "Not these." in job.error
    assert await shelf.vetting.quarantine.items() == ()
    found = await shelf.vetting.prescan("samples/tiny-llama-GGUF")
    assert found.verdict is Verdict.BLOCK


async def test_a_format_that_a_person_must_decide_on_waits_until_somebody_accepts_it(shelf: Shelf) -> None:
    policy(shelf, '[formats]\ngguf = "review"\n')
    job = await ended(shelf, await shelf.downloads.start("samples/tiny-llama-GGUF"))
    assert job.status == "review"
    assert {finding["rule"] for finding in job.result["findings"]} == {"POLICY_FORMAT"}
    policy(shelf, "")
    again = await ended(shelf, await shelf.downloads.start("samples/tiny-llama-GGUF"))
    assert again.status == "done"
