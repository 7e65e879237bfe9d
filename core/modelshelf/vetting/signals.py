"""What a source's own scanners say, as findings: it can make a verdict worse, never better."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from modelshelf.catalog.types import FileScan, SecurityStatus
from modelshelf.vetting.types import Finding, Verdict

_SAFE = frozenset({"safe"})
_PENDING = frozenset({"unscanned", "queued", "error", ""})
_UNSAFE = frozenset({"unsafe"})


@dataclass(frozen=True, slots=True)
class Signal:
    """How far the source's scanners are: status is done | pending | unavailable; `findings` by the file's path."""

    status: str
    findings: tuple[Finding, ...] = ()

    @property
    def sentence(self) -> str:
        """In plain words."""
        if self.findings:
            count = len(self.findings)
            return f"The source's own scanners object to {count} file{'s' if count > 1 else ''}."
        words = {
            "done": "The source's own scanners found nothing.",
            "pending": "The source has not scanned everything.",
        }
        return words.get(self.status, "The source does not say what its scanners found.")


def signal(said: SecurityStatus | None, paths: Collection[str]) -> Signal:
    """What is said of these files."""
    if said is None:
        return Signal("unavailable")
    told = {scan.path: scan for scan in said.files if scan.path in paths}
    findings = tuple(finding for scan in told.values() for finding in _findings(scan))
    done = said.done and all(scan.status not in _PENDING for scan in told.values())
    return Signal("done" if done else "pending", findings)


def _findings(scan: FileScan) -> Iterator[Finding]:
    verdicts = {scan.status, *scan.scanners.values()}
    if harm := verdicts & _UNSAFE:
        yield Finding("HUB_UNSAFE", scan.path, f"The source's scanners call it {', '.join(sorted(harm))}{_who(scan)}.")
    elif doubts := verdicts - _SAFE - _PENDING:
        # A word that is not known is a doubt, too.
        detail = f"The source's scanners call it {', '.join(sorted(doubts))[:80]}{_who(scan)}."
        yield Finding("HUB_DOUBT", scan.path, detail, Verdict.REVIEW)


def _who(scan: FileScan) -> str:
    names = sorted(name for name, status in scan.scanners.items() if status not in _SAFE | _PENDING)
    return f" ({', '.join(names)[:80]})" if names else ""
