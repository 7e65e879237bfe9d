"""What helps to find models: collections, favourites, kept searches, relatives, and installed models that moved on."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from modelshelf.api.browse import RowAnswer
from modelshelf.api.catalog import Card, Name, Org
from modelshelf.api.needs import Answer, TheShelf
from modelshelf.catalog.columns.mapped import Row

router = APIRouter(prefix="/discovery", tags=["discovery"])

SearchName = Annotated[str, Path(max_length=100)]


class SavedSearchAnswer(Answer):
    """A search under a name; `fresh` models of its answer came into being since it was last looked at."""

    name: str
    query: str
    sort: str
    looked: datetime
    fresh: int


class SeenAnswer(BaseModel):
    """The moment from which on models are new."""

    since: datetime


class NewSearch(BaseModel):
    """A search to keep."""

    query: str = Field(max_length=1000)
    sort: str = Field(default="downloads", max_length=40)


class RelativesAnswer(BaseModel):
    """What goes together with a model; `named` are bases that the catalogue does not have."""

    base: list[RowAnswer]
    named: list[str]
    derived: dict[str, list[RowAnswer]]
    counts: dict[str, int]
    formats: dict[str, list[RowAnswer]]


class DriftAnswer(Answer):
    """An installed commit beside what the catalogue knows: newest, newer, gone or unknown."""

    repo: str
    installed: str
    status: str
    source: str
    commit: str


@router.get("/collections/{name}")
async def collection(
    shelf: TheShelf,
    name: Annotated[str, Path(max_length=40)],
    task: Annotated[str, Query(max_length=60)] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> list[RowAnswer]:
    """Models that are installed, favourites, recent, recommended for this machine, new, or unseen."""
    return [_row(shelf, row) for row in await shelf.discovery.collection(name, task=task, limit=limit)]


@router.post("/seen")
async def seen(shelf: TheShelf) -> SeenAnswer:
    """Say that you have seen all that the catalogue has now: the collection `unseen` counts from here."""
    return SeenAnswer(since=await shelf.discovery.seen())


@router.put("/favourites/{org}/{name}", status_code=204)
async def favour(shelf: TheShelf, org: Org, name: Name) -> None:
    """Mark a model as a favourite of yours."""
    await shelf.discovery.favour(f"{org}/{name}")


@router.delete("/favourites/{org}/{name}", status_code=204)
async def unfavour(shelf: TheShelf, org: Org, name: Name) -> None:
    """Take the mark away."""
    await shelf.discovery.unfavour(f"{org}/{name}")


@router.get("/searches")
async def searches(shelf: TheShelf) -> list[SavedSearchAnswer]:
    """The searches that you keep."""
    return [SavedSearchAnswer.model_validate(one) for one in await shelf.discovery.searches()]


@router.put("/searches/{name}", status_code=204)
async def save(shelf: TheShelf, name: SearchName, search: NewSearch) -> None:
    """Keep a search under a name."""
    await shelf.discovery.save(name, search.query, search.sort)


@router.post("/searches/{name}/looked", status_code=204)
async def looked(shelf: TheShelf, name: SearchName) -> None:
    """Say that you looked at its answer: what there is of it is not new any more."""
    await shelf.discovery.looked(name)


@router.delete("/searches/{name}", status_code=204)
async def forget(shelf: TheShelf, name: SearchName) -> None:
    """Let go of a search."""
    await shelf.discovery.forget(name)


@router.get("/relatives/{org}/{name}")
async def relatives(shelf: TheShelf, org: Org, name: Name) -> RelativesAnswer:
    """The base, the derivatives and the other formats of a model, by what their publishers say."""
    found = await shelf.discovery.relatives(f"{org}/{name}")
    return RelativesAnswer(
        base=[_row(shelf, row) for row in found.base],
        named=list(found.named),
        derived={kind: [_row(shelf, row) for row in rows] for kind, rows in found.derived.items()},
        counts=dict(found.counts),
        formats={kind: [_row(shelf, row) for row in rows] for kind, rows in found.formats.items()},
    )


@router.get("/drift")
async def drift(shelf: TheShelf) -> list[DriftAnswer]:
    """Installed models of which their sources have another commit by now, or which are gone there."""
    return [DriftAnswer.model_validate(one) for one in await shelf.discovery.drift()]


def _row(shelf: TheShelf, row: Row) -> RowAnswer:
    score = shelf.compatibility.quick(row.card).score
    return RowAnswer(card=Card.model_validate(row.card), origins=list(row.origins), score=score)
