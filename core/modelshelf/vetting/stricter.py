"""What hooks add to a verdict. They stand above what a person accepted: who disagrees changes the hook."""

from dataclasses import replace

from modelshelf.hooks import Hooks
from modelshelf.vetting.origin import Origin
from modelshelf.vetting.types import Finding, ScanReport, Verdict

RULE = "HOOK"


async def stricter(hooks: Hooks, report: ScanReport, sha256: str, origin: Origin | None) -> ScanReport:
    """The report with what hooks find in addition; its verdict stays or becomes worse."""
    found = origin or Origin("", "")
    about = {
        "model": str(found) if origin else "",
        "source": found.source,
        "repo": found.repo,
        "commit": found.commit,
        "path": report.path,
        "sha256": sha256,
        "verdict": report.verdict.value,
        "findings": [finding.as_dict() for finding in report.findings],
    }
    added = tuple(
        Finding(RULE, report.path, f"The hook {name}: {veto.reason}", Verdict(veto.verdict))
        for name, veto in await hooks.verdicts(about)
    )
    verdict = max((report.verdict, *(finding.verdict for finding in added)), key=lambda one: one.severity)
    return replace(report, verdict=verdict, findings=(*report.findings, *added)) if added else report
