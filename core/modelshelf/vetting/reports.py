"""Reports to hand on: JSON, and SARIF 2.1.0, which code hosts and editors read."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from modelshelf import __version__
from modelshelf.errors import UsageError
from modelshelf.vetting import rules
from modelshelf.vetting.types import Finding, ScanReport, Verdict, worst

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
FORMATS = frozenset({"json", "sarif"})
_LEVELS = {Verdict.BLOCK: "error", Verdict.REVIEW: "warning", Verdict.PASS: "note"}


def as_json(reports: Sequence[ScanReport]) -> dict[str, Any]:
    """All reports as one document, with the version of the rules that they are by."""
    files = [
        {**report.as_dict(), "format": report.format, "findings": [_finding(finding) for finding in report.findings]}
        for report in reports
    ]
    verdict = max((report.verdict for report in reports), key=lambda v: v.severity, default=Verdict.PASS)
    return {
        "tool": "modelshelf",
        "version": __version__,
        "rules": rules.RULES,
        "verdict": verdict.value,
        "files": files,
    }


def as_sarif(reports: Sequence[ScanReport]) -> dict[str, Any]:
    """All reports as a SARIF log of one run."""
    found = [(report, finding) for report in reports for finding in report.findings]
    names = sorted({finding.rule for _, finding in found})
    index = {name: number for number, name in enumerate(names)}
    driver = {
        "name": "Modelshelf",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": [_rule(name, [finding for _, finding in found if finding.rule == name]) for name in names],
        "properties": {"rules": rules.RULES},
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": "SCAN_FAILED" not in index}],
        "artifacts": [{"location": {"uri": _uri(report.path)}} for report in reports],
        "results": [_result(report, finding, index[finding.rule]) for report, finding in found],
        "columnKind": "unicodeCodePoints",
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def render(reports: Iterable[ScanReport], form: str) -> str:
    """The report as text; `form` is json or sarif.

    Raises:
        UsageError: there is no such form.
    """
    if form not in FORMATS:
        raise UsageError(f"There are no reports as {form!r}.", remedy="Choose json or sarif.")
    listed = list(reports)
    document = as_sarif(listed) if form == "sarif" else as_json(listed)
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"


def form_of(file: Path) -> str:
    """The form that a file's name asks for.

    Raises:
        UsageError: it ends otherwise than in .json or .sarif.
    """
    ending = file.suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        raise UsageError(f"{file.name} ends neither in .json nor in .sarif.", remedy="Name the report so.")
    return ending


def _finding(finding: Finding) -> dict[str, str]:
    return {**finding.as_dict(), "verdict": finding.verdict.value}


def _rule(name: str, found: Sequence[Finding]) -> dict[str, Any]:
    words = name.replace("_", " ").capitalize()
    return {
        "id": name,
        "name": "".join(part.capitalize() for part in name.split("_")),
        "shortDescription": {"text": words},
        "defaultConfiguration": {"level": _LEVELS[worst(list(found))]},
    }


def _result(report: ScanReport, finding: Finding, index: int) -> dict[str, Any]:
    mark = hashlib.sha256(
        f"{finding.rule}\0{report.path}\0{finding.where}\0{finding.detail}".encode("utf-8", "replace")
    )
    return {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": _LEVELS[finding.verdict],
        "message": {"text": finding.detail},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": _uri(report.path)}},
                "logicalLocations": [{"fullyQualifiedName": finding.where}],
            }
        ],
        "partialFingerprints": {"modelshelf/v1": mark.hexdigest()},
    }


def _uri(path: str) -> str:
    """A path as a reference that every reader understands, also where its name is no text."""
    return quote(path.encode("utf-8", "surrogateescape"), safe="/")
