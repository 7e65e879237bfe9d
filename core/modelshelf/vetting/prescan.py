"""A look at a model before its download: the bytes that decide, by ranges, what the source says, and the policy.

Of a torch archive that is its directory and its pickles, of an old pickle its first 8 MB, of safetensors and GGUF the
header; small files are fetched whole. The whole file is scanned after its download all the same.
"""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Protocol

from modelshelf.catalog.types import Location, RepoFile
from modelshelf.errors import FormatError
from modelshelf.metadata import remote, safetensors
from modelshelf.metadata.remote import RemoteFile, ranges
from modelshelf.network import Network
from modelshelf.vetting.scanner import SecurityScanner
from modelshelf.vetting.scanners.zips import LOCAL_SIZE, Member, directory, member_bytes
from modelshelf.vetting.signals import Signal
from modelshelf.vetting.types import Finding, ScanReport, Verdict, worst

SMALL = 1 << 20
PICKLE = 8_000_000
TAIL = 65_536
MOST_MEMBER = 8 << 20
MEMBERS = 16
AT_ONCE = 4


class Locates(Protocol):
    """What is asked of a source."""

    async def locate(self, repo: str, commit: str, path: str) -> Location:
        """Where the bytes of a file are."""
        ...


@dataclass(frozen=True, slots=True)
class Prescan:
    """What can be said of a model before its download.

    `reports` are of the files that were looked into, `unseen` those that only the download can tell of. `fetched` is
    what that took over the network, in bytes.
    """

    source: str
    repo: str
    commit: str
    reports: tuple[ScanReport, ...]
    unseen: tuple[str, ...]
    hub: Signal
    policy: tuple[Finding, ...] = ()
    fetched: int = 0

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything that was found."""
        return (*self.policy, *self.hub.findings, *(f for report in self.reports for f in report.findings))

    @property
    def verdict(self) -> Verdict:
        """The worst of all."""
        return worst(self.findings)

    def as_dict(self) -> dict[str, object]:
        """As JSON."""
        return {
            "source": self.source,
            "repo": self.repo,
            "commit": self.commit,
            "verdict": self.verdict.value,
            "hub": self.hub.status,
            "findings": [{**finding.as_dict(), "verdict": finding.verdict.value} for finding in self.findings],
            "files": [report.as_dict() for report in self.reports],
            "unseen": list(self.unseen),
            "fetched": self.fetched,
        }


class Prescanner:
    """Looks at the files of one commit. Close nothing: connections belong to `network`."""

    def __init__(self, network: Network, source: Locates, repo: str, commit: str) -> None:
        self._network, self._source = network, source
        self._repo, self._commit = repo, commit
        self.fetched = 0

    async def look(self, files: Sequence[RepoFile]) -> tuple[tuple[ScanReport, ...], tuple[str, ...]]:
        """The reports, and the files that cannot be told of yet.

        Raises:
            NotSignedIn, GatedRepository, Unreachable: the bytes cannot be had.
        """
        reports, unseen = [], []
        scanner = SecurityScanner()
        try:
            async with aclosing(self._each(files, scanner)) as results:
                async for path, report in results:
                    if report is None:
                        unseen.append(path)
                    else:
                        reports.append(report)
        finally:
            await asyncio.shield(asyncio.to_thread(scanner.close))
        return tuple(reports), tuple(unseen)

    async def _each(
        self, files: Sequence[RepoFile], scanner: SecurityScanner
    ) -> AsyncGenerator[tuple[str, ScanReport | None], None]:
        turns, one = asyncio.Semaphore(AT_ONCE), asyncio.Lock()

        async def look(file: RepoFile) -> ScanReport | None:
            async with turns:
                pieces = await self._pieces(file)
            if pieces is None or isinstance(pieces, ScanReport):
                return pieces
            async with one:
                return await asyncio.to_thread(_scan, scanner, file, pieces)

        tasks = [asyncio.create_task(look(file)) for file in files]
        try:
            for file, task in zip(files, tasks, strict=True):
                yield file.path, await task
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _pieces(self, file: RepoFile) -> "Pieces | ScanReport | None":
        """What to scan of a file; a report where that alone decides; None if nothing can be told."""
        location = await self._source.locate(self._repo, self._commit, file.path)
        opened = RemoteFile(PurePosixPath(file.path).name, file.size, ranges(self._network, location))
        try:
            await opened.grow(file.size if file.size <= SMALL else remote.FIRST)
            if file.size <= SMALL:
                return Pieces(((file.path, opened.data, 0),))
            if opened.data.startswith(b"PK"):
                return await self._archive(file, opened, location)
            return await self._start(file, opened)
        except FormatError as error:
            rule = getattr(error, "rule", "") or "HEADER_BROKEN"
            return ScanReport(file.path, Verdict.BLOCK, (Finding(rule, file.path, str(error)),))
        finally:
            self.fetched += opened.fetched

    async def _start(self, file: RepoFile, opened: RemoteFile) -> "Pieces | None":
        head = opened.data
        if head.startswith(b"GGUF"):
            header = await remote.gguf_header(opened, exact=True)
            return Pieces(((file.path, opened.data, file.size),)) if header.complete else None
        if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < safetensors.MAX_HEADER:
            await opened.grow(safetensors.header_length(opened.window))
            return Pieces(((file.path, opened.data, file.size),))
        suffix = PurePosixPath(file.path).suffix.lower()
        if head[:1] == b"\x80" or suffix in {".pkl", ".pickle", ".pt", ".pth", ".bin", ".ckpt"}:
            await opened.grow(min(PICKLE, file.size))
            return Pieces(((file.path, opened.data, file.size),))
        return Pieces(((file.path, head, file.size),)) if suffix == ".npy" else None

    async def _archive(self, file: RepoFile, opened: RemoteFile, location: Location) -> "Pieces | None":
        """The members that decide: all that are no plain storage of a tensor, as far as they are small."""
        window = Window(file.path, file.size)
        window.put(0, opened.data)
        await self._fetch(window, location, max(0, file.size - TAIL), min(TAIL, file.size))
        while True:
            try:
                members = await asyncio.to_thread(directory, window)
                break
            except Absent as absent:
                if absent.length > remote.MOST:
                    return None
                await self._fetch(window, location, absent.start, min(absent.length, file.size - absent.start))
        chosen = [member for member in members if _decides(member)]
        parts = []
        for member in chosen[:MEMBERS]:
            length = min(LOCAL_SIZE + 70_000 + member.packed, file.size - member.offset)
            if not window.has(member.offset, length):
                await self._fetch(window, location, member.offset, length)
            data = await asyncio.to_thread(_unpacked, window, member)
            parts.append((f"{file.path}:{member.name}", data, 0))
        return Pieces(tuple(parts))

    async def _fetch(self, window: "Window", location: Location, start: int, length: int) -> None:
        answer = await self._network.fetch_range(location, start, length)
        self.fetched += len(answer.data)
        if not answer.data:
            raise FormatError(f"{window.name}: the source sends nothing at {start:,}.")
        window.put(start, answer.data)


@dataclass(frozen=True, slots=True)
class Pieces:
    """What is scanned of a file: each with its name, its bytes, and the size of the whole if that is only its start."""

    parts: tuple[tuple[str, bytes, int], ...]


class Absent(Exception):
    """Bytes that are not here yet."""

    def __init__(self, start: int, length: int) -> None:
        super().__init__(start, length)
        self.start, self.length = start, length


class Window:
    """A file elsewhere, of which stretches are here."""

    def __init__(self, name: str, size: int) -> None:
        self.name, self.size = name, size
        self._held: list[tuple[int, bytes]] = []

    def put(self, start: int, data: bytes) -> None:
        """Hold a stretch."""
        self._held.append((start, data))

    def has(self, start: int, length: int) -> bool:
        """Whether one stretch holds these bytes."""
        return any(at <= start and start + length <= at + len(data) for at, data in self._held)

    def read(self, start: int, length: int) -> bytes:
        """Read from one stretch.

        Raises:
            Absent: no stretch holds it.
        """
        length = max(0, min(length, self.size - start))
        for at, data in self._held:
            if at <= start and start + length <= at + len(data):
                return data[start - at : start - at + length]
        raise Absent(start, length)


def _decides(member: Member) -> bool:
    parts = PurePosixPath(member.name).parts
    storage = len(parts) >= 2 and parts[-2] == "data" and parts[-1].isdigit()
    return not storage and member.packed <= MOST_MEMBER and member.size <= MOST_MEMBER and not member.name.endswith("/")


def _unpacked(window: Window, member: Member) -> bytes:
    try:
        return member_bytes(window, member)
    except Absent as absent:
        raise FormatError(f"{window.name}: {member.name[:80]} is not where it should be.") from absent


def _scan(scanner: SecurityScanner, file: RepoFile, pieces: Pieces) -> ScanReport:
    """Scan the parts in the confined process. For threads."""
    findings: list[Finding] = []
    kind = ""
    for name, data, whole in pieces.parts:
        path = name.rpartition(":")[2]
        with tempfile.TemporaryFile() as held:
            _fill(held, data, whole)
            report = scanner.scan_open(held.fileno(), name, path, start=len(data) if whole > len(data) else 0)
        inside = path != file.path
        # A member of an archive may have any name.
        kept = [f for f in report.findings if not (inside and f.rule in {"UNKNOWN_TYPE", "NAME_AND_CONTENT"})]
        findings.extend(Finding(f.rule, f"{name}" if inside else f.where, f.detail, f.verdict) for f in kept)
        kind = "zip" if inside else report.format
    return ScanReport(file.path, worst(findings), tuple(findings), kind)


def _fill(held: IO[bytes], data: bytes, whole: int) -> None:
    held.write(data)
    held.flush()
    if whole > len(data):
        held.truncate(whole)
