"""A served shelf in a child process, as `modelshelf serve` starts it, on a home of its own with the sample hub."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import tomlkit

from tests.hermetic import announced, child_environment

SAMPLES = {"name": "samples", "kind": "samples", "label": "Samples (offline)"}


@dataclass(frozen=True)
class Served:
    """Where a browser finds it, the owner's one-time link, and the server's process."""

    url: str
    link: str
    home: Path
    pid: int

    @contextmanager
    def frozen_engine(self) -> Iterator[None]:
        """The loaded models answer nothing within the block: an answer that is asked for stays under way."""
        children = [
            child for child in psutil.Process(self.pid).children() if "engine/child.py" in " ".join(child.cmdline())
        ]
        assert children, "no model is loaded"
        for child in children:
            child.suspend()
        try:
            yield
        finally:
            for child in children:
                child.resume()


@contextmanager
def served(
    home: Path,
    *,
    sources: tuple[Mapping[str, object], ...] = (SAMPLES,),
    settings: Mapping[str, str] | None = None,
    config: Mapping[str, object] | None = None,
) -> Iterator[Served]:
    """Serve until the end of the block; fails with what the server said if it does not start."""
    home.mkdir(parents=True, exist_ok=True)
    written = {"sources": [dict(source) for source in sources], **(config or {})}
    (home / "config.toml").write_text(tomlkit.dumps(written), "utf-8")
    environ = child_environment(home.parent) | {"MODELSHELF_HOME": str(home)} | dict(settings or {})
    command = [str(Path(sys.executable).with_name("modelshelf")), "serve", "--port", "0", "--no-browser"]
    errors = home.parent / "server.log"
    with errors.open("w") as log, subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=log) as child:
        try:
            link = _link(child, errors)
            yield Served(link.partition("/login")[0], link, home, child.pid)
        finally:
            child.terminate()
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()


def _link(child: "subprocess.Popen[bytes]", errors: Path) -> str:
    try:
        return announced(child, rb"(http://\S+/login#\S+)\s")
    except AssertionError as error:
        raise AssertionError(f"{error} {errors.read_text('utf-8')}") from None
