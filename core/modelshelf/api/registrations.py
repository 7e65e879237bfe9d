"""Which providers have which models of the library."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from modelshelf.api.catalog import Name, Org
from modelshelf.api.needs import Answer, TheShelf

router = APIRouter(prefix="/registrations", tags=["registrations"])

Id = Annotated[str, Path(max_length=32, description="the registration's id")]
Commit = Annotated[str | None, Query(max_length=64, description="only this commit")]


class RegistrationAnswer(Answer):
    """A model with a provider: status is registering, waiting, to start, registered, failed, gone or undone.

    `way` is path, hard link, reflink, symlink or upload; `copied` are the bytes that took. `given` is false where the
    provider had the model already. `command` starts a server that serves one model.
    """

    id: str
    model: str
    repo: str
    commit: str
    path: str
    provider: str
    name: str
    way: str
    status: str
    wish: str
    size: int
    copied: int
    place: str
    given: bool
    automatic: bool
    command: str
    error: str
    remedy: str
    created: datetime | None
    updated: datetime | None


class OfferAnswer(Answer):
    """What giving a model to a provider would mean; `refused` says why it cannot be, `why` why it is not by itself."""

    provider: str
    label: str
    path: str
    size: int
    score: int | None
    automatic: bool
    why: str
    waiting: bool
    name: str
    copies: int
    place: str
    command: str
    refused: str
    remedy: str
    way: str
    policy: str
    possible: bool
    registration: RegistrationAnswer | None


class PlanAnswer(Answer):
    """Every provider that a model could be given to, and commands of servers that serve one model."""

    repo: str
    commit: str
    offers: list[OfferAnswer]
    commands: dict[str, str]


class BreaksAnswer(Answer):
    """What is lost with a model: registrations are taken back, profiles have no model, others lose the bytes."""

    registrations: list[RegistrationAnswer]
    profiles: list[str]
    others: list[str]


class FindingAnswer(Answer):
    """What is not as it should be, and the deed that mends it: register or undo; `done`: it did."""

    problem: str
    deed: str
    detail: str
    done: bool
    registration: RegistrationAnswer


class RegisterOrder(BaseModel):
    """A model to give to a provider; without one, to all that are given models by themselves."""

    model: str = Field(min_length=1, max_length=400)
    provider: str = Field(default="", max_length=40)


@router.get("")
async def registrations(
    shelf: TheShelf,
    provider: Annotated[str, Query(max_length=40, description="only this provider's")] = "",
) -> list[RegistrationAnswer]:
    """All registrations, the oldest first."""
    return [RegistrationAnswer.model_validate(item) for item in await shelf.registration.list(provider=provider)]


@router.post("")
async def register(shelf: TheShelf, order: RegisterOrder) -> list[RegistrationAnswer]:
    """Give a model to a provider, whatever that copies."""
    made = await shelf.registration.register(order.model, order.provider)
    return [RegistrationAnswer.model_validate(item) for item in made]


@router.get("/findings")
async def findings(shelf: TheShelf) -> list[FindingAnswer]:
    """Ask every provider for its list: what is listed and not there, or there and not listed."""
    return [FindingAnswer.model_validate(finding) for finding in await shelf.registration.check()]


@router.post("/repair")
async def repair(shelf: TheShelf) -> list[FindingAnswer]:
    """Register again what is there and not listed; the rest is told."""
    return [FindingAnswer.model_validate(finding) for finding in await shelf.registration.repair()]


@router.delete("/{registration}")
async def undo(shelf: TheShelf, registration: Id) -> RegistrationAnswer:
    """Have the provider forget the model; the library keeps it."""
    return RegistrationAnswer.model_validate(await shelf.registration.undo(registration))


@router.get("/plan/{org}/{name}")
async def plan(shelf: TheShelf, org: Org, name: Name, commit: Commit = None) -> PlanAnswer:
    """What giving an installed model to every provider would mean; nothing is changed."""
    found: dict[str, Any] = (await shelf.registration.plan(_named(org, name, commit))).as_dict()
    return PlanAnswer.model_validate(found)


@router.get("/breaks/{org}/{name}")
async def breaks(shelf: TheShelf, org: Org, name: Name, commit: Commit = None) -> BreaksAnswer:
    """What would be lost if an installed model were deleted."""
    return BreaksAnswer.model_validate(await shelf.registration.breaks(_named(org, name, commit)))


def _named(org: str, name: str, commit: str | None) -> str:
    return f"{org}/{name}@{commit}" if commit else f"{org}/{name}"
