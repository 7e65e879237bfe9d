"""Every row of the fault table: the right file or a clear error, no bad byte under a final name, nothing in clear."""

import hashlib

import pytest

from modelshelf.downloads import JobStatus
from modelshelf.samples import ALWAYS, Faults
from tests.core.downloads.conftest import World, noise

MIB = 2**20
NAME = "big-Q8_0.gguf"
BIG = noise(20 * MIB)

SURVIVED = {
    "closes after every MB": Faults(close_after=MIB, close_times=ALWAYS),
    "one break": Faults(close_after=3 * MIB),
    "503 once on the CDN": Faults(status=503),
    "500 once on the CDN": Faults(status=500),
    "429 with Retry-After on the CDN": Faults(status=429, retry_after="1"),
    "429 with Retry-After on the resolver": Faults(status=429, retry_after="1", status_on="resolve"),
    "429 with a date": Faults(status=429, retry_after="Wed, 21 Oct 2015 07:28:00 GMT"),
    "429 with a spent RateLimit": Faults(status=429, ratelimit='"resolvers";r=0;t=2', status_on="resolve"),
    "a shorter file once": Faults(truncate=1),
    "a longer length once": Faults(long_length=1),
    "break, then the range is ignored": Faults(close_after=3 * MIB, range_ignored=ALWAYS),
    "the range is ignored once": Faults(range_ignored=1),
    "a 206 at the wrong offset": Faults(close_after=3 * MIB, wrong_offset=1),
    "signed addresses run out": Faults(signature_uses=2, close_after=2 * MIB, close_times=4),
    "403 once on the CDN": Faults(status=403),
    "long silence": Faults(silence_after=2 * MIB, silence_seconds=60),
    "trickle": Faults(trickle=8 * 1024, trickle_times=2),
}

REFUSED = {
    "16 bytes corrupted": (Faults(corrupt=ALWAYS), "ChecksumMismatch"),
    "16 bytes corrupted once": (Faults(corrupt=1), "ChecksumMismatch"),
    "206 with a lying body": (Faults(lying_body=1), "ChecksumMismatch"),
    "always truncated": (Faults(truncate=ALWAYS), "Unreachable"),
    "always a longer length": (Faults(long_length=ALWAYS), "Unreachable"),
    "redirect to plain http": (Faults(plain_redirect=ALWAYS), "UnsafeAddress"),
    "404 on the CDN": (Faults(status=404, status_times=ALWAYS), "FileNotInRepository"),
    "403 for ever": (Faults(status=403, status_times=ALWAYS), "AccessError"),
    "503 for ever": (Faults(status=503, status_times=ALWAYS), "Unreachable"),
    "the CDN is down": (Faults(cdn_down=True), "Unreachable"),
    "401 on the resolver": (Faults(status=401, status_times=ALWAYS, status_on="resolve"), "NotSignedIn"),
}


def in_clear(world: World) -> list[str]:
    return [request.path for request in world.hub.requests if request.place == "plain"]


@pytest.mark.parametrize("faults", SURVIVED.values(), ids=SURVIVED.keys())
async def test_the_right_bytes_arrive_in_spite_of(world: World, faults: Faults) -> None:
    await world.hub.add("org/big-GGUF", {NAME: BIG})
    world.hub.faults = faults
    job = await world.fetch("org/big-GGUF")
    assert (job.status, job.error) == (JobStatus.DONE, "")
    assert job.result["files"] == [{"name": NAME, "sha256": hashlib.sha256(BIG).hexdigest(), "size": len(BIG)}]
    assert (world.cache / "models--org--big-GGUF/snapshots" / job.commit / NAME).read_bytes() == BIG
    assert not in_clear(world)


@pytest.mark.parametrize(("faults", "code"), REFUSED.values(), ids=REFUSED.keys())
async def test_no_bad_byte_gets_a_final_name_under(world: World, faults: Faults, code: str) -> None:
    await world.hub.add("org/big-GGUF", {NAME: BIG})
    world.hub.faults = faults
    job = await world.fetch("org/big-GGUF")
    assert job.status is JobStatus.FAILED
    assert job.result["code"] == code
    assert job.error.endswith(".")
    assert job.remedy
    assert world.blobs() == []
    assert not in_clear(world)
    # The fault goes away: a retry brings the right file.
    world.hub.faults = Faults()
    await world.downloads.retry(job.id)
    assert (await world.ended(job.id)).status is JobStatus.DONE
    assert (world.cache / "models--org--big-GGUF/snapshots" / job.commit / NAME).read_bytes() == BIG
