"""Verdicts, looks before the download, reports, and checks of the whole library."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from modelshelf.api.catalog import Name, Org
from modelshelf.api.needs import AdminOnly, Answer, OperatorOnly, TheShelf
from modelshelf.api.quarantine import FindingAnswer
from modelshelf.errors import NotFound
from modelshelf.ids import ModelId
from modelshelf.library.types import InstalledModel
from modelshelf.vetting import rules
from modelshelf.vetting.reports import as_json, as_sarif

router = APIRouter(prefix="/vetting", tags=["vetting"])

Commit = Annotated[str | None, Query(max_length=64, description="only this commit")]


class StatusAnswer(BaseModel):
    """How files are scanned here: by which rules, and how the scanning process is confined (empty: not at all)."""

    rules: str
    confined: str
    policy: bool


class ReportAnswer(Answer):
    """The verdict on one file."""

    path: str
    verdict: str
    format: str
    findings: list[FindingAnswer]


class SignalAnswer(Answer):
    """What the source's own scanners say: status is done | pending | unavailable."""

    status: str
    sentence: str
    findings: list[FindingAnswer]


class PrescanAnswer(Answer):
    """What can be said of a model before its download; `unseen` are files that only the download tells of."""

    source: str
    repo: str
    commit: str
    verdict: str
    reports: list[ReportAnswer]
    unseen: list[str]
    hub: SignalAnswer
    policy: list[FindingAnswer]
    fetched: int


class Wanted(BaseModel):
    """What to look at; `files` are paths, patterns or quantisations."""

    model: str = Field(min_length=1, max_length=400)
    files: list[str] = Field(default=[], max_length=1000)


class Acceptance(BaseModel):
    """What is to pass: these bytes under names with this ending, and why they are harmless."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    path: str = Field(min_length=1, max_length=500)
    reason: str = Field(min_length=1, max_length=1000)


class CheckOrder(BaseModel):
    """What to check; without a model everything. `scan` also looks for what is unsafe."""

    model: str | None = Field(default=None, max_length=400)
    scan: bool = False


class StepAnswer(Answer):
    """What was found of a file: mismatch | missing | incomplete | broken | review | block."""

    repo: str
    commit: str
    path: str
    status: str
    detail: str


class CheckAnswer(Answer):
    """How far the check is, in bytes; `troubles` are the files that are not as they should be, the first thousand."""

    status: str
    done: int
    total: int
    bad: int
    files: int
    error: str
    troubles: list[StepAnswer]


@router.get("")
async def status(shelf: TheShelf) -> StatusAnswer:
    """By which rules files are scanned, and how the scanning process is confined."""
    confined = await shelf.vetting.confinement()
    return StatusAnswer(rules=rules.RULES, confined=confined, policy=shelf.vetting.policy_file.exists())


@router.get("/models/{org}/{name}")
async def verdicts(shelf: TheShelf, org: Org, name: Name, commit: Commit = None) -> list[ReportAnswer]:
    """The verdicts on the files of an installed model; what is not known yet is scanned now."""
    found = await shelf.vetting.scan_installed(await _installed(shelf, org, name, commit))
    return [ReportAnswer.model_validate(report) for report in found]


@router.get("/models/{org}/{name}/report")
async def report(
    shelf: TheShelf,
    org: Org,
    name: Name,
    commit: Commit = None,
    form: Annotated[Literal["json", "sarif"], Query(description="JSON, or SARIF 2.1.0")] = "json",
) -> Response:
    """The findings in an installed model as a file."""
    import json

    found = await shelf.vetting.scan_installed(await _installed(shelf, org, name, commit))
    text = json.dumps(as_sarif(found) if form == "sarif" else as_json(found), indent=2)
    kind = "application/sarif+json" if form == "sarif" else "application/json"
    headers = {"content-disposition": f'attachment; filename="modelshelf-report.{form}"'}
    return Response(text, media_type=kind, headers=headers)


@router.post("/prescan")
async def prescan(shelf: TheShelf, wanted: Wanted) -> PrescanAnswer:
    """Look at a model before its download, by the few bytes that decide."""
    return PrescanAnswer.model_validate(await shelf.vetting.prescan(wanted.model, wanted.files))


@router.post("/accept", dependencies=[AdminOnly])
async def accept(shelf: TheShelf, acceptance: Acceptance) -> ReportAnswer:
    """Let a file pass that waits for a person's decision."""
    found = await shelf.vetting.accept(acceptance.sha256, acceptance.path, acceptance.reason)
    return ReportAnswer.model_validate(found)


@router.post("/check", status_code=202, dependencies=[OperatorOnly])
async def check(shelf: TheShelf, order: CheckOrder) -> CheckAnswer:
    """Begin to verify everything; follow it here or by the events of the kind `verify`."""
    return CheckAnswer.model_validate(
        await shelf.vetting.checks.begin(order.model or "", shelf.library, scan=order.scan)
    )


@router.get("/check")
async def checked(shelf: TheShelf) -> CheckAnswer:
    """How far the check is, or what the last one found."""
    return CheckAnswer.model_validate(shelf.vetting.checks.state)


@router.post("/check/{deed}", dependencies=[OperatorOnly])
async def steer(shelf: TheShelf, deed: Literal["pause", "resume", "cancel"]) -> CheckAnswer:
    """Pause the check, go on with it, or end it."""
    await shelf.vetting.checks.steer(deed)
    return CheckAnswer.model_validate(shelf.vetting.checks.state)


async def _installed(shelf: TheShelf, org: str, name: str, commit: str | None) -> InstalledModel:
    model = ModelId.parse(f"{org}/{name}")
    found = await shelf.library.find(model.at(commit) if commit else model)
    if found is None:
        raise NotFound(f"{model} is not installed.", remedy="List what is, at /api/library.")
    return found
