"""Newer commits of what is installed, lock files, and the way back."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from modelshelf.api.catalog import Name, Org
from modelshelf.api.needs import Answer, TheShelf
from modelshelf.sync import SyncReport
from modelshelf.sync.lockfile import dumps, loads

router = APIRouter(tags=["updates"])

Ref = Annotated[str | None, Query(max_length=200, description="the branch or tag; main before others if left out")]


class UpdateAnswer(Answer):
    """A name in the library: status is current | outdated | unknown; `missing` bytes would be fetched."""

    repo: str
    source: str | None
    ref: str
    commit: str
    newest: str
    status: str
    missing: int
    error: str
    remedy: str


class Started(BaseModel):
    """The job that fetches the newer commit; empty if the installed one is the newest."""

    job: str


class AllStarted(Answer):
    """The jobs that fetch newer commits, and what could not be looked at or begun."""

    jobs: list[str]
    failed: list[UpdateAnswer]


class RollbackAnswer(Answer):
    """A name that leads to an earlier commit again."""

    repo: str
    ref: str
    before: str
    after: str


class LockText(BaseModel):
    """A lock file."""

    lock: str = Field(max_length=16_000_000, description="the text of a modelshelf.lock")


class DifferenceAnswer(BaseModel):
    """A locked model, and how this machine differs from it."""

    model: str
    same: bool
    missing: list[str]
    damaged: list[str]
    refs: list[str]
    extra: list[str]


class SyncAnswer(BaseModel):
    """How this machine differs from a lock file, and the jobs that were started to mend that."""

    same: bool
    models: list[DifferenceAnswer]
    extra: list[str]
    jobs: list[str] = []

    @classmethod
    def of(cls, report: SyncReport, jobs: tuple[str, ...] = ()) -> "SyncAnswer":
        """The report as an answer."""
        models = [
            DifferenceAnswer(
                model=str(item.model.id), same=item.same, missing=list(item.missing), damaged=list(item.damaged),
                refs=list(item.refs), extra=list(item.extra),
            )
            for item in report.models
        ]  # fmt: skip
        extra = [str(model.id) for model in report.extra]
        return cls(same=report.same, models=models, extra=extra, jobs=list(jobs))


@router.get("/updates")
async def outdated(shelf: TheShelf) -> list[UpdateAnswer]:
    """What the sources say of every name in the library."""
    return [UpdateAnswer.model_validate(item) for item in await shelf.updates.outdated()]


@router.post("/updates", status_code=202)
async def update_all(shelf: TheShelf) -> AllStarted:
    """Fetch the newest commit of everything that is outdated, each beside the installed one."""
    return AllStarted.model_validate(await shelf.updates.update_all())


@router.post("/updates/{org}/{name}", status_code=202)
async def update(shelf: TheShelf, org: Org, name: Name, ref: Ref = None) -> Started:
    """Fetch the newest commit beside the installed one; the name moves when every file is verified."""
    return Started(job=await shelf.updates.update(f"{org}/{name}", ref))


@router.post("/updates/{org}/{name}/rollback")
async def rollback(shelf: TheShelf, org: Org, name: Name, ref: Ref = None) -> RollbackAnswer:
    """Let the name lead to the commit again that it led to before, after verifying that."""
    return RollbackAnswer.model_validate(await shelf.updates.rollback(f"{org}/{name}", ref))


@router.get("/sync/lock", response_class=PlainTextResponse)
async def lock(shelf: TheShelf) -> str:
    """The lock file of everything that is whole here, as TOML."""
    return dumps(await shelf.sync.lock())


@router.post("/sync/compare")
async def compare(
    shelf: TheShelf, wanted: LockText, verify: Annotated[bool, Query(description="read every file")] = False
) -> SyncAnswer:
    """How this machine differs from a lock file; nothing is changed."""
    return SyncAnswer.of(await shelf.sync.compare(loads(wanted.lock), verify=verify))


@router.post("/sync", status_code=202)
async def sync(shelf: TheShelf, wanted: LockText) -> SyncAnswer:
    """Fetch what is missing or damaged, and let names lead where the lock file says."""
    report = await shelf.sync.compare(loads(wanted.lock))
    return SyncAnswer.of(report, await shelf.sync.apply(report))
