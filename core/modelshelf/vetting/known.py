"""What is known of the files of an installed model without reading them: verdicts, when, and what a person accepted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from modelshelf.store.tables import VerdictRow
from modelshelf.vetting import memory, rules
from modelshelf.vetting.types import Finding, ScanReport, Verdict

if TYPE_CHECKING:
    from modelshelf.library.types import InstalledFile

UNSEEN = "NOT_SCANNED"


@dataclass(frozen=True, slots=True)
class FileVerdict:
    """A file and what is known of it: no `report` before it was scanned under the present rules.

    `at` is when it was scanned, in UTC. `by` and `reason` are of the person who let it pass in spite of its findings.
    """

    path: str
    sha256: str = ""
    report: ScanReport | None = None
    at: datetime | None = None
    by: str = ""
    reason: str = ""

    @property
    def accepted(self) -> bool:
        """Whether it passes because a person said so."""
        return self.report is not None and self.report.verdict is Verdict.PASS and bool(self.report.findings)

    def for_report(self) -> ScanReport:
        """As it stands in a report to hand on: what was not looked at is said, and is no pass."""
        if self.report is not None:
            return replace(self.report, path=self.path)
        unseen = Finding(UNSEEN, self.path, "It was not scanned under the present rules.", Verdict.REVIEW)
        return ScanReport(self.path, Verdict.REVIEW, (unseen,))


def known_of(session: Session, files: Sequence["InstalledFile"]) -> tuple[FileVerdict, ...]:
    """What is kept about these files, by the checksums that are known of them."""
    return tuple(_known(session, file) for file in files)


def _known(session: Session, file: "InstalledFile") -> FileVerdict:
    digest = file.sha256 or ""
    row = session.get(VerdictRow, (digest, rules.key(file.path))) if digest else None
    report = memory.recall(session, digest, rules.key(file.path), file.path) if row is not None else None
    if row is None or report is None:
        return FileVerdict(file.path, digest)
    by, reason = memory.accepted_by(session, digest, file.path) if report.findings else ("", "")
    return FileVerdict(
        file.path, digest, memory.with_acceptance(session, digest, file.path, report), row.at, by, reason
    )
