"""What else can be wrong: names, lists that change, disks, jobs that meet, many files, files of nothing, clocks."""

import hashlib
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from modelshelf.catalog.types import RepoCard, RepoDetail, RepoFile
from modelshelf.downloads import JobStatus
from modelshelf.downloads.cache import RepoCache
from modelshelf.downloads.journal import Identity
from modelshelf.downloads.landing import Arrival, land
from modelshelf.downloads.numbers import TransferLog
from modelshelf.downloads.part import Part
from modelshelf.downloads.plan import Places, make_plan
from modelshelf.errors import FolderNotWritable, ModelshelfError, NotEnoughDisk
from modelshelf.network.answers import LONGEST_WAIT, asked_wait, retry_after
from modelshelf.samples import Faults
from tests.core.downloads.conftest import World, noise

MIB = 2**20
BIG = noise(20 * MIB, 21)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as made:
        yield made


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB of its own, where the system lets us mount one."""
    folder = tmp_path / "other"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("may not mount another disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


def content(world: World, commit: str, name: str) -> bytes:
    return (world.cache / "models--org--m/snapshots" / commit / name).read_bytes()


async def test_a_commit_after_the_plan_changes_nothing_of_it(world: World) -> None:
    first = await world.hub.add("org/m", {"big.gguf": BIG, "config.json": b"{}"})
    world.hub.faults = Faults(rate=8 * MIB)
    job = await world.downloads.start("org/m", ["*.gguf", "config.json"])
    await world.reached(job, lambda step: step.done > 2 * MIB)
    await world.hub.add("org/m", {"big.gguf": noise(5 * MIB), "config.json": b'{"new": 1}', "more.gguf": b"x"})
    world.hub.faults = Faults()
    ended = await world.ended(job)
    assert (ended.status, ended.commit) == (JobStatus.DONE, first.head.id)
    assert content(world, ended.commit, "big.gguf") == BIG
    assert content(world, ended.commit, "config.json") == b"{}"
    assert not (world.cache / "models--org--m/snapshots" / ended.commit / "more.gguf").exists()


async def test_a_file_that_is_gone_after_the_plan_is_one_clear_error(world: World) -> None:
    await world.hub.add("org/m", {"big.gguf": BIG})
    world.hub.faults = Faults(rate=8 * MIB)
    job = await world.downloads.start("org/m")
    await world.reached(job, lambda step: step.done > 2 * MIB)
    await world.downloads.pause(job)
    await world.reached(job, lambda step: step.status is JobStatus.PAUSED)
    # Somebody rewrote the history: the commit of the plan is no more.
    world.hub.remove("org/m")
    await world.hub.add("org/m", {"other.gguf": noise(5 * MIB)})
    world.hub.faults = Faults()
    await world.downloads.resume(job)
    ended = await world.ended(job)
    assert ended.status is JobStatus.FAILED
    assert ended.error
    assert ended.remedy
    assert world.blobs() == []


@pytest.mark.parametrize("name", ["../evil.gguf", "a/../../evil.gguf", "nul.gguf"])
async def test_a_name_that_escapes_ends_before_there_is_a_job(world: World, name: str) -> None:
    await world.hub.add("org/m", {name: noise(1000)})
    with pytest.raises(ModelshelfError, match=r"The repository (names a file|holds no files)"):
        await world.downloads.start("org/m")
    assert await world.downloads.jobs() == ()
    assert not list(world.cache.parent.rglob("evil*"))
    assert world.sent() == 0


async def test_two_jobs_for_one_file_fetch_it_once(world: World) -> None:
    await world.hub.add("org/m", {"big.gguf": BIG, "small.gguf": noise(1000)})
    world.hub.faults = Faults(rate=20 * MIB)
    jobs = [await world.downloads.start("org/m", names) for names in (["big.gguf"], ["big.gguf", "small.gguf"])]
    assert jobs[0] != jobs[1]
    ended = [await world.ended(job) for job in jobs]
    assert [job.status for job in ended] == [JobStatus.DONE, JobStatus.DONE]
    assert content(world, ended[0].commit, "big.gguf") == BIG
    assert world.sent() <= len(BIG) + 1000


async def test_an_empty_file_and_one_of_a_single_byte(world: World) -> None:
    await world.hub.add("org/m", {"empty.gguf": b"", "one.gguf": b"x", "none.json": b""})
    job = await world.fetch("org/m", "*")
    assert (job.status, job.error) == (JobStatus.DONE, "")
    assert [content(world, job.commit, name) for name in ("empty.gguf", "none.json", "one.gguf")] == [b"", b"", b"x"]
    assert {file["name"]: file["sha256"] for file in job.result["files"]}["empty.gguf"] == hashlib.sha256().hexdigest()


def test_a_cache_on_another_file_system_gets_a_copy_and_then_the_name(tmp_path: Path, other_disk: Path) -> None:
    cache, work = RepoCache(other_disk / "hub", "org/m"), tmp_path / "work"
    work.mkdir()
    (work / "x.part").write_bytes(BIG[:MIB])
    digest = hashlib.sha256(BIG[:MIB]).hexdigest()
    snapshot = land(cache, "c0ffee", [Arrival("sub/x", MIB, digest, digest, work / "x.part")], ["main"], work)
    assert (snapshot / "sub" / "x").read_bytes() == BIG[:MIB]
    assert (snapshot / "sub" / "x").is_symlink()
    assert cache.ref("main").read_text() == "c0ffee"
    assert not list(work.iterdir())
    assert not list(cache.root.rglob("*.incomplete"))


def test_a_cache_on_another_file_system_that_is_too_small_stays_clean(tmp_path: Path, other_disk: Path) -> None:
    cache, work = RepoCache(other_disk / "hub", "org/m"), tmp_path / "work"
    work.mkdir()
    (work / "x.part").write_bytes(BIG)
    with pytest.raises(NotEnoughDisk, match="is full"):
        land(cache, "c0ffee", [Arrival("x", len(BIG), "0" * 64, "0" * 64, work / "x.part")], ["main"], work)
    assert not list(cache.folder.rglob("*.incomplete"))
    assert not cache.snapshot("c0ffee").exists()
    assert (work / "x.part").read_bytes() == BIG  # what arrived is not lost


def test_a_cache_that_is_mounted_for_reading_only_is_named(tmp_path: Path, other_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", other_disk], check=True)
    detail = RepoDetail(RepoCard("hub", "org/m"), "c0ffee", (RepoFile("a.gguf", 10, "a" * 64),))
    with pytest.raises(FolderNotWritable, match=str(other_disk)):
        make_plan(detail, "hub", (), Places(other_disk, tmp_path / "parts"))


async def test_a_disk_that_fills_up_on_the_way_keeps_what_is_true(other_disk: Path, pool: ThreadPoolExecutor) -> None:
    identity = Identity(4 * MIB, "a" * 64, None)
    part = Part(other_disk / "x.part", identity, pool)
    async with part.opened():
        await part.write(0, [BIG[:MIB]])
        await part.save()
        with suppressed_full_disk():
            (other_disk / "filler").write_bytes(b"x" * (8 * MIB))
        await part.write(MIB, [BIG[MIB : 2 * MIB]])
        with pytest.raises(NotEnoughDisk, match="is full"):
            await part.save()
    (other_disk / "filler").unlink()
    again = Part(other_disk / "x.part", identity, pool)
    async with again.opened():
        assert again.pieces.done == MIB
        assert again.path.read_bytes()[:MIB] == BIG[:MIB]


class suppressed_full_disk:  # noqa: N801 - reads as a function
    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        return isinstance(error, OSError) and error.errno == 28


def test_a_plan_of_ten_thousand_files(tmp_path: Path) -> None:
    files = tuple(RepoFile(f"part-{n:05}.safetensors", 1000 + n, f"{n:064x}") for n in range(10_000))
    plan = make_plan(RepoDetail(RepoCard("hub", "org/m"), "c0ffee", files), "hub", (), Places(tmp_path, tmp_path / "p"))
    assert len(plan.files) == 10_000
    assert plan.total == plan.missing == sum(file.size for file in files)


async def fetched(world: World, count: int) -> None:
    files = {f"folder-{n % 10}/file-{n:05}.json": b'{"n": %d}' % n for n in range(count)}
    await world.hub.add("org/m", files)
    job = await world.fetch("org/m", "*.json")
    assert (job.status, job.error) == (JobStatus.DONE, "")
    assert len(job.result["files"]) == count
    assert all(content(world, job.commit, name) == data for name, data in list(files.items())[:: count // 100])
    assert world.hub.peak <= 12


async def test_hundreds_of_small_files_share_connections(world: World) -> None:
    await fetched(world, 300)
    requests = [request for request in world.hub.requests if request.place in ("resolve", "api")]
    assert not [request for request in requests if request.method == "HEAD"]
    assert len({request.port for request in requests}) <= 20


@pytest.mark.deep
@pytest.mark.timeout(1800)
async def test_ten_thousand_files_arrive(world: World) -> None:
    await fetched(world, 10_000)


@pytest.mark.parametrize("years", [-30, 30])
def test_a_clock_that_is_years_off_waits_five_minutes_at_most(years: int) -> None:
    moment = datetime.now(UTC) + timedelta(days=365 * years)
    stated = asked_wait({"Retry-After": format_datetime(moment), "RateLimit-Remaining": "0", "RateLimit-Reset": "40"})
    assert stated is not None
    assert 40 <= stated <= LONGEST_WAIT
    reset = str(int(moment.timestamp()))
    assert 0 <= (asked_wait({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}) or 0) <= LONGEST_WAIT
    assert retry_after(format_datetime(moment)) in (0.0, LONGEST_WAIT)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"Retry-After": "3"}, 3.0),
        ({"Retry-After": "9999"}, LONGEST_WAIT),
        ({"Retry-After": "soon"}, None),
        ({"RateLimit": '"api";r=0;t=55'}, 55.0),
        ({"RateLimit": '"api";r=12;t=55'}, None),
        ({"RateLimit": '"pages";r=7;t=9, "resolvers";r=0;t=20', "Retry-After": "5"}, 20.0),
        ({"RateLimit": "nonsense"}, None),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "12"}, 12.0),
        ({"RateLimit-Remaining": "3", "RateLimit-Reset": "12"}, None),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "later"}, None),
    ],
)
def test_what_a_server_asks_to_wait(headers: dict[str, str], expected: float | None) -> None:
    assert asked_wait(headers) == expected


async def test_this_machine_is_asked_directly_whatever_the_proxy(world: World) -> None:
    await world.hub.add("org/m", {"big.gguf": BIG})
    world.config.set("network.proxy", "http://127.0.0.1:9")
    assert (await world.fetch("org/m")).status is JobStatus.DONE


async def test_the_numbers_of_each_transfer_are_kept(world: World) -> None:
    numbers = TransferLog(world.store)
    await world.hub.add("org/m", {"big.gguf": BIG, "config.json": b"{}"})
    world.hub.faults = Faults(close_after=MIB, close_times=2)
    job = await world.fetch("org/m", "*")
    small, big = sorted(await numbers.recent(), key=lambda row: row.size)
    assert (small.path, small.retries, small.connections, small.outcome) == ("config.json", 0, 1, "done")
    assert (big.source, big.repo, big.commit, big.path) == ("hub", "org/m", job.commit, "big.gguf")
    assert big.host == "127.0.0.1"
    assert big.received == big.size == len(BIG)
    assert (big.refetched, big.retries) == (0, 2)
    assert 1 <= big.connections <= 8
    assert big.rate == pytest.approx(big.received / big.seconds)
    world.hub.faults = Faults(corrupt=1)
    await world.hub.add("org/other", {"other.gguf": noise(20 * MIB, 22)})
    assert (await world.fetch("org/other")).status is JobStatus.FAILED
    worst = (await numbers.recent(1))[0]
    assert worst.outcome == "ChecksumMismatch"
    assert worst.refetched == worst.received == 20 * MIB
