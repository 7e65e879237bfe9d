"""Verdicts and findings."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Verdict(StrEnum):
    """What may happen with a file."""

    PASS = "pass"  # noqa: S105 - nothing found
    REVIEW = "review"  # a person must decide
    BLOCK = "block"  # unsafe: quarantine

    @property
    def severity(self) -> int:
        """0 for pass, 1 for review, 2 for block: the worst of several is their maximum."""
        return list(Verdict).index(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: the rule's id, where in the file, and in plain words what it could do."""

    rule: str
    where: str
    detail: str
    verdict: Verdict = Verdict.BLOCK

    def as_dict(self) -> dict[str, str]:
        """As JSON."""
        return {"rule": self.rule, "where": self.where, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class FileToScan:
    """A file on disk, its name in the repository, and its SHA-256 if it was hashed already."""

    file: Path
    name: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class ScanReport:
    """The verdict on one file or folder.

    `confined` says by what the scanning process was kept from the network, empty for nothing, None if no process ran.
    """

    path: str
    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    format: str = ""
    confined: str | None = None

    def as_dict(self) -> dict[str, object]:
        """As JSON, `{path, verdict, findings}`."""
        return {
            "path": self.path,
            "verdict": self.verdict.value,
            "findings": [finding.as_dict() for finding in self.findings],
        }


def worst(findings: tuple[Finding, ...] | list[Finding]) -> Verdict:
    """The verdict that follows from findings; none means pass."""
    return max((finding.verdict for finding in findings), key=lambda verdict: verdict.severity, default=Verdict.PASS)
