"""The server itself: health, services, who asks, and the record of deeds."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from modelshelf import __version__
from modelshelf.api.needs import AdminOnly, Answer, TheShelf, Who

router = APIRouter(tags=["system"])


class HealthAnswer(Answer):
    """The process lives."""

    status: Literal["ok"] = "ok"


class ReadyAnswer(Answer):
    """Whether the server can do its work."""

    status: Literal["ready", "not ready"]


class ServiceAnswer(Answer):
    """How a service is."""

    name: str
    status: str
    error: str
    remedy: str


class StatusAnswer(Answer):
    """The version, and how every service is."""

    version: str
    services: list[ServiceAnswer]


class MeAnswer(Answer):
    """Who asks."""

    name: str
    role: str


class AuditEntry(Answer):
    """A deed or a refusal."""

    id: int
    at: datetime
    principal: str
    role: str
    action: str
    target: str
    outcome: str
    detail: str


@router.get("/health")
async def health() -> HealthAnswer:
    """Whether the process lives. Needs no login."""
    return HealthAnswer()


@router.get("/ready", responses={503: {"model": ReadyAnswer, "description": "The database cannot be used"}})
async def ready(shelf: TheShelf, response: Response) -> ReadyAnswer:
    """Whether the database and the record of deeds work. Needs no login and tells no details."""
    well = all(shelf.services[name].status == "running" for name in ("store", "events", "access"))
    response.status_code = 200 if well else 503
    return ReadyAnswer(status="ready" if well else "not ready")


@router.get("/status")
async def status(shelf: TheShelf) -> StatusAnswer:
    """How every service of this process is."""
    services = [ServiceAnswer.model_validate(item) for item in shelf.services.values()]
    return StatusAnswer(version=__version__, services=services)


@router.get("/me")
async def me(asks: Who) -> MeAnswer:
    """Who asks, and what they may."""
    return MeAnswer(name=asks.name, role=asks.role.label)


@router.get("/audit", dependencies=[AdminOnly])
async def audit(shelf: TheShelf, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[AuditEntry]:
    """The newest deeds and refusals first."""
    return [AuditEntry.model_validate(entry) for entry in await shelf.access.audit(limit)]
