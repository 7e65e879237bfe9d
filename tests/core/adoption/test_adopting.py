"""Models of other programs enter the library without a copy, and what is the same bytes is known."""

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from modelshelf.access import Principal, Role, acting_as
from modelshelf.adoption import Standing
from modelshelf.errors import NotFound, RoleRequired
from modelshelf.library.removal import LentNames
from modelshelf.library.types import Removal
from modelshelf.samples.pickles import suspicious
from tests.core.adoption.stores import OTHER, TINY, hub, llama_cpp, ollama, write
from tests.core.sources.simulators import sha256

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf


async def standing(shelf: "Shelf", name: str) -> Standing:
    await shelf.adoption.look(fresh=True)
    return await shelf.adoption.model(name)


class Gave:
    """Names that were made for other programs."""

    def __init__(self, names: LentNames) -> None:
        self.names = names

    async def links(self, repo: str) -> LentNames:
        return self.names

    async def let_go(self, removal: Removal) -> None:
        raise AssertionError(removal)


def names_of(place: Path) -> int:
    return place.stat().st_nlink


@pytest.fixture
def blob(tmp_path: Path) -> Path:
    """The weights of a model in Ollama's store."""
    ollama(tmp_path / "ollama")
    return tmp_path / "ollama" / "blobs" / f"sha256-{sha256(TINY)}"


async def test_a_model_of_ollama_enters_without_a_copy(shelf: "Shelf", tmp_path: Path, blob: Path) -> None:
    await shelf.adoption.look(fresh=True)
    (store,) = await shelf.adoption.stores()
    assert (store.label, store.models, store.size, store.problem) == ("Ollama", 1, len(TINY), "")
    plan = await shelf.adoption.plan("tiny:1b")
    assert (plan.way, plan.cost, plan.copy) == ("hard link", 0, len(TINY))
    before = blob.stat()
    done = await shelf.adoption.adopt("ollama:tiny:1b")
    assert (done.status, done.error, [file.how for file in done.files]) == ("done", "", ["hard link"])
    model = await shelf.library.get("library/tiny")
    (file,) = model.files
    assert (model.verdict, model.complete, file.path) == ("pass", True, "tiny-1.2B-Q8_0.gguf")
    assert file.blob.samefile(blob)
    after = blob.stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_nlink) == (before.st_ino, before.st_mtime_ns, 2)
    found = await standing(shelf, "tiny:1b")
    assert (found.library, found.comparing) == ("linked", False)
    assert (await shelf.adoption.plan("tiny:1b")).way == "there"
    # What the library would lose is told, and who keeps it.
    assert (await shelf.library.removal("library/tiny")).used_by == ("Ollama",)
    assert (await shelf.library.removal("library/tiny")).freed == 0


async def test_who_holds_the_same_bytes_is_named_whichever_store_it_is(shelf: "Shelf", tmp_path: Path) -> None:
    places = (".lmstudio/models/org/tiny/tiny.gguf", ".cache/llama.cpp/x.gguf")
    source = write(tmp_path / "mine.gguf", TINY)
    for name in places:
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).hardlink_to(source)
    await shelf.adoption.adopt("lmstudio:org/tiny")
    assert (await shelf.library.removal("org/tiny")).used_by == ("LM Studio", "llama.cpp")
    # What we gave to a program ourselves goes with the model: that program does not keep it.
    status = source.stat()
    shelf.library.lent = Gave({(status.st_dev, status.st_ino): {tmp_path / places[0]}})
    assert (await shelf.library.removal("org/tiny")).used_by == ("llama.cpp",)


async def test_another_disk_is_reached_by_a_link_and_copied_only_on_demand(
    shelf: "Shelf", tmp_path: Path, blob: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "link", refuses)  # another file system, as far as the kernel says
    plan = await shelf.adoption.plan("tiny:1b")
    if plan.way == "reflink":
        pytest.skip("this disk shares blocks")
    assert (plan.way, plan.cost, plan.copy) == ("symlink", 0, len(TINY))
    done = await shelf.adoption.adopt("tiny:1b")
    assert [file.how for file in done.files] == ["symlink"]
    model = await shelf.library.get("library/tiny")
    assert (model.verdict, model.complete) == ("pass", True)
    assert model.files[0].blob.readlink() == blob
    assert (await standing(shelf, "tiny:1b")).library == "linked"
    removal = await shelf.library.remove("library/tiny")
    assert (removal.freed, removal.used_by) == (0, ("Ollama",))
    assert blob.read_bytes() == TINY
    done = await shelf.adoption.adopt("tiny:1b", copy=True)
    assert [file.how for file in done.files] == ["copy"]
    assert not (await shelf.library.get("library/tiny")).files[0].blob.is_symlink()


async def test_a_link_out_that_nobody_asked_for_is_still_refused(shelf: "Shelf", tmp_path: Path) -> None:
    secret = write(tmp_path / "secret.gguf", TINY)
    folder = hub(shelf.config.paths.cache, "org/bad", {"m.gguf": OTHER})
    (held,) = (folder / "blobs").iterdir()
    held.unlink()
    held.symlink_to(secret)
    model = await shelf.library.get("org/bad")
    assert (model.files, model.complete) == ((), False)


async def test_what_is_unsafe_is_not_adopted_and_told(shelf: "Shelf", tmp_path: Path) -> None:
    folder = tmp_path / ".lmstudio/models/org/bad"
    for name, data in suspicious().items():
        write(folder / name, data)
    done = await shelf.adoption.adopt("lmstudio:org/bad")
    assert done.status in ("blocked", "review")
    assert done.findings
    assert await shelf.library.find("org/bad") is None


async def test_bytes_that_are_not_what_the_store_says_are_refused(shelf: "Shelf", tmp_path: Path, blob: Path) -> None:
    blob.write_bytes(OTHER[: len(TINY)].ljust(len(TINY), b"\0"))
    done = await shelf.adoption.adopt("tiny:1b")
    assert (done.status, done.exit_code) == ("failed", 4)
    assert "other bytes" in done.error


async def test_only_files_that_can_be_the_same_are_read(shelf: "Shelf", tmp_path: Path, blob: Path) -> None:
    write(tmp_path / ".lmstudio/models/org/tiny/tiny.gguf", TINY)
    write(tmp_path / ".lmstudio/models/org/alone/alone.gguf", OTHER + b"more")
    llama_cpp(tmp_path / ".cache/llama.cpp")
    await shelf.adoption.look(fresh=True)
    before = await shelf.adoption.elsewhere()
    assert (before.comparing.files, before.duplicates) == (3, [])
    assert [one.comparing for one in before.models] == [True, False, True, True]
    left = await shelf.adoption.compare()
    assert (left.files, left.why) == (0, "")
    found = {one.model.id: one for one in await shelf.adoption.models()}
    assert found["ollama:tiny:1b"].same_as == ("LM Studio", "llama.cpp")
    assert found["lmstudio:org/alone"].same_as == ()
    assert not any(one.comparing for one in found.values())


async def test_a_file_that_changed_is_read_again(shelf: "Shelf", tmp_path: Path, blob: Path) -> None:
    place = write(tmp_path / ".lmstudio/models/org/tiny/tiny.gguf", TINY)
    await shelf.adoption.look(fresh=True)
    await shelf.adoption.compare()
    assert len(await shelf.adoption.duplicates()) == 1
    place.write_bytes(bytes(len(TINY)))
    await shelf.adoption.look(fresh=True)
    assert await shelf.adoption.duplicates() == ()
    assert (await shelf.adoption.elsewhere()).comparing.files == 1


async def test_ids_are_needed_only_where_two_have_a_name(shelf: "Shelf", tmp_path: Path) -> None:
    write(tmp_path / ".lmstudio/models/org/tiny/tiny.gguf", TINY)
    write(tmp_path / ".cache/modelscope/hub/org/tiny/tiny.gguf", TINY)
    with pytest.raises(NotFound, match="Several stores have org/tiny"):
        await shelf.adoption.model("org/tiny")
    assert (await shelf.adoption.model("modelscope:org/tiny")).label == "ModelScope"
    with pytest.raises(NotFound, match="No store"):
        await shelf.adoption.adopt("nothing")


async def test_a_folder_is_added_and_dropped(shelf: "Shelf", tmp_path: Path) -> None:
    write(tmp_path / "mine/org/tiny/tiny.gguf", TINY)
    assert await shelf.adoption.add_folder("~/mine") == (str(tmp_path / "mine"),)
    assert await shelf.adoption.add_folder(str(tmp_path / "mine")) == (str(tmp_path / "mine"),)
    assert [one.model.id for one in await shelf.adoption.models()] == ["folder:org/tiny"]
    for path in ("mine", str(tmp_path / "gone"), "\0"):
        with pytest.raises(NotFound, match="no folder"):
            await shelf.adoption.add_folder(path)
    assert await shelf.adoption.drop_folder("~/mine") == ()
    assert await shelf.adoption.models() == ()
    with pytest.raises(NotFound, match="not looked at"):
        await shelf.adoption.drop_folder("~/mine")


async def test_tags_of_ollama_are_names_of_commits(shelf: "Shelf", tmp_path: Path, blob: Path) -> None:
    ollama(tmp_path / "ollama", OTHER, "registry.ollama.ai/library/tiny/latest")
    for name in ("tiny:1b", "tiny:latest"):
        await shelf.adoption.adopt(name)
    found = {model.refs for model in await shelf.library.models()}
    assert found == {("1b",), ("main",)}


async def test_viewers_look_and_no_more(shelf: "Shelf", blob: Path) -> None:
    await shelf.adoption.look(fresh=True)
    with acting_as(Principal("vera", Role.VIEWER)):
        assert await shelf.adoption.models()
        with pytest.raises(RoleRequired):
            await shelf.adoption.adopt("tiny:1b")
    with acting_as(Principal("otto", Role.OPERATOR)), pytest.raises(RoleRequired):
        await shelf.adoption.give_back("x")
    assert names_of(blob) == 1
