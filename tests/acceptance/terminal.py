"""`modelshelf` as a person or a script runs it: a process of its own, a home of its own, no network."""

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests import forked
from tests.forked import forkable
from tests.hermetic import child_environment

SOURCES = '[[sources]]\nname = "samples"\nkind = "samples"\nlabel = "Samples (offline)"\n'


class Terminal:
    """Runs `modelshelf` in one home."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        (self.home / "config.toml").write_text(SOURCES)
        self.environment = child_environment(folder) | {"HF_HOME": str(folder / "hf"), "COLUMNS": "160"}
        del self.environment["HF_HUB_CACHE"]

    def run(
        self, *arguments: str | Path, stdin: str | None = None, **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        wanted, environ = [str(argument) for argument in arguments], self.environment | environment
        if forkable(environ):
            return forked.run(wanted, self.folder, environ, stdin)
        return subprocess.run(
            [sys.executable, "-m", "modelshelf.cli", *wanted],
            cwd=self.folder, input=stdin, env=environ, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def at_a_terminal(self, *arguments: str, columns: int, asked: str = "", answer: str = "") -> str:
        """As `run`, on a terminal of this width; what it shows. When it has `asked`, the answer is typed."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        environment = {name: value for name, value in self.environment.items() if name != "COLUMNS"}
        command = [sys.executable, "-m", "modelshelf.cli", *arguments]
        with subprocess.Popen(command, cwd=self.folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs):
            os.close(theirs)
            said = b""
            with suppress(OSError):  # the terminal is hung up when the last one leaves it
                while piece := os.read(ours, 65536):
                    said += piece
                    if asked and asked.encode() in said:
                        os.write(ours, f"{answer}\n".encode())
                        asked = ""
        os.close(ours)
        return said.decode()

    def json(self, *arguments: str | Path, code: int = 0) -> list[Any]:
        """Every line of standard output as JSON: there must be nothing else."""
        done = self.run(*arguments, "--json")
        assert done.returncode == code, done.stdout + done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


def one_sentence(done: "subprocess.CompletedProcess[str]") -> str:
    assert "Traceback" not in done.stdout + done.stderr
    assert len(done.stderr.strip().splitlines()) in {1, 2}, done.stderr
    return done.stderr
