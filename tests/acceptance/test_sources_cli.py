"""sources, download from addresses, and import, as a person types them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from modelshelf.samples.certificates import certificates
from tests.acceptance.terminal import Terminal, one_sentence
from tests.core.catalog.conftest import Serve, serve
from tests.core.sources.simulators import Host, Registry, gguf, sha256

__all__ = ["serve"]

TINY = gguf()


@pytest.fixture
def terminal(tmp_path: Path, samples_folder: Path) -> Terminal:
    terminal = Terminal(tmp_path)
    terminal.environment["MODELSHELF_NETWORK__CA_FILE"] = str(certificates(samples_folder / "tls").ca)
    return terminal


async def told(terminal: Terminal, *arguments: str | Path, code: int = 0) -> list[Any]:
    return await asyncio.to_thread(terminal.json, *arguments, code=code)


async def test_a_registry_is_added_fetched_from_and_removed(terminal: Terminal, serve: Serve) -> None:
    registry = Registry()
    registry.push("library/tiny:1b", ("model", TINY), ("template", b"{{ .Prompt }}"))
    async with serve(registry) as url:
        add = ("sources", "add", "lab", "--kind", "ollama", "--url", url)
        assert await told(terminal, *add) == [{"id": "lab", "done": "added"}]
        ((*_, last),) = [await told(terminal, "download", "ollama://tiny:1b", "*")]
        assert (last["event"], last["model"]) == ("done", "lab:library/tiny")
        sums = {file["name"]: file["sha256"] for file in last["files"]}
        assert sums["tiny-1.2B-Q8_0.gguf"] == sha256(TINY)
        assert "template.txt" in sums
        # In a new process, and under its name: all of it is there.
        assert (await told(terminal, "download", "lab:library/tiny@1b"))[-1]["event"] == "done"
    token = await asyncio.to_thread(terminal.run, "sources", "token", "lab", "--token-stdin", stdin="a-secret\n")
    assert (token.returncode, "a-secret" in token.stdout + token.stderr) == (0, False)
    (listed,) = await told(terminal, "sources")
    assert {entry["name"]: entry["token"] for entry in listed}["lab"] == "saved"
    shown = await asyncio.to_thread(terminal.run, "sources")
    assert "by name only" in shown.stdout
    await told(terminal, "sources", "disable", "lab")
    await told(terminal, "sources", "remove", "lab")
    await told(terminal, "sources", "remove", "lab", code=5)


async def test_a_file_by_its_address(terminal: Terminal, serve: Serve) -> None:
    host = Host()
    host.files["/m/tiny-Q4_0.gguf"] = TINY
    async with serve(host) as url:
        address = f"{url}/m/tiny-Q4_0.gguf"
        refused = await asyncio.to_thread(terminal.run, "download", address)
        assert refused.returncode == 2
        assert "--sha256" in one_sentence(refused)
        (failed,) = await told(terminal, "download", address, "--sha256-beside", code=5)
        assert failed["event"] == "failed"
        last = (await told(terminal, "download", address, "--sha256", sha256(TINY)))[-1]
    assert (last["event"], last["files"][0]["sha256"]) == ("done", sha256(TINY))
    assert Path(last["path"], "tiny-Q4_0.gguf").read_bytes() == TINY


async def test_models_of_this_machine_are_imported(terminal: Terminal, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "tiny-Q4_0.gguf").write_bytes(TINY)
    (done,) = await told(terminal, "import", folder / "tiny-Q4_0.gguf", "--as", "me/tiny")
    assert (done["model"], done["status"], done["files"][0]["how"]) == ("me/tiny", "done", "hard link")
    said = await asyncio.to_thread(terminal.run, "import", str(folder / "tiny-Q4_0.gguf"), "--as", "me/tiny")
    assert "me/tiny is in the library" in said.stdout
    (folder / "bad.gguf").write_bytes(b"GGUF no")
    (bad, missing) = await told(terminal, "import", folder / "bad.gguf", folder / "none.gguf", code=5)
    assert (bad["status"], missing["code"]) == ("blocked", "NotFound")
    assert (folder / "tiny-Q4_0.gguf").read_bytes() == TINY
    (listed,) = await told(terminal, "list")
    assert [model["repo"] for model in listed] == ["me/tiny"]
