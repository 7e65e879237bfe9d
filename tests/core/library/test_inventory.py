import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from modelshelf.config import ConfigManager
from modelshelf.events import EventBus, LibraryChanged
from modelshelf.library import ModelLibrary
from modelshelf.library.cache import FILE_LIMIT
from modelshelf.library.inventory import Inventory
from modelshelf.samples import CHAT_REPO, SampleHub
from modelshelf.store import Store
from modelshelf.store.tables import FileRow, VerdictRow
from modelshelf.vetting import rules
from tests.core.library.conftest import NEW, OLD, install, link

DOWNLOAD = "import sys, huggingface_hub; print(huggingface_hub.snapshot_download(sys.argv[1]))"


async def test_what_huggingface_hub_put_there_is_found(
    library: ModelLibrary, cache: Path, hub: SampleHub, config: ConfigManager
) -> None:
    environ = {"HF_ENDPOINT": hub.url, "SSL_CERT_FILE": str(hub.ca_file), "HF_HUB_CACHE": str(cache)}
    environ |= {"HF_HUB_DISABLE_XET": "1", "HOME": str(cache.parent), "PATH": os.environ["PATH"]}
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", DOWNLOAD, CHAT_REPO], env=environ, check=True)
    (model,) = await library.models()
    assert (model.repo, model.format, model.quantisation, model.refs) == (CHAT_REPO, "gguf", "Q8_0", ("main",))
    assert (model.complete, model.managed, model.verdict) == (True, False, None)
    weights = next(file for file in model.files if file.path.endswith(".gguf"))
    assert weights.sha256 == weights.blob.name
    assert [item.name for item in await library.served()] == ["tiny-llama"]
    assert {result.status async for result in library.verify(CHAT_REPO)} == {"ok"}


async def test_commits_files_and_references(library: ModelLibrary, cache: Path) -> None:
    install(cache, "org/m-GGUF", {"m-Q4_K_M.gguf": b"x" * 10, "README.md": b"old"}, OLD, ref="v1")
    install(cache, "org/m-GGUF", {"m-Q4_K_M.gguf": b"x" * 10, "sub/m-Q8_0.gguf": b"y" * 20}, NEW)
    newest, oldest = await library.models()
    assert (newest.commit, newest.refs, newest.quantisation, newest.size) == (NEW, ("main",), "Q4_K_M, Q8_0", 30)
    assert (oldest.commit, oldest.refs, oldest.size) == (OLD, ("v1",), 13)
    assert [file.path for file in newest.files] == ["m-Q4_K_M.gguf", "sub/m-Q8_0.gguf"]


@pytest.mark.parametrize(
    ("files", "complete"),
    [
        ({"m.gguf": b"x"}, True),
        ({"m-00001-of-00002.gguf": b"x"}, False),
        ({"m-00001-of-00002.gguf": b"x", "m-00002-of-00002.gguf": b"y"}, True),
        ({"config.json": b"{}", "tokenizer.json": b"{}"}, False),
        ({"model.safetensors": b"x"}, False),
        ({"model.safetensors": b"x", "config.json": b"{}"}, True),
        ({"mmproj-model-f16.gguf": b"x"}, False),
        ({"pytorch_model.bin": b"x", "config.json": b"[" * 9}, True),
        ({}, False),
    ],
)
async def test_whether_everything_is_there(
    library: ModelLibrary, cache: Path, files: dict[str, bytes], complete: bool
) -> None:
    install(cache, "org/m", {"README.md": b"hi"} | files)
    assert [model.complete for model in await library.models()] == [complete]


async def test_an_index_names_what_must_be_there(library: ModelLibrary, cache: Path) -> None:
    index = json.dumps({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}).encode()
    files = {"model.safetensors.index.json": index, "config.json": b"{}", "one.safetensors": b"x"}
    install(cache, "org/m", files)
    assert not (await library.get("org/m")).complete
    install(cache, "org/n", files | {"two.safetensors": b"y"})
    assert (await library.get("org/n")).complete


async def test_hostile_content_is_passed_over(library: ModelLibrary, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.gguf").write_bytes(b"secret")
    snapshot = install(cache, "org/bad", {"good.gguf": b"x"})
    blobs = snapshot.parent.parent / "blobs"
    link(snapshot / "out.gguf", tmp_path / "secret.gguf")
    link(snapshot / "dangling.gguf", blobs / "missing")
    (snapshot / "absolute.gguf").symlink_to("/etc/passwd")
    link(snapshot / "folder.gguf", blobs)
    (blobs / "jump").symlink_to(tmp_path / "secret.gguf")
    link(snapshot / "jump.gguf", blobs / "jump")
    os.mkfifo(snapshot / "pipe.gguf")
    (snapshot / "loop").symlink_to(snapshot)
    Path(os.fsdecode(bytes(snapshot) + b"/\xff\xfe.gguf")).write_bytes(b"odd")
    (snapshot.parent.parent / "refs" / "odd").write_bytes(b"\xff" * 1000)
    (cache / "models--no-slash").mkdir()
    (cache / "models--").mkdir()
    (cache / "models--me--loop").symlink_to("models--me--loop")
    (blobs / "loop").symlink_to("loop")
    link(snapshot / "loop.gguf", blobs / "loop")
    (cache / "models--a--b").write_bytes(b"a file")
    Path(os.fsdecode(bytes(cache) + b"/models--x--\xff")).mkdir()
    install(cache, "org/fine", {"fine.gguf": b"y"})
    bad, fine = await library.models()
    assert [file.path for file in bad.files] == ["good.gguf"]
    assert not bad.complete
    assert (fine.repo, fine.complete) == ("org/fine", True)
    broken = [result.path async for result in library.verify("org/bad") if result.status == "missing"]
    assert len(broken) == 9


async def test_a_huge_folder_is_cut_off(library: ModelLibrary, cache: Path) -> None:
    snapshot = install(cache, "org/huge", {"m.gguf": b"x"})

    def fill() -> None:
        for number in range(FILE_LIMIT + 10):
            (snapshot / f"f{number}").touch()

    await asyncio.to_thread(fill)
    (model,) = await library.models()
    assert len(model.files) <= FILE_LIMIT + 1
    assert not model.complete


async def test_old_caches_hold_names_without_a_publisher(library: ModelLibrary, cache: Path) -> None:
    install(cache, "gpt2", {"gpt2.gguf": b"x"})
    model = await library.get("gpt2")
    assert (model.repo, model.served_name) == ("gpt2", "gpt2")


async def test_a_cache_that_does_not_exist_is_empty(library: ModelLibrary) -> None:
    assert await library.models() == ()
    assert len(await library.frame()) == 0


def test_only_what_changed_is_read_again(cache: Path) -> None:
    for number in range(300):
        install(cache, f"org/m{number}", {"m-Q8_0.gguf": b"%d" % number, "README.md": b"hi"})
    settled = time.time_ns() - 10**9
    for folder, _, files in os.walk(cache):
        for path in (Path(folder), *(Path(folder, name) for name in files)):
            os.utime(path, ns=(settled, settled), follow_symlinks=False)
    inventory = Inventory()
    first, changed = inventory.refresh(cache)
    assert len(first) == len(changed) == 300
    begun = time.perf_counter()
    again, changed = inventory.refresh(cache)
    assert time.perf_counter() - begun < 0.5
    assert not changed
    assert all(again[repo] is first[repo] for repo in first)
    install(cache, "org/m7", {"more.gguf": b"new"})
    install(cache, "org/extra", {"more.gguf": b"new"})
    assert inventory.refresh(cache)[1] == {"org/m7", "org/extra"}
    assert not inventory.refresh(cache)[1]


def test_what_comes_while_it_looks_is_seen_the_next_time(cache: Path) -> None:
    """Changes within one tick of the file system's clock leave no other time behind."""
    inventory = Inventory()
    for number in range(50):
        snapshot = install(cache, "org/m", {f"m{number}.gguf": b"%d" % number})
        times = snapshot.stat()
        inventory.refresh(cache)
        (snapshot / f"late{number}.gguf").write_bytes(b"late")
        os.utime(snapshot, ns=(times.st_atime_ns, times.st_mtime_ns))
        (known, changed) = inventory.refresh(cache)
        assert changed == {"org/m"}
        assert len(known["org/m"].read.snapshots[0].files) == 2 * (number + 1)


async def test_what_other_programs_do_is_noticed(library: ModelLibrary, cache: Path, events: EventBus) -> None:
    await library.models()
    assert not library.has("org/m")
    with events.subscribe() as changes:
        install(cache, "org/m", {"m.gguf": b"x"})
        assert await anext(changes) == LibraryChanged(repo="org/m")
        while not library.has("ORG/m"):
            await anext(changes)
        (cache / "models--org--m" / "refs" / "main").unlink()
        (cache / "models--org--m" / "snapshots" / NEW / "m.gguf").unlink()
        while (await anext(changes)) != LibraryChanged(repo="org/m") or await library.models():
            pass


async def test_records_tell_source_hash_and_verdict(library: ModelLibrary, cache: Path, store: Store) -> None:
    install(cache, "org/m", {"m.gguf": b"x", "README.md": b"hi"})
    row = FileRow(repo="org/m", commit=NEW, path="m.gguf", source="hf", sha256="a" * 64, size=1)
    await library.record([row])
    model = await library.get("org/m")
    assert (model.source, model.managed, model.verdict) == ("hf", True, None)
    assert model.files[1].sha256 == "a" * 64

    def judge(session: Session, verdict: str, key: str) -> None:
        session.merge(VerdictRow(sha256="a" * 64, rules=key, verdict=verdict, findings=[]))

    await store.write(judge, "pass", "other rules")
    assert (await library.get("org/m")).verdict is None
    await store.write(judge, "pass", rules.key("m.gguf"))
    assert (await library.get("org/m")).verdict == "pass"
    await store.write(judge, "block", rules.key("m.gguf"))
    assert (await library.get("org/m")).verdict == "block"
    assert await library.served() == ()


async def test_models_are_found_by_every_name(library: ModelLibrary, cache: Path) -> None:
    install(cache, "org/m-GGUF", {"m-Q4_K_M.gguf": b"x"}, OLD, ref="v1")
    install(cache, "org/m-GGUF", {"m-Q8_0.gguf": b"y"}, NEW)
    for name in ("m", "M", "org/m-GGUF", "ORG/M-gguf", f"org/m-GGUF@{NEW}", "org/m-GGUF@2222222", "org/m-GGUF@main"):
        found = await library.find(name)
        assert found is not None, name
        assert found.commit == NEW, name
    for name in ("m:Q4_K_M", "org/m-GGUF@v1", "hf:org/m-GGUF@1111111/m-Q4_K_M.gguf"):
        found = await library.find(name)
        assert found is not None, name
        assert found.commit == OLD, name
    for name in ("n", "org/n", "org/m-GGUF@333", f"org/m-GGUF@{NEW}/m-Q4_K_M.gguf", "no name", "../m"):
        assert await library.find(name) is None, name


async def test_served_names_never_collide(library: ModelLibrary, cache: Path) -> None:
    quants = {"sub/m-Q4_K_M.gguf": b"1", "m-Q8_0.gguf": b"2", "m-BF16-00001-of-00002.gguf": b"3"}
    quants |= {"m-BF16-00002-of-00002.gguf": b"4", "mmproj-m-f16.gguf": b"5", "half-00001-of-00002.gguf": b"6"}
    snapshot = install(cache, "org/m-GGUF", quants)
    for age, path in enumerate(sorted(quants)):
        os.utime(snapshot / path, (10**9 + age, 10**9 + age))
    install(cache, "other/m-GGUF", {"m-Q8_0.gguf": b"7"})
    install(cache, "third/m", {"weights.gguf": b"8"})
    names = {item.name: item for item in await library.served()}
    assert set(names) == {"m", "m:Q8_0", "m:Q4_K_M", "m:other-Q8_0", "m:third"}
    assert [file.path for file in names["m"].files] == ["m-BF16-00001-of-00002.gguf", "m-BF16-00002-of-00002.gguf"]
    assert names["m"].size == 2
    assert set(names) == {item.name for item in await library.served()}


async def test_the_table(library: ModelLibrary, cache: Path) -> None:
    install(cache, "org/m", {"m-Q8_0.gguf": b"x" * 5})
    frame = await library.frame()
    (row,) = frame[["id", "format", "quantisation", "size", "complete"]].to_dict("records")
    assert list(row.values()) == [f"org/m@{NEW}", "gguf", "Q8_0", 5, True]
