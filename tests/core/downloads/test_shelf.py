"""The whole path on a whole shelf: the sample hub, the real scanner, the real quarantine."""

from contextlib import aclosing
from typing import TYPE_CHECKING

from modelshelf.downloads import Job, JobStatus
from modelshelf.samples import CHAT_REPO, SUSPICIOUS_REPO

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf


async def ended(shelf: "Shelf", repo: str) -> Job:
    async with aclosing(shelf.downloads.follow(await shelf.downloads.start(repo))) as steps:
        async for step in steps:
            last = step
    return last


async def test_a_sample_lands_in_the_library(shelf: "Shelf") -> None:
    job = await ended(shelf, CHAT_REPO)
    assert (job.status, job.error) == (JobStatus.DONE, "")
    model = await shelf.library.get(CHAT_REPO)
    assert (model.complete, model.verdict, model.managed) == (True, "pass", True)


async def test_a_suspicious_pickle_ends_in_quarantine(shelf: "Shelf") -> None:
    job = await ended(shelf, SUSPICIOUS_REPO)
    assert job.status is JobStatus.QUARANTINED
    assert "pickle" in job.error
    (held,) = await shelf.vetting.quarantine.items()
    assert held.repo == SUSPICIOUS_REPO
    assert await shelf.library.find(SUSPICIOUS_REPO) is None
    assert not list(shelf.config.paths.cache.glob("models--*"))
