"""Lock files and bundles: another machine holds the same bytes, and a bundle that lies is refused."""

import io
import re
import tarfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelshelf.config import ConfigManager
from modelshelf.downloads import JobStatus
from modelshelf.errors import (
    Blocked,
    ChecksumMismatch,
    FormatError,
    ModelshelfError,
    NeedsReview,
    NotFound,
    UsageError,
)
from modelshelf.samples import SampleHub
from modelshelf.sync import Lock, LockedFile, LockedModel
from modelshelf.sync.lockfile import dumps, loads
from modelshelf.vetting import Verdict
from tests.core.downloads.conftest import World, a_world, noise, use

WEIGHTS = noise(30_000, 5)
FILES = {"a.safetensors": WEIGHTS, "config.json": b"{}", "empty.json": b""}

hexes = "0123456789abcdef"
files = st.builds(
    LockedFile,
    st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8})?\.x", fullmatch=True),
    st.integers(0, 2**50),
    st.text(hexes, min_size=64, max_size=64),
    st.none() | st.text(hexes, min_size=40, max_size=40),
)
models = st.builds(
    LockedModel,
    st.from_regex(r"[a-z]{1,8}/[A-Za-z]{1,8}", fullmatch=True),
    st.text(hexes, min_size=40, max_size=40),
    st.lists(files, min_size=1, max_size=3, unique_by=lambda file: file.path).map(tuple),
    st.sampled_from(["", "hf", "my-hub"]),
    st.sampled_from([(), ("main",), ("main", "v1.0")]),
)


@given(st.lists(models, max_size=3, unique_by=lambda model: model.repo.lower()).map(tuple))
def test_what_is_written_is_read_again(found: tuple[LockedModel, ...]) -> None:
    again = loads(dumps(Lock(found)))
    assert {m.repo: {f.path: f for f in m.files} for m in again.models} == {
        m.repo: {f.path: f for f in m.files} for m in found
    }
    assert dumps(again) == dumps(Lock(tuple(reversed(found))))


GOOD = LockedModel("org/m", "c" * 40, (LockedFile("a.gguf", 1, "a" * 64),), "hub", ("main",))


@pytest.mark.parametrize(
    "change",
    [
        ('path = "a.gguf"', 'path = "../a.gguf"'),
        ('path = "a.gguf"', 'path = "/etc/passwd"'),
        ("size = 1", "size = -1"),
        ("size = 1", "size = true"),
        ("a" * 64, "a" * 63),
        ('repo = "org/m"', 'repo = "org/../m"'),
        ("c" * 40, "../../x"),
        ('refs = ["main"]', 'refs = ["../../x"]'),
        ("version = 1", "version = 2"),
        ('source = "hub"', 'source = "../hub"'),
        ("[[model.file]]", "[[model.files]]"),
        ("version = 1", "version"),
    ],
)
def test_a_lock_that_says_what_cannot_be_is_refused(change: tuple[str, str]) -> None:
    text = dumps(Lock((GOOD,)))
    assert change[0] in text
    with pytest.raises(FormatError):
        loads(text.replace(*change))


@given(st.text(max_size=200))
def test_any_text_is_a_lock_or_refused(text: str) -> None:
    with suppress(FormatError):
        assert loads(f"version = 1\n{text}").models is not None


@asynccontextmanager
async def elsewhere(hub: SampleHub, tmp_path: Path, name: str = "other") -> AsyncIterator[World]:
    """Another machine: a home and a cache of its own."""
    place = tmp_path / name
    config = ConfigManager(place / "home", {"HOME": str(place), "HF_HUB_CACHE": str(place / "hub")})
    use(hub, config)
    async with a_world(hub, config) as world:
        yield world


async def locked(world: World) -> Lock:
    await world.hub.add("org/m", FILES)
    assert (await world.fetch("org/m", "*")).status is JobStatus.DONE
    return loads(dumps(await world.sync.lock()))


async def test_another_machine_is_made_to_match(world: World, tmp_path: Path) -> None:
    lock = await locked(world)
    (model,) = lock.models
    assert (model.source, model.refs) == ("hub", ("main",))
    assert {file.path for file in model.files} == FILES.keys()
    await world.hub.add("org/m", {"a.safetensors": noise(10, 9), "config.json": b"{}"})
    await world.hub.add("org/more", {"b.gguf": noise(100)})
    async with elsewhere(world.hub, tmp_path) as other:
        await other.fetch("org/more")
        report = await other.sync.compare(lock)
        assert not report.same
        assert report.models[0].missing == tuple(sorted(FILES))
        assert [item.repo for item in report.extra] == ["org/more"]
        for job in await other.sync.apply(report):
            assert (await other.ended(job)).status is JobStatus.DONE
        report = await other.sync.compare(lock)
        assert report.same, report
        assert (other.cache / "models--org--m/refs/main").read_text() == model.commit
        assert await other.sync.prune(report) == 100
        assert [item.repo for item in await other.library.models()] == ["org/m"]


async def test_what_is_damaged_or_led_elsewhere_is_mended(world: World) -> None:
    lock = await locked(world)
    (model,) = lock.models
    snapshot = world.cache / "models--org--m/snapshots" / model.commit
    (snapshot / "a.safetensors").resolve().write_bytes(WEIGHTS[:-1] + b"x")
    (snapshot / "config.json").unlink()
    (world.cache / "models--org--m/refs/main").write_text("d" * 40)
    report = await world.sync.compare(lock)
    (item,) = report.models
    assert (item.damaged, item.missing, item.refs) == (("a.safetensors",), ("config.json",), ("main",))
    for job in await world.sync.apply(report):
        assert (await world.ended(job)).status is JobStatus.DONE
    assert (await world.sync.compare(lock)).same


async def test_only_a_name_that_leads_elsewhere_needs_no_network(world: World) -> None:
    lock = await locked(world)
    (world.cache / "models--org--m/refs/main").unlink()
    mark = len(world.hub.requests)
    assert await world.sync.apply(await world.sync.compare(lock)) == ()
    assert (await world.sync.compare(lock)).same
    assert len(world.hub.requests) == mark


@pytest.mark.parametrize("path", ["a.safetensors", "config.json"])
async def test_a_source_with_other_bytes_than_the_lock_is_refused(world: World, tmp_path: Path, path: str) -> None:
    """The weights' checksum is published: it shows at once. That of a small file is not: it shows before it lands."""
    lock = await locked(world)
    (model,) = lock.models
    others = tuple(LockedFile(f.path, f.size, "e" * 64, f.git_sha1) if f.path == path else f for f in model.files)
    lie = Lock((LockedModel(model.repo, model.commit, others, model.source, model.refs),))
    async with elsewhere(world.hub, tmp_path) as other:
        report = await other.sync.compare(lie)
        if path == "a.safetensors":
            with pytest.raises(ChecksumMismatch, match="is not the file that the lock file names"):
                await other.sync.apply(report)
        else:
            (job,) = await other.sync.apply(report)
            ended = await other.ended(job)
            assert (ended.status, ended.result["code"]) == (JobStatus.FAILED, "ChecksumMismatch")
        assert other.blobs() == []


async def test_a_lock_of_what_others_put_there_reads_it(world: World) -> None:
    folder = world.cache / "models--org--own"
    commit = "f" * 40
    (folder / "snapshots" / commit).mkdir(parents=True)
    (folder / "snapshots" / commit / "x.gguf").write_bytes(WEIGHTS)
    lock = await world.sync.lock(["org/own"])
    assert [(file.path, file.size) for file in lock.models[0].files] == [("x.gguf", len(WEIGHTS))]
    assert lock.models[0].source == ""
    with pytest.raises(NotFound):
        await world.sync.lock(["org/none"])


@pytest.mark.parametrize("name", ["bundle", "bundle.tar"])
async def test_a_bundle_brings_models_without_a_network(world: World, tmp_path: Path, name: str) -> None:
    lock = await locked(world)
    await world.bundles.export(["org/m"], tmp_path / name)
    with pytest.raises(UsageError, match="is there already"):
        await world.bundles.export(["org/m"], tmp_path / name)
    mark = len(world.hub.requests)
    async with elsewhere(world.hub, tmp_path) as other:
        done = await other.bundles.bring(tmp_path / name, lock)
        assert done.fetched == len(WEIGHTS) + 2
        report = await other.sync.compare(lock)
        assert report.same
        assert sorted(path for path, _ in other.vetting.seen) == sorted(FILES)
        assert (await other.bundles.bring(tmp_path / name)).fetched == 0
        (here,) = await other.library.models()
        assert (here.managed, here.source, here.complete) == (True, "hub", True)
        assert not list(other.parts.glob("bundles/*"))
    assert len(world.hub.requests) == mark


def other_bytes(place: Path) -> None:
    largest = max((place / "blobs").iterdir(), key=lambda path: path.stat().st_size)
    largest.write_bytes(WEIGHTS[:-1] + b"x")


def longer(place: Path) -> None:
    largest = max((place / "blobs").iterdir(), key=lambda path: path.stat().st_size)
    largest.write_bytes(WEIGHTS + b"x")


def a_link(place: Path) -> None:
    largest = max((place / "blobs").iterdir(), key=lambda path: path.stat().st_size)
    kept = largest.rename(place / "elsewhere")
    largest.symlink_to(kept)


def lacking(place: Path) -> None:
    next(iter((place / "blobs").iterdir())).unlink()


def no_lock(place: Path) -> None:
    (place / "modelshelf.lock").unlink()


def another_name(place: Path) -> None:
    lock = place / "modelshelf.lock"
    lock.write_text(lock.read_text().replace('git_sha1 = "', 'git_sha1 = "0000'))


def a_blob_of_another(place: Path) -> None:
    """The small file's blob gets a name that is not its own."""
    lock = place / "modelshelf.lock"
    lock.write_text(re.sub(r'git_sha1 = "[0-9a-f]{40}"', f'git_sha1 = "{"0" * 40}"', lock.read_text()))


@pytest.mark.parametrize("change", [other_bytes, longer, a_link, lacking, no_lock, another_name, a_blob_of_another])
async def test_a_bundle_that_lies_is_refused(world: World, tmp_path: Path, change: Callable[[Path], None]) -> None:
    await locked(world)
    await world.bundles.export(["org/m"], tmp_path / "bundle")
    change(tmp_path / "bundle")
    async with elsewhere(world.hub, tmp_path) as other:
        with pytest.raises((ChecksumMismatch, FormatError)):
            await other.bundles.bring(tmp_path / "bundle")
        assert other.blobs() == []
        assert not list(other.parts.glob("bundles/*"))


async def test_a_tar_cannot_write_anywhere(world: World, tmp_path: Path) -> None:
    place = tmp_path / "bad.tar"
    with tarfile.open(place, "w") as tar:
        for name, kind in (("../evil", tarfile.REGTYPE), ("modelshelf.lock", tarfile.SYMTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size = kind, "/etc/passwd", 4 if kind == tarfile.REGTYPE else 0
            tar.addfile(member, io.BytesIO(b"evil"))
    for bad in (place, tmp_path / "none.tar"):
        with pytest.raises((FormatError, NotFound)):
            await world.bundles.bring(bad)
    (tmp_path / "noise.tar").write_bytes(noise(5000))
    with pytest.raises(FormatError):
        await world.bundles.bring(tmp_path / "noise.tar")
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(("verdict", "error"), [(Verdict.BLOCK, Blocked), (Verdict.REVIEW, NeedsReview)])
async def test_a_bundle_is_vetted(world: World, tmp_path: Path, verdict: Verdict, error: type[ModelshelfError]) -> None:
    await locked(world)
    await world.bundles.export(["org/m"], tmp_path / "bundle")
    async with elsewhere(world.hub, tmp_path) as other:
        other.vetting.verdicts["a.safetensors"] = verdict
        with pytest.raises(error):
            await other.bundles.bring(tmp_path / "bundle")
        assert other.blobs() == []
        assert other.vetting.held == (["a.safetensors"] if verdict is Verdict.BLOCK else [])


async def test_a_damaged_model_is_not_exported(world: World, tmp_path: Path) -> None:
    lock = await locked(world)
    snapshot = world.cache / "models--org--m/snapshots" / lock.models[0].commit
    (snapshot / "a.safetensors").resolve().write_bytes(WEIGHTS[:-1] + b"x")
    for name in ("bundle", "bundle.tar"):
        with pytest.raises(ChecksumMismatch):
            await world.bundles.export(["org/m"], tmp_path / name)
        assert not (tmp_path / name).exists()
    assert [path.name for path in tmp_path.glob(".bundle*")] == []
