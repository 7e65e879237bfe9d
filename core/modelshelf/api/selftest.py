"""The self-test and the doctor: /api/integration/test, /api/doctor."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse, StreamingResponse
from pydantic import BaseModel

from modelshelf.api.needs import AdminOnly, Answer, OperatorOnly, TheShelf
from modelshelf.errors import NotFound
from modelshelf.integration import Report
from modelshelf.integration.html import to_html
from modelshelf.integration.own import Wish

router = APIRouter(tags=["integration"])


class StepAnswer(Answer):
    """A step: passed, failed or not run; what was seen, or why not and what mends it."""

    name: str
    status: Literal["passed", "failed", "not run"]
    seconds: float
    evidence: str
    error: str
    remedy: str
    group: str
    mend: str
    code: str


class AdviceAnswer(Answer):
    """Something that could be better here."""

    code: str
    detail: str
    remedy: str
    figures: dict[str, Any]


class ReportAnswer(Answer):
    """A whole self-test."""

    version: str
    machine: str
    started: datetime
    seconds: float
    passed: bool
    steps: list[StepAnswer]
    advice: list[AdviceAnswer]


class CheckAnswer(Answer):
    """One thing that the doctor looked at: well, note or wrong."""

    name: str
    status: str
    detail: str
    remedy: str


class WishBody(BaseModel):
    """What may be asked: models that cost money, and local ones that would have to be loaded."""

    paid: bool = False
    load: bool = False


_walking: set[asyncio.Task[None]] = set()
_EVENTS: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}


@router.post("/integration/test", dependencies=[OperatorOnly], response_class=StreamingResponse, responses=_EVENTS)
async def begin(shelf: TheShelf, wish: WishBody | None = None) -> StreamingResponse:
    """Walk the self-test: an event `step` for each as it ends, then `done` with the whole report.

    Letting go of the answer stops the test, which cleans up.
    """
    asked = Wish(wish.paid, wish.load) if wish else Wish()
    await shelf.selftest.allowed(asked)

    told: asyncio.Queue[str] = asyncio.Queue()

    async def walk() -> None:
        try:
            async with aclosing(shelf.selftest.run(asked)) as results:
                async for found in results:
                    kind = "done" if isinstance(found, Report) else "step"
                    told.put_nowait(f"event: {kind}\ndata: {json.dumps(found.as_dict())}\n\n")
        finally:
            told.put_nowait("")

    async def body() -> AsyncGenerator[str, None]:
        # In a task of its own: the scope of an answer that is let go cancels whatever it awaits again, cleaning too.
        task = asyncio.create_task(walk(), name="api.selftest")
        _walking.add(task)
        task.add_done_callback(_walking.discard)
        try:
            while text := await told.get():
                yield text
        finally:
            task.cancel()

    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(body(), media_type="text/event-stream", headers=headers)


@router.get("/integration/test", dependencies=[OperatorOnly], response_model=ReportAnswer)
async def last(shelf: TheShelf, as_: Annotated[Literal["json", "html"], Query(alias="format")] = "json") -> Any:
    """The report of the last self-test, as JSON or as a page that holds everything in itself."""
    report = await shelf.selftest.last()
    if report is None:
        raise NotFound("There was no self-test yet.", remedy="Run one: POST /api/integration/test.")
    if as_ == "html":
        return HTMLResponse(to_html(report), headers={"content-disposition": 'attachment; filename="self-test.html"'})
    return ReportAnswer.model_validate(report)


@router.get("/doctor", dependencies=[AdminOnly])
async def doctor(shelf: TheShelf) -> list[CheckAnswer]:
    """What is wrong here, and how to mend it."""
    return [CheckAnswer.model_validate(check) for check in await shelf.support.checks()]


@router.get(
    "/doctor/bundle",
    dependencies=[AdminOnly],
    response_class=Response,
    responses={200: {"content": {"application/zip": {}}}},
)
async def bundle(shelf: TheShelf) -> Response:
    """The support file: what a helper needs to know, without anything of a person's own."""
    name, data = await shelf.support.bundle()
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return Response(data, media_type="application/zip", headers=headers)
