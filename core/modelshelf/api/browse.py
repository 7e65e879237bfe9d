"""The catalogue: a page of it, what a word may become, how fresh it is, and the order to bring it up to date."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from modelshelf.api.catalog import Card
from modelshelf.api.needs import Answer, OperatorOnly, TheShelf
from modelshelf.events import SyncAsked

router = APIRouter(prefix="/catalog", tags=["catalog"])

Text = Annotated[str, Query(max_length=1000, description="words, and filters as in `format:gguf size:<8GB`")]


class RowAnswer(Answer):
    """A model, every source that has it, and its first score on this machine; null where nothing can be said."""

    card: Card
    origins: list[str]
    score: int | None


class PageAnswer(Answer):
    """Some rows of an answer: `total` match in all. `suggestion` is a query that finds more, empty if there is none."""

    rows: list[RowAnswer]
    total: int
    offset: int
    facets: dict[str, dict[str, int]]
    suggestion: str


class ProgressAnswer(Answer):
    """How a source is known: never, partly, whole, off, or, while it is listed, asking or waiting."""

    source: str
    status: str
    models: int
    found: int
    full: datetime | None
    asked: datetime | None
    error: str


class MoreAnswer(Answer):
    """What a hub has beyond its most downloaded models, and what listing that takes; 0 for what is not known."""

    source: str
    label: str
    listed: int
    models: int
    requests: int
    seconds: float
    received: int


class CatalogStatus(Answer):
    """The generation in use; empty and null where there is none yet. `more` is what else there is to list."""

    generation: str
    models: int
    made: datetime | None
    sources: list[ProgressAnswer]
    more: MoreAnswer | None


class SyncRequest(Answer):
    """`full` goes through every source from its first model on; `all` keeps all models of hubs from now on."""

    full: bool = Field(default=False)
    all: bool = Field(default=False)


@router.get("/browse")
async def browse(
    shelf: TheShelf,
    q: Text = "",
    sort: Annotated[str, Query(max_length=40, description="as in `likes`; ascending with `-` before it")] = "downloads",
    offset: Annotated[int, Query(ge=0, le=100_000_000)] = 0,
    limit: Annotated[int, Query(ge=0, le=500)] = 50,
    facet: Annotated[list[str] | None, Query(description="which to count; left out: the usual", max_length=10)] = None,
) -> PageAnswer:
    """One page of the catalogue, with the exact count: nobody is asked over a network."""
    page = await shelf.catalog.index.page(q, sort=sort, offset=offset, limit=limit, facets=facet)
    rows = [
        RowAnswer(
            card=Card.model_validate(row.card),
            origins=list(row.origins),
            score=shelf.compatibility.quick(row.card).score,
        )
        for row in page.rows
    ]
    facets = {name: dict(values) for name, values in page.facets.items()}
    return PageAnswer(rows=rows, total=page.total, offset=page.offset, facets=facets, suggestion=page.suggestion)


@router.get("/counts")
async def counts(
    shelf: TheShelf,
    token: Annotated[list[str], Query(description="filters as in `size:<8GB` or `is:fits`", max_length=60)],
    q: Text = "",
) -> dict[str, int]:
    """How many models each of these filters would leave in place of those of its own key, all others kept."""
    return await shelf.catalog.index.counts(q, token)


@router.get("/complete")
async def complete(shelf: TheShelf, q: Text = "") -> list[str]:
    """What the last word of a query may become."""
    return await shelf.catalog.index.complete(q)


@router.get("/status")
async def status(shelf: TheShelf) -> CatalogStatus:
    """How many models there are to search, and how well each source is known."""
    found = await shelf.catalog.index.status()
    progress = [ProgressAnswer.model_validate(one) for one in await shelf.catalog_sync.progress()]
    rest = await shelf.catalog_sync.more()
    more = MoreAnswer.model_validate(rest) if rest else None
    return CatalogStatus(generation=found.generation, models=found.rows, made=found.made, sources=progress, more=more)


@router.post("/sync", status_code=202, dependencies=[OperatorOnly])
async def sync(shelf: TheShelf, wanted: SyncRequest) -> None:
    """Have the catalogue brought up to date, by the process that leads; `sync` events tell how it goes."""
    if wanted.all:
        await shelf.catalog_sync.list_all()
    shelf.events.publish(SyncAsked(full=wanted.full))


@router.post("/stop", status_code=202, dependencies=[OperatorOnly])
async def stop(shelf: TheShelf) -> dict[str, bool]:
    """Have listing stop, in whichever process it goes on; the next round goes on from there."""
    return {"stopping": await shelf.catalog_sync.halt()}
