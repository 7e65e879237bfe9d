"""The process that scans: started with nothing but a socket; each file comes as a descriptor.

A request is a line of JSON `[{path, start}, …]` with the descriptors beside it in the same order, an answer a line of
JSON `[{kind, findings}, …]`. `start` says that only the first bytes of the file are there, so many; 0 means all.
"""

import gc
import importlib
import json
import os
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Any

from modelshelf.vetting.confine import isolate, limit
from modelshelf.vetting.content import FileContent
from modelshelf.vetting.desk import Examiner, scanners
from modelshelf.vetting.rules import MAX_REQUEST, MOST_TOGETHER
from modelshelf.vetting.spec import Scanner
from modelshelf.vetting.types import Finding

_WARM: set[str] = set()
Asked = Sequence[tuple[dict[str, Any], int]]
"""What is asked of each file, and its descriptor."""


def serve(channel: socket.socket) -> None:
    """Answer requests until the other side closes."""
    known = scanners()
    confined = isolate()
    gc.freeze()
    channel.sendall(json.dumps({"confined": confined}).encode() + b"\n")
    while True:
        data, descriptors = _request(channel)
        if not data:
            return
        try:
            answers = _scan(list(zip(json.loads(data), descriptors, strict=True)), known)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        channel.sendall(json.dumps(answers).encode("ascii") + b"\n")
        for kind in {answer["kind"] for answer in answers}:
            _prepare(kind, known)


def _request(channel: socket.socket) -> tuple[bytes, list[int]]:
    data, descriptors, _, _ = socket.recv_fds(channel, MAX_REQUEST, MOST_TOGETHER)
    while data and not data.endswith(b"\n"):
        if not (more := channel.recv(MAX_REQUEST)):
            return b"", descriptors
        data += more
    return data, descriptors


def _prepare(kind: str, known: tuple[Scanner, ...]) -> None:
    """Import what this kind of file needed, and warm it up, so that the next one need not."""
    for scanner in known:
        for name in scanner.modules if kind in scanner.formats else ():
            if name not in _WARM:
                _WARM.add(name)
                getattr(importlib.import_module(name), "warm", lambda: None)()


def _scan(asked: Asked, known: tuple[Scanner, ...]) -> list[dict[str, Any]]:
    """What is found; files that do not come through together are scanned again, each by itself."""
    answers, status = _in_its_own_process(asked, known)
    if answers is not None:
        return answers
    if len(asked) > 1:
        return [answer for one in asked for answer in _scan([one], known)]
    return [_failed(asked[0][0], _death(status))]


def _in_its_own_process(asked: Asked, known: tuple[Scanner, ...]) -> tuple[list[dict[str, Any]] | None, int]:
    """Scan in a forked process, so that its limits, and its end, are its own; None and how it ended if it failed."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reading)
        _work(asked, known, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(process, 0)
    if status or not said.endswith(b"\n"):
        return None, status
    answers = json.loads(said)
    return (answers if len(answers) == len(asked) else None), status


def _work(asked: Asked, known: tuple[Scanner, ...], writing: int) -> None:
    """Never returns, whatever a scanner does."""
    status = 1
    try:
        limit()
        answers = [_examine(request, descriptor, known, alone=len(asked) == 1) for request, descriptor in asked]
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(json.dumps(answers).encode("ascii") + b"\n")
        status = 0
    finally:
        os._exit(status)


def _examine(request: dict[str, Any], descriptor: int, known: tuple[Scanner, ...], *, alone: bool) -> dict[str, Any]:
    try:
        content = FileContent(descriptor, request["path"])
        if start := int(request.get("start", 0)):
            return _answer(*Examiner(known).examine_start(content, request["path"], start))
        return _answer(*Examiner(known).examine(content, request["path"]))
    except MemoryError:
        if not alone:
            raise
        return _failed(request, "the file needs more memory than a scan may take")
    except Exception as error:  # noqa: BLE001 - whatever went wrong with a hostile file, it must not pass
        return _failed(request, f"{type(error).__name__}: {error}"[:300])


def _answer(kind: str, findings: list[Finding]) -> dict[str, Any]:
    return {"kind": kind, "findings": [{**found.as_dict(), "verdict": found.verdict.value} for found in findings]}


def _failed(request: dict[str, Any], why: str) -> dict[str, Any]:
    return _answer("", [Finding("SCAN_FAILED", request["path"], f"The scan did not come to an end: {why}.")])


def _death(status: int) -> str:
    number = os.waitstatus_to_exitcode(status)
    if number == -signal.SIGXCPU or number == -signal.SIGKILL:
        return "it took longer than a scan may take"
    return f"its process ended with {number}"


def main() -> None:
    """Serve the socket whose descriptor is the last argument."""
    with socket.socket(fileno=int(sys.argv[-1])) as channel:
        serve(channel)


if __name__ == "__main__":
    main()
