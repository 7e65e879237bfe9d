"""What keeps a test to itself: an environment without the machine's settings, and the words of a child process."""

import os
import re
import select
import subprocess
import time
from pathlib import Path

NO_OLLAMA = "http://127.0.0.1:9"  # nobody listens there: a developer's own Ollama stays out of the tests
START_SECONDS = 60


def environment(folder: Path) -> dict[str, str]:
    """Variables for a home below `folder`: no token, engine, keychain or cache of the machine's, no network beyond."""
    return {
        "HOME": str(folder),
        "HF_HUB_CACHE": str(folder / "hub"),
        "MODELSHELF_HOME": str(folder / "home"),
        "OLLAMA_MODELS": str(folder / "ollama"),
        "OLLAMA_HOST": NO_OLLAMA,
        "MODELSHELF_PROVIDERS__DISCOVER": "false",
        "MODELSHELF_PROVIDERS__MODELS_DEV_URL": "",
        "MODELSHELF_VAULT__KEYCHAIN": "false",
    }


def child_environment(folder: Path) -> dict[str, str]:
    """As `environment`, for a process: with what it needs to be found and to print."""
    return {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG") if name in os.environ} | environment(
        folder
    )


def announced(child: "subprocess.Popen[bytes]", pattern: bytes) -> str:
    """The first group of the pattern in what the child prints; fails with what it said if that never comes."""
    assert child.stdout is not None
    said, until = b"", time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        ready, _, _ = select.select([child.stdout], [], [], 0.5)
        if ready:
            said += os.read(child.stdout.fileno(), 65536)
        if found := re.search(pattern, said):
            return found[1].decode()
        if child.poll() is not None:
            break
    raise AssertionError(f"it did not start: {said.decode()}")
