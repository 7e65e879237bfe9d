"""Ollama's documented protocol over real HTTP, with its quirks, for tests.

It answers a chat by counting words, so that a test sees the pieces in their order, and remembers what it was asked.
"""

import asyncio
import hashlib
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.engines.faults import Faults, misbehaving
from tests.engines.serving import serving

VERSION = "0.9.7"
BODY = web.RequestKey("body", dict[str, Any])
MOMENT = "2026-08-21T10:00:00.123456789+02:00"


@dataclass
class SimulatedModel:
    """A model on its disk."""

    name: str
    size: int = 4_000_000
    family: str = "llama"
    quantisation: str = "Q4_K_M"

    @property
    def digest(self) -> str:
        """A stable digest."""
        return hashlib.sha256(self.name.encode()).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """As /api/tags lists it."""
        return {
            "name": self.name,
            "model": self.name,
            "modified_at": MOMENT,
            "size": self.size,
            "digest": self.digest,
            "details": {
                "parent_model": "",
                "format": "gguf",
                "family": self.family,
                "families": [self.family],
                "parameter_size": "7.6B",
                "quantization_level": self.quantisation,
            },
        }


@dataclass
class OllamaSimulator:
    """An Ollama without a model in it. `sent` counts the pieces of answers, `running` the answers under way.

    `hidden` are routes that an older version has not; an answer breaks off after `break_after` pieces.
    """

    models: dict[str, SimulatedModel] = field(default_factory=dict)
    loaded: set[str] = field(default_factory=set)
    blobs: dict[str, int] = field(default_factory=dict)
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)
    words: int = 12
    sent: int = 0
    running: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    break_after: int | None = None
    hidden: set[str] = field(default_factory=set)
    url: str = ""

    @asynccontextmanager
    async def serve(self, context: ssl.SSLContext | None = None) -> AsyncIterator["OllamaSimulator"]:
        """Serve on loopback; `url` is its address."""
        self.gate.set()
        app = web.Application(middlewares=[self._note, misbehaving(self.faults)], client_max_size=1 << 30)
        app.router.add_get("/", self._banner)
        app.router.add_get("/api/version", self._version)
        app.router.add_get("/api/tags", self._tags)
        app.router.add_get("/api/ps", self._ps)
        app.router.add_post("/api/show", self._show)
        app.router.add_post("/api/generate", self._generate)
        app.router.add_post("/api/chat", self._chat)
        app.router.add_post("/api/embed", self._embed)
        app.router.add_post("/api/pull", self._pull)
        app.router.add_head("/api/blobs/{digest}", self._has_blob)
        app.router.add_post("/api/blobs/{digest}", self._take_blob)
        app.router.add_post("/api/create", self._create)
        app.router.add_delete("/api/delete", self._delete)
        async with serving(app, context) as self.url:
            try:
                yield self
            finally:
                self.faults.released.set()
                self.gate.set()

    def add(self, name: str, **traits: Any) -> SimulatedModel:
        """Put a model on its disk; a name without a tag gets `:latest`, as in Ollama."""
        model = SimulatedModel(_tagged(name), **traits)
        self.models[model.name] = model
        return model

    def asked(self, path: str) -> list[Any]:
        """The bodies of the requests to a path."""
        return [body for _, found, body in self.requests if found == path]

    @web.middleware
    async def _note(self, request: web.Request, handler: Any) -> web.StreamResponse:
        body = None
        if request.can_read_body and "/blobs/" not in request.path:
            body = await request.json()
        self.requests.append((request.method, request.path, body))
        request[BODY] = body or {}
        if request.path in self.hidden:
            raise web.HTTPNotFound
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _banner(self, _: web.Request) -> web.Response:
        return web.Response(text="Ollama is running")

    async def _version(self, _: web.Request) -> web.Response:
        return web.json_response({"version": VERSION})

    async def _tags(self, _: web.Request) -> web.Response:
        return web.json_response({"models": [model.as_dict() for model in self.models.values()]})

    async def _ps(self, _: web.Request) -> web.Response:
        held = [self.models[name] for name in sorted(self.loaded)]
        extra = {"expires_at": MOMENT, "size_vram": 0, "context_length": 4096}
        return web.json_response({"models": [{**model.as_dict(), **extra} for model in held]})

    async def _show(self, request: web.Request) -> web.Response:
        model = self._find(request)
        info = {"general.architecture": model.family, f"{model.family}.context_length": 8192}
        return web.json_response({"template": "{{ .Prompt }}", "model_info": info, "capabilities": ["completion"]})

    async def _generate(self, request: web.Request) -> web.Response:
        model = self._find(request)
        unload = request[BODY].get("keep_alive") == 0
        (self.loaded.discard if unload else self.loaded.add)(model.name)
        reason = "unload" if unload else "load"
        return web.json_response({"model": model.name, "response": "", "done": True, "done_reason": reason})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        model = self._find(request)
        self.loaded.add(model.name)
        limit = request[BODY].get("options", {}).get("num_predict", self.words)
        count = min(limit, self.words)
        self.running += 1
        self.idle.clear()
        try:
            async with _lines(request) as write:
                for number in range(count):
                    await self.gate.wait()
                    await asyncio.sleep(0)
                    if number == self.break_after:
                        assert request.transport
                        request.transport.close()
                        return web.Response()
                    await write({"model": model.name, "message": _said(f"word{number} "), "done": False})
                    self.sent += 1
                last = {"prompt_eval_count": 9, "eval_count": count, "eval_duration": 500_000_000}
                reason = "stop" if count == self.words else "length"
                await write({"message": _said(""), "done": True, "done_reason": reason, **last})
                return write.response
        finally:
            self.running -= 1
            if self.running == 0:
                self.idle.set()

    async def _embed(self, request: web.Request) -> web.Response:
        model, asked = self._find(request), request[BODY]["input"]
        texts = [asked] if isinstance(asked, str) else asked
        vectors = [[float(byte) for byte in hashlib.sha256(text.encode()).digest()[:8]] for text in texts]
        return web.json_response({"model": model.name, "embeddings": vectors, "prompt_eval_count": len(texts)})

    async def _pull(self, request: web.Request) -> web.StreamResponse:
        name = request[BODY]["model"]
        async with _lines(request) as write:
            await write({"status": "pulling manifest"})
            if name.startswith("missing"):
                # Ollama says so in the stream, the status being sent already.
                await write({"error": "pull model manifest: file does not exist"})
                return write.response
            for done in (None, 1000, 2000):
                part = {} if done is None else {"completed": done}
                await write({"status": "pulling 4a3f", "digest": "sha256:4a3f", "total": 2000, **part})
            await write({"status": "verifying sha256 digest"})
            self.add(name)
            await write({"status": "success"})
            return write.response

    async def _has_blob(self, request: web.Request) -> web.Response:
        return web.Response(status=200 if request.match_info["digest"] in self.blobs else 404)

    async def _take_blob(self, request: web.Request) -> web.Response:
        digest, size = hashlib.sha256(), 0
        async for piece in request.content.iter_any():
            digest.update(piece)
            size += len(piece)
        named = request.match_info["digest"]
        if named != f"sha256:{digest.hexdigest()}":
            return web.json_response({"error": "digest mismatch"}, status=400)
        self.blobs[named] = size
        return web.Response(status=201)

    async def _create(self, request: web.Request) -> web.StreamResponse:
        body = request[BODY]
        missing = [digest for digest in body["files"].values() if digest not in self.blobs]
        if missing:
            return web.json_response({"error": "one or more blobs not found"}, status=400)
        async with _lines(request) as write:
            await write({"status": "parsing GGUF"})
            self.add(body["model"], size=sum(self.blobs[digest] for digest in body["files"].values()))
            await write({"status": "success"})
            return write.response

    async def _delete(self, request: web.Request) -> web.Response:
        model = self._find(request)
        del self.models[model.name]
        self.loaded.discard(model.name)
        return web.Response()

    def _find(self, request: web.Request) -> SimulatedModel:
        name = request[BODY].get("model", "")
        model = self.models.get(_tagged(name))
        if model is None:
            body = json.dumps({"error": f"model '{name}' not found"})
            raise web.HTTPNotFound(text=body, content_type="application/json")
        return model


class _Writer:
    def __init__(self, response: web.StreamResponse) -> None:
        self.response = response

    async def __call__(self, event: dict[str, Any]) -> None:
        await self.response.write(json.dumps(event).encode() + b"\n")


@asynccontextmanager
async def _lines(request: web.Request) -> AsyncIterator[_Writer]:
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    yield _Writer(response)
    await response.write_eof()


def _said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def _tagged(name: str) -> str:
    return name if ":" in name else f"{name}:latest"
