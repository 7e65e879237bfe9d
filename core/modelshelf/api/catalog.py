"""What can be had: search over all sources, and one repository in detail."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query

from modelshelf.api.needs import Answer, TheShelf
from modelshelf.ids import ModelId

router = APIRouter(prefix="/catalog", tags=["catalog"])

Org = Annotated[str, Path(max_length=96, description="the publisher, with `source:` in front where it matters")]
Name = Annotated[str, Path(max_length=96)]


class Card(Answer):
    """A repository as a search finds it; null means that the source does not say. Sizes in bytes."""

    source: str
    repo: str
    commit: str | None
    task: str | None
    library: str | None
    licence: str | None
    tags: list[str]
    formats: list[str]
    quantisations: list[str]
    downloads: int | None
    likes: int | None
    gated: bool
    private: bool
    created: datetime | None
    modified: datetime | None
    parameters: int | None
    size: int | None
    context: int | None
    architecture: str | None


class SourceAnswer(Answer):
    """How one source fared: status is fresh, stale, failed or off."""

    source: str
    label: str
    status: str
    found: int
    seconds: float | None
    as_of: datetime | None
    error: str
    remedy: str


class Found(Answer):
    """The rows of all sources that answered, and what became of each source."""

    text: str
    rows: list[Card]
    sources: list[SourceAnswer]
    seconds: float


class FileAnswer(Answer):
    """A file of a commit."""

    path: str
    size: int
    sha256: str | None
    git_sha1: str | None


class Detail(Answer):
    """One commit of a repository with its files."""

    card: Card
    commit: str
    files: list[FileAnswer]
    readme: str | None


class CommitAnswer(Answer):
    """A commit as its source lists it."""

    id: str
    date: datetime | None
    title: str
    authors: list[str]


class HistoryAnswer(Answer):
    """The newest commits, the last first; `more` says whether there are older ones, `link` where a person reads all."""

    commits: list[CommitAnswer]
    more: bool
    link: str


@router.get("/search")
async def search(
    shelf: TheShelf,
    q: Annotated[str, Query(max_length=500, description="words, and filters as in `format:gguf size:<8GB`")] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    source: Annotated[list[str] | None, Query(description="only these sources", max_length=20)] = None,
) -> Found:
    """Ask all sources at once; one that is slow or down says so in `sources` and delays nobody."""
    return Found.model_validate(await shelf.catalog.find(q, limit=limit, sources=source))


@router.get("/models/{org}/{name}")
async def model(
    shelf: TheShelf, org: Org, name: Name, revision: Annotated[str | None, Query(max_length=200)] = None
) -> Detail:
    """One commit of a repository: its facts and files; the newest commit if no revision is given."""
    found = ModelId.parse(f"{org}/{name}")
    return Detail.model_validate(await shelf.catalog.detail(found.at(revision) if revision else found))


@router.get("/models/{org}/{name}/commits")
async def commits(
    shelf: TheShelf, org: Org, name: Name, limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> HistoryAnswer:
    """The newest commits of a repository; none where its source does not list them."""
    found = await shelf.catalog.history(ModelId.parse(f"{org}/{name}"), limit=limit)
    return HistoryAnswer.model_validate(found) if found else HistoryAnswer(commits=[], more=False, link="")
