"""`modelshelf providers …` as a script runs it, against servers that speak the providers' protocols."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.terminal import Terminal
from tests.browser.simulated import simulated
from tests.engines.compatible import CompatibleSimulator
from tests.engines.ollama import OllamaSimulator

KEY = "sk-terminal-canary-77aa"


@pytest.fixture(scope="module")
def engines() -> Iterator[dict[str, Any]]:
    ollama = OllamaSimulator()
    ollama.add("tiny-llama")
    found = {"ollama": ollama, "lab": CompatibleSimulator(key=KEY)}
    with simulated(*found.values()):
        yield found


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


def test_from_kinds_to_an_answer(terminal: Terminal, engines: dict[str, Any]) -> None:
    [kinds] = terminal.json("providers", "kinds")
    known = {kind["kind"]: kind for kind in kinds}
    assert {"builtin", "ollama", "lmstudio", "llamacpp", "vllm", "openai-compatible", "openai", "anthropic"} <= {*known}
    assert known["groq"]["cloud"]
    assert known["groq"]["env"] == ["GROQ_API_KEY"]
    assert sum(kind["cloud"] for kind in kinds) > 80

    [added] = terminal.json("providers", "add", "ollama", "--url", engines["ollama"].url, "--id", "home")
    assert added["validation"]["outcome"] == "valid"
    [models] = terminal.json("providers", "models", "home")
    assert [model["id"] for model in models] == ["home/tiny-llama:latest"]
    terminal.json("providers", "load", "home/tiny-llama", "--ctx", "2048", "--keep")
    assert engines["ollama"].asked("/api/generate")[-1]["options"] == {"num_ctx": 2048}
    [models] = terminal.json("providers", "models", "home")
    assert models[0]["loaded"] is True
    [reply] = terminal.json("chat", "home/tiny-llama", "hello")
    assert reply["text"].startswith("word0")
    assert engines["ollama"].asked("/api/chat")[-1]["options"]["num_ctx"] == 2048
    terminal.json("providers", "unload", "home/tiny-llama")
    terminal.json("providers", "remove", "home")
    assert terminal.run("providers", "models", "home").returncode == 5


def test_a_key_comes_by_standard_input_and_is_seen_nowhere(terminal: Terminal, engines: dict[str, Any]) -> None:
    url = engines["lab"].url
    refused = terminal.run("providers", "add", "openai-compatible", "--url", url, "--id", "lab", "--json")
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["code"] == "NotValidated"
    done = terminal.run(
        "providers", "add", "openai-compatible", "--url", url, "--id", "lab", "--key-stdin", "--json", stdin=KEY + "\n"
    )
    assert done.returncode == 0, done.stderr
    said = [done.stdout + done.stderr]
    for command in (["providers"], ["providers", "keys", "lab"], ["providers", "test", "lab"], ["providers", "export"]):
        for extra in ([], ["--json"]):
            ran = terminal.run(*command, *extra)
            assert ran.returncode == 0, ran.stderr
            said.append(ran.stdout + ran.stderr)
    assert KEY not in "".join(said)
    for file in terminal.folder.rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes()
    [keys] = terminal.json("providers", "keys", "lab")
    assert [(key["last4"], key["origin"]) for key in keys] == [("77aa", "vault")]
    terminal.json("providers", "remove-key", "lab", keys[0]["id"])
    assert terminal.run("providers", "test", "lab").returncode == 1


def test_bad_input_is_a_sentence_and_an_exit_code(terminal: Terminal, engines: dict[str, Any]) -> None:
    url = engines["ollama"].url
    for arguments, code in (
        (("add", "no-such-kind"), 2),
        (("add", "ollama", "--url", "127.0.0.1:11434"), 2),
        (("add", "ollama", "--url", "http://name:word@127.0.0.1"), 2),
        (("add", "ollama", "--url", "http://127.0.0.1:5006"), 6),
        (("add", "ollama", "--url", "http://192.0.2.7:11434"), 6),
        (("add", "ollama", "--url", url, "--set", "colour=red"), 2),
        (("add", "openai", "--key-stdin"), 2),
        (("change", "nobody", "--name", "x"), 5),
        (("keys", "nobody"), 5),
        (("order", "nobody"), 5),
        (("load", "builtin/no-such-model"), 5),
        (("import", "no-such-file"), 2),
    ):
        ran = terminal.run("providers", *arguments, stdin="two\nlines\n")
        assert ran.returncode == code, (arguments, ran.stdout, ran.stderr)
        assert "Traceback" not in ran.stderr
        assert len(ran.stderr.splitlines()) >= 2


def test_providers_travel_from_home_to_home(terminal: Terminal, engines: dict[str, Any], tmp_path: Path) -> None:
    terminal.json("providers", "add", "ollama", "--url", engines["ollama"].url, "--id", "one", "--name", "First")
    terminal.json("providers", "add", "openai-compatible", "--url", engines["lab"].url, "--id", "two", "--insist",
                  "--key-env", "LAB_KEY")  # fmt: skip
    terminal.json("providers", "order", "two")
    file = tmp_path / "providers.toml"
    terminal.json("providers", "export", file)
    other = Terminal(tmp_path / "elsewhere")
    [done] = other.json("providers", "import", file)
    assert set(done["added"]) == {"one", "two"}
    [listed] = other.json("providers", "list")
    assert [item["id"] for item in listed] == ["builtin", "two", "one"]
    [tested] = json.loads(f"[{other.run('providers', 'test', 'two', '--json', LAB_KEY=KEY).stdout}]")
    assert tested["outcome"] == "valid"
