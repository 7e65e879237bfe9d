"""Vetting of a job: its files are scanned while others still arrive, and judged together at the end."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from modelshelf.downloads.cache import RepoCache
from modelshelf.downloads.landing import Arrival
from modelshelf.downloads.types import DownloadPlan
from modelshelf.errors import Blocked, NeedsReview
from modelshelf.vetting.origin import Origin
from modelshelf.vetting.rules import MOST_TOGETHER
from modelshelf.vetting.types import FileToScan, ScanReport, Verdict

if TYPE_CHECKING:
    from modelshelf.vetting import VettingService


class Verdicts:
    """What the scanner says of the files of one plan."""

    def __init__(self, plan: DownloadPlan, vetting: "VettingService", cache: RepoCache) -> None:
        self._plan = plan
        self._cache = cache
        self._vetting = vetting
        self._turn = asyncio.Lock()
        self._waiting: list[Arrival] = []
        self._scanned: set[Arrival] = set()
        self._reports: list[tuple[Arrival, ScanReport]] = []

    async def scan(self, arrivals: Sequence[Arrival]) -> None:
        """Scan files that are the same bytes under several names: what a file may be depends on its name too.

        Whoever's turn it is takes along what others wait with: many small files are scanned faster together.
        """
        self._waiting += arrivals
        while not self._scanned.issuperset(arrivals):
            async with self._turn:
                together, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
                try:
                    await self._scan(together)
                finally:
                    self._waiting += [arrival for arrival in together if arrival not in self._scanned]

    async def _scan(self, arrivals: Sequence[Arrival]) -> None:
        places = await asyncio.to_thread(lambda: [self._place(arrival) for arrival in arrivals])
        files = [FileToScan(p, one.path, one.sha256) for p, one in zip(places, arrivals, strict=True)]
        reports = await self._vetting.scan_all(files, Origin.of(self._plan))
        self._reports += zip(arrivals, reports, strict=True)
        self._scanned.update(arrivals)

    async def judge(self) -> None:
        """Hold back what is unsafe.

        Raises:
            Blocked: a file is unsafe.
            NeedsReview: a person must decide.
        """
        repo, reports = self._plan.repo, sorted(self._reports, key=lambda pair: pair[0].path)
        if blocked := [pair for pair in reports if pair[1].verdict is Verdict.BLOCK]:
            for arrival, report in blocked:
                await self._hold(arrival, report)
            raise Blocked(
                f"{_names(blocked)} in {repo} is unsafe and is held in quarantine: "
                f"{blocked[0][1].findings[0].detail if blocked[0][1].findings else 'the scanner refuses it'}",
                findings=_findings(blocked),
            )
        if doubtful := [pair for pair in reports if pair[1].verdict is Verdict.REVIEW]:
            raise NeedsReview(
                f"{_names(doubtful)} in {repo} needs a person's decision; nothing was published.",
                findings=_findings(doubtful),
            )

    def _place(self, arrival: Arrival) -> Path:
        """Where the bytes are: another job may have landed them meanwhile."""
        part = arrival.part
        return part if part is not None and part.exists() else self._cache.blob(arrival.blob)

    async def _hold(self, arrival: Arrival, report: ScanReport) -> None:
        if arrival.part is None:
            return
        plan = self._plan
        await self._vetting.quarantine.hold(
            arrival.part,
            sha256=arrival.sha256,
            source=plan.source,
            repo=plan.repo,
            commit=plan.commit,
            path=arrival.path,
            findings=report.findings,
        )


def _names(pairs: Sequence[tuple[Arrival, ScanReport]]) -> str:
    names = [arrival.path for arrival, _ in pairs]
    return names[0] if len(names) == 1 else f"{names[0]} (and {len(names) - 1} more)"


def _findings(pairs: Sequence[tuple[Arrival, ScanReport]]) -> list[dict[str, str]]:
    return [
        {"file": arrival.path, "sha256": arrival.sha256, **finding.as_dict()}
        for arrival, report in pairs
        for finding in report.findings
    ]
