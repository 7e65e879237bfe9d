"""How everything plays together: what is wrong, what is at odds, and what was resolved."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path

from modelshelf.api.needs import Answer, OperatorOnly, TheShelf

router = APIRouter(prefix="/integration", tags=["integration"])

Id = Annotated[str, Path(min_length=1, max_length=40)]


class ActionAnswer(Answer):
    """What mends an issue: key, test, enable, download, find, source, restart, installed or quarantine."""

    do: str
    context: dict[str, str]


class IssueAnswer(Answer):
    """One thing that is wrong; severity is wrong, warning or advice."""

    id: str
    severity: str
    text: str
    remedy: str
    action: ActionAnswer | None


class ConflictAnswer(Answer):
    """One thing that is at odds; `freed` are the bytes that resolving it frees."""

    id: str
    kind: str
    severity: str
    text: str
    why: str
    remedy: str
    resolvable: bool
    undoable: bool
    freed: int
    about: dict[str, str]


class MendingAnswer(Answer):
    """A conflict that was resolved, and whether that can be taken back."""

    id: str
    conflict: str
    kind: str
    text: str
    at: datetime
    undoable: bool
    undone: bool


@router.get("/issues")
async def issues(shelf: TheShelf) -> list[IssueAnswer]:
    """What is wrong now, the worst first, each with what mends it."""
    return [IssueAnswer.model_validate(issue) for issue in await shelf.troubles.issues()]


@router.get("/conflicts")
async def conflicts(shelf: TheShelf) -> list[ConflictAnswer]:
    """What is at odds now, the worst first."""
    return [ConflictAnswer.model_validate(item.as_dict()) for item in await shelf.conflicts.list()]


@router.post("/conflicts/{conflict}/resolve", dependencies=[OperatorOnly])
async def resolve(shelf: TheShelf, conflict: Id) -> MendingAnswer:
    """Resolve a conflict as it says."""
    return MendingAnswer.model_validate((await shelf.conflicts.resolve(conflict)).as_dict())


@router.get("/resolved")
async def resolved(shelf: TheShelf) -> list[MendingAnswer]:
    """What was resolved, the last first."""
    return [MendingAnswer.model_validate(one.as_dict()) for one in await shelf.conflicts.mended()]


@router.post("/resolved/{mending}/undo", dependencies=[OperatorOnly])
async def undo(shelf: TheShelf, mending: Id) -> MendingAnswer:
    """Take back what resolved a conflict."""
    return MendingAnswer.model_validate((await shelf.conflicts.undo(mending)).as_dict())
