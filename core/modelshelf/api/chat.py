"""Ask a model: the whole answer as JSON, or piece by piece as server-sent events."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from modelshelf.api.needs import Answer, TheShelf
from modelshelf.errors import ModelshelfError
from modelshelf.providers.profile_spec import Limits
from modelshelf.providers.spec import ChatChunk, ChatMessage

router = APIRouter(prefix="/chat", tags=["chat"])


class Turn(BaseModel):
    """One turn of the conversation."""

    role: Literal["system", "user", "assistant"]
    content: str = Field(max_length=1_000_000)


class Question(BaseModel):
    """What to ask whom."""

    model: str = Field(max_length=300, description="provider/model, for example builtin/tiny-llama, or @ and a profile")
    messages: Annotated[list[Turn], Field(min_length=1, max_length=1000)]
    max_tokens: int | None = Field(default=512, ge=1, le=1_048_576, description="left out: a profile's own, or 512")
    temperature: float | None = Field(default=None, ge=0, le=5, description="left out: a profile's own")
    stream: bool = False


class Reply(Answer):
    """A whole answer. timings: seconds_to_first_token, tokens_per_second."""

    text: str
    model: str
    provider: str
    usage: dict[str, int]
    timings: dict[str, float]
    finish: str | None


@router.post("", response_model=Reply, responses={200: {"content": {"text/event-stream": {}}}})
async def chat(shelf: TheShelf, question: Question) -> Reply | StreamingResponse:
    """Ask. With `stream`, each event is {"text"}, the last tells finish, usage, timings and model; closing stops it."""
    turns = [ChatMessage(turn.role, turn.content) for turn in question.messages]
    limits: Limits = {}
    if "max_tokens" in question.model_fields_set:
        limits["max_tokens"] = question.max_tokens
    if "temperature" in question.model_fields_set:
        limits["temperature"] = question.temperature
    if not question.stream:
        return Reply.model_validate(await shelf.chat(question.model, turns, **limits))
    chunks = shelf.chat_stream(question.model, turns, **limits)
    # The first piece is awaited here: a model that cannot be asked is a problem answer, not a broken stream.
    first = await anext(chunks, ChatChunk())
    return StreamingResponse(
        _events(first, chunks), media_type="text/event-stream", headers={"x-accel-buffering": "no"}
    )


async def _events(first: ChatChunk, chunks: AsyncGenerator[ChatChunk, None]) -> AsyncGenerator[str, None]:
    async with aclosing(chunks):
        try:
            yield _event(first)
            async for chunk in chunks:
                yield _event(chunk)
        except ModelshelfError as error:
            yield f"event: error\ndata: {json.dumps(error.as_dict())}\n\n"


def _event(chunk: ChatChunk) -> str:
    piece: dict[str, Any] = {"text": chunk.text}
    if chunk.finish or chunk.usage or chunk.timings:
        piece |= {"finish": chunk.finish, "usage": dict(chunk.usage or {}), "timings": dict(chunk.timings or {})}
        piece["model"] = chunk.model
    return f"data: {json.dumps(piece)}\n\n"
