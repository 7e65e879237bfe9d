"""The process that scans: started with nothing but a socket; each file comes as a descriptor.

A request is a line of JSON `{path, start}` with the descriptor beside it, an answer a line of JSON `{kind, findings}`.
`start` says that only the first bytes of the file are there, so many; 0 means all of them.
"""

import gc
import importlib
import json
import os
import signal
import socket
import sys
from typing import Any

from modelshelf.vetting.confine import isolate, limit
from modelshelf.vetting.content import FileContent
from modelshelf.vetting.desk import Examiner, scanners
from modelshelf.vetting.spec import Scanner
from modelshelf.vetting.types import Finding

MAX_REQUEST = 65_536
_WARM: set[str] = set()


def serve(channel: socket.socket) -> None:
    """Answer requests until the other side closes."""
    known = scanners()
    confined = isolate()
    gc.freeze()
    channel.sendall(json.dumps({"confined": confined}).encode() + b"\n")
    while True:
        data, descriptors, _, _ = socket.recv_fds(channel, MAX_REQUEST, 1)
        if not data:
            return
        try:
            answer = _in_its_own_process(json.loads(data), descriptors[0], known)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        channel.sendall(answer)
        _prepare(json.loads(answer)["kind"], known)


def _prepare(kind: str, known: tuple[Scanner, ...]) -> None:
    """Import what this kind of file needed, and warm it up, so that the next one need not."""
    for scanner in known:
        for name in scanner.modules if kind in scanner.formats else ():
            if name not in _WARM:
                _WARM.add(name)
                getattr(importlib.import_module(name), "warm", lambda: None)()


def _in_its_own_process(request: dict[str, Any], descriptor: int, known: tuple[Scanner, ...]) -> bytes:
    """Scan in a forked process, so that its limits, and its end, are its own."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reading)
        _work(request, descriptor, known, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(process, 0)
    if answer.endswith(b"\n") and status == 0:
        return answer
    return _failed(request, _death(status))


def _work(request: dict[str, Any], descriptor: int, known: tuple[Scanner, ...], writing: int) -> None:
    """Never returns, whatever a scanner does."""
    try:
        _report(request, descriptor, known, writing)
    finally:
        os._exit(0)


def _report(request: dict[str, Any], descriptor: int, known: tuple[Scanner, ...], writing: int) -> None:
    try:
        limit()
        content = FileContent(descriptor, request["path"])
        if start := int(request.get("start", 0)):
            kind, findings = Examiner(known).examine_start(content, request["path"], start)
        else:
            kind, findings = Examiner(known).examine(content, request["path"])
        answer = _answer(kind, findings)
    except MemoryError:
        answer = _failed(request, "the file needs more memory than a scan may take")
    except Exception as error:  # noqa: BLE001 - whatever went wrong with a hostile file, it must not pass
        answer = _failed(request, f"{type(error).__name__}: {error}"[:300])
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(answer)


def _answer(kind: str, findings: list[Finding]) -> bytes:
    items: list[dict[str, Any]] = [{**finding.as_dict(), "verdict": finding.verdict.value} for finding in findings]
    return json.dumps({"kind": kind, "findings": items}).encode("ascii") + b"\n"


def _failed(request: dict[str, Any], why: str) -> bytes:
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
