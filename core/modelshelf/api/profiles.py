"""Profiles: a model under a name of one's own, with how it is asked and what it falls back on."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from modelshelf.api.needs import Answer, TheShelf
from modelshelf.providers.profile_checks import parameters
from modelshelf.providers.profile_spec import Profile, ProfileState

router = APIRouter(prefix="/profiles", tags=["profiles"])

TOML = "application/toml"
Name = Annotated[str, Path(max_length=100, description="the profile's name, in small or capital letters")]
Model = Annotated[str, Field(max_length=350, description="provider/model")]


class ParametersBody(BaseModel):
    """How the model is asked; what is left out is left to the provider. `extra` goes to the provider as it is."""

    model_config = {"from_attributes": True, "extra": "forbid"}

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: list[str] = []
    extra: dict[str, Any] = {}


class ProfileChange(BaseModel):
    """A profile without its name. `default` makes it the one of its purpose; there is always one."""

    model: Model
    purpose: str = Field(default="chat", max_length=100)
    parameters: ParametersBody = ParametersBody()
    system: str = Field(default="", max_length=200_000)
    fallbacks: list[Model] = Field(default=[], max_length=100)
    default: bool = False


class ProfileOrder(ProfileChange):
    """A new profile."""

    name: str = Field(max_length=100)


class ProfileAnswer(Answer):
    """A profile: `@name` is what to ask in /api/chat."""

    name: str
    model: str
    purpose: str
    parameters: ParametersBody
    system: str
    fallbacks: list[str]
    default: bool


class StateAnswer(Answer):
    """Whether a profile can answer: status is ok, fallback or broken; `uses` is what would answer.

    `cause` is empty, removed, off, down, missing, retired or deprecated; `nearest` could stand in, the best first.
    """

    name: str
    status: str
    uses: str
    problem: str
    cause: str
    nearest: list[str]


class NewName(BaseModel):
    """Another name."""

    name: str = Field(max_length=100)


class Stand(BaseModel):
    """What is to stand in; empty: the nearest."""

    model: str = Field(default="", max_length=350)


class ProfilesText(BaseModel):
    """An export; with `replace`, profiles that are here and differ are changed, else they stay."""

    text: str = Field(max_length=16 << 20)
    replace: bool = False


class ImportAnswer(Answer):
    """What an import did, by names: `kept` differ from the text and were left as they are."""

    added: list[str]
    changed: list[str]
    kept: list[str]
    same: list[str]


@router.get("")
async def profiles(shelf: TheShelf) -> list[ProfileAnswer]:
    """All profiles in the order in which they were made."""
    return [ProfileAnswer.model_validate(item) for item in await shelf.profiles.list()]


@router.post("", status_code=201)
async def create(shelf: TheShelf, order: ProfileOrder) -> ProfileAnswer:
    """Make a profile. Its name must be new."""
    return ProfileAnswer.model_validate(await shelf.profiles.save(_profile(order.name, order), new=True))


@router.get("/export", response_class=PlainTextResponse, responses={200: {"content": {TOML: {}}}})
async def export(shelf: TheShelf) -> PlainTextResponse:
    """All profiles as TOML, without secrets."""
    headers = {"content-disposition": 'attachment; filename="profiles.toml"'}
    return PlainTextResponse(await shelf.profiles.export(), media_type=TOML, headers=headers)


@router.post("/import")
async def import_(shelf: TheShelf, order: ProfilesText) -> ImportAnswer:
    """Add the profiles of an export, all of them or none."""
    return ImportAnswer.model_validate(await shelf.profiles.import_(order.text, order.replace))


@router.get("/{name}")
async def one(shelf: TheShelf, name: Name) -> ProfileAnswer:
    """One profile."""
    return ProfileAnswer.model_validate(await shelf.profiles.get(name))


@router.put("/{name}")
async def save(shelf: TheShelf, name: Name, change: ProfileChange) -> ProfileAnswer:
    """Make or change the profile of this name."""
    return ProfileAnswer.model_validate(await shelf.profiles.save(_profile(name, change)))


@router.delete("/{name}", status_code=204)
async def remove(shelf: TheShelf, name: Name) -> None:
    """Remove a profile; if it was the default of its purpose, the next one becomes that."""
    await shelf.profiles.remove(name)


@router.get("/{name}/check")
async def check(shelf: TheShelf, name: Name) -> StateAnswer:
    """Whether a profile can answer now, by what, and what could stand in for a model that is gone."""
    return _state(await shelf.profiles.check(name))


@router.post("/{name}/rename")
async def rename(shelf: TheShelf, name: Name, to: NewName) -> ProfileAnswer:
    """Give a profile another name."""
    return ProfileAnswer.model_validate(await shelf.profiles.rename(name, to.name))


@router.post("/{name}/default")
async def set_default(shelf: TheShelf, name: Name) -> ProfileAnswer:
    """Make a profile the default of its purpose."""
    return ProfileAnswer.model_validate(await shelf.profiles.set_default(name))


@router.post("/{name}/use-nearest")
async def use_nearest(shelf: TheShelf, name: Name, stand: Stand) -> ProfileAnswer:
    """Put the nearest model, or the one named, in the place of the profile's own."""
    return ProfileAnswer.model_validate(await shelf.profiles.use_nearest(name, stand.model))


def _profile(name: str, change: ProfileChange) -> Profile:
    asked = parameters(change.parameters.model_dump(exclude_none=True))
    return Profile(name, change.model, change.purpose, asked, change.system, tuple(change.fallbacks), change.default)


def _state(state: ProfileState) -> StateAnswer:
    return StateAnswer.model_validate(state)
