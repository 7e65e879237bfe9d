"""What other programs keep on the server's machine."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from modelshelf.api.library import ImportedAnswer
from modelshelf.api.needs import AdminOnly, Answer, OperatorOnly, TheShelf

router = APIRouter(prefix="/stores", tags=["stores"])


class StoreAnswer(Answer):
    """A folder of another program; `problem` says in a sentence what was odd there."""

    name: str
    label: str
    place: str
    models: int
    size: int
    problem: str


class StoredFileAnswer(Answer):
    """A file of a stored model; `links` is how many names its bytes have."""

    path: str
    place: str
    size: int
    links: int


class StandingAnswer(Answer):
    """A stored model; library: linked (these very bytes), same (a second copy), or empty."""

    id: str
    store: str
    label: str
    name: str
    repo: str
    commit: str
    size: int
    files: list[StoredFileAnswer]
    library: str
    same_as: list[str]
    comparing: bool


class PlanAnswer(Answer):
    """By which way a model would enter the library, what that takes, and what a copy would take."""

    model: str
    way: str
    cost: int
    copy_: int = Field(serialization_alias="copy", validation_alias="copy")


class CopyAnswer(Answer):
    """One of the two, under all its names."""

    places: list[str]
    holders: list[str]
    library: bool


class DuplicateAnswer(Answer):
    """The same bytes twice; giving back frees `freed` bytes."""

    id: str
    sha256: str
    size: int
    freed: int
    possible: bool
    why: str
    keep: CopyAnswer
    give: CopyAnswer


class GivenAnswer(Answer):
    """The files that lead to the bytes at `kept` now."""

    places: list[str]
    kept: str
    freed: int


class SharedAnswer(Answer):
    """A file that was given back."""

    place: str
    size: int


class ComparingAnswer(Answer):
    """What must still be read to know what is the same."""

    files: int
    size: int
    done: int
    total: int
    why: str


class Adoption(BaseModel):
    """Which model to adopt; `copy`: copy what cannot be shared."""

    model: str = Field(min_length=1, max_length=700)
    copy_: bool = Field(default=False, alias="copy")


class GivingBack(BaseModel):
    """Which duplicate to give back."""

    duplicate: str = Field(min_length=1, max_length=100)


class Folder(BaseModel):
    """A folder of models, as a whole path."""

    path: str = Field(min_length=1, max_length=4000)


class Separation(BaseModel):
    """Which file gets bytes of its own again."""

    place: str = Field(min_length=1, max_length=4000)


def _each(model: type[Answer], items: Any) -> list[Any]:
    return [model.model_validate(item.as_dict()) for item in items]


@router.get("")
async def stores(shelf: TheShelf) -> list[StoreAnswer]:
    """Every store that was found."""
    return _each(StoreAnswer, await shelf.adoption.stores())


@router.post("/folders", dependencies=[AdminOnly])
async def add_folder(shelf: TheShelf, folder: Folder) -> list[str]:
    """Look at a folder of the server's machine too; all that are looked at."""
    return list(await shelf.adoption.add_folder(folder.path))


@router.delete("/folders", dependencies=[AdminOnly])
async def drop_folder(shelf: TheShelf, path: Annotated[str, Query(min_length=1, max_length=4000)]) -> list[str]:
    """Look at an added folder no more; all that are left."""
    return list(await shelf.adoption.drop_folder(path))


@router.get("/models")
async def models(shelf: TheShelf) -> list[StandingAnswer]:
    """Every model in them, and who else has its bytes."""
    return _each(StandingAnswer, await shelf.adoption.models())


@router.get("/plan")
async def plan(shelf: TheShelf, model: Annotated[str, Query(min_length=1, max_length=700)]) -> PlanAnswer:
    """How adopting a model would be done, and what it would take."""
    return PlanAnswer.model_validate((await shelf.adoption.plan(model)).as_dict())


@router.post("/adopt", dependencies=[OperatorOnly])
async def adopt(shelf: TheShelf, order: Adoption) -> ImportedAnswer:
    """Link a stored model into the library; it is verified and scanned as a download is."""
    return ImportedAnswer.model_validate(await shelf.adoption.adopt(order.model, copy=order.copy_))


@router.get("/duplicates")
async def duplicates(shelf: TheShelf) -> list[DuplicateAnswer]:
    """What lies twice, as far as files were compared."""
    return _each(DuplicateAnswer, await shelf.adoption.duplicates())


@router.get("/comparing")
async def comparing(shelf: TheShelf) -> ComparingAnswer:
    """How far the comparison is."""
    return ComparingAnswer.model_validate((await shelf.adoption.elsewhere()).comparing)


@router.post("/give-back", dependencies=[AdminOnly])
async def give_back(shelf: TheShelf, order: GivingBack) -> GivenAnswer:
    """Make one file of two with the same bytes, which are read anew before."""
    return GivenAnswer.model_validate((await shelf.adoption.give_back(order.duplicate)).as_dict())


@router.get("/shared")
async def shared(shelf: TheShelf) -> list[SharedAnswer]:
    """The files that were given back."""
    return _each(SharedAnswer, await shelf.adoption.shared())


@router.post("/separate", dependencies=[AdminOnly])
async def separate(shelf: TheShelf, order: Separation) -> SharedAnswer:
    """Give a file that was given back bytes of its own again."""
    return SharedAnswer(place=order.place, size=await shelf.adoption.separate(order.place))
