"""register, unregister and registrations in a terminal, beside an Ollama with its store on the same disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.terminal import Terminal
from tests.browser.simulated import simulated
from tests.engines.ollama import OllamaSimulator

TINY = "samples/tiny-llama-GGUF"


@pytest.fixture
def ollama(tmp_path: Path) -> Iterator[OllamaSimulator]:
    (tmp_path / "ollama" / "blobs").mkdir(parents=True)
    simulator = OllamaSimulator(store=tmp_path / "ollama")
    with simulated(simulator):
        yield simulator


def test_a_model_is_in_ollama_after_its_download_and_gone_after_unregister(
    tmp_path: Path, ollama: OllamaSimulator
) -> None:
    terminal = Terminal(tmp_path / "terminal")
    terminal.environment["OLLAMA_MODELS"] = str(tmp_path / "ollama")
    assert terminal.run("providers", "add", "ollama", "--url", ollama.url).returncode == 0
    said = terminal.run("download", TINY).stdout
    assert "ollama has it as tiny-llama: registered." in said
    assert list(ollama.models) == ["tiny-llama:latest"]
    assert not ollama.blobs, "nothing was uploaded"
    (told,) = terminal.json("registrations", "--repair")
    assert {one["provider"]: one["way"] for one in told["registrations"]} == {"builtin": "path", "ollama": "hard link"}
    assert told["findings"] == []
    shown = terminal.at_a_terminal("remove", TINY, columns=120, asked="[y/N]", answer="n")
    assert "ollama has it as tiny-llama: it is taken back." in shown
    assert terminal.run("unregister", TINY).returncode == 0
    assert not ollama.models
    (plan,) = terminal.json("register", TINY, "--dry-run")
    [offer] = [one for one in plan["offers"] if one["provider"] == "ollama"]
    assert (offer["possible"], offer["way"], offer["copies"]) == (True, "hard link", 0)
    wrong = terminal.run("providers", "change", "ollama", "--set", "register=sometimes")
    assert wrong.returncode == 2
    assert "automatic, ask or never" in wrong.stderr
