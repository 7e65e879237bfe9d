"""Errors as RFC 9457 problem answers, each with what to do. A traceback goes to the log, never to the caller."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from modelshelf.errors import ModelshelfError

log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """What every failing call answers."""

    type: str = Field(description="a URI that names the kind of problem")
    title: str = Field(description="the name of the HTTP status")
    status: int
    detail: str = Field(description="what happened, to what")
    code: str = Field(description="the kind of problem, for programs")
    remedy: str = Field(description="what to do")
    errors: list[dict[str, Any]] | None = Field(default=None, description="per field, where fields were wrong")


RESPONSES: Mapping[int | str, dict[str, Any]] = {
    key: {"description": text, "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    for key, text in (("4XX", "The request cannot be met"), ("5XX", "A source, a provider or the server failed"))
}


def problem(
    status: int,
    detail: str,
    remedy: str,
    *,
    code: str = "",
    errors: list[dict[str, Any]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """A problem answer."""
    title = HTTPStatus(status).phrase
    code = code or title.title().replace(" ", "")
    body = Problem(
        type=f"urn:modelshelf:problem:{code}",
        title=title,
        status=status,
        detail=_plain(detail),
        code=code,
        remedy=_plain(remedy),
        errors=errors,
    )
    return JSONResponse(body.model_dump(exclude_none=True), status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def _plain(text: str) -> str:
    """A text that any answer can carry: what was asked may have held anything."""
    return text.encode("utf-8", "replace").decode("utf-8")


def unauthorised() -> JSONResponse:
    """The answer to somebody who is not signed in."""
    return problem(
        401,
        "You are not signed in.",
        "Open the link that `modelshelf serve` printed at its start.",
        code="NotSignedIn",
        headers={"www-authenticate": 'Bearer realm="modelshelf"'},
    )


def install(app: FastAPI) -> None:
    """Answer every error of the app's routes as a problem."""
    app.add_exception_handler(ModelshelfError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unforeseen)


async def _ours(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ModelshelfError)  # noqa: S101 - registered for this type only
    if error.status >= 500:
        log.warning("%s: %s", error.code, error.message, exc_info=error)
    return problem(error.status, error.message, error.remedy, code=error.code)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type only
    # The value itself is left out: it may be a secret, or not be JSON at all.
    errors = [{"where": [str(part) for part in item["loc"]], "what": item["msg"]} for item in error.errors()]
    first = errors[0] if errors else {"where": [], "what": "it is not valid"}
    detail = f"{'.'.join(first['where']) or 'The request'}: {first['what']}."
    return problem(
        422, detail, "Correct the request; /api/docs lists what is allowed.", code="InvalidRequest", errors=errors
    )


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type only
    return problem(error.status_code, f"{error.detail}.", "See /api/docs for what there is.", headers=error.headers)


async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(500, "Something went wrong inside Modelshelf.", "See the log for the details.", code="InternalError")
