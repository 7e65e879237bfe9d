"""The scanner as the rest sees it: starts the confined process, hands it open files, and fails closed."""

import json
import os
import socket
import stat
import subprocess
import sys
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from modelshelf.vetting.rules import WALL_SECONDS
from modelshelf.vetting.types import Finding, ScanReport, Verdict, worst

if TYPE_CHECKING:
    from concurrent.futures import Future

_START = "import sys; sys.path[:0] = sys.argv[1].split('\\n'); from modelshelf.vetting.child import main; main()"
START_SECONDS = 30
AT_ONCE = 4  # processes that scan the files of a folder
AHEAD = 32  # files that are given to them before the first is reported

_Answer = tuple[str, tuple[Finding, ...]]


class SecurityScanner:
    """A confined process that scans files, one at a time. Use it in a `with` block; it starts when it is needed."""

    def __init__(self, *, seconds: float = WALL_SECONDS) -> None:
        self.confined = ""  # how the process is kept from the network: seccomp, or empty where it is not
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def begin(self) -> None:
        """Start the process now; afterwards `confined` says how it is kept from the network.

        Raises:
            OSError, ValueError: it does not start.
        """
        self._start()

    def close(self) -> None:
        """End the process, whatever it is doing."""
        process, self._process = self._process, None
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()
        if process is not None:
            _kill_group(process)
            process.wait()

    def scan_open(self, fd: int, name: str, path: str, *, start: int = 0) -> ScanReport:
        """Scan an open file called `name`; `path` is its name in the repository, which the content is held against.

        With `start`, only that many of its first bytes are there: what the others would tell is left out.

        Never raises for what the file does: a scan that fails, in whatever way, blocks.
        """
        before = _stamp(fd)
        try:
            [answer] = self._ask([(fd, path)], start)
        except (OSError, ValueError, KeyError) as error:
            self.close()
            late = isinstance(error, TimeoutError)
            why = f"it took longer than {self._seconds:.0f} seconds" if late else f"the scanner stopped ({error})"
            answer = ("", (Finding("SCAN_FAILED", path, f"The scan did not come to an end: {why}."),))
        return self._report(name, path, answer, changed=_stamp(fd) != before)

    def scan_together(self, files: Sequence[tuple[int, str, str]]) -> list[ScanReport]:
        """As `scan_open` for each, `(fd, name, path)`, in one process for all: at most MOST_TOGETHER small files.

        Files that keep the others from being scanned are scanned by themselves.
        """
        before = [_stamp(fd) for fd, _, _ in files]
        try:
            answers = self._ask([(fd, path) for fd, _, path in files], 0)
        except (OSError, ValueError, KeyError):
            self.close()
            return [self.scan_open(*file) for file in files]
        return [
            self._report(name, path, answer, changed=_stamp(fd) != stamp)
            for (fd, name, path), answer, stamp in zip(files, answers, before, strict=True)
        ]

    def _report(self, name: str, path: str, answer: _Answer, *, changed: bool) -> ScanReport:
        kind, findings = answer
        if changed:
            findings = (*findings, Finding("FILE_CHANGED", path, "The file changed while it was scanned."))
        return ScanReport(name, worst(findings), findings, kind, self.confined)

    def scan_file(self, file: Path, *, name: str | None = None, inside: Path | None = None) -> ScanReport:
        """Scan a file on disk. A link is followed only when it stays within `inside`, the blobs of its own cache."""
        shown, path = str(file), name or file.name
        problem = _not_plain(file, inside)
        if problem:
            finding = Finding("FILE_KIND", path, problem)
            return ScanReport(shown, Verdict.BLOCK, (finding,))
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if file.is_symlink() else os.O_NOFOLLOW)
        try:
            fd = os.open(file, flags)
        except OSError as error:
            finding = Finding("SCAN_FAILED", path, f"The file cannot be read: {error.strerror}.")
            return ScanReport(shown, Verdict.BLOCK, (finding,))
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return ScanReport(shown, Verdict.BLOCK, (Finding("FILE_KIND", path, "It is no plain file."),))
            return self.scan_open(fd, shown, path)
        finally:
            os.close(fd)

    def _ask(self, files: Sequence[tuple[int, str]], start: int) -> list[_Answer]:
        channel = self._start()
        channel.settimeout(self._seconds)
        request = json.dumps([{"path": path[-4000:], "start": start} for _, path in files]).encode("ascii") + b"\n"
        sent = socket.send_fds(channel, [request], [fd for fd, _ in files])
        channel.sendall(request[sent:])
        return [_answer(one) for one, _ in zip(json.loads(_line(channel)), files, strict=True)]

    def _start(self) -> socket.socket:
        if self._channel is not None:
            return self._channel
        ours, theirs = socket.socketpair()
        with theirs:
            # No environment, no site: nothing of the user's is read before the scanner runs.
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _START, "\n".join(_paths()), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env={"PATH": "/nonexistent"},
                cwd="/",
                start_new_session=True,
            )
        self._channel = ours
        ours.settimeout(START_SECONDS)
        self.confined = str(json.loads(_line(ours))["confined"])
        return ours


def scan_path(path: Path | str, *, each: bool = False) -> Iterator[ScanReport]:
    """Scan a file, or all files below a folder: one report for all, or with `each` one for every file.

    Needs no network, no database and no server.
    """
    root = Path(path)
    if not root.is_dir() or root.is_symlink():
        with SecurityScanner() as scanner:
            yield scanner.scan_file(root, inside=_blobs(root))
        return
    with closing(_below(root)) as reports:
        if each:
            yield from reports
            return
        found = list(reports)
    findings = tuple(finding for report in found for finding in report.findings)
    confined = next((report.confined for report in found if report.confined is not None), None)
    yield ScanReport(str(root), worst(findings), findings, "folder", confined)


def _below(root: Path) -> Generator[ScanReport, None, None]:
    """A report for every file below a folder, in order; a few are scanned at once, each by a process of its own."""
    from concurrent.futures import ThreadPoolExecutor  # a single file, which most scans are of, needs no threads

    free: list[SecurityScanner] = [SecurityScanner() for _ in range(min(AT_ONCE, os.cpu_count() or 1))]
    scanners = tuple(free)

    def scan(file: Path) -> ScanReport:
        scanner = free.pop()
        try:
            return scanner.scan_file(file, name=str(file.relative_to(root)), inside=_blobs(file))
        finally:
            free.append(scanner)

    files = _files(root)
    waiting: deque[Future[ScanReport]] = deque()
    with ExitStack() as stack:
        for scanner in scanners:
            stack.callback(scanner.close)
        pool = stack.enter_context(ThreadPoolExecutor(len(scanners)))
        stack.callback(lambda: [future.cancel() for future in waiting])
        for file in files:
            waiting.append(pool.submit(scan, file))
            if len(waiting) >= AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _files(root: Path) -> Iterator[Path]:
    """Everything below a folder that is no folder, in order; links to folders are not entered."""
    for folder, _, names in root.walk(follow_symlinks=False):
        for name in sorted(names):
            yield folder / name


def _blobs(file: Path) -> Path | None:
    """The blobs of the cache that a snapshot's file belongs to: `models--…/snapshots/<commit>/…` has them beside."""
    for folder in file.absolute().parents:
        if folder.name == "snapshots":
            return folder.parent / "blobs"
    return None


def _not_plain(file: Path, inside: Path | None) -> str:
    try:
        mode = file.lstat().st_mode
        if stat.S_ISLNK(mode):
            target = file.resolve(strict=True)
            if inside is None or target.parent != inside.resolve():
                return "It is a link that leads out of its own cache."
            mode = target.stat().st_mode
    except (OSError, RuntimeError, ValueError) as error:
        return f"It cannot be read: {getattr(error, 'strerror', None) or error}."
    return "" if stat.S_ISREG(mode) else "It is no plain file: a device, a pipe or a folder."


def _paths() -> list[str]:
    return [entry for entry in (str(Path(__file__).parents[2]), *sys.path) if entry and Path(entry).exists()]


def _stamp(fd: int) -> tuple[int, int]:
    found = os.fstat(fd)
    return found.st_size, found.st_mtime_ns


def _answer(said: dict[str, Any]) -> _Answer:
    found = (Finding(i["rule"], i["where"], i["detail"], Verdict(i["verdict"])) for i in said["findings"])
    return str(said["kind"]), tuple(found)


def _line(channel: socket.socket) -> bytes:
    parts: list[bytes] = []
    while not (parts and parts[-1].endswith(b"\n")):
        part = channel.recv(65_536)
        if not part:
            raise ConnectionError("its process ended")
        parts.append(part)
    return b"".join(parts)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, 9)
    except ProcessLookupError:
        process.kill()
