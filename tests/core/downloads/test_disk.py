"""Disks that are full, damaged or not writable."""

import asyncio
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from modelshelf.catalog.types import RepoCard, RepoDetail, RepoFile
from modelshelf.downloads import JobStatus, jobs
from modelshelf.downloads.journal import Identity
from modelshelf.downloads.part import Part
from modelshelf.downloads.plan import Places, check_disk, from_json, make_plan, measure, to_json
from modelshelf.errors import DownloadError, NotEnoughDisk
from modelshelf.samples import Faults
from tests.core.downloads.conftest import World, noise

MIB = 2**20


def detail(*files: RepoFile) -> RepoDetail:
    return RepoDetail(RepoCard("hub", "org/m"), "c0ffee", files)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as made:
        yield made


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MiB, where the system lets us mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("may not mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_plan_that_does_not_fit_says_what_it_needs(tmp_path: Path) -> None:
    places = Places(tmp_path / "hub", tmp_path / "parts")
    plan = make_plan(detail(RepoFile("a.gguf", 10**15, "a" * 64)), "hub", (), places)
    with pytest.raises(NotEnoughDisk, match=r"needs 1000\d{3}\.\d\d GB on the disk") as caught:
        check_disk(plan)
    assert caught.value.exit_code == 7
    assert from_json(to_json(plan)) == replace(plan, skipped=(), disks=())


def test_what_other_jobs_will_write_is_reserved(tmp_path: Path) -> None:
    places = Places(tmp_path / "hub", tmp_path / "parts")
    one = make_plan(detail(RepoFile("a.gguf", 1000 * MIB, "a" * 64)), "hub", (), places)
    two = make_plan(detail(RepoFile("b.gguf", 1000 * MIB, "b" * 64)), "hub", (), places, [one])
    assert two.disk_needed - one.disk_needed == 1000 * MIB
    # What a part file holds already is taken from the disk, and not needed a second time.
    part = places.part(one, one.files[0])
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * (5 * MIB))
    assert one.disk_needed - measure(one, places).disk_needed >= 5 * MIB


async def test_a_full_disk_shows_before_the_first_byte(small_disk: Path, pool: ThreadPoolExecutor) -> None:
    part = Part(small_disk / "x.part", Identity(20 * MIB, "a" * 64, None), pool)
    with pytest.raises(NotEnoughDisk, match="is full"):
        async with part.opened():
            pytest.fail("must not open")
    assert not part.path.exists()
    (small_disk / "other").write_bytes(b"x" * MIB)


async def test_a_piece_that_the_disk_damaged_is_fetched_again_alone(world: World) -> None:
    content = noise(40 * MIB, 9)
    await world.hub.add("org/big", {"big.gguf": content})
    world.hub.faults = Faults(rate=12 * MIB)
    job = await world.downloads.start("org/big")
    await world.reached(job, lambda step: step.done > 20 * MIB)
    await world.downloads.pause(job)
    await world.reached(job, lambda step: step.status is JobStatus.PAUSED)
    (part,) = world.parts.rglob("*.part")
    with part.open("r+b") as handle:
        handle.seek(1000)
        handle.write(bytes(16))
    world.hub.faults = Faults()
    mark = len(world.hub.requests)
    await world.downloads.resume(job)
    ended = await world.ended(job)
    assert (ended.status, ended.error) == (JobStatus.DONE, "")
    assert world.sent(mark) < len(content) - 20 * MIB + 9 * MIB
    assert (world.cache / "models--org--big/snapshots" / ended.commit / "big.gguf").read_bytes() == content


@pytest.mark.parametrize("damage", [b"", b'{"version": 9}', b"\xff" * 9], ids=["empty", "newer", "noise"])
async def test_a_damaged_journal_means_a_fresh_start(world: World, damage: bytes) -> None:
    content = noise(20 * MIB, 10)
    await world.hub.add("org/big", {"big.gguf": content})
    world.hub.faults = Faults(rate=12 * MIB)
    job = await world.downloads.start("org/big")
    await world.reached(job, lambda step: step.done > 4 * MIB)
    await world.downloads.pause(job)
    await world.reached(job, lambda step: step.status is JobStatus.PAUSED)
    (journal,) = world.parts.rglob("*.json")
    journal.write_bytes(damage)
    world.hub.faults = Faults()
    await world.downloads.resume(job)
    assert (await world.ended(job)).status is JobStatus.DONE


async def test_one_part_is_held_by_one_job(tmp_path: Path, pool: ThreadPoolExecutor) -> None:
    identity = Identity(100, "a" * 64, None)
    first, second = (Part(tmp_path / "x.part", identity, pool) for _ in range(2))
    order = []

    async def hold(part: Part, name: str) -> None:
        async with part.opened():
            order.append(name)
            await part.write(0, [b"x" * 10])
            await asyncio.sleep(0.1)
            order.append(name)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(hold(first, "first"))
        tasks.create_task(hold(second, "second"))
    assert order in (["first", "first", "second", "second"], ["second", "second", "first", "first"])


async def test_a_job_whose_plan_is_damaged_fails_alone(world: World) -> None:
    await world.hub.add("org/big", {"big.gguf": noise(20 * MIB)})
    await world.hub.add("org/m", {"a.gguf": b"a"})
    world.hub.faults = Faults(rate=MIB)
    job = await world.downloads.start("org/big")
    await world.downloads.pause(job)
    await world.reached(job, lambda step: step.status is JobStatus.PAUSED)

    def spoil(session: Session) -> None:
        jobs.get(session, job).plan = {"files": 1}

    await world.store.write(spoil)
    assert (await world.fetch("org/m")).status is JobStatus.DONE
    await world.downloads.resume(job)
    ended = await world.ended(job)
    assert ended.status is JobStatus.FAILED
    assert "cannot be read" in ended.error


def test_a_plan_that_cannot_be_read_says_so() -> None:
    with pytest.raises(DownloadError, match="cannot be read"):
        from_json({"files": [{"path": 1}]})
