"""Files that are held back."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from modelshelf.api.needs import AdminOnly, Answer, TheShelf

router = APIRouter(prefix="/quarantine", tags=["quarantine"])

Item = Annotated[str, Path(max_length=64)]


class FindingAnswer(Answer):
    """One thing found: the rule, where in the file, and in plain words what it could do."""

    rule: str
    where: str
    detail: str
    verdict: str


class HeldAnswer(Answer):
    """A file that did not pass, and why."""

    id: str
    sha256: str
    size: int
    source: str
    repo: str
    commit: str
    path: str
    findings: list[FindingAnswer]
    at: datetime


@router.get("")
async def items(shelf: TheShelf) -> list[HeldAnswer]:
    """Everything that is held back."""
    return [HeldAnswer.model_validate(item) for item in await shelf.vetting.quarantine.items()]


class Reason(BaseModel):
    """Why a file is harmless; it is kept in the record."""

    reason: str = Field(min_length=1, max_length=1000)


@router.get("/{item}")
async def one(shelf: TheShelf, item: Item) -> HeldAnswer:
    """One held file, with everything that was found in it."""
    return HeldAnswer.model_validate(await shelf.vetting.quarantine.get(item))


@router.post("/{item}/release", dependencies=[AdminOnly])
async def release(shelf: TheShelf, item: Item, reason: Reason) -> HeldAnswer:
    """Let a held file go: its bytes pass from now on. Never when they are not those that were held."""
    return HeldAnswer.model_validate(await shelf.vetting.quarantine.release(item, reason.reason))


@router.delete("/{item}", status_code=204)
async def delete(shelf: TheShelf, item: Item) -> None:
    """Delete a held file for good."""
    await shelf.vetting.quarantine.delete(item)
