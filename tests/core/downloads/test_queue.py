"""The queue: order, all at once, single files again, what is kept of the past, and a thousand jobs."""

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from modelshelf.access import Principal, Role, acting_as
from modelshelf.config import ConfigManager
from modelshelf.downloads import ENDED, DownloadPlan, JobStatus, Order, PlannedFile, jobs
from modelshelf.downloads.plan import to_json
from modelshelf.errors import NotEnoughDisk, NotFound, RepositoryNotFound, RoleRequired, UsageError
from modelshelf.samples import ALWAYS, Faults, SampleHub
from tests.conftest import LoopRunner
from tests.core.downloads.conftest import World, a_world, noise, use

MIB = 2**20


async def stocked(world: World, count: int, size: int = 1000) -> list[str]:
    """Repositories org/m0, org/m1 … with a job for each."""
    for n in range(count):
        await world.hub.add(f"org/m{n}", {"a.gguf": noise(size, n + 1)})
    return [await world.downloads.start(f"org/m{n}") for n in range(count)]


async def line_of(world: World) -> list[str]:
    found = [job for job in await world.downloads.jobs() if job.status not in ENDED]
    return [job.repo[-1] for job in sorted(found, key=lambda job: (-job.priority, job.position))]


@pytest.fixture
def idle(loop: LoopRunner, empty_hub: SampleHub, config: ConfigManager) -> World:
    """A manager that starts jobs and runs none."""
    use(empty_hub, config)
    return loop.enter(a_world(empty_hub, config, working=False))


async def test_jobs_change_their_places(idle: World) -> None:
    ids = await stocked(idle, 4)
    assert await line_of(idle) == ["0", "1", "2", "3"]
    await idle.downloads.move(ids[3], "first")
    assert await line_of(idle) == ["3", "0", "1", "2"]
    await idle.downloads.move(ids[0], "last")
    assert await line_of(idle) == ["3", "1", "2", "0"]
    await idle.downloads.move(ids[2], "before", ids[1])
    assert await line_of(idle) == ["3", "2", "1", "0"]
    assert await idle.downloads.shift(ids[0], 2) == 2
    assert await line_of(idle) == ["0", "3", "2", "1"]
    await idle.downloads.move(ids[1], "after", ids[0])
    assert await line_of(idle) == ["0", "1", "3", "2"]
    assert (await idle.downloads.job(ids[1])).priority == 2
    await idle.downloads.prioritise(ids[0], -1)
    assert await line_of(idle) == ["1", "3", "2", "0"]
    with pytest.raises(UsageError, match="beside itself"):
        await idle.downloads.move(ids[0], "before", ids[0])
    with pytest.raises(UsageError, match="from -100 to 100"):
        await idle.downloads.prioritise(ids[0], 101)
    with pytest.raises(NotFound):
        await idle.downloads.move(ids[0], "before", "nosuchjob")


async def test_a_place_between_two_is_always_found(idle: World) -> None:
    ids = await stocked(idle, 3)
    for n in range(60):
        await idle.downloads.move(ids[1 + n % 2], "after", ids[0])
    assert await line_of(idle) == ["0", "2", "1"]


async def test_all_are_paused_and_resumed(world: World) -> None:
    world.hub.faults = Faults(rate=MIB)
    ids = await stocked(world, 5, 2 * MIB)
    assert set(await world.downloads.pause_all()) == set(ids)
    for job in ids:
        await world.reached(job, lambda step: step.status is JobStatus.PAUSED)
    world.hub.faults = Faults()
    assert set(await world.downloads.resume_all()) == set(ids)
    for job in ids:
        assert (await world.ended(job)).status is JobStatus.DONE
    assert await world.downloads.pause_all() == ()


async def test_one_bad_file_does_not_keep_the_others_and_is_tried_alone(world: World) -> None:
    files = {"config.json": b"{}", "a.safetensors": noise(3000), "b.safetensors": noise(3000, 2)}
    await world.hub.add("org/m", files)
    world.hub.faults = Faults(only="b.safetensors", corrupt=ALWAYS)
    failed = await world.fetch("org/m")
    assert failed.status is JobStatus.FAILED
    assert [item["path"] for item in failed.result["failed"]] == ["b.safetensors"]
    assert failed.result["code"] == "ChecksumMismatch"
    states = {file.path: file for file in await world.downloads.files(failed.id)}
    assert states["b.safetensors"].status == "failed"
    assert "other bytes" in states["b.safetensors"].error
    assert states["a.safetensors"].status == "done"
    with pytest.raises(UsageError, match=r"a\.safetensors of org/m did not fail"):
        await world.downloads.retry(failed.id, ["a.safetensors"])
    world.hub.faults = Faults()
    mark = len(world.hub.requests)
    await world.downloads.retry(failed.id, ["b.safetensors"])
    assert (await world.ended(failed.id)).status is JobStatus.DONE
    assert world.sent(mark) == 3000


async def test_failed_files_that_are_not_named_stay_failed(world: World) -> None:
    files = {f"{name}.safetensors": noise(3000, seed) for seed, name in enumerate("abc", 1)}
    await world.hub.add("org/m", files)
    world.hub.faults = Faults(corrupt=ALWAYS)
    failed = await world.fetch("org/m")
    assert [item["path"] for item in failed.result["failed"]] == sorted(files)
    assert failed.error.startswith("3 files of org/m could not be fetched")
    world.hub.faults = Faults()
    await world.downloads.retry(failed.id, ["a.safetensors", "c.safetensors"])
    again = await world.ended(failed.id)
    assert again.status is JobStatus.FAILED
    assert [item["path"] for item in again.result["failed"]] == ["b.safetensors"]
    assert world.blobs() == []
    await world.downloads.retry(failed.id)
    assert (await world.ended(failed.id)).status is JobStatus.DONE


async def test_files_tell_how_far_they_are_from_any_process(world: World) -> None:
    await world.hub.add("org/m", {"a.safetensors": noise(30 * MIB), "config.json": b"{}"})
    world.hub.faults = Faults(rate=6 * MIB)
    job = await world.downloads.start("org/m")
    await world.reached(job, lambda step: step.done > 8 * MIB)
    (large,) = [file for file in await world.downloads.files(job) if file.path == "a.safetensors"]
    assert large.status == "moving"
    assert 4 * MIB < large.done < large.size
    await world.downloads.pause(job)
    await world.reached(job, lambda step: step.status is JobStatus.PAUSED)
    async with a_world(world.hub, world.config, working=False) as other:
        (large,) = [file for file in await other.downloads.files(job) if file.path == "a.safetensors"]
    assert large.status == "waiting"
    assert 4 * MIB < large.done < large.size


async def test_the_past_is_kept_and_forgotten(world: World) -> None:
    await world.hub.add("org/m", {"a.gguf": noise(1000)})
    await world.fetch("org/m")
    frame = await world.downloads.history()
    assert frame["fetched"].iloc[0] == 1000
    assert frame["rate"].iloc[0] > 0
    assert frame["retries"].iloc[0] == 0
    assert frame["attempts"].iloc[0] == 1
    assert await world.downloads.clear(days=1) == 0
    assert await world.downloads.clear() == 1
    assert len(await world.downloads.history()) == 0


async def test_retries_are_counted(world: World) -> None:
    await world.hub.add("org/m", {"a.gguf": noise(3 * MIB)})
    world.hub.faults = Faults(close_after=MIB, close_times=2)
    assert (await world.fetch("org/m")).retries >= 1


async def test_a_batch_begins_as_a_whole_or_not_at_all(idle: World) -> None:
    for n in range(2):
        await idle.hub.add(f"org/m{n}", {"a.gguf": noise(1000, n)})
    orders = [Order("org/m0"), Order("org/m1")]
    batch = await idle.downloads.plan_batch(orders)
    assert (batch.total, batch.missing, batch.fits_disk) == (2000, 2000, True)
    first, second = batch.plans
    assert second.disk_needed - first.disk_needed == 1000
    with pytest.raises(RepositoryNotFound):
        await idle.downloads.start_batch([*orders, Order("org/none")])
    assert await idle.downloads.jobs() == ()
    ids = await idle.downloads.start_batch(orders, priority=3)
    assert [(await idle.downloads.job(job)).priority for job in ids] == [3, 3]


async def test_what_the_queue_will_write_is_reserved(idle: World) -> None:
    await idle.hub.add("org/m0", {"a.gguf": noise(1000)})
    await idle.store.write(fill, 1, 10**15)
    with pytest.raises(NotEnoughDisk):
        await idle.downloads.start_batch([Order("org/m0")])
    assert len(await idle.downloads.jobs()) == 1


async def test_a_viewer_may_not_steer(idle: World) -> None:
    (job,) = await stocked(idle, 1)
    with acting_as(Principal("guest", Role.VIEWER)):
        for deed in (
            idle.downloads.move(job, "first"),
            idle.downloads.shift(job, 1),
            idle.downloads.limit(job, 1),
            idle.downloads.pause_all(),
            idle.downloads.clear(),
        ):
            with pytest.raises(RoleRequired):
                await deed


def fill(session: Session, count: int, size: int = 1000) -> list[str]:
    """Jobs without a hub behind them."""
    found = []
    for n in range(count):
        files = (PlannedFile("a.gguf", size, f"{n:064x}", None),)
        plan = DownloadPlan("hub", f"org/q{n}", "c" * 40, files, (), size, size, 0, 0, None, gated=False)
        found.append(jobs.add(session, plan, to_json(plan), "", "owner", 0)[0])
        session.flush()
    return found


async def test_of_a_thousand_jobs_those_that_run_are_listed(idle: World) -> None:
    ids = await idle.store.write(fill, 1000)
    row = await idle.store.write(jobs.claim, "elsewhere:1:1.0:w", 3, 60, None)
    assert row is not None
    assert row.id == ids[0]
    listed = await idle.downloads.jobs(limit=200)
    assert len(listed) == 200
    assert {ids[0], ids[1]} <= {job.id for job in listed}
    assert len(await idle.downloads.jobs(limit=2000)) == 1000
    await idle.hub.add("org/m", {"a.gguf": noise(1000)})
    plan = await idle.downloads.plan("org/m")
    assert plan.disk_needed >= 1001 * 1000


DEEDS = st.lists(st.sampled_from(["pause", "resume", "cancel", "retry", "break", "mend", "restart"]), max_size=6)


@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(deeds=DEEDS)
def test_any_order_of_deeds_ends_in_the_right_bytes(
    loop: LoopRunner, empty_hub: SampleHub, config: ConfigManager, deeds: list[str]
) -> None:
    loop.runner.run(steered(empty_hub, config, deeds))


async def steered(hub: SampleHub, config: ConfigManager, deeds: Sequence[str]) -> None:
    """A real job under these deeds, then left alone: whole and right in the end, with no bad byte on the way."""
    content = noise(5 * MIB, len(deeds) + 1)
    repo = f"org/m{len(hub.requests)}"
    hub.faults = Faults(rate=16 * MIB)
    await hub.add(repo, {"a.gguf": content})
    use(hub, config)
    async with a_world(hub, config) as world:
        job = await world.downloads.start(repo)
    for part in " ".join(deeds).split("restart"):  # each restart is another process's turn
        async with a_world(hub, config) as world:
            for deed in part.split():
                if deed in ("break", "mend"):
                    hub.faults = Faults(cdn_down=True) if deed == "break" else Faults(rate=16 * MIB)
                    continue
                try:
                    await getattr(world.downloads, deed)(job)
                except UsageError:
                    assert (await world.downloads.job(job)).status in {*ENDED, JobStatus.PAUSED}
    hub.faults = Faults()
    async with a_world(hub, config) as world:
        for _ in range(2):  # a pause or cancel that was asked for may still have to be obeyed
            step = await world.reached(job, lambda step: step.status in {*ENDED, JobStatus.PAUSED})
            if step.status is not JobStatus.DONE:
                await world.downloads.retry(job)
        done = await world.ended(job)
        assert (done.status, done.error) == (JobStatus.DONE, "")
        snapshot = world.cache / f"models--{repo.replace('/', '--')}/snapshots" / done.commit
        assert (snapshot / "a.gguf").read_bytes() == content
        assert not list(world.parts.rglob("*.part"))
