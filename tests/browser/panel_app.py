"""Serves a Panel script of a test's own, as `panel serve` does."""

import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import NO_OLLAMA

START_SECONDS = 60


@contextmanager
def serve_app(folder: Path, script: str) -> Iterator[str]:
    """The address of the script while it is served, on a home of its own without sources."""
    home = folder / "home"
    home.mkdir(parents=True)
    (home / "config.toml").write_text("sources = []\n", "utf-8")
    (folder / "app.py").write_text(script, "utf-8")
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    environ = {
        **kept,
        "HOME": str(folder),
        "MODELSHELF_HOME": str(home),
        "OLLAMA_HOST": NO_OLLAMA,
        "MODELSHELF_PROVIDERS__DISCOVER": "false",
        "HF_HUB_CACHE": str(folder / "hub"),
        "MODELSHELF_PROVIDERS__MODELS_DEV_URL": "",
        "MODELSHELF_VAULT__KEYCHAIN": "false",
    }
    command = [str(Path(sys.executable).with_name("panel")), "serve", str(folder / "app.py"), "--port", "0"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
        try:
            yield _address(child)
        finally:
            child.terminate()
            child.wait(20)


def _address(child: "subprocess.Popen[bytes]") -> str:
    assert child.stdout is not None
    said, until = b"", time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        ready, _, _ = select.select([child.stdout], [], [], 0.5)
        if ready:
            said += os.read(child.stdout.fileno(), 65536)
        if found := re.search(rb"(http://localhost:\d+/app)\s", said):
            return found[1].decode()
        if child.poll() is not None:
            break
    raise AssertionError(f"the app was not served: {said.decode()}")
