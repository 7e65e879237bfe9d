"""What the database keeps of verdicts: by bytes and rules, and what a person accepted of some bytes."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from itertools import batched
from pathlib import PurePath

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from modelshelf.access import current
from modelshelf.errors import UsageError
from modelshelf.store.tables import VerdictRow, now
from modelshelf.vetting import rules
from modelshelf.vetting.types import Finding, ScanReport, Verdict

ACCEPTED = "accepted"
SHORTEST_REASON = 8
MOST_ASKED = 400  # names in one question


def recall(session: Session, digest: str, key: str, shown: str) -> ScanReport | None:
    """The verdict on some bytes, if it is known."""
    return _report(session.get(VerdictRow, (digest, key)), shown)


def recall_all(session: Session, wanted: Sequence[tuple[str, str, str]]) -> list[ScanReport | None]:
    """As `recall`, for `(digest, key, shown)` of several files."""
    rows = _rows(session, {digest for digest, _, _ in wanted})
    return [_report(rows.get((digest, key)), shown) for digest, key, shown in wanted]


def remember(session: Session, verdicts: Iterable[tuple[str, str, ScanReport]]) -> None:
    """Keep verdicts, and what kind the bytes are; `(digest, key, report)` each."""
    made = {(digest, key): _row(digest, key, report) for digest, key, report in verdicts}
    known = _rows(session, {digest for digest, _ in made})
    for name, row in made.items():
        if name in known:
            session.merge(row)
        else:
            session.add(row)


def _rows(session: Session, digests: Collection[str]) -> dict[tuple[str, str], VerdictRow]:
    """All that is known of some bytes, asked for together: one question for two hundred files, not two hundred."""
    found = (
        row
        for some in batched(sorted(digests), MOST_ASKED, strict=False)
        for row in session.scalars(select(VerdictRow).where(VerdictRow.sha256.in_(some)))
    )
    return {(row.sha256, row.rules): row for row in found}


def _row(digest: str, key: str, report: ScanReport) -> VerdictRow:
    findings = [*write_findings(report.findings), {"format": report.format}]
    return VerdictRow(sha256=digest, rules=key, verdict=report.verdict.value, findings=findings, at=now())


def _report(row: VerdictRow | None, shown: str) -> ScanReport | None:
    if row is None:
        return None
    kind = next((item["format"] for item in row.findings if "format" in item), "")
    return ScanReport(shown, Verdict(row.verdict), read_findings(row.findings), kind)


def forget_others(session: Session) -> None:
    """Drop the verdicts of former rules; what a person accepted stays."""
    former = ~VerdictRow.rules.startswith(rules.RULES) & ~VerdictRow.rules.startswith(ACCEPTED)
    session.execute(delete(VerdictRow).where(former))


def accept(session: Session, digest: str, path: str, findings: Sequence[Finding], reason: str) -> None:
    """Keep that a person accepted these findings on some bytes."""
    kept = [*write_findings(findings), {"by": current().name, "reason": reason}]
    session.merge(VerdictRow(sha256=digest, rules=_accepted(path), verdict=Verdict.PASS.value, findings=kept))


def with_acceptance(session: Session, digest: str, path: str, report: ScanReport) -> ScanReport:
    """The report, passing if a person accepted all that it found; the policy's word is not theirs to take back."""
    row = session.get(VerdictRow, (digest, _accepted(path))) if report.findings else None
    if row is None:
        return report
    accepted = {finding.rule for finding in read_findings(row.findings)}
    found = {finding.rule for finding in report.findings}
    return replace(report, verdict=Verdict.PASS) if found <= accepted else report


def with_acceptances(session: Session, reports: Sequence[tuple[str, ScanReport]]) -> list[ScanReport]:
    """As `with_acceptance`, for reports that show the names of their files."""
    return [with_acceptance(session, digest, report.path, report) for digest, report in reports]


def accepted_by(session: Session, digest: str, path: str) -> tuple[str, str]:
    """Who accepted what was found in some bytes, and why; both empty if nobody did."""
    row = session.get(VerdictRow, (digest, _accepted(path)))
    note = next((item for item in row.findings if "by" in item), {}) if row is not None else {}
    return note.get("by", ""), note.get("reason", "")


def passes(verdict: VerdictRow, acceptance: VerdictRow | None) -> bool:
    """Whether a verdict is none to worry about: it passed, or a person accepted all that was found."""
    if verdict.verdict == Verdict.PASS.value or acceptance is None:
        return verdict.verdict == Verdict.PASS.value
    accepted = {item["rule"] for item in acceptance.findings if "rule" in item}
    return {item["rule"] for item in verdict.findings if "rule" in item} <= accepted


def acceptance_key(key: str) -> str:
    """Under which rules what a person accepted is kept, of a verdict that is kept under `rules.key`."""
    return f"{ACCEPTED}{key.removeprefix(rules.RULES)}"[:32]


def checked_reason(reason: str) -> str:
    """The reason, if it says something.

    Raises:
        UsageError: it does not.
    """
    said = " ".join(reason.split())
    if len(said) < SHORTEST_REASON:
        raise UsageError("Letting a file through needs a reason.", remedy="Say in a sentence why it is harmless.")
    return said[:300]


def write_findings(findings: Iterable[Finding]) -> list[dict[str, str]]:
    """As they are kept."""
    return [{**finding.as_dict(), "verdict": finding.verdict.value} for finding in findings]


def read_findings(items: Iterable[dict[str, str]]) -> tuple[Finding, ...]:
    """As they were kept; further notes are passed over."""
    return tuple(
        Finding(item["rule"], item["where"], item["detail"], Verdict(item.get("verdict", "block")))
        for item in items
        if "rule" in item
    )


def _accepted(path: str) -> str:
    return f"{ACCEPTED}{PurePath(path).suffix.lower()}"[:32]
