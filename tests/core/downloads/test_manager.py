"""Jobs: a queue, deeds in any process, and errors that say what to do."""

import asyncio
import os

import pytest

from modelshelf.access import Principal, Role, acting_as
from modelshelf.downloads import Job, JobStatus
from modelshelf.downloads.disks import GIB, reserve
from modelshelf.errors import (
    FileNotInRepository,
    FolderNotWritable,
    GatedRepository,
    NotFound,
    RepositoryNotFound,
    RoleRequired,
    Unreachable,
    UsageError,
)
from modelshelf.samples import ALWAYS, Faults
from tests.core.downloads.conftest import World, a_world, noise

MIB = 2**20
BIG = noise(20 * MIB, 3)
SLOW = Faults(rate=4 * MIB)


def moving(job: Job) -> bool:
    return job.status is JobStatus.TRANSFERRING and job.done > 0


async def test_pause_resume_and_the_end(world: World) -> None:
    await world.hub.add("org/big", {"big.gguf": BIG})
    world.hub.faults = SLOW
    job = await world.downloads.start("org/big")
    await world.reached(job, lambda step: step.done > 2 * MIB)
    await world.downloads.pause(job)
    paused = await world.reached(job, lambda step: step.status is JobStatus.PAUSED)
    assert 2 * MIB < paused.done < len(BIG)
    world.hub.faults = Faults()
    mark = len(world.hub.requests)
    await world.downloads.resume(job)
    assert (await world.ended(job)).status is JobStatus.DONE
    assert world.sent(mark) <= len(BIG) - paused.done + 4 * MIB


async def test_progress_tells_rate_and_time_left(world: World) -> None:
    await world.hub.add("org/big", {"big.gguf": BIG})
    world.hub.faults = SLOW
    job = await world.downloads.start("org/big")
    step = await world.reached(job, lambda step: step.rate > 0 and step.done > 4 * MIB)
    assert step.eta is not None
    assert 0.1 < step.eta < 20
    assert 4e6 < step.rate < 30e6
    assert 0 < step.percent < 100


async def test_cancel_deletes_what_arrived(world: World) -> None:
    await world.hub.add("org/big", {"big.gguf": BIG})
    world.hub.faults = SLOW
    job = await world.downloads.start("org/big")
    await world.reached(job, moving)
    assert list(world.parts.rglob("*.part"))
    await world.downloads.cancel(job)
    assert (await world.ended(job)).status is JobStatus.CANCELLED
    assert not list(world.parts.rglob("*.part"))
    assert not list(world.parts.rglob("*.json"))
    assert world.blobs() == []
    with pytest.raises(UsageError, match="has ended"):
        await world.downloads.pause(job)
    world.hub.faults = Faults()
    await world.downloads.retry(job)
    assert (await world.ended(job)).status is JobStatus.DONE


async def test_three_run_at_once_and_the_urgent_one_is_next(world: World) -> None:
    world.hub.faults = Faults(rate=6 * MIB)
    for n in range(5):
        await world.hub.add(f"org/m{n}", {"big.gguf": noise(2 * MIB, n)})
    ids = [await world.downloads.start(f"org/m{n}", priority=int(n == 4)) for n in range(5)]
    most, order = 0, []
    for _ in range(600):
        jobs = await world.downloads.jobs()
        most = max(
            most, sum(job.status in {*["planning", "transferring", "verifying", "vetting", "landing"]} for job in jobs)
        )
        order += [job.id for job in jobs if job.started and job.id not in order]
        if all(job.status is JobStatus.DONE for job in jobs):
            break
        await asyncio.sleep(0.02)
    assert most == 3
    assert order.index(ids[4]) < order.index(ids[3])


async def test_the_same_files_are_one_job(world: World) -> None:
    await world.hub.add("org/big", {"big.gguf": BIG, "small.gguf": b"x"})
    world.hub.faults = SLOW
    first = await world.downloads.start("org/big", ["big.gguf"])
    assert await world.downloads.start("org/big", ["big.*"]) == first
    assert await world.downloads.start("org/big", ["small.gguf"]) != first


async def test_what_is_installed_is_done_at_once(world: World) -> None:
    await world.hub.add("org/big", {"big.gguf": BIG})
    await world.fetch("org/big")
    world.hub.requests.clear()
    job = await world.fetch("org/big")
    assert (job.status, job.done, world.sent()) == (JobStatus.DONE, len(BIG), 0)


async def test_lost_network_fails_with_a_remedy_and_a_retry_goes_on(world: World) -> None:
    await world.hub.add("org/big", {"big.gguf": BIG})
    world.hub.faults = Faults(close_after=3 * MIB, close_times=3, rate=20 * MIB)
    job = await world.downloads.start("org/big")
    await world.reached(job, lambda step: step.done > 4 * MIB)
    world.hub.faults = Faults(cdn_down=True, close_after=1, close_times=ALWAYS)
    failed = await world.ended(job)
    assert failed.status is JobStatus.FAILED
    assert "retry: it goes on" in failed.remedy
    assert failed.result["exit_code"] == Unreachable.exit_code
    world.hub.faults = Faults()
    mark = len(world.hub.requests)
    await world.downloads.retry(job)
    assert (await world.ended(job)).status is JobStatus.DONE
    assert world.sent(mark) < len(BIG) - 3 * MIB


async def test_bad_names_fail_before_there_is_a_job(world: World) -> None:
    await world.hub.add("org/model", {"a-Q4_K_M.gguf": b"a", "b-Q8_0.gguf": b"b"})
    with pytest.raises(RepositoryNotFound):
        await world.downloads.start("org/nothing")
    with pytest.raises(FileNotInRepository, match=r"nothing\.gguf"):
        await world.downloads.start("org/model", ["nothing.gguf"])
    with pytest.raises(NotFound):
        await world.downloads.pause("nosuchjob")
    with pytest.raises(UsageError):
        await world.downloads.start("not a name")
    assert await world.downloads.jobs() == ()


async def test_a_gate_is_met_before_there_is_a_job(world: World) -> None:
    await world.hub.add("org/gated", {"a.gguf": noise(1000)}, gated=True)
    with pytest.raises(GatedRepository):
        await world.downloads.start("org/gated")
    assert await world.downloads.jobs() == ()


async def test_a_viewer_may_look_but_not_touch(world: World) -> None:
    await world.hub.add("org/model", {"a.gguf": b"a"})
    with acting_as(Principal("guest", Role.VIEWER)):
        assert (await world.downloads.plan("org/model")).total == 1
        with pytest.raises(RoleRequired):
            await world.downloads.start("org/model")


async def test_another_manager_on_the_same_home_follows_and_asks(world: World) -> None:
    await world.hub.add("org/big", {"big.gguf": BIG})
    world.hub.faults = SLOW
    async with a_world(world.hub, world.config, working=False) as other:
        job = await world.downloads.start("org/big")
        assert (await other.reached(job, moving)).done > 0
        await other.downloads.pause(job)
        await world.reached(job, lambda step: step.status is JobStatus.PAUSED)
        world.hub.faults = Faults()
        await other.downloads.resume(job)
        assert (await other.ended(job)).status is JobStatus.DONE


async def test_a_job_left_behind_goes_on_at_the_next_start(world: World) -> None:
    await world.hub.add("org/big", {"big.gguf": BIG})
    world.hub.faults = SLOW
    job = await world.downloads.start("org/big")
    await world.reached(job, moving)
    await world.downloads.worker.stop()
    assert (await world.downloads.job(job)).status is JobStatus.QUEUED
    world.hub.faults = Faults()
    async with a_world(world.hub, world.config) as next_start:
        assert (await next_start.ended(job)).status is JobStatus.DONE


async def test_the_history_is_a_table(world: World) -> None:
    await world.hub.add("org/model", {"a.gguf": b"a"})
    await world.fetch("org/model")
    frame = await world.downloads.history()
    assert list(frame["repo"]) == ["org/model"]
    assert frame["seconds"].iloc[0] >= 0


@pytest.mark.skipif(os.geteuid() == 0 and not os.environ.get("CI_AS_USER"), reason="root writes everywhere")
async def test_a_folder_that_cannot_be_written_is_named(world: World) -> None:
    await world.hub.add("org/model", {"a.gguf": b"a"})
    world.cache.mkdir(parents=True)
    world.cache.chmod(0o500)
    with pytest.raises(FolderNotWritable, match=str(world.cache)):
        await world.downloads.start("org/model")


async def test_a_cache_that_is_a_file_is_named(world: World) -> None:
    await world.hub.add("org/model", {"a.gguf": b"a"})
    world.cache.write_text("not a folder")
    with pytest.raises(FolderNotWritable, match="cannot be written to"):
        await world.downloads.start("org/model")


def test_the_reserve_suits_the_download() -> None:
    assert reserve(10 * GIB, 100 * GIB) == 2 * GIB
    assert reserve(10 * GIB, 20 * GIB) == GIB
    assert reserve(MIB, 100 * GIB) == 65 * MIB
