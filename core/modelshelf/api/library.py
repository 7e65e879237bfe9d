"""What is on disk."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from pathlib import Path as FilePath
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from modelshelf.access import Role
from modelshelf.api.catalog import Name, Org
from modelshelf.api.needs import AdminOnly, Answer, OperatorOnly, TheShelf, Who
from modelshelf.ids import ModelId
from modelshelf.integration.bulk import Outcome
from modelshelf.registration import Breaks

router = APIRouter(prefix="/library", tags=["library"])

BulkDeed = Literal["delete", "verify", "update", "register", "pin", "unpin"]


class InstalledFileAnswer(Answer):
    """A file of an installed model; `links` is how many names its bytes have."""

    path: str
    size: int
    sha256: str | None
    links: int


class InstalledAnswer(Answer):
    """One commit of a repository in the cache; `managed` is false for what other programs put there."""

    repo: str
    commit: str
    served_name: str
    files: list[InstalledFileAnswer]
    refs: list[str]
    source: str | None
    size: int
    modified: datetime | None
    format: str | None
    quantisation: str | None
    managed: bool
    verdict: str | None
    complete: bool
    pinned: bool
    damaged: list[str]


class ImportOrder(BaseModel):
    """What to import; `repo` names the model if the path holds one."""

    path: str = Field(min_length=1, max_length=4000)
    repo: str = Field(default="", max_length=200)


class ImportedFileAnswer(Answer):
    """A file in the library, and how its bytes got there: there, hard link, reflink or copy."""

    name: str
    sha256: str
    size: int
    how: str


class ImportedAnswer(Answer):
    """What became of one model: done, review, blocked or failed."""

    repo: str
    status: str
    kind: str
    commit: str
    files: list[ImportedFileAnswer]
    skipped: list[str]
    missing: list[str]
    error: str
    remedy: str
    findings: list[dict[str, str]]


class RemovalAnswer(Answer):
    """What deleting frees, in bytes, and what else uses the same files.

    `taken_back` are the models of providers, `provider/name`, that go with it; `profiles` those that lose their model.
    """

    repo: str
    commits: list[str]
    freed: int
    used_by: list[str]
    taken_back: list[str] = Field(default_factory=list)
    profiles: list[str] = Field(default_factory=list)


class Selection(BaseModel):
    """Installed models."""

    model_config = ConfigDict(extra="forbid")

    models: list[Annotated[str, Field(min_length=1, max_length=500)]] = Field(min_length=1, max_length=1000)


class DeletionAnswer(Answer):
    """What deleting several models frees together, in bytes, what it breaks, and what is pinned and kept."""

    models: list[str]
    freed: int
    breaks: list[str]
    kept: list[str]


@router.get("")
async def models(shelf: TheShelf) -> list[InstalledAnswer]:
    """Every model in the Hugging Face cache."""
    return [InstalledAnswer.model_validate(model) for model in await shelf.library.models()]


@router.post("/import", dependencies=[AdminOnly])
async def import_(shelf: TheShelf, order: ImportOrder) -> list[ImportedAnswer]:
    """Link models that lie on the server's machine into the library; nothing is moved or changed where it is."""
    async with aclosing(shelf.imports.run(FilePath(order.path), order.repo)) as models:
        return [ImportedAnswer.model_validate(model) async for model in models]


@router.post("/bulk/deletion")
async def deletion(shelf: TheShelf, order: Selection) -> DeletionAnswer:
    """What deleting these models would free and break."""
    return DeletionAnswer.model_validate(await shelf.bulk.deletion(order.models))


@router.post(
    "/bulk/{deed}",
    dependencies=[OperatorOnly],
    response_class=StreamingResponse,
    responses={200: {"content": {"application/x-ndjson": {}}}},
)
async def bulk(shelf: TheShelf, deed: BulkDeed, order: Selection) -> StreamingResponse:
    """Do the same with several models: a line of JSON for each as it ends; closing the connection stops it."""
    outcomes = shelf.bulk.run(deed, order.models)
    # The first is awaited here: a deed that cannot be done is a problem answer, not a broken stream.
    first = await anext(outcomes)
    return StreamingResponse(_lines(first, outcomes), media_type="application/x-ndjson")


async def _lines(first: Outcome, outcomes: AsyncGenerator[Outcome, None]) -> AsyncGenerator[str, None]:
    async with aclosing(outcomes):
        yield json.dumps(first.as_dict()) + "\n"
        async for outcome in outcomes:
            yield json.dumps(outcome.as_dict()) + "\n"


@router.delete("/{org}/{name}")
async def remove(
    shelf: TheShelf,
    asks: Who,
    org: Org,
    name: Name,
    commit: Annotated[str | None, Query(max_length=64, description="only this commit")] = None,
    dry_run: Annotated[bool, Query(description="only say what it would do")] = False,
) -> RemovalAnswer:
    """Delete a model from the disk."""
    model = ModelId.parse(f"{org}/{name}")
    wanted = str(model.at(commit) if commit else model)
    may = dry_run or asks.role >= Role.OPERATOR  # who may not is told so, and not what would be lost
    breaks = await shelf.registration.breaks(wanted) if may else Breaks()
    removal = await (shelf.library.removal(wanted) if dry_run else shelf.library.remove(wanted))
    taken = [f"{item.provider}/{item.name}" for item in breaks.registrations]
    told = {"taken_back": taken, "profiles": list(breaks.profiles)}
    return RemovalAnswer.model_validate(removal).model_copy(update=told)
