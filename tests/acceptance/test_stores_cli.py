"""Other programs' stores from the command line: looked at, adopted, given back and taken back."""

import json
from pathlib import Path

import pytest

from tests.acceptance.terminal import Terminal
from tests.core.adoption.stores import OTHER, TINY, ollama, write


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    made = Terminal(tmp_path)
    ollama(tmp_path / "ollama")
    write(tmp_path / ".lmstudio/models/org/tiny/tiny.gguf", TINY)
    write(tmp_path / ".lmstudio/models/org/other/other.gguf", OTHER)
    return made


def test_a_machine_full_of_models_is_put_in_order(terminal: Terminal, tmp_path: Path) -> None:
    found = json.loads(terminal.run("stores", "list", "--json").stdout)
    assert [(store["label"], store["models"]) for store in found] == [("Ollama", 1), ("LM Studio", 2)]
    assert "not compared yet" in terminal.run("stores", "models").stdout
    (twice,) = json.loads(terminal.run("stores", "duplicates", "--compare", "--json").stdout)
    assert twice["freed"] == len(TINY)
    models = json.loads(terminal.run("stores", "models", "--json").stdout)
    assert {one["id"]: one["same_as"] for one in models}["ollama:tiny:1b"] == ["LM Studio"]

    adopted = terminal.run("stores", "adopt", "ollama:tiny:1b", "lmstudio:org/other")
    assert adopted.returncode == 0
    assert "library/tiny is in the library: 1 files" in adopted.stdout
    assert "(hard link)" in adopted.stdout
    (twice,) = json.loads(terminal.run("stores", "duplicates", "--json").stdout)
    assert (twice["keep"]["library"], twice["give"]["holders"]) == (True, ["LM Studio"])
    given = terminal.run("stores", "give-back", twice["id"])
    assert (given.returncode, "are free again" in given.stdout) == (0, True)
    place = tmp_path / ".lmstudio/models/org/tiny/tiny.gguf"
    assert place.stat().st_nlink == 3  # LM Studio's, Ollama's and the library's
    assert json.loads(terminal.run("stores", "shared", "--json").stdout) == [{"place": str(place), "size": len(TINY)}]
    assert terminal.run("stores", "separate", place).returncode == 0
    assert place.stat().st_nlink == 1


def test_what_is_not_there_is_told_with_what_to_do(terminal: Terminal) -> None:
    said = terminal.run("stores", "adopt", "nothing")
    assert (said.returncode, "modelshelf stores models" in said.stderr) == (5, True)
    assert terminal.run("stores", "give-back", "nothing").returncode == 5
    write(terminal.folder / "mine/org/more/more.gguf", OTHER)
    assert terminal.run("stores", "add", "mine").returncode == 0
    assert "folder:org/more" in terminal.run("stores", "models").stdout
    assert terminal.run("stores", "drop", "mine").returncode == 0
    plan = json.loads(terminal.run("stores", "plan", "tiny:1b", "--json").stdout)
    assert plan == {"model": "ollama:tiny:1b", "way": "hard link", "cost": 0, "copy": len(TINY)}
