"""Plans: every disk that holds a copy, a server that cannot resume, licence and gate."""

import os
from pathlib import Path

import pytest

from modelshelf.catalog.types import RepoCard, RepoDetail, RepoFile
from modelshelf.downloads import Copy
from modelshelf.downloads.plan import Places, check_disk, from_json, make_plan, to_json
from modelshelf.errors import NotEnoughDisk
from modelshelf.samples import ALWAYS, Faults
from tests.core.downloads.conftest import World, noise

MIB = 2**20
GB = 10**9
FILES = (RepoFile("a.gguf", GB, "a" * 64), RepoFile("README.md", 1000, None, "b" * 40))
DETAIL = RepoDetail(RepoCard("hub", "org/m", licence="apache-2.0", gated=True), "c0ffee", FILES)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder on another file system than the temporary one, where there is any."""
    for place in (Path("/dev/shm"), Path("/run"), Path("/var/tmp")):
        if place.is_dir() and os.access(place, os.W_OK) and place.stat().st_dev != tmp_path.stat().st_dev:
            return place / f"modelshelf-{os.getpid()}"
    pytest.skip("there is only one file system here")


def test_one_disk_is_asked_once(tmp_path: Path) -> None:
    plan = make_plan(DETAIL, "hub", ("*",), Places(tmp_path / "hub", tmp_path / "parts"))
    (disk,) = plan.disks
    assert disk.label == "downloads and library"
    assert disk.needed == plan.disk_needed > plan.total
    assert (plan.licence, plan.gated) == ("apache-2.0", True)


def test_parts_and_library_on_two_disks_are_both_asked(tmp_path: Path, elsewhere: Path) -> None:
    places = Places(tmp_path / "hub", tmp_path / "parts")
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "models--org--m").symlink_to(elsewhere)
    elsewhere.mkdir()
    try:
        first = make_plan(DETAIL, "hub", ("*",), places)
        assert [disk.label for disk in first.disks] == ["downloads", "library"]
        assert all(disk.needed > first.total for disk in first.disks)
        second = make_plan(DETAIL, "hub", ("*",), places, [first], untouched=5)
        assert [b.needed - a.needed for a, b in zip(first.disks, second.disks, strict=True)] == [first.total + 5] * 2
    finally:
        elsewhere.rmdir()


def test_an_engine_that_copies_needs_its_own_room(tmp_path: Path, elsewhere: Path) -> None:
    places = Places(tmp_path / "hub", tmp_path / "parts")
    alone = make_plan(DETAIL, "hub", ("*",), places)
    same = make_plan(DETAIL, "hub", ("*",), places, copies=[Copy("Ollama", tmp_path / "ollama")])
    (disk,) = same.disks
    assert disk.label == "downloads and library and Ollama"
    assert GB <= disk.needed - alone.disk_needed <= 2 * GB
    linked = make_plan(DETAIL, "hub", ("*",), places, copies=[Copy("Ollama", tmp_path / "ollama", linked=True)])
    assert linked.disk_needed == alone.disk_needed
    far = make_plan(DETAIL, "hub", ("*",), places, copies=[Copy("Ollama", elsewhere, linked=True)])
    assert [disk.label for disk in far.disks] == ["downloads and library", "Ollama"]
    assert from_json(to_json(far)).copies == far.copies
    other = make_plan(DETAIL, "hub", ("*",), places, [far], copies=[Copy("Ollama", elsewhere)])
    assert other.disks[1].needed - far.disks[1].needed == GB


def test_the_disk_that_does_not_hold_its_share_is_named(tmp_path: Path) -> None:
    huge = RepoDetail(DETAIL.card, "c0ffee", (RepoFile("a.gguf", 10**15, "a" * 64),))
    plan = make_plan(huge, "hub", (), Places(tmp_path / "hub", tmp_path / "parts"))
    assert not plan.fits_disk
    with pytest.raises(NotEnoughDisk, match=str(tmp_path / "parts")):
        check_disk(plan)


async def test_a_server_that_cannot_resume_is_told_beforehand(world: World) -> None:
    await world.hub.add("org/big", {"big.gguf": noise(17 * MIB)})
    assert (await world.downloads.plan("org/big")).resumable
    world.hub.faults = Faults(range_ignored=ALWAYS)
    assert not (await world.downloads.plan("org/big")).resumable
    world.hub.faults = Faults(cdn_down=True)
    assert (await world.downloads.plan("org/big")).resumable
