"""Vetting as a service: verdicts remembered by bytes and rules, quarantine, checksums."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from sqlalchemy import delete
from sqlalchemy.orm import Session

from modelshelf.access import AccessService
from modelshelf.config import ConfigManager
from modelshelf.errors import NotFound
from modelshelf.events import EventBus
from modelshelf.store import Store
from modelshelf.store.tables import VerdictRow
from modelshelf.vetting import rules
from modelshelf.vetting.checksums import ValidationService, digests
from modelshelf.vetting.quarantine import Quarantine
from modelshelf.vetting.scanner import SecurityScanner
from modelshelf.vetting.types import Finding, ScanReport, Verdict

IDLE_SECONDS = 5.0


class VettingService:
    """Says of a file whether it may be used: `scan`; `quarantine` and `validation` belong to it."""

    name = "vetting"

    def __init__(self, config: ConfigManager, store: Store, events: EventBus, access: AccessService) -> None:
        self.access = access
        self.quarantine = Quarantine(config, store, events, access)
        self.validation = ValidationService()
        self._store = store
        self._turns = asyncio.Semaphore(max(1, min(4, (os.cpu_count() or 1))))
        self._free: list[SecurityScanner] = []
        self._retirement: asyncio.TimerHandle | None = None

    @property
    def scanner(self) -> SecurityScanner:
        """A scanner of one's own, to be used in a `with` block in a worker thread."""
        return SecurityScanner()

    async def start(self) -> None:
        """Forget verdicts of former rules: what they said no longer holds."""
        await self._store.write(_forget_others)

    async def stop(self) -> None:
        """End the scanners that are left."""
        if self._retirement:
            self._retirement.cancel()
        free, self._free = self._free, []
        await asyncio.to_thread(_close, free)

    async def scan(self, path: Path | str, *, name: str | None = None, sha256: str | None = None) -> ScanReport:
        """The verdict on a file; `name` is its name in the repository, by which its content is judged too.

        The file is hashed and scanned through one descriptor, unless `sha256` says that it was hashed already. A
        verdict on the same bytes under the same name's ending and the same rules is taken from memory.

        Raises:
            NotFound: there is no such file.
        """
        path = Path(path)
        try:
            fd = await asyncio.to_thread(os.open, path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise NotFound(f"{path} cannot be read: {error.strerror}.", remedy="Check the path.") from error
        try:
            digest = sha256 or (await asyncio.to_thread(digests, fd, name=path.name)).sha256
            key = rules.key(name or path.name)
            known = await self._store.read(_recall, digest, key, name or str(path))
            return known or await self._fresh(fd, name or path.name, str(path), digest, key)
        finally:
            os.close(fd)

    async def _fresh(self, fd: int, name: str, shown: str, digest: str, key: str) -> ScanReport:
        async with self._scanner() as scanner:
            report = await asyncio.to_thread(scanner.scan_open, fd, shown, name)
        # A scan that failed says nothing of the bytes; it is tried again.
        if not any(finding.rule in {"SCAN_FAILED", "FILE_CHANGED"} for finding in report.findings):
            with suppress(asyncio.CancelledError):
                await self._store.write(_remember, digest, key, report)
        return report

    @asynccontextmanager
    async def _scanner(self) -> AsyncIterator[SecurityScanner]:
        """A scanner, when it is one's turn, and kept for the next: starting one takes ten times as long as a scan.

        Each file has a process of its own below it anyway. After a while without work none is left.
        """
        async with self._turns:
            scanner = self._free.pop() if self._free else SecurityScanner()
            good = False
            try:
                yield scanner
                good = True
            finally:
                if good:
                    self._keep(scanner)
                else:
                    # Also when this task is cancelled: the thread then sees its process end.
                    await asyncio.shield(asyncio.to_thread(_close, [scanner]))

    def _keep(self, scanner: SecurityScanner) -> None:
        self._free.append(scanner)
        if self._retirement:
            self._retirement.cancel()
        self._retirement = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._retire)

    def _retire(self) -> None:
        free, self._free = self._free, []
        asyncio.get_running_loop().run_in_executor(None, _close, free)


def _close(scanners: Sequence[SecurityScanner]) -> None:
    for scanner in scanners:
        scanner.close()


def _recall(session: Session, digest: str, key: str, shown: str) -> ScanReport | None:
    row = session.get(VerdictRow, (digest, key))
    if row is None:
        return None
    findings = tuple(
        Finding(item["rule"], item["where"], item["detail"], Verdict(item["verdict"])) for item in row.findings
    )
    return ScanReport(shown, Verdict(row.verdict), findings)


def _remember(session: Session, digest: str, key: str, report: ScanReport) -> None:
    findings = [{**finding.as_dict(), "verdict": finding.verdict.value} for finding in report.findings]
    session.merge(VerdictRow(sha256=digest, rules=key, verdict=report.verdict.value, findings=findings))


def _forget_others(session: Session) -> None:
    session.execute(delete(VerdictRow).where(~VerdictRow.rules.startswith(rules.RULES)))
