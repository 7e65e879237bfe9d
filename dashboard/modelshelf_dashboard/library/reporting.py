"""Reports to hand on: of a model, of a held file, or of the whole library with all that is held."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from modelshelf.library.types import InstalledModel
from modelshelf.vetting.known import FileVerdict
from modelshelf.vetting.quarantine import Held
from modelshelf.vetting.reports import render
from modelshelf.vetting.sweep import SweepStep
from modelshelf.vetting.types import Finding, ScanReport, Verdict, worst
from modelshelf_dashboard.components.piece import Piece
from modelshelf_dashboard.texts import _

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

FORMS = {"report-json": "json", "report-sarif": "sarif"}
VETTED = frozenset({"review", "block"})  # of these the verdict itself tells
_KINDS = {"json": "application/json", "sarif": "application/sarif+json"}


def actions() -> list[dict[str, Any]]:
    """The two buttons."""
    return [
        {"do": "report-json", "word": _("Report (JSON)"), "help": "vettingReport"},
        {"do": "report-sarif", "word": _("Report (SARIF)"), "help": "vettingReport"},
    ]


def give(piece: Piece, name: str, reports: Sequence[ScanReport], deed: str) -> None:
    """Give the browser the report that a button asked for, as a file to keep."""
    form = FORMS[deed]
    safe = "".join(c if c.isalnum() or c in "-_." else "-" for c in name).strip("-.") or "report"
    piece.tell(save={"name": f"modelshelf-{safe}.{form}", "text": render(reports, form), "type": _KINDS[form]})


def of_files(files: Iterable[FileVerdict], place: str = "") -> list[ScanReport]:
    """What is known of files, each named with the place it has in a larger report."""
    found = [file.for_report() for file in files]
    return [replace(report, path=f"{place}/{report.path}") for report in found] if place else found


def of_held(held: Held, place: str = "") -> ScanReport:
    """A held file as a report."""
    return ScanReport(f"{place}/{held.path}" if place else held.path, worst(held.findings), held.findings)


def of_step(step: SweepStep) -> ScanReport:
    """What a check found of a file's bytes, as a report."""
    path = f"{step.repo}@{step.commit}/{step.path}"
    verdict = Verdict.BLOCK if step.bad else Verdict.REVIEW
    detail = step.detail or step.status
    return ScanReport(path, verdict, (Finding(f"VERIFY_{step.status.upper()}", step.path, detail, verdict),))


async def of_everything(shelf: "Shelf", models: Sequence[InstalledModel]) -> list[ScanReport]:
    """What is known of every installed file, what the last check of their bytes found, and everything that is held.

    Raises:
        ConfigError: the policy cannot be read.
    """
    found: list[ScanReport] = []
    for model in models:
        found += of_files(await shelf.vetting.known(model), f"{model.repo}@{model.commit}")
    found += [of_step(step) for step in shelf.vetting.checks.state.troubles if step.status not in VETTED]
    for held in await shelf.vetting.quarantine.items():
        found.append(of_held(held, f"quarantine/{held.repo}@{held.commit}"))
    return found
