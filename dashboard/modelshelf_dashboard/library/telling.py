"""What the panel of a shield says: of an installed model, a held file, a download that waits, a look beforehand."""

from collections.abc import Sequence
from typing import Any

from modelshelf.downloads.types import Job
from modelshelf.library.types import InstalledModel
from modelshelf.vetting import rules
from modelshelf.vetting.known import FileVerdict
from modelshelf.vetting.prescan import Prescan
from modelshelf.vetting.quarantine import Held
from modelshelf.vetting.types import Finding, ScanReport, Verdict, worst
from modelshelf_dashboard import figures
from modelshelf_dashboard.library import verdict_words as words
from modelshelf_dashboard.texts import _, _n

SIGNAL = "signal"
LISTED = 60  # files that are named one by one; those with findings come first


def installed(model: InstalledModel, known: Sequence[FileVerdict]) -> dict[str, Any]:
    """An installed model, file by file."""
    unseen = [file for file in known if file.report is None]
    verdict = max((file.report.verdict for file in known if file.report), key=lambda v: v.severity, default=None)
    accepted = any(file.accepted for file in known)
    kind = None if verdict is None or (unseen and verdict is Verdict.PASS) else verdict
    order = {"block": 0, "review": 1, "accepted": 2, "unseen": 3, "pass": 4}
    files = sorted((_file(file) for file in known), key=lambda entry: (order[entry["shield"]["kind"]], entry["path"]))
    scanned = [file.at for file in known if file.at]
    facts: list[dict[str, Any]] = [{"name": _("Rules"), "value": rules.RULES, "code": True}]
    if scanned:
        facts.insert(0, {"name": _("Scanned"), "when": figures.iso(min(scanned))})
    facts.append({"name": _("From"), "value": model.source or _("another program")})
    return {
        "title": model.repo.partition("/")[2],
        "sub": f"{model.repo} · {model.commit[:7]}",
        "shield": words.of_verdict(kind, accepted=accepted),
        "lead": _lead(known, unseen),
        "facts": facts,
        **_listed(files),
    }


def _lead(known: Sequence[FileVerdict], unseen: Sequence[FileVerdict]) -> str:
    found = [finding for file in known if file.report for finding in file.report.findings]
    said = words.counted(found)
    if unseen:
        said += " " + _n("{n} file was not yet looked at.", "{n} files were not yet looked at.", len(unseen))
    return said


def _file(file: FileVerdict) -> dict[str, Any]:
    report = file.report
    note = _("Let through by {name}: {reason}", name=file.by, reason=file.reason) if file.accepted else ""
    return {
        "path": file.path,
        "shield": words.of_verdict(report.verdict if report else None, accepted=file.accepted),
        "note": note,
        "findings": words.all_explained(report.findings) if report else [],
    }


def held(item: Held) -> dict[str, Any]:
    """A file in quarantine."""
    return {
        "title": item.path.rpartition("/")[2],
        "sub": item.repo,
        "shield": words.of_verdict(worst(item.findings)),
        "lead": _("It was downloaded, scanned, and held back: no engine can reach it."),
        "facts": [
            {"name": _("Held since"), "when": figures.iso(item.at)},
            {"name": _("From"), "value": f"{item.source} · {item.repo}"},
            {"name": _("File"), "value": item.path, "code": True},
            {"name": _("Commit"), "value": item.commit, "code": True},
            {"name": _("Size"), "value": figures.size(item.size)},
            {"name": "SHA-256", "value": item.sha256, "code": True},
        ],
        "files": [
            {
                "path": item.path,
                "shield": words.of_verdict(worst(item.findings)),
                "findings": words.all_explained(item.findings),
            }
        ],
    }


def waiting(job: Job, reports: Sequence[ScanReport]) -> dict[str, Any]:
    """A download that waits for a decision."""
    facts: list[dict[str, Any]] = [
        {"name": _("From"), "value": f"{job.source} · {job.repo}"},
        {"name": _("Commit"), "value": job.commit or figures.NONE, "code": True},
        {"name": _("Rules"), "value": rules.RULES, "code": True},
    ]
    if job.ended:
        facts.insert(0, {"name": _("Waits since"), "when": figures.iso(job.ended)})
    return {
        "title": job.repo.partition("/")[2] or job.repo,
        "sub": job.repo,
        "shield": words.of_verdict(Verdict.REVIEW),
        "lead": _("It has arrived, and nothing of it was published: a person must decide."),
        "facts": facts,
        **_listed([_reported(report) for report in reports]),
    }


def looked(found: Prescan) -> dict[str, Any]:
    """What can be said before a download."""
    general = [*found.policy, *found.hub.findings]
    files = [_reported(report, before=True) for report in found.reports]
    files += [
        {"path": path, "shield": words.of_verdict(None), "note": _("Only the download tells.")} for path in found.unseen
    ]
    if general:
        files.insert(0, {"path": _("The model as a whole"), "findings": words.all_explained(general)})
    return {
        "id": found.repo,
        "title": found.repo.partition("/")[2] or found.repo,
        "sub": f"{found.repo} · {found.commit[:7]}",
        "shield": shield_before(found),
        "lead": before_in_words(found),
        "facts": [
            {"name": _("Looked at"), "value": _looked_at(found)},
            {"name": _("Rules"), "value": rules.RULES, "code": True},
            signal_fact(found.hub.sentence),
        ],
        **_listed(files),
    }


def shield_before(found: Prescan) -> dict[str, str]:
    """The shield of a look before the download: harmless so far, never more than that."""
    if found.verdict is Verdict.PASS:
        return words.shield("looked" if found.reports else "unseen")
    tip = _("Seen before the download. {what} Press to see more.", what=found_before(found))
    return words.shield(found.verdict.value, tip)


def before_in_words(found: Prescan) -> str:
    """What was looked at, what it showed, and that this is not all."""
    after = _("The whole is scanned again after the download.")
    if found.verdict is Verdict.PASS:
        return " ".join([_("Nothing was found in what was looked at."), after])
    return " ".join([found_before(found), would_become(found), after])


def found_before(found: Prescan) -> str:
    """What was found, our own findings named first."""
    own = [finding for report in found.reports for finding in report.findings]
    return words.counted([*own, *found.policy, *found.hub.findings])


def would_become(found: Prescan) -> str:
    """What would become of it after the download; empty where nothing was found."""
    return {
        Verdict.BLOCK: _("Downloaded, it would be held in quarantine."),
        Verdict.REVIEW: _("Downloaded, it would wait for a person's decision."),
    }.get(found.verdict, "")


def _looked_at(found: Prescan) -> str:
    seen, total = len(found.reports), len(found.reports) + len(found.unseen)
    return _n(
        "{seen} of {n} file, by {size} of it",
        "{seen} of {n} files, by {size} of them",
        total,
        seen=seen,
        size=figures.size(found.fetched),
    )


def signal_fact(text: str) -> dict[str, Any]:
    """What the source's own scanners say, as a fact."""
    return {"key": SIGNAL, "name": _("The source's scanners"), "value": text}


def reports_of(doubts: Sequence[dict[str, str]]) -> list[ScanReport]:
    """What a download waits for, as reports of its files."""
    found: dict[str, list[Finding]] = {}
    for one in doubts:
        finding = Finding(one.get("rule", ""), one.get("where", ""), one.get("detail", ""), Verdict.REVIEW)
        found.setdefault(one["file"], []).append(finding)
    return [ScanReport(path, Verdict.REVIEW, tuple(items)) for path, items in found.items()]


def _reported(report: ScanReport, *, before: bool = False) -> dict[str, Any]:
    passed = report.verdict is Verdict.PASS
    shield = words.shield("looked") if before and passed else words.of_verdict(report.verdict)
    return {"path": report.path, "shield": shield, "findings": words.all_explained(report.findings)}


def _listed(files: list[dict[str, Any]]) -> dict[str, Any]:
    left = len(files) - LISTED
    return {
        "files": files[:LISTED],
        "left": _n("and {n} more file", "and {n} more files", left) if left > 0 else "",
    }
