"""Commands in processes that are forked from one which has loaded everything already.

Loading takes a command most of its second. What it is run with is its own all the same: arguments, environment, folder,
standard streams, and an interpreter that comes to its own end. `python -m tests.forked` is the process they come from.
"""

import array
import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

SECONDS = 120
# Without `modelshelf.cli`, which looks at the terminal as it is loaded.
LOADED = ("modelshelf.shelf", "typer", "rich.table", "rich.console", "aiohttp", "sqlalchemy.orm")
# What an interpreter obeys as it starts.
_AT_START = ("PYTHON", "LC_", "LD_", "MALLOC")


def forkable(environment: Mapping[str, str]) -> bool:
    """Whether a forked process can be what a new one would be."""
    return not any(name.startswith(_AT_START) for name in environment) and hasattr(os, "fork")


def run(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], stdin: str | None
) -> "subprocess.CompletedProcess[str]":
    """Run `modelshelf` with these arguments; as `subprocess.run`."""
    with ExitStack() as stack:
        files = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(3)]
        files[0].write((stdin or "").encode())
        files[0].seek(0)
        channel = stack.enter_context(socket.socket(socket.AF_UNIX))
        channel.settimeout(SECONDS)
        channel.connect(_origin())
        request = json.dumps({"arguments": [*arguments], "folder": str(folder), "environment": {**environment}})
        socket.send_fds(channel, [request.encode() + b"\n"], [file.fileno() for file in files])
        code = int(channel.recv(16))
        said = []
        for file in files[1:]:
            file.seek(0)
            said.append(file.read().decode())
    return subprocess.CompletedProcess(["modelshelf", *arguments], code, *said)


@cache
def _origin() -> str:
    """The address of the process that all others are forked from, started by the first that asks."""
    folder = tempfile.TemporaryDirectory(prefix="forked-")
    address = f"{folder.name}/socket"
    command = [sys.executable, "-m", "tests.forked", address]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[1], stdin=subprocess.PIPE)
    # It is nobody's child, for there are tests that count children, and it ends with this pipe.
    assert process.wait(SECONDS) == 0, "it did not start"
    pipe = process.stdin
    assert pipe is not None

    def end() -> None:
        pipe.close()
        folder.cleanup()

    atexit.register(end)
    until = time.monotonic() + SECONDS
    while not Path(address).exists():
        assert time.monotonic() < until, "it did not start in time"
        time.sleep(0.01)
    return address


def serve(address: str) -> dict[str, Any]:
    """Wait for requests; returns only in a process that is to do what one says."""
    if os.fork():
        os._exit(0)
    for name in LOADED:
        import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{address}.new")
        listening.listen(64)
        Path(f"{address}.new").rename(address)
        while listening in select.select([listening, sys.stdin.buffer], [], [])[0]:
            channel, _ = listening.accept()
            with channel:
                if os.fork() == 0:
                    listening.close()
                    return _attend(channel)
    os._exit(0)


def _attend(channel: socket.socket) -> dict[str, Any]:
    """Fork the command and tell how it ended; returns in the command's process."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    request, descriptors = _receive(channel)
    process = os.fork()
    if process:
        _, status = os.waitpid(process, 0)
        channel.sendall(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    channel.close()
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    return request


def _receive(channel: socket.socket) -> tuple[dict[str, Any], list[int]]:
    text, descriptors = b"", array.array("i")
    while not text.endswith(b"\n"):
        part, found, _, _ = socket.recv_fds(channel, 1 << 20, 3)
        if not part:
            os._exit(1)
        text += part
        descriptors.extend(found)
    return json.loads(text), list(descriptors)


def main() -> None:
    """Serve, and where that returns be the command."""
    request = serve(sys.argv[1])
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    sys.argv = ["modelshelf", *request["arguments"]]
    import_module("modelshelf.cli").main()


if __name__ == "__main__":
    main()
