"""Bundles for machines without a network: written and brought in, in the background, in a folder of the home."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from modelshelf.api.needs import Answer, OperatorOnly, TheShelf
from modelshelf.errors import NotFound

router = APIRouter(prefix="/bundles", tags=["bundles"])

Id = Annotated[str, Path(max_length=64)]
Name = Annotated[str, Field(max_length=104, description="letters, digits, dots and dashes, ending in .tar")]


class BundleAnswer(Answer):
    """A bundle in the folder; its size in bytes."""

    name: str
    size: int
    modified: datetime


class ErrandAnswer(Answer):
    """Writing or bringing in a bundle. Sizes in bytes; `error` and `remedy` belong to failed."""

    id: str
    kind: Literal["export", "import"]
    name: str
    status: Literal["running", "done", "failed", "stopped"]
    done: int
    total: int
    models: list[str]
    started: datetime
    ended: datetime | None
    error: str
    remedy: str


class Export(BaseModel):
    """What to write, and under which name."""

    name: Name
    models: list[str] = Field(min_length=1, max_length=1000)


class Import(BaseModel):
    """Which bundle to bring in."""

    name: Name


@router.get("")
async def bundles(shelf: TheShelf) -> list[BundleAnswer]:
    """The bundles in the folder of this home."""
    return [BundleAnswer.model_validate(file) for file in await shelf.bundles.errands.files()]


@router.post("/export", status_code=202)
async def export(shelf: TheShelf, wanted: Export) -> ErrandAnswer:
    """Begin to write models to a bundle, every byte verified; follow it by its errand."""
    return ErrandAnswer.model_validate(await shelf.bundles.errands.export(wanted.name, wanted.models))


@router.post("/import", status_code=202)
async def bring(shelf: TheShelf, wanted: Import) -> ErrandAnswer:
    """Begin to verify and scan a bundle and bring all of it into the library, or nothing; follow it by its errand."""
    return ErrandAnswer.model_validate(await shelf.bundles.errands.bring(wanted.name))


@router.get("/errands")
async def errands(shelf: TheShelf) -> list[ErrandAnswer]:
    """What was begun in this process, the latest first."""
    return [ErrandAnswer.model_validate(errand) for errand in shelf.bundles.errands.all()]


@router.get("/errands/{errand}")
async def errand(shelf: TheShelf, errand: Id) -> ErrandAnswer:
    """How far an errand is."""
    return ErrandAnswer.model_validate(shelf.bundles.errands.one(errand))


@router.delete("/errands/{errand}")
async def stop(shelf: TheShelf, errand: Id) -> ErrandAnswer:
    """Stop an errand; nothing of it is kept."""
    return ErrandAnswer.model_validate(await shelf.bundles.errands.end(errand))


@router.get("/files/{name}", dependencies=[OperatorOnly], response_class=FileResponse)
async def download(shelf: TheShelf, name: Annotated[str, Path(max_length=104)]) -> FileResponse:
    """A bundle itself."""
    place = shelf.bundles.errands.place(name)
    if name not in {file.name for file in await shelf.bundles.errands.files()}:
        raise NotFound(f"There is no bundle {name}.", remedy="Export it first.")
    return FileResponse(place, media_type="application/x-tar", filename=name)
