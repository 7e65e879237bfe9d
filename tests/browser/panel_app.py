"""Serves a Panel script of a test's own, as `panel serve` does."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.hermetic import announced, child_environment


@contextmanager
def serve_app(folder: Path, script: str) -> Iterator[str]:
    """The address of the script while it is served, on a home of its own without sources."""
    home = folder / "home"
    home.mkdir(parents=True)
    (home / "config.toml").write_text("sources = []\n", "utf-8")
    (folder / "app.py").write_text(script, "utf-8")
    command = [str(Path(sys.executable).with_name("panel")), "serve", str(folder / "app.py"), "--port", "0"]
    with subprocess.Popen(
        command, env=child_environment(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as child:
        try:
            yield announced(child, rb"(http://localhost:\d+/app)\s")
        finally:
            child.terminate()
            child.wait(20)
