"""What goes wrong at the command line: each has a sentence, a remedy and its own exit code, also as JSON."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.acceptance.terminal import Terminal, one_sentence


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk without a free byte, where the system lets us mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("may not mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


def fill(disk: Path) -> None:
    with suppress(OSError), (disk / "fill").open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    assert shutil.disk_usage(disk).free == 0


@pytest.mark.parametrize("used", [False, True], ids=["new home", "used home"])
def test_a_full_disk_below_the_home_leaves_with_7(terminal: Terminal, full_disk: Path, used: bool) -> None:
    home = full_disk / "home"
    if used:
        assert terminal.run("list", MODELSHELF_HOME=str(home)).returncode == 0
    fill(full_disk)
    for command in (
        ["list"],
        ["status"],
        ["download", "samples/tiny-llama-GGUF"],
        ["config", "set", "ui.theme", "dark"],
    ):
        done = terminal.run(*command, MODELSHELF_HOME=str(home))
        assert done.returncode == 7, done.stderr
        assert "Free some space on its disk" in one_sentence(done)
    done = terminal.run("list", "--json", MODELSHELF_HOME=str(home))
    assert done.returncode == 7
    assert json.loads(done.stdout)["remedy"].startswith("Free some space")
    assert terminal.run("serve", "--no-browser", "--port", "0", MODELSHELF_HOME=str(home)).returncode == 7


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["list", "--nope"], "No such option: --nope."),
        (["fit"], "Missing argument 'MODEL_OR_FILE'."),
        (["fit", "x", "--ctx", "many"], "Invalid value for '--ctx'"),
        (["frobnicate"], "No such command 'frobnicate'."),
        (["download"], "Missing argument 'repo'."),
    ],
)
def test_a_wrong_call_is_a_document_too(terminal: Terminal, arguments: list[str], error: str) -> None:
    done = terminal.run(*arguments, "--json")
    assert done.returncode == 2
    document = json.loads(done.stdout)
    assert document["code"] == "UsageError"
    assert document["error"].startswith(error)
    assert "--help` lists what is allowed." in document["remedy"]
    assert error in one_sentence(done)


LONG = "a-name-that-is-as-long-as-publishers-make-them-with-every-kind-of-tuning-in-it-Instruct-GGUF"


@pytest.fixture
def long_name(terminal: Terminal) -> str:
    snapshot = terminal.folder / "hf/hub" / f"models--org--{LONG}" / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "model.Q8_0.gguf").write_bytes(bytes(1000))
    return f"org/{LONG}"


def test_a_pipe_has_no_edge_at_which_names_are_folded(terminal: Terminal, long_name: str) -> None:
    for columns in ("40", "80"):
        assert long_name in terminal.run("list", COLUMNS=columns).stdout
    del terminal.environment["COLUMNS"]
    assert long_name in terminal.run("list").stdout


def test_a_terminal_folds_names_only_where_it_ends(terminal: Terminal, long_name: str) -> None:
    assert long_name in terminal.at_a_terminal("list", columns=200)
    narrow = terminal.at_a_terminal("list", columns=60)
    assert long_name not in narrow
    assert max(len(line) for line in narrow.splitlines()[1:]) <= 60


def test_a_wrong_call_without_json_and_a_json_that_is_only_text_are_told_as_text(terminal: Terminal) -> None:
    for arguments in (["list", "--nope"], ["chat", "--nope", "--", "builtin/x", "--json"]):
        done = terminal.run(*arguments)
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.startswith("Usage: ")
