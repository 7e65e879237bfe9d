"""Ollama: its own API, since OpenAI's form of it tells neither sizes nor what is loaded."""

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from modelshelf.errors import ModelshelfError, NotFound, NotSignedIn, ProviderError, UsageError
from modelshelf.providers.http import Endpoint
from modelshelf.providers.openai import Stopwatch
from modelshelf.providers.spec import (
    Ability,
    ChatChunk,
    ChatRequest,
    Health,
    HealthStatus,
    Progress,
    ProviderConfig,
    ProviderContext,
    ServedModel,
)

SLOW_MS = 1000.0
LOAD_SECONDS = 600.0
MOST_MODELS = 20_000
_PIECE = 1 << 20


class OllamaProvider:
    """An Ollama server."""

    kind: ClassVar[str] = "ollama"
    label: ClassVar[str] = "Ollama"
    default_url: ClassVar[str] = "http://127.0.0.1:11434"
    abilities: ClassVar[frozenset[Ability]] = frozenset({
        Ability.LIST, Ability.DETAIL, Ability.HEALTH, Ability.LOADED, Ability.LOAD, Ability.UNLOAD, Ability.PULL,
        Ability.REGISTER_UPLOAD, Ability.DELETE, Ability.CHAT,
    })  # fmt: skip

    def __init__(self, config: ProviderConfig, context: ProviderContext) -> None:
        self.config = config
        self._context = context
        self._http = Endpoint(
            config.name or self.label,
            config.url or self.default_url,
            seconds=context.config.config.providers.timeout_seconds,
            settings=context.config,
        )

    async def health(self) -> Health:
        """Ask for its version."""
        started = time.monotonic()
        try:
            found = _object(await self._http.json("GET", "api/version", limit=_PIECE))
        except NotSignedIn as error:
            return Health(HealthStatus.REFUSED, datetime.now(UTC), None, error.message, error.remedy)
        except ModelshelfError as error:
            return Health(HealthStatus.DOWN, datetime.now(UTC), None, error.message, error.remedy)
        latency = (time.monotonic() - started) * 1000
        version = _text(found.get("version"))
        if not version:
            detail = f"{self._http.who} does not answer as Ollama does."
            return Health(HealthStatus.DOWN, datetime.now(UTC), latency, detail, "Check the address.")
        status = HealthStatus.SLOW if latency > SLOW_MS else HealthStatus.WELL
        return Health(status, datetime.now(UTC), latency, version=version)

    async def models(self) -> Sequence[ServedModel]:
        """What it has, and which of them are in memory."""
        listed, running = await asyncio.gather(self._http.json("GET", "api/tags"), self._running())
        items = _object(listed).get("models")
        if not isinstance(items, list):
            raise ProviderError(
                f"{self._http.who} answers with no list of models.", remedy="Check that the address is Ollama's."
            )
        named = (item for item in items[:MOST_MODELS] if isinstance(item, dict))
        return tuple(self._describe(item, running) for item in named if _text(item.get("name") or item.get("model")))

    async def detail(self, model: str) -> Mapping[str, Any]:
        """What Ollama tells of a model: `template`, `parameters`, `model_info`, `capabilities`, `license`."""
        return _object(await self._http.json("POST", "api/show", {"model": model}))

    async def chat(self, model: str, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        """Stream an answer; closing the generator stops Ollama's work.

        Raises:
            Unreachable, NotSignedIn, NotFound, ProviderError; also when the answer ends before its end was said.
        """
        clock = Stopwatch()
        async with aclosing(self._http.ndjson("api/chat", _chat_body(model, request))) as events:
            async for event in events:
                text = _mapping(event.get("message")).get("content")
                if isinstance(text, str) and text:
                    clock.token()
                    yield ChatChunk(text)
                if event.get("done") is True:
                    usage = _usage(event)
                    rate = _rate(event.get("eval_count"), event.get("eval_duration"))
                    finish = _text(event.get("done_reason")) or "stop"
                    yield ChatChunk(finish=finish, usage=usage, timings=clock.timings(rate, usage))
                    return
        raise ProviderError(f"{self._http.who} broke the answer off.", remedy="Ask again.")

    async def load(self, model: str) -> None:
        """Bring a model into memory; Ollama lets it go by itself when nobody used it for a while."""
        await self._generate({"model": model, "stream": False})

    async def unload(self, model: str) -> None:
        """Give its memory back."""
        await self._generate({"model": model, "stream": False, "keep_alive": 0})

    async def pull(self, model: str) -> AsyncGenerator[Progress, None]:
        """Have Ollama fetch a model; closing the generator stops it, pulling again goes on where it stopped."""
        async with aclosing(self._http.ndjson("api/pull", {"model": model, "stream": True})) as events:
            async for event in events:
                yield _progress(event)
                if event.get("status") == "success":
                    self._context.changed(self.config.id)
                    return
        raise ProviderError(f"{self._http.who} broke the download of {model} off.", remedy="Pull it again: it goes on.")

    async def register(self, file: Path, name: str) -> AsyncGenerator[Progress, None]:
        """Give Ollama a copy of a GGUF file, to serve under `name`. It needs the file's size on its disk once more.

        Raises:
            UsageError: the file is a part of a split model, which Ollama does not take.
            Unreachable, ProviderError.
        """
        if "-of-" in file.stem:
            raise UsageError("Ollama takes no model in several parts.", remedy="Choose a file in one piece.")
        size = (await asyncio.to_thread(file.stat)).st_size
        yield Progress("hashing", 0, size)
        digest = "sha256:" + await asyncio.to_thread(_sha256, file)
        if await self._http.status("HEAD", f"api/blobs/{digest}") == 404:
            yield Progress("copying", 0, size)
            await self._http.upload(f"api/blobs/{digest}", _pieces(file), size)
        yield Progress("creating", size, size)
        body = {"model": name, "files": {file.name: digest}}
        async with aclosing(self._http.ndjson("api/create", body)) as events:
            async for event in events:
                yield _progress(event)
                if event.get("status") == "success":
                    self._context.changed(self.config.id)
                    return
        raise ProviderError(f"{self._http.who} did not finish {name}.", remedy="Try again.")

    async def delete(self, model: str) -> None:
        """Have Ollama forget a model."""
        await self._http.text("DELETE", "api/delete", {"model": model})
        self._context.changed(self.config.id)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _generate(self, body: dict[str, Any]) -> None:
        await self._http.json("POST", "api/generate", body, seconds=LOAD_SECONDS)
        self._context.changed(self.config.id)

    async def _running(self) -> dict[str, Mapping[str, Any]] | None:
        """What is in memory, by name; None where Ollama is too old to say."""
        try:
            items = _object(await self._http.json("GET", "api/ps")).get("models")
        except NotFound:
            return None
        found = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
        return {_text(item.get("name") or item.get("model")): item for item in found}

    def _describe(self, item: Mapping[str, Any], running: Mapping[str, Mapping[str, Any]] | None) -> ServedModel:
        name = _text(item.get("name") or item.get("model"))
        details = _mapping(item.get("details"))
        held = (running or {}).get(name)
        abilities = item.get("capabilities")
        return ServedModel(
            self.config.id,
            name,
            size=_count(item.get("size")),
            context=_count(held.get("context_length")) if held else None,
            quantisation=_text(details.get("quantization_level")) or None,
            architecture=_text(details.get("family")) or None,
            loaded=None if running is None else held is not None,
            memory=_count(held.get("size")) if held else None,
            abilities=tuple(map(_text, abilities)) if isinstance(abilities, list) else ("chat",),
            extra={"digest": _text(item.get("digest")), "parameters": _text(details.get("parameter_size"))},
        )


def _chat_body(model: str, request: ChatRequest) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if request.max_tokens is not None:
        options["num_predict"] = request.max_tokens
    if request.temperature is not None:
        options["temperature"] = request.temperature
    messages = [{"role": turn.role, "content": turn.content} for turn in request.messages]
    return {"model": model, "messages": messages, "stream": True, "options": options, **request.extra}


def _usage(event: Mapping[str, Any]) -> dict[str, int]:
    prompt, answer = _count(event.get("prompt_eval_count")) or 0, _count(event.get("eval_count")) or 0
    return {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}


def _rate(count: Any, nanoseconds: Any) -> float | None:
    tokens, duration = _count(count), _count(nanoseconds)
    return tokens / duration * 1e9 if tokens and duration else None


def _progress(event: Mapping[str, Any]) -> Progress:
    return Progress(_text(event.get("status")), _count(event.get("completed")) or 0, _count(event.get("total")))


def _object(found: Any) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise ProviderError("The answer has another form than Ollama's.", remedy="Check that the address is Ollama's.")
    return found


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else {}


def _text(found: Any) -> str:
    return found[:500] if isinstance(found, str) else ""


def _count(found: Any) -> int | None:
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else None


def _sha256(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


async def _pieces(file: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(file.open, "rb") as handle:
        while piece := await asyncio.to_thread(handle.read, _PIECE):
            yield piece
