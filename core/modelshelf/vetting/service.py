"""Vetting as a service: verdicts remembered by bytes and rules, the policy, quarantine, checksums, looks beforehand."""

import asyncio
import os
from collections.abc import Sequence
from contextlib import ExitStack, aclosing, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from modelshelf.access import AccessService, Role, require
from modelshelf.config import ConfigManager
from modelshelf.errors import Blocked, NotFound, UsageError
from modelshelf.events import EventBus, LibraryChanged
from modelshelf.hooks import Hooks
from modelshelf.ids import ModelId
from modelshelf.store import Store
from modelshelf.vetting import memory, rules
from modelshelf.vetting.beforehand import Beforehand
from modelshelf.vetting.checks import Checks
from modelshelf.vetting.checksums import ValidationService, digests
from modelshelf.vetting.crew import Crew, OpenFile
from modelshelf.vetting.known import FileVerdict, known_of
from modelshelf.vetting.origin import Origin
from modelshelf.vetting.policy import FILE, Policy, PolicyFile
from modelshelf.vetting.prescan import Prescan
from modelshelf.vetting.quarantine import Quarantine
from modelshelf.vetting.scanner import SecurityScanner
from modelshelf.vetting.signals import Signal
from modelshelf.vetting.stricter import stricter
from modelshelf.vetting.sweep import Sweep
from modelshelf.vetting.types import FileToScan, Finding, ScanReport, Verdict

if TYPE_CHECKING:
    from modelshelf.catalog import CatalogService
    from modelshelf.downloads.types import DownloadPlan
    from modelshelf.library import ModelLibrary
    from modelshelf.library.types import InstalledFile, InstalledModel


OPEN_FILES = 8


class VettingService:
    """Says of a file whether it may be used: `scan`; `quarantine` and `validation` belong to it.

    `prescan` looks at a model before its download; `accept` lets through what only waits for a person.
    """

    name = "vetting"

    def __init__(
        self,
        config: ConfigManager,
        store: Store,
        events: EventBus,
        access: AccessService,
        catalog: "CatalogService | None" = None,
        hooks: Hooks | None = None,
    ) -> None:
        self.access = access
        self._hooks = hooks or Hooks()
        self._events = events
        self._policy = PolicyFile(config.home / FILE)
        self._beforehand = Beforehand(config, catalog, self.policy) if catalog else None
        self.quarantine = Quarantine(config, store, events, access)
        self.validation = ValidationService()
        self.checks = Checks(self)
        self._store = store
        self._crew = Crew()

    @property
    def scanner(self) -> SecurityScanner:
        """A scanner of one's own, to be used in a `with` block in a worker thread."""
        return SecurityScanner()

    async def start(self) -> None:
        """Forget verdicts of former rules: what they said no longer holds."""
        await self._store.write(memory.forget_others)

    async def stop(self) -> None:
        """End the check that runs, and the scanners that are left."""
        await self.checks.stop()
        await self._crew.stop()

    @property
    def policy_file(self) -> Path:
        """Where the policy is written."""
        return self._policy.path

    async def policy(self) -> Policy:
        """The policy in force; it is read anew when its file changed.

        Raises:
            ConfigError: it says something that is not allowed.
        """
        return await asyncio.to_thread(self._policy.read)

    async def confinement(self) -> str:
        """How the scanning process is kept from network and programs here: `seccomp`, or empty where it is not."""
        async with self._crew.one() as scanner:
            await asyncio.to_thread(scanner.begin)
            return scanner.confined

    async def scan(
        self,
        path: Path | str,
        *,
        name: str | None = None,
        sha256: str | None = None,
        origin: Origin | None = None,
        fresh: bool = False,
    ) -> ScanReport:
        """The verdict on a file; `name` is its name in the repository, by which its content is judged too.

        The file is hashed and scanned through one descriptor, unless `sha256` says that it was hashed already. A
        verdict on the same bytes under the same name's ending and the same rules is taken from memory, unless a
        `fresh` one is asked for. With its `origin` the policy has its say; what a person accepted of these bytes
        passes.

        Raises:
            NotFound: there is no such file.
            FormatError: it changed while it was hashed, or cannot be read.
            ConfigError: the policy cannot be read.
        """
        path = Path(path)
        [report] = await self.scan_all([FileToScan(path, name or path.name, sha256)], origin, fresh=fresh)
        return report if name else replace(report, path=str(path))

    async def scan_all(
        self, files: Sequence[FileToScan], origin: Origin | None = None, *, fresh: bool = False
    ) -> list[ScanReport]:
        """As `scan`, of several files that are from one place; many small ones take far less than one after another.

        The reports are in the order of the files and show their names.

        Raises:
            As `scan`; then nothing is said of any file.
        """
        with ExitStack() as stack:
            opened = await asyncio.to_thread(lambda: [_open(file.file, stack) for file in files])
            before = [_stamp(fd) for fd in opened]
            sums = [file.sha256 or await _sha256(fd, file.name) for file, fd in zip(files, opened, strict=True)]
            keys = [rules.key(file.name) for file in files]
            wanted = list(zip(sums, keys, (file.name for file in files), strict=True))
            known = [None] * len(files) if fresh else await self._store.read(memory.recall_all, wanted)
            new = [number for number, report in enumerate(known) if report is None]
            scanned = await self._crew.scan([OpenFile(opened[i], files[i].name, files[i].name) for i in new])
            after = [_stamp(fd) for fd in opened]
        scanned = [_unless(before[i] == after[i], report) for i, report in zip(new, scanned, strict=True)]
        # A scan that failed says nothing of the bytes; it is tried again.
        kept = [(sums[i], keys[i], found) for i, found in zip(new, scanned, strict=True) if not _failed(found)]
        if kept:
            with suppress(asyncio.CancelledError):
                await self._store.write(memory.remember, kept)
        found = dict(zip(new, scanned, strict=True))
        judged = [found.get(number) or report for number, report in enumerate(known)]
        return await self._judged([report for report in judged if report], sums, origin)

    async def _judged(
        self, reports: Sequence[ScanReport], sums: Sequence[str], origin: Origin | None
    ) -> list[ScanReport]:
        """The reports after what the policy and a person say."""
        policy = await self.policy() if origin is not None else None
        found = [policy.apply(one, origin, one.path) if policy and origin else one for one in reports]
        if any(report.findings for report in found):
            found = await self._store.read(memory.with_acceptances, list(zip(sums, found, strict=True)))
        if await self._hooks.judges():
            return await asyncio.gather(*(stricter(self._hooks, *one, origin) for one in zip(found, sums, strict=True)))
        return found

    async def known(self, model: "InstalledModel") -> tuple[FileVerdict, ...]:
        """What is known of the files of an installed model, under the present rules and policy; nothing is read.

        Raises:
            ConfigError: the policy cannot be read.
        """
        found = await self._store.read(known_of, model.files)
        policy, origin = await self.policy(), Origin(model.source or "", model.repo, model.commit)

        def judged(one: FileVerdict) -> FileVerdict:
            if one.report is None:
                return one
            report = policy.apply(one.report, origin, one.path)
            # What the policy adds counts, whatever a person accepted of the bytes.
            same = {f.rule for f in report.findings} <= {f.rule for f in one.report.findings}
            return one if one.accepted and same else replace(one, report=report)

        return tuple(judged(one) for one in found)

    @require(Role.OPERATOR, "vetting.rescan")
    async def rescan(self, model: str, library: "ModelLibrary") -> None:
        """Read and scan every file of an installed model anew, whatever is known of it.

        Raises:
            RoleRequired: a viewer asks.
            ConfigError: the policy cannot be read.
            NotFound: the model or a file of it is gone.
        """
        found = await library.get(model)
        if not all(file.sha256 for file in found.files):
            # What nobody published a checksum of gets one, to be known by.
            async with aclosing(library.verify(found)) as results:
                async for _result in results:
                    pass
            found = await library.get(found)
        await self.scan_installed(found, fresh=True)
        self._events.publish(LibraryChanged(repo=found.repo))

    async def hub_signal(self, model: str | ModelId, files: Sequence[str] = ()) -> Signal:
        """What the source's own scanners say of these files of a model, or of all.

        Raises:
            NotFound, AccessError, Unreachable: the model cannot be looked up.
        """
        return await self._looks.signal(model, files)

    async def scan_installed(self, model: "InstalledModel", *, fresh: bool = False) -> tuple[ScanReport, ...]:
        """The verdicts on the files of an installed model, under the present rules and policy; as `scan`.

        Raises:
            ConfigError: the policy cannot be read.
        """
        origin, turns = Origin(model.source or "", model.repo, model.commit), asyncio.Semaphore(OPEN_FILES)

        async def scan(file: "InstalledFile") -> ScanReport:
            async with turns:
                found = await self.scan(file.file, name=file.path, origin=origin, fresh=fresh)
                return replace(found, path=file.path)

        return tuple(await asyncio.gather(*(scan(file) for file in model.files)))

    def sweep(self, library: "ModelLibrary") -> Sweep:
        """A check of everything in the library, to be run, paused and resumed."""
        return Sweep(library, self, self._events)

    @require(Role.ADMIN, "vetting.accept")
    async def accept(self, sha256: str, path: str, reason: str) -> ScanReport:
        """Let a file pass that waits for a person's decision: these bytes, under names with this ending.

        What the rules find beyond what is accepted counts again. A file that is unsafe is not accepted here, but
        released from quarantine.

        Raises:
            RoleRequired: only an administrator may.
            UsageError: there is no reason, or the file is unsafe.
            NotFound: nothing is known of these bytes.
        """
        said = memory.checked_reason(reason)
        report = await self._store.read(memory.recall, sha256, rules.key(path), path)
        if report is None:
            raise NotFound(f"Nothing is known of the bytes {sha256[:12]}… as {path}.", remedy="Scan the file first.")
        if report.verdict is Verdict.BLOCK:
            raise UsageError(f"{path} is unsafe; that is not accepted here.", remedy="Release it from quarantine.")
        await self._store.write(memory.accept, sha256, path, report.findings, said)
        await self.access.record("vetting.accept", path, detail=f"{sha256}: {said}")
        self._events.publish(LibraryChanged(repo=""))  # in whatever models these bytes are
        return report

    async def admit(self, origin: Origin) -> None:
        """Ask the policy before anything is fetched.

        Raises:
            Blocked: it forbids what comes from there.
            ConfigError: it cannot be read.
        """
        found = [finding for finding in (await self.policy()).about(origin) if finding.verdict is Verdict.BLOCK]
        if found:
            raise Blocked(found[0].detail, remedy=f"An administrator can change the policy in {self.policy_file}.",
                          findings=[finding.as_dict() for finding in found])  # fmt: skip

    async def prescan(self, model: str | ModelId, files: Sequence[str] = ()) -> Prescan:
        """Look at a model before its download; `files` are as for a download.

        Raises:
            NotFound, AccessError, Unreachable: it cannot be had.
            ConfigError: the policy cannot be read.
        """
        return await self._looks.model(model, files)

    async def prescan_plan(self, plan: "DownloadPlan") -> Prescan:
        """As `prescan`, of the files that a plan would fetch.

        Raises:
            As `prescan`.
        """
        return await self._looks.plan(plan)

    @property
    def _looks(self) -> Beforehand:
        if self._beforehand is None:
            raise UsageError("There is no catalogue to look up models in.")
        return self._beforehand


def _open(file: Path, stack: ExitStack) -> int:
    try:
        fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise NotFound(f"{file} cannot be read: {error.strerror}.", remedy="Check the path.") from error
    stack.callback(os.close, fd)
    return fd


async def _sha256(fd: int, name: str) -> str:
    return (await asyncio.to_thread(digests, fd, name=name)).sha256


def _stamp(fd: int) -> tuple[int, int]:
    found = os.fstat(fd)
    return found.st_size, found.st_mtime_ns


def _unless(same: bool, report: ScanReport) -> ScanReport:
    """The report, if the file is still as it was before it was hashed."""
    if same or any(finding.rule == "FILE_CHANGED" for finding in report.findings):
        return report
    changed = Finding("FILE_CHANGED", report.path, "The file changed between its hashing and its scan.")
    return replace(report, verdict=Verdict.BLOCK, findings=(*report.findings, changed))


def _failed(report: ScanReport) -> bool:
    return any(finding.rule in {"SCAN_FAILED", "FILE_CHANGED"} for finding in report.findings)
