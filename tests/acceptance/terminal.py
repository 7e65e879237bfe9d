"""`modelshelf` as a person or a script runs it: a process of its own, a home of its own, no network."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conftest import NO_OLLAMA

SOURCES = '[[sources]]\nname = "samples"\nkind = "samples"\nlabel = "Samples (offline)"\n'


class Terminal:
    """Runs `modelshelf` in one home."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        (self.home / "config.toml").write_text(SOURCES)
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        self.environment = kept | {
            "HOME": str(folder),
            "MODELSHELF_HOME": str(self.home),
            "OLLAMA_HOST": NO_OLLAMA,
            "HF_HOME": str(folder / "hf"),
            "COLUMNS": "160",
        }

    def run(self, *arguments: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "modelshelf.cli", *arguments],
            cwd=self.folder,
            env=self.environment | environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def json(self, *arguments: str | Path, code: int = 0) -> list[Any]:
        """Every line of standard output as JSON: there must be nothing else."""
        done = self.run(*arguments, "--json")
        assert done.returncode == code, done.stdout + done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


def one_sentence(done: "subprocess.CompletedProcess[str]") -> str:
    assert "Traceback" not in done.stdout + done.stderr
    assert len(done.stderr.strip().splitlines()) in {1, 2}, done.stderr
    return done.stderr
