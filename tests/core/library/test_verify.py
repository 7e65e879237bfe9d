import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from modelshelf.errors import NotFound
from modelshelf.events import EventBus, LibraryChanged
from modelshelf.library import ModelLibrary
from tests.core.library.conftest import NEW, OLD, install


async def test_good_files_are_good(library: ModelLibrary, cache: Path) -> None:
    install(cache, "org/m", {"m-Q8_0.gguf": b"x" * 10, "README.md": b"old!"}, OLD, ref="v1")
    install(cache, "org/m", {"m-Q8_0.gguf": b"x" * 10, "README.md": b"new"}, NEW)
    install(cache, "org/n", {"n.gguf": b"y" * 5_000_000, "big.json": b" " * 5_000_000})
    results = [result async for result in library.verify()]
    assert [result.status for result in results] == ["ok"] * 6
    assert {result.repo for result in results} == {"org/m", "org/n"}
    assert results[0].as_dict()["expected"]
    assert len([result async for result in library.verify(f"org/m@{OLD}")]) == 2
    assert [result.path async for result in library.verify("m")] == ["m-Q8_0.gguf"]
    with pytest.raises(NotFound):
        [_ async for _ in library.verify("org/none")]


@pytest.mark.parametrize("path", ["m.gguf", "README.md"])
async def test_a_changed_byte_is_found_and_marked(
    library: ModelLibrary, cache: Path, events: EventBus, path: str
) -> None:
    snapshot = install(cache, "org/m", {"m.gguf": b"x" * 10, "README.md": b"hello"})
    good = (snapshot / path).read_bytes()
    (snapshot / path).resolve().write_bytes(good[:-1] + b"!")
    with events.subscribe() as changes:
        bad = {result.path: result async for result in library.verify("org/m")}
        assert await anext(changes) == LibraryChanged(repo="org/m")
    assert [name for name, result in bad.items() if result.status == "mismatch"] == [path]
    assert bad[path].expected != bad[path].sha256
    assert (await library.get("org/m")).damaged == (path,)
    assert not (await library.get("org/m")).managed
    (snapshot / path).resolve().write_bytes(good)
    assert {result.status async for result in library.verify("org/m")} == {"ok"}
    assert (await library.get("org/m")).damaged == ()


async def test_a_file_without_published_checksum_is_recorded_and_held_to_it(library: ModelLibrary, cache: Path) -> None:
    snapshot = install(cache, "org/m", {"m.gguf": b"x"})
    (snapshot / "copied.gguf").write_bytes(b"copied")
    statuses = {result.path: result.status async for result in library.verify("org/m")}
    assert statuses == {"copied.gguf": "recorded", "m.gguf": "ok"}
    (snapshot / "copied.gguf").write_bytes(b"other")
    statuses = {result.path: result.status async for result in library.verify("org/m")}
    assert statuses == {"copied.gguf": "mismatch", "m.gguf": "ok"}


async def test_who_stops_listening_stops_the_reading(library: ModelLibrary, cache: Path) -> None:
    await asyncio.to_thread(install, cache, "org/m", {f"m{n}.gguf": bytes([n]) * 3_000_000 for n in range(8)})
    async with aclosing(library.verify()) as results:
        assert (await anext(results)).status == "ok"
