"""Ask a model, and the next one while that cannot answer: as long as nothing was said, never in mid-sentence."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from modelshelf.errors import (
    EngineFailed,
    ModelshelfError,
    NoCredit,
    NotFound,
    ProviderError,
    RateLimited,
    StoreError,
    Unreachable,
)
from modelshelf.ids import split_served
from modelshelf.providers.boundary import contained
from modelshelf.providers.registry import ProviderRegistry
from modelshelf.providers.spec import ChatChunk, ChatReply, ChatRequest, Provider

_PASSES_ON = (Unreachable, RateLimited, NotFound, EngineFailed, NoCredit)


async def stream(
    providers: ProviderRegistry, models: Sequence[str], request: ChatRequest
) -> AsyncGenerator[ChatChunk, None]:
    """The answer of the first of these models that can give one; each piece carries its `provider/name`.

    Raises:
        UsageError, NotFound, Unreachable, ProviderError: what the first one met, if none of them answered.
    """
    failed: list[tuple[str, ModelshelfError]] = []
    for model in models:
        said = False
        adapter, name = await _adapter(providers, model, failed)
        if adapter is None:
            continue
        try:
            with contained(adapter.config):
                async with aclosing(adapter.chat(name, request)) as chunks:
                    async for chunk in chunks:
                        said = said or bool(chunk.text or chunk.finish)
                        if chunk.timings:
                            providers.answered(model, chunk)
                        yield replace(chunk, model=model)
        except ModelshelfError as error:
            if said or not passes_on(error):
                raise
            failed.append((model, error))
        else:
            return
    raise _exhausted(failed)


async def whole(chunks: AsyncGenerator[ChatChunk, None]) -> ChatReply:
    """The answer in one piece."""
    last, parts = ChatChunk(), []
    async with aclosing(chunks):
        async for chunk in chunks:
            parts.append(chunk.text)
            last = replace(
                last,
                finish=chunk.finish or last.finish,
                usage=chunk.usage or last.usage,
                timings=chunk.timings or last.timings,
                model=chunk.model or last.model,
            )
    provider, _, name = last.model.partition("/")
    return ChatReply("".join(parts), name, provider, last.usage or {}, last.timings or {}, last.finish)


def passes_on(error: ModelshelfError) -> bool:
    """Whether another model may be asked instead.

    Not where a person has to know: a key that is refused, or a question that no model of that kind takes.
    """
    return isinstance(error, _PASSES_ON) or (isinstance(error, ProviderError) and error.facts.get("status", 0) >= 500)


async def _adapter(
    providers: ProviderRegistry, model: str, failed: list[tuple[str, ModelshelfError]]
) -> tuple[Provider | None, str]:
    provider, name = split_served(model)
    try:
        return await providers.get(provider), name
    except StoreError:
        raise
    except ModelshelfError as error:  # it is removed, switched off, or its adapter is gone
        failed.append((model, error))
        return None, name


def _exhausted(failed: Sequence[tuple[str, ModelshelfError]]) -> ModelshelfError:
    """The error of the first, with what the others met in its remedy."""
    (_, first), *others = failed
    if others:
        told = " ".join(f"{model}: {error.message}" for model, error in others)
        first.remedy = f"{first.remedy} Its fallbacks could not answer either: {told}"
    return first
