"""Does it fit: a model and a provider."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from modelshelf.api.needs import Answer, TheShelf
from modelshelf.compat.types import Settings

router = APIRouter(prefix="/compatibility", tags=["compatibility"])


class MemoryAnswer(Answer):
    """Bytes an engine will hold; `total` is what the device holds, `host` stands apart."""

    weights: int
    kv: int
    recurrent: int
    compute: int
    output: int
    host: int
    total: int


class ReasonAnswer(Answer):
    """Why: a stable code, a sentence, and the figures in it."""

    code: str
    detail: str
    figures: dict[str, Any]


class FixAnswer(Answer):
    """A change that raises the score, and the score it would give."""

    code: str
    detail: str
    score: int
    apply: dict[str, Any]


class Fit(Answer):
    """A score from 0 to 100, or null where the question makes no sense."""

    model: str
    provider: str
    score: int | None
    available: bool
    confidence: Literal["exact", "header", "bounded", "estimate", "unknown"]
    memory: MemoryAnswer | None
    budget: int | None
    speed: list[float] | None
    summary: str
    reasons: list[ReasonAnswer]
    fixes: list[FixAnswer]


@router.get("")
async def check(
    shelf: TheShelf,
    model: Annotated[str, Query(max_length=500, description="source:org/name@commit/file, or org/name")],
    provider: Annotated[str, Query(max_length=40)] = "builtin",
    ctx: Annotated[int | None, Query(ge=1, le=16_777_216, description="context in tokens")] = None,
    kv: Annotated[Literal["f16", "q8_0", "q4_0"], Query(description="type of the key-value cache")] = "f16",
) -> Fit:
    """Whether the model fits the provider on this machine: score, memory, reasons, and what would help."""
    settings = None
    if ctx is not None or kv != "f16":
        settings = Settings(context=ctx or shelf.config.config.engine.context, kv=kv)
    answer = await shelf.compatibility.check_model_compatibility(model, provider, settings=settings)
    return Fit.model_validate(answer.as_dict())
