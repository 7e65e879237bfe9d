"""All routes in one app."""

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi

from modelshelf import __version__
from modelshelf.api import (
    account,
    browse,
    bundles,
    catalog,
    chat,
    compatibility,
    discovery,
    docs,
    downloads,
    events,
    hooks,
    integration,
    library,
    problems,
    profiles,
    providers,
    quarantine,
    queue,
    registrations,
    selftest,
    sources,
    stores,
    system,
    updates,
    vetting,
)
from modelshelf.api.events import EventLog
from modelshelf.api.guard import Authenticate
from modelshelf.api.problems import RESPONSES, Problem

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

PARTS = (
    catalog,
    browse,
    discovery,
    compatibility,
    queue,
    downloads,
    library,
    stores,
    updates,
    bundles,
    sources,
    quarantine,
    vetting,
    providers,
    registrations,
    account,
    profiles,
    chat,
    integration,
    hooks,
    selftest,
    system,
    events,
    docs,
)
ROUTERS = tuple(part.router for part in PARTS)


def add_api(app: FastAPI, shelf: "Shelf", log: EventLog, authenticate: Authenticate) -> None:
    """Put every route below /api, and make every error a problem answer."""
    app.state.shelf, app.state.event_log, app.state.authenticate = shelf, log, authenticate
    api = APIRouter(prefix="/api", responses=dict(RESPONSES))
    for router in ROUTERS:
        api.include_router(router)
    app.include_router(api)
    problems.install(app)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign] # FastAPI's documented way


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        schema = get_openapi(title="Modelshelf", version=__version__, summary="The shelf over HTTP.", routes=app.routes)
        schema["components"]["schemas"]["Problem"] = Problem.model_json_schema()
        app.openapi_schema = schema
    return app.openapi_schema
