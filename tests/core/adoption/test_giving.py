"""Two files with the same bytes become one, and two again; whatever goes wrong, both are whole."""

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from modelshelf.adoption import Duplicate
from modelshelf.adoption.giving import MARK, clean, give_back, separate
from modelshelf.adoption.writers import _is_open_for_writing
from modelshelf.errors import ChecksumMismatch, DownloadError, FolderNotWritable, NotFound, Unreachable
from tests.core.adoption.stores import OTHER, TINY, ollama, write
from tests.core.sources.simulators import sha256

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf


KILLED = """
import os, sys
from pathlib import Path
from modelshelf.adoption.giving import give_back
step, keep, give, sha256 = sys.argv[1:]
where, name = (os, "link") if step == "link" else (Path, "replace")
real = getattr(where, name)
setattr(where, name, lambda *args, **more: (real(*args, **more), os._exit(9)))
give_back(Path(keep), Path(give), sha256)
"""


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return write(tmp_path / "a" / "keep.gguf", TINY), write(tmp_path / "b" / "give.gguf", TINY)


def inodes(*places: Path) -> set[int]:
    return {place.stat().st_ino for place in places}


async def the_duplicate(shelf: "Shelf") -> Duplicate:
    await shelf.adoption.look(fresh=True)
    await shelf.adoption.compare()
    (found,) = await shelf.adoption.duplicates()
    return found


async def test_what_two_stores_hold_is_given_back_and_can_be_taken_back(shelf: "Shelf", tmp_path: Path) -> None:
    ollama(tmp_path / "ollama")
    blob = tmp_path / "ollama" / "blobs" / f"sha256-{sha256(TINY)}"
    other = write(tmp_path / ".lmstudio/models/org/tiny/tiny.gguf", TINY)
    found = await the_duplicate(shelf)
    assert (found.freed, found.size, found.possible, found.sha256) == (len(TINY), len(TINY), True, sha256(TINY))
    assert {found.keep.holders, found.give.holders} == {("Ollama",), ("LM Studio",)}
    done = await shelf.adoption.give_back(found.id)
    assert (done.freed, len(done.places)) == (len(TINY), 1)
    assert len(inodes(blob, other)) == 1
    assert blob.read_bytes() == other.read_bytes() == TINY
    assert await shelf.adoption.duplicates() == ()
    (shared,) = await shelf.adoption.shared()
    assert shared.place == done.places[0]
    assert await shelf.adoption.separate(str(shared.place)) == len(TINY)
    assert len(inodes(blob, other)) == 2
    assert blob.read_bytes() == other.read_bytes() == TINY
    assert await shelf.adoption.shared() == ()
    with pytest.raises(NotFound, match="was not given back here"):
        await shelf.adoption.separate(str(shared.place))
    deeds = {(row["action"], row["outcome"]) for row in await shelf.access.audit()}
    assert deeds >= {("stores.give-back", "done"), ("stores.separate", "done")}


async def test_the_librarys_copy_stays_and_all_names_of_the_other_follow(shelf: "Shelf", tmp_path: Path) -> None:
    ollama(tmp_path / "ollama")
    await shelf.adoption.adopt("tiny:1b")
    one = write(tmp_path / ".lmstudio/models/org/tiny/tiny.gguf", TINY)
    two = tmp_path / ".cache/llama.cpp/tiny.gguf"
    two.parent.mkdir(parents=True)
    two.hardlink_to(one)
    found = await the_duplicate(shelf)
    assert found.keep.library
    assert set(found.give.places) == {one, two}
    done = await shelf.adoption.give_back(found.id)
    assert done.freed == len(TINY)
    blob = (await shelf.library.get("library/tiny")).files[0].blob
    assert len(inodes(blob, one, two)) == 1


async def test_a_name_that_is_not_known_keeps_the_bytes_and_that_is_told(shelf: "Shelf", tmp_path: Path) -> None:
    ollama(tmp_path / "ollama")
    other = write(tmp_path / ".lmstudio/models/org/tiny/tiny.gguf", TINY)
    (tmp_path / "somewhere.gguf").hardlink_to(other)
    (tmp_path / "elsewhere.gguf").hardlink_to(tmp_path / "ollama" / "blobs" / f"sha256-{sha256(TINY)}")
    found = await the_duplicate(shelf)
    assert (found.freed, found.possible) == (0, True)
    assert "Another name" in found.why


def test_other_bytes_are_never_made_one(pair: tuple[Path, Path]) -> None:
    keep, give = pair
    give.write_bytes(bytes(len(TINY)))
    with pytest.raises(ChecksumMismatch, match="other bytes"):
        give_back(keep, give, sha256(TINY))
    give.write_bytes(OTHER + b"x")
    with pytest.raises(ChecksumMismatch):
        give_back(keep, give, sha256(TINY))
    assert (keep.read_bytes(), give.read_bytes()) == (TINY, OTHER + b"x")
    assert not [left for left in give.parent.iterdir() if left != give]


@pytest.mark.parametrize("which", [0, 1])
def test_not_while_somebody_writes(pair: tuple[Path, Path], which: int) -> None:
    keep, give = pair
    with pair[which].open("ab"), pytest.raises(DownloadError, match="is writing to"):
        give_back(keep, give, sha256(TINY))
    assert len(inodes(keep, give)) == 2
    with keep.open("rb"), give.open("rb"):  # who reads is not in the way
        assert give_back(keep, give, sha256(TINY))
    with give.open("ab"), pytest.raises(DownloadError, match="is writing to"):
        separate(give, sha256(TINY))


def test_where_the_kernel_does_not_say_open_files_are_looked_through(pair: tuple[Path, Path]) -> None:
    with pair[0].open("rb") as reading:
        assert not _is_open_for_writing(reading.fileno())
        with pair[0].open("ab"):
            assert _is_open_for_writing(reading.fileno())


def test_a_file_that_would_be_closed_to_some_is_left(pair: tuple[Path, Path]) -> None:
    keep, give = pair
    keep.chmod(0o600)
    with pytest.raises(DownloadError, match="read by fewer") as caught:
        give_back(keep, give, sha256(TINY))
    assert "chmod --reference" in caught.value.remedy
    keep.chmod(0o444)
    assert give_back(keep, give, sha256(TINY))


def test_links_and_what_is_gone_are_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    keep, give = pair
    (tmp_path / "link.gguf").symlink_to(give)
    with pytest.raises(Unreachable):
        give_back(keep, tmp_path / "link.gguf", sha256(TINY))
    with pytest.raises(Unreachable):
        give_back(keep, tmp_path / "gone.gguf", sha256(TINY))
    give.unlink()
    os.mkfifo(give)
    with pytest.raises(Unreachable, match="is no file"):
        give_back(keep, give, sha256(TINY))


def test_a_disk_that_refuses_the_rename_leaves_both(pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    keep, give = pair

    def refuses(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "replace", refuses)  # as a folder that was closed meanwhile
    with pytest.raises(FolderNotWritable):
        give_back(keep, give, sha256(TINY))
    assert len(inodes(keep, give)) == 2
    assert [left.name for left in give.parent.iterdir()] == [give.name]


@pytest.mark.parametrize("step", ["link", "rename"])
def test_whatever_step_it_is_killed_at_both_are_whole(pair: tuple[Path, Path], step: str) -> None:
    keep, give = pair
    child = subprocess.run([sys.executable, "-c", KILLED, step, keep, give, sha256(TINY)], check=False)
    assert child.returncode == 9
    assert keep.read_bytes() == give.read_bytes() == TINY
    assert len(inodes(keep, give)) == (2 if step == "link" else 1)
    clean(give.parent)
    assert [left.name for left in give.parent.iterdir()] == [give.name]


async def test_what_a_cut_off_run_left_is_cleaned_away(shelf: "Shelf", tmp_path: Path) -> None:
    ollama(tmp_path / "ollama")
    blob = tmp_path / "ollama" / "blobs" / f"sha256-{sha256(TINY)}"
    other = write(tmp_path / ".lmstudio/models/org/tiny/tiny.gguf", TINY)
    for place in (blob, other):
        (place.parent / f"{MARK}0123").hardlink_to(place)
    found = await the_duplicate(shelf)
    await shelf.adoption.give_back(found.id)
    assert len(inodes(blob, other)) == 1
    left = [place for place in (tmp_path / found.give.places[0]).parent.iterdir() if place.name.startswith(MARK)]
    assert not left


async def test_what_cannot_be_is_told_and_not_kept_as_given(shelf: "Shelf", tmp_path: Path) -> None:
    ollama(tmp_path / "ollama")
    write(tmp_path / ".lmstudio/models/org/tiny/tiny.gguf", TINY)
    found = await the_duplicate(shelf)
    with found.give.places[0].open("ab"), pytest.raises(DownloadError, match="is writing"):
        await shelf.adoption.give_back(found.id)
    assert await shelf.adoption.shared() == ()
    with pytest.raises(NotFound, match="no duplicate"):
        await shelf.adoption.give_back("0" * 12)
