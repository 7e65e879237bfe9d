"""Reads small files of the kernel and runs tools of the system; both answer with nothing rather than fail or hang."""

import logging
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

log = logging.getLogger(__name__)
SECONDS = 5  # a driver that is stuck lets its tool hang for ever
LONGEST = 4 << 20  # characters of an answer; vulkaninfo's are some hundred thousand

Runner = Callable[[Sequence[str]], str]
"""Runs a command and gives what it wrote, nothing if it is missing, failed or took too long."""


def run(command: Sequence[str], seconds: float = SECONDS) -> str:
    """A `Runner`: the tool gets no input, no colours and no other language than English."""
    environment = {**os.environ, "LC_ALL": "C", "NO_COLOR": "1"}
    try:
        done = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=seconds, check=True, env=environment
        )
    except FileNotFoundError:
        return ""
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        log.info("%s did not describe the hardware: %s", command[0], error)
        return ""
    return done.stdout[:LONGEST].decode("utf-8", errors="replace")


def text(path: Path) -> str:
    """The words of a file, nothing if it cannot be read."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def number(path: Path) -> int:
    """The number in a file, decimal or `0x…`; 0 if there is none."""
    return whole(text(path))


def whole(word: str) -> int:
    """A word as a number that is not negative; 0 if it is none."""
    word = word.strip()
    if word.isascii() and word.isdigit():
        return int(word)
    try:
        return max(int(word, 16), 0) if word.lower().startswith("0x") else 0
    except ValueError:
        return 0
