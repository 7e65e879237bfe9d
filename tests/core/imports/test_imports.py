"""Models that lie on this machine are linked into the library, and nothing happens to them where they are."""

import errno
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from modelshelf.access import Principal, Role, acting_as
from modelshelf.downloads.cache import RepoCache
from modelshelf.downloads.landing import Arrival, land
from modelshelf.errors import FormatError, NotFound, RoleRequired, UsageError
from modelshelf.imports import Imported
from modelshelf.samples.pickles import suspicious
from tests.core.metadata.files import tensors
from tests.core.sources.simulators import gguf, sha256

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

TINY = gguf()
CONFIG = b'{"model_type": "llama"}'
COMMIT = "a" * 40


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return folder


@contextmanager
def untouched(folder: Path) -> Iterator[None]:
    """Whatever is below the folder is the same afterwards: names, bytes, inodes."""

    def look() -> dict[str, tuple[int, bytes]]:
        found = [place for place in folder.rglob("*") if place.is_file()]
        return {str(place): (place.lstat().st_ino, place.read_bytes()) for place in found}

    before = look()
    yield
    assert look() == before


async def bring(shelf: "Shelf", path: Path, repo: str = "") -> list[Imported]:
    async with aclosing(shelf.imports.run(path, repo)) as models:
        return [model async for model in models]


def hub_cache(root: Path, repo: str, files: Mapping[str, bytes], commit: str = COMMIT) -> RepoCache:
    """As huggingface_hub leaves it: large files by their SHA-256, small ones by git's id."""
    cache = RepoCache(root, repo)
    arrivals = []
    for name, data in files.items():
        part = write(root.parent / "made", {name.replace("/", "_"): data}) / name.replace("/", "_")
        small = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        blob = small if name.endswith(".json") else sha256(data)
        arrivals.append(Arrival(name, len(data), blob, sha256(data), part))
    land(cache, commit, arrivals, ["main"], root.parent / "work")
    return cache


async def test_a_file_is_linked_and_stays(shelf: "Shelf", tmp_path: Path) -> None:
    folder = write(tmp_path / "mine", {"Tiny-Q4_K_M.gguf": TINY})
    with untouched(folder):
        (done,) = await bring(shelf, folder / "Tiny-Q4_K_M.gguf")
    assert (done.repo, done.status, done.error) == ("local/Tiny-Q4_K_M", "done", "")
    (file,) = done.files
    assert (file.name, file.sha256, file.size, file.how) == ("Tiny-Q4_K_M.gguf", sha256(TINY), len(TINY), "hard link")
    model = await shelf.library.get("local/Tiny-Q4_K_M")
    assert (model.complete, model.verdict, model.source, model.refs) == (True, "pass", "import", ("main",))
    assert model.files[0].blob.samefile(folder / "Tiny-Q4_K_M.gguf")
    assert not [place for place in shelf.config.paths.parts.rglob("*") if place.is_file()]
    # Once more nothing is linked or copied, and the commit is the same.
    (again,) = await bring(shelf, folder / "Tiny-Q4_K_M.gguf")
    assert (again.commit, again.files[0].how) == (done.commit, "there")
    assert (folder / "Tiny-Q4_K_M.gguf").stat().st_nlink == 2


async def test_what_cannot_be_linked_is_copied(shelf: "Shelf", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    folder = write(tmp_path / "mine", {"tiny.gguf": TINY})
    monkeypatch.setattr(os, "link", refuses)  # another file system, as far as the kernel says
    with untouched(folder):
        (done,) = await bring(shelf, folder / "tiny.gguf", "me/tiny")
    assert done.files[0].how in ("copy", "reflink")
    model = await shelf.library.get("me/tiny")
    assert model.files[0].blob.read_bytes() == TINY
    (again,) = await bring(shelf, folder / "tiny.gguf", "me/tiny")
    assert again.files[0].how == "there"


async def test_all_parts_of_a_model_come_together(shelf: "Shelf", tmp_path: Path) -> None:
    names = [f"big-{number:05}-of-00003.gguf" for number in (1, 2, 3)]
    folder = write(tmp_path / "mine", {name: gguf(name) for name in names} | {"other.gguf": TINY})
    (done,) = await bring(shelf, folder / names[1])
    assert (done.repo, [file.name for file in done.files]) == ("local/big", names)
    (folder / names[2]).unlink()
    with pytest.raises(FormatError, match="3 parts, of which 2"):
        await bring(shelf, folder / names[0])


async def test_a_hub_cache_keeps_its_commits(shelf: "Shelf", tmp_path: Path) -> None:
    root = tmp_path / "other" / "hub"
    files = {"tiny-Q8_0.gguf": TINY, "config.json": CONFIG}
    cache = hub_cache(root, "org/tiny-GGUF", files)
    hub_cache(root, "org/second", {"second.gguf": gguf("second")})
    with untouched(root):
        (done,) = await bring(shelf, cache.snapshot(COMMIT))
    assert (done.repo, done.commit, done.kind, done.skipped) == ("org/tiny-GGUF", COMMIT, "Hub cache", ("config.json",))
    assert (await shelf.library.get("org/tiny-GGUF")).refs == ("main",)
    for path in (cache.folder, cache.snapshot(COMMIT) / "tiny-Q8_0.gguf"):
        (again,) = await bring(shelf, path)
        assert (again.commit, again.files[0].how) == (COMMIT, "there")
    assert [model.repo for model in await bring(shelf, root)] == ["org/second", "org/tiny-GGUF"]


async def test_small_files_of_a_hub_cache_are_checked_by_gits_id(shelf: "Shelf", tmp_path: Path) -> None:
    root = tmp_path / "other" / "hub"
    weights = tensors({"a": ("F32", (2, 2))})
    cache = hub_cache(root, "org/st", {"model.safetensors": weights, "config.json": CONFIG})
    (done,) = await bring(shelf, cache.folder)
    assert sorted(file.name for file in done.files) == ["config.json", "model.safetensors"]
    (cache.snapshot(COMMIT) / "config.json").resolve().write_bytes(b'{"model_type": "other"}')
    (bad,) = await bring(shelf, cache.folder)
    assert (bad.status, bad.exit_code) == ("failed", 4)
    assert "other bytes" in bad.error


async def test_damage_in_a_cache_is_found(shelf: "Shelf", tmp_path: Path) -> None:
    root = tmp_path / "other" / "hub"
    cache = hub_cache(root, "org/tiny", {"tiny.gguf": TINY})
    (cache.snapshot(COMMIT) / "tiny.gguf").resolve().write_bytes(TINY[:-1] + b"\x01")
    with untouched(root):
        (bad,) = await bring(shelf, root)
    assert (bad.status, bad.exit_code) == ("failed", 4)
    assert bad.remedy
    assert await shelf.library.find("org/tiny") is None
    assert not list(shelf.config.paths.cache.glob("models--*"))


async def test_links_that_lead_out_of_a_cache_are_not_followed(shelf: "Shelf", tmp_path: Path) -> None:
    root = tmp_path / "other" / "hub"
    cache = hub_cache(root, "org/tiny", {"tiny.gguf": TINY})
    secret = write(tmp_path, {"secret.gguf": gguf("secret")}) / "secret.gguf"
    (cache.snapshot(COMMIT) / "leak.gguf").symlink_to(secret)
    (done,) = await bring(shelf, root)
    assert ([file.name for file in done.files], done.missing) == (["tiny.gguf"], ("leak.gguf",))
    folder = write(tmp_path / "flat", {"tiny.gguf": TINY})
    (folder / "leak.gguf").symlink_to(secret)
    (done,) = await bring(shelf, folder)
    assert [file.name for file in done.files] == ["tiny.gguf"]


async def test_lm_studios_folder(shelf: "Shelf", tmp_path: Path) -> None:
    models = tmp_path / ".lmstudio" / "models"
    write(models, {"org/tiny-GGUF/tiny-Q4_K_M.gguf": TINY, "org/tiny-GGUF/mmproj-tiny.gguf": gguf("eyes")})
    write(models, {"me/other/other.gguf": gguf("other"), "loose.gguf": gguf("loose")})
    with untouched(models):
        found = {model.repo: [file.name for file in model.files] for model in await bring(shelf, models)}
    whole = ["mmproj-tiny.gguf", "tiny-Q4_K_M.gguf"]
    assert found == {"org/tiny-GGUF": whole, "me/other": ["other.gguf"], "local/loose": ["loose.gguf"]}
    (one,) = await bring(shelf, models / "org" / "tiny-GGUF")
    assert (one.repo, [file.name for file in one.files]) == ("org/tiny-GGUF", whole)
    (single,) = await bring(shelf, models / "me/other/other.gguf")
    assert single.repo == "me/other"


async def test_a_folder_of_files_is_one_model_or_several(shelf: "Shelf", tmp_path: Path) -> None:
    one = write(
        tmp_path / "tiny", {"tiny-Q4_K_M.gguf": TINY, "tiny-Q8_0.gguf": gguf("8"), "mmproj-tiny.gguf": gguf("e")}
    )
    (done,) = await bring(shelf, one)
    assert (done.repo, len(done.files)) == ("local/tiny", 3)
    several = write(
        tmp_path / "Downloads", {"tiny-Q4_K_M.gguf": TINY, "other-Q4_K_M.gguf": gguf("other"), "x.pdf": b"%"}
    )
    repos = [model.repo for model in await bring(shelf, several)]
    assert repos == ["local/other-Q4_K_M", "local/tiny-Q4_K_M"]
    weights = tensors({"a": ("F32", (2, 2))})
    whole = write(
        tmp_path / "st", {"config.json": CONFIG, "model.safetensors": weights, "x/y/z.onnx": b"", "a.py": b""}
    )
    (done,) = await bring(shelf, whole, "me/st")
    assert (done.repo, [file.name for file in done.files]) == ("me/st", ["config.json", "model.safetensors"])
    assert done.skipped == ("a.py", "x/y/z.onnx")


async def test_llama_cpps_cache_says_where_its_files_are_from(shelf: "Shelf", tmp_path: Path) -> None:
    cache = tmp_path / "llama.cpp"
    url = "https://huggingface.co/org/old/resolve/main/sub/old-Q8_0.gguf"
    manifest = {"ggufFile": {"rfilename": "new-Q4_0.gguf", "lfs": {"sha256": sha256(gguf("new"))}}}
    write(
        cache,
        {
            "org_old_sub_old-Q8_0.gguf": TINY,
            "org_old_sub_old-Q8_0.gguf.json": json.dumps({"url": url, "etag": "x"}).encode(),
            "lab_new_new-Q4_0.gguf": gguf("new"),
            "manifest=lab=new=latest.json": json.dumps(manifest).encode(),
            "unknown.gguf": gguf("unknown"),
            "broken.gguf.json": b"{",
        },
    )
    with untouched(cache):
        done = {model.repo: [file.name for file in model.files] for model in await bring(shelf, cache)}
    assert done == {"org/old": ["sub/old-Q8_0.gguf"], "lab/new": ["new-Q4_0.gguf"], "local/unknown": ["unknown.gguf"]}
    (cache / "lab_new_new-Q4_0.gguf").write_bytes(gguf("damaged"))
    assert {model.repo: model.status for model in await bring(shelf, cache)}["lab/new"] == "failed"


async def test_notes_cannot_lead_elsewhere(shelf: "Shelf", tmp_path: Path) -> None:
    for number, url in enumerate(
        ("https://h/../../x/resolve/main/a.gguf", "https://h/o/n/resolve/main/../../../evil.gguf", "https://[", 5, None)
    ):
        cache = write(tmp_path / str(number), {"a.gguf": TINY, "a.gguf.json": json.dumps({"url": url}).encode()})
        (done,) = await bring(shelf, cache)
        assert (done.repo, [file.name for file in done.files]) == ("local/a", ["a.gguf"])


async def test_what_is_unsafe_stays_out_and_stays_there(shelf: "Shelf", tmp_path: Path) -> None:
    folder = write(tmp_path / "bad", suspicious())
    with untouched(folder):
        (bad,) = await bring(shelf, folder)
    assert (bad.status, bad.exit_code) == ("blocked", 4)
    assert bad.findings
    assert not list(shelf.config.paths.cache.glob("models--*"))
    assert not await shelf.vetting.quarantine.items()
    (broken,) = await bring(shelf, write(tmp_path / "no", {"x.gguf": b"GGUF no"}))
    assert (broken.status, bool(broken.remedy)) == ("blocked", True)


async def test_what_is_no_model_is_one_sentence(shelf: "Shelf", tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    text = write(tmp_path / "text", {"notes.txt": b"hello"})
    for path, kind in ((tmp_path / "none", NotFound), (tmp_path / "empty", UsageError), (text, UsageError)):
        with pytest.raises(kind) as caught:
            await bring(shelf, path)
        assert getattr(caught.value, "remedy", "")
    with pytest.raises(UsageError):
        await bring(shelf, text / "notes.txt")
    two = write(tmp_path / "lm", {"a/b/x.gguf": TINY, "c/d/y.gguf": gguf("y")})
    with pytest.raises(UsageError, match="one name is not enough"):
        await bring(shelf, two, "me/model")
    with pytest.raises(UsageError, match="no name of a model"):
        await bring(shelf, two / "a", "../x")


async def test_only_who_owns_the_machine_imports(shelf: "Shelf", tmp_path: Path) -> None:
    folder = write(tmp_path / "mine", {"tiny.gguf": TINY})
    with acting_as(Principal("mia", Role.OPERATOR)), pytest.raises(RoleRequired):
        await bring(shelf, folder)


async def test_an_older_import_does_not_push_a_branch_back(shelf: "Shelf", tmp_path: Path) -> None:
    first = write(tmp_path / "one", {"tiny.gguf": TINY})
    second = write(tmp_path / "two", {"tiny.gguf": gguf("older")})
    (newer,) = await bring(shelf, first, "me/tiny")
    (older,) = await bring(shelf, second, "me/tiny")
    assert newer.commit != older.commit
    assert (shelf.config.paths.cache / "models--me--tiny/refs/main").read_text() == newer.commit
