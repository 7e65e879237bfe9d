"""Files that the Hub keeps in its Xet store: over the HTTP bridge they come and are proved as any other."""

import hashlib
from pathlib import Path

import pytest

from modelshelf.downloads import JobStatus
from modelshelf.samples import Faults
from tests.core.downloads.conftest import World, noise

MIB = 2**20
NAME = "model-Q8_0.gguf"
DATA = noise(20 * MIB, seed=7)
SHA256 = hashlib.sha256(DATA).hexdigest()
XET = hashlib.blake2b(DATA, digest_size=32).hexdigest()


async def publish(world: World) -> None:
    await world.hub.add("org/xet-GGUF", {NAME: DATA}, xet={NAME: XET})


def landed(world: World, commit: str) -> Path:
    return world.cache / "models--org--xet-GGUF" / "snapshots" / commit / NAME


async def test_it_lands_under_the_checksum_that_the_hub_publishes(world: World) -> None:
    await publish(world)
    job = await world.fetch("org/xet-GGUF")
    assert (job.status, job.error) == (JobStatus.DONE, "")
    assert landed(world, job.commit).read_bytes() == DATA
    assert landed(world, job.commit).resolve().name == SHA256


async def test_a_broken_bridge_goes_on_by_its_own_entity_tag(world: World) -> None:
    """Were the SHA-256 sent as If-Range, the bridge would begin anew each time."""
    await publish(world)
    world.hub.faults = Faults(close_after=3 * MIB, close_times=4)
    job = await world.fetch("org/xet-GGUF")
    assert job.status is JobStatus.DONE
    assert landed(world, job.commit).read_bytes() == DATA
    assert world.sent() < 1.5 * len(DATA)


@pytest.mark.parametrize("faults", [Faults(corrupt=1), Faults(lying_body=1)], ids=["damaged", "other bytes"])
async def test_what_the_bridge_sends_is_proved(world: World, faults: Faults) -> None:
    await publish(world)
    world.hub.faults = faults
    job = await world.fetch("org/xet-GGUF")
    assert (job.status, job.result["code"]) == (JobStatus.FAILED, "ChecksumMismatch")
    assert world.blobs() == []


async def test_what_huggingface_hub_keeps_in_its_shared_store_is_not_fetched_again(world: World) -> None:
    await publish(world)
    shared = world.cache / "blobs" / XET[:2] / XET
    blob = world.cache / "models--org--xet-GGUF" / "blobs" / SHA256
    shared.parent.mkdir(parents=True)
    shared.write_bytes(DATA)
    blob.parent.mkdir(parents=True)
    blob.symlink_to(Path("../..") / shared.relative_to(world.cache))
    job = await world.fetch("org/xet-GGUF")
    assert job.status is JobStatus.DONE
    assert world.sent() == 0
    assert landed(world, job.commit).read_bytes() == DATA


async def test_damage_in_the_shared_store_is_mended_beside_it(world: World) -> None:
    """Other models may share those bytes: they are not written to."""
    await publish(world)
    damaged = DATA[:-1] + bytes([DATA[-1] ^ 1])
    shared = world.cache / "blobs" / XET[:2] / XET
    blob = world.cache / "models--org--xet-GGUF" / "blobs" / SHA256
    shared.parent.mkdir(parents=True)
    shared.write_bytes(damaged)
    blob.parent.mkdir(parents=True)
    blob.symlink_to(Path("../..") / shared.relative_to(world.cache))
    job = await world.fetch("org/xet-GGUF")
    assert job.status is JobStatus.DONE
    assert landed(world, job.commit).read_bytes() == DATA
    assert shared.read_bytes() == damaged
