"""Headers elsewhere: few ranges, never more than 16 MiB, and the same facts as from the file itself."""

import asyncio
from pathlib import Path

import pytest

from modelshelf.errors import FileNotInRepository, FormatError, Unreachable
from modelshelf.metadata import gguf_facts, local, remote
from modelshelf.metadata.remote import Piece, RemoteFile
from modelshelf.shelf import Shelf
from tests.core.vetting import ggufs, safe
from tests.shapes import SHAPES, write


class Server:
    """Answers ranges of a file, and notes them."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.asked: list[tuple[int, int]] = []
        self.etag = '"a"'

    async def fetch(self, start: int, length: int) -> Piece:
        self.asked.append((start, length))
        with self.file.open("rb") as handle:
            handle.seek(start)
            data = handle.read(length)
        return Piece(data, self.file.stat().st_size, self.etag, len(data))

    def open(self) -> RemoteFile:
        return RemoteFile(self.file.name, self.file.stat().st_size, self.fetch)


@pytest.mark.parametrize("name", ["gemma3_4b", "llama31_8b", "phi3_mini"])
async def test_two_ranges_give_what_the_whole_file_gives(name: str, tmp_path: Path) -> None:
    server = Server(write(SHAPES[name], tmp_path / "x.gguf"))
    header = await remote.gguf_header(server.open(), exact=True)
    assert gguf_facts.facts([header]) == local.read(server.file)
    assert len(server.asked) <= 2
    assert sum(length for _, length in server.asked) <= 1.15 * header.reached + 65_536


async def test_many_merges_take_one_range_more(tmp_path: Path) -> None:
    server = Server(write(SHAPES["llama31_8b"], tmp_path / "x.gguf", merges=280_000))
    header = await remote.gguf_header(server.open(), exact=True)
    assert header.complete
    assert len(server.asked) <= 3
    assert sum(length for _, length in server.asked) <= remote.MOST


async def test_however_many_merges_a_first_look_takes_one_range(tmp_path: Path) -> None:
    server = Server(await asyncio.to_thread(write, SHAPES["gemma3_4b"], tmp_path / "x.gguf", merges=500_000))
    header = await remote.gguf_header(server.open(), exact=False)
    assert gguf_facts.facts([header]).vocabulary == SHAPES["gemma3_4b"].vocabulary
    assert server.asked == [(0, 65_536)]
    # The whole header has 20 MB: no more of it is fetched than allowed, and what was tells the same.
    assert not (await remote.gguf_header(server.open(), exact=True)).complete
    assert sum(length for _, length in server.asked[1:]) == remote.MOST


@pytest.mark.parametrize("name", ["gemma3_4b", "qwen3moe_30b"])
async def test_the_first_range_gives_the_weights_closely(name: str, tmp_path: Path) -> None:
    server = Server(write(SHAPES[name], tmp_path / "x.gguf"))
    near = gguf_facts.facts([await remote.gguf_header(server.open(), exact=False)])
    exact = local.read(server.file)
    assert server.asked == [(0, 65_536)]
    assert (near.tier, near.layers, near.heads_kv) == (1, exact.layers, exact.heads_kv)
    assert exact.weights is not None
    assert near.weights == pytest.approx(exact.weights, rel=0.005)


async def test_keys_behind_the_tokenizer_are_fetched_even_for_a_first_look(tmp_path: Path) -> None:
    words = [f"word{index}" for index in range(20_000)]
    tokens = [("tokenizer.ggml.tokens", ggufs.ARRAY, (ggufs.STRING, words))]
    rest = [item for item in ggufs.KEYS if not item[0].startswith("tokenizer")]
    (tmp_path / "x.gguf").write_bytes(ggufs.build([*tokens, *rest]))
    header = await remote.gguf_header(Server(tmp_path / "x.gguf").open(), exact=False)
    assert header.metadata["llama.block_count"] == 2


async def test_a_header_beyond_16_mib_is_never_fetched_whole(tmp_path: Path) -> None:
    words = ["w" * 900 for _ in range(20_000)]
    (tmp_path / "x.gguf").write_bytes(ggufs.with_key(("a.b", ggufs.ARRAY, (ggufs.STRING, words))))
    server = Server(tmp_path / "x.gguf")
    header = await remote.gguf_header(server.open(), exact=True)
    assert not header.complete
    assert sum(length for _, length in server.asked) == remote.MOST


async def test_a_file_that_changes_in_between_is_refused(tmp_path: Path) -> None:
    server = Server(write(SHAPES["phi3_mini"], tmp_path / "x.gguf"))
    file = server.open()
    await file.grow(100)
    server.etag = '"b"'
    with pytest.raises(Unreachable, match="changed"):
        await file.grow(1000)


async def test_a_file_of_another_size_or_without_bytes_is_refused(tmp_path: Path) -> None:
    server = Server(tmp_path / "x")
    server.file.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(Unreachable, match="not the file that was listed"):
        await RemoteFile("x", 500, server.fetch).grow(100)
    server.file.write_bytes(b"")
    with pytest.raises(Unreachable):
        await RemoteFile("x", 500, server.fetch).grow(100)


async def test_safetensors_take_one_range_when_the_header_is_small(tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    file.write_bytes(safe.build(safe.GOOD, 32))
    server = Server(file)
    assert len((await remote.safetensors_header(server.open())).tensors) == 2
    assert len(server.asked) == 1
    file.write_bytes((20_000_000).to_bytes(8, "little") + b"{" + b" " * 20_000_100)
    with pytest.raises(FormatError, match="the header's length is 20,000,000"):
        await remote.safetensors_header(Server(file).open())


async def test_facts_by_name_come_from_the_source_once(shelf: Shelf) -> None:
    facts = await shelf.metadata.facts("samples/tiny-llama-GGUF")
    assert (facts.format, facts.architecture, facts.tier) == ("gguf", "llama", 2)
    assert facts.weights
    assert await shelf.metadata.facts("samples/tiny-llama-GGUF") is facts
    assert await shelf.metadata.facts("samples/tiny-llama-GGUF", exact=False) is facts
    twin = await shelf.metadata.facts("samples/tiny-llama")
    assert twin.format == "safetensors"
    assert (twin.layers, twin.embedding, twin.heads) == (facts.layers, facts.embedding, facts.heads)


async def test_a_file_that_is_not_there_or_holds_code_is_said_so(shelf: Shelf) -> None:
    with pytest.raises(FileNotInRepository, match=r"none\.gguf"):
        await shelf.metadata.facts("samples/tiny-llama-GGUF", "none.gguf")
    with pytest.raises(FormatError, match="neither GGUF nor safetensors"):
        await shelf.metadata.facts("samples/tiny-llama-GGUF", "README.md")
