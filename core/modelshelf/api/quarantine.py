"""Files that are held back."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path

from modelshelf.api.needs import Answer, TheShelf

router = APIRouter(prefix="/quarantine", tags=["quarantine"])


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


@router.delete("/{item}", status_code=204)
async def delete(shelf: TheShelf, item: Annotated[str, Path(max_length=64)]) -> None:
    """Delete a held file for good."""
    await shelf.vetting.quarantine.delete(item)
