"""Ollama's documented protocol over real HTTP, with its quirks, for tests.

It answers a chat by counting words, so that a test sees the pieces in their order, and remembers what it was asked.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.engines.simulator import BODY, Simulator

VERSION = "0.9.7"
MOMENT = "2026-08-21T10:00:00.123456789+02:00"


@dataclass
class SimulatedModel:
    """A model on its disk; `made` tells one from another of its name."""

    name: str
    size: int = 4_000_000
    family: str = "llama"
    quantisation: str = "Q4_K_M"
    made: str = ""
    template: str = "{{ range .Messages }}{{ .Content }}{{ end }}"

    @property
    def digest(self) -> str:
        """A stable digest."""
        return hashlib.sha256((self.name + self.made).encode()).hexdigest()

    @property
    def details(self) -> dict[str, Any]:
        """What it is made of."""
        return {
            "parent_model": "",
            "format": "gguf",
            "family": self.family,
            "families": [self.family],
            "parameter_size": "7.6B",
            "quantization_level": self.quantisation,
        }

    def as_dict(self) -> dict[str, Any]:
        """As /api/tags lists it."""
        return {
            "name": self.name,
            "model": self.name,
            "modified_at": MOMENT,
            "size": self.size,
            "digest": self.digest,
            "details": self.details,
        }


@dataclass
class OllamaSimulator(Simulator):
    """An Ollama without a model in it; `blobs` are what was uploaded, by digest, with their sizes.

    With a `store`, its folder on the disk, it keeps blobs and manifests there as the real one does: it has whatever
    lies there, and a model that is deleted takes its bytes along unless another one has them.
    """

    version: str = VERSION
    models: dict[str, SimulatedModel] = field(default_factory=dict)
    loaded: set[str] = field(default_factory=set)
    blobs: dict[str, int] = field(default_factory=dict)
    store: Path | None = None

    def routes(self, router: web.UrlDispatcher) -> None:
        """Its own API."""
        router.add_get("/", self._banner)
        router.add_get("/api/version", self._version)
        router.add_get("/api/tags", self._tags)
        router.add_get("/api/ps", self._ps)
        router.add_post("/api/show", self._show)
        router.add_post("/api/generate", self._generate)
        router.add_post("/api/chat", self._chat)
        router.add_post("/api/embed", self._embed)
        router.add_post("/api/pull", self._pull)
        router.add_head("/api/blobs/{digest}", self._has_blob)
        router.add_post("/api/blobs/{digest}", self._take_blob)
        router.add_post("/api/create", self._create)
        router.add_post("/api/copy", self._copy)
        router.add_delete("/api/delete", self._delete)

    async def _body(self, request: web.Request) -> Any:
        # The official client calls the bytes of a file JSON too.
        return None if "/blobs/" in request.path else await super()._body(request)

    def wrong_key(self) -> web.Response:
        """As Ollama's cloud answers."""
        return web.json_response({"error": "unauthorized"}, status=401)

    def add(self, name: str, **traits: Any) -> SimulatedModel:
        """Put a model on its disk; a name without a tag gets `:latest`, as in Ollama."""
        model = SimulatedModel(_tagged(name), **traits)
        self.models[model.name] = model
        return model

    async def _banner(self, _: web.Request) -> web.Response:
        return web.Response(text="Ollama is running")

    async def _version(self, _: web.Request) -> web.Response:
        return web.json_response({"version": self.version})

    async def _tags(self, _: web.Request) -> web.Response:
        return web.json_response({"models": [model.as_dict() for model in self.models.values()]})

    async def _ps(self, _: web.Request) -> web.Response:
        held = [self.models[name] for name in sorted(self.loaded)]
        extra = {"expires_at": MOMENT, "size_vram": 0, "context_length": 4096}
        return web.json_response({"models": [{**model.as_dict(), **extra} for model in held]})

    async def _show(self, request: web.Request) -> web.Response:
        model = self._find(request)
        info = {"general.architecture": model.family, f"{model.family}.context_length": 8192}
        return web.json_response(
            {
                "modelfile": f"FROM {model.name}",
                "parameters": 'stop "</s>"',
                "template": model.template,
                "license": "Apache License 2.0",
                "details": model.details,
                "model_info": info,
                "capabilities": ["completion"],
                "modified_at": MOMENT,
            }
        )

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        model, body = self._find(request), request[BODY]
        if body.get("prompt"):
            return await self._answer(request, model, lambda word: {"response": word})
        unload = body.get("keep_alive") == 0
        (self.loaded.discard if unload else self.loaded.add)(model.name)
        reason = "unload" if unload else "load"
        return web.json_response({**_said(model), "response": "", "done": True, "done_reason": reason})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        model = self._find(request)
        return await self._answer(request, model, lambda word: {"message": {"role": "assistant", "content": word}})

    async def _answer(
        self, request: web.Request, model: SimulatedModel, form: Callable[[str], Mapping[str, Any]]
    ) -> web.StreamResponse:
        self.loaded.add(model.name)
        count = min((request[BODY].get("options") or {}).get("num_predict", self.words), self.words)
        times = {"total_duration": 700_000_000, "load_duration": 100_000_000, "prompt_eval_duration": 100_000_000}
        counts = {"prompt_eval_count": 9, "eval_count": count, "eval_duration": 500_000_000}
        end = {"done": True, "done_reason": "stop" if count == self.words else "length", **times, **counts}
        async with self.answering():
            if request[BODY].get("stream") is False:
                text = "".join(f"word{number} " for number in range(count))
                return web.json_response({**_said(model), **form(text), **end})
            async with _lines(request) as write:
                for number in range(count):
                    if (word := await self.next_word(request, number)) is None:
                        return web.Response()
                    await write({**_said(model), **form(word), "done": False})
                await write({**_said(model), **form(""), **end})
                return write.response

    async def _embed(self, request: web.Request) -> web.Response:
        model, asked = self._find(request), request[BODY]["input"]
        texts = [asked] if isinstance(asked, str) else asked
        vectors = [[float(byte) for byte in hashlib.sha256(text.encode()).digest()[:8]] for text in texts]
        times = {"total_duration": 20_000_000, "load_duration": 1_000_000, "prompt_eval_count": len(texts)}
        return web.json_response({"model": model.name, "embeddings": vectors, **times})

    async def _pull(self, request: web.Request) -> web.StreamResponse:
        name = request[BODY]["model"]
        missing = {"error": "pull model manifest: file does not exist"} if name.startswith("missing") else None
        if request[BODY].get("stream") is False:
            if missing is None:
                self.add(name)
            return web.json_response(missing or {"status": "success"}, status=500 if missing else 200)
        async with _lines(request) as write:
            await write({"status": "pulling manifest"})
            if missing:  # the status was sent already, so that the stream says it
                await write(missing)
                return write.response
            for done in (None, 1000, 2000):
                part = {} if done is None else {"completed": done}
                await write({"status": "pulling 4a3f", "digest": "sha256:4a3f", "total": 2000, **part})
            await write({"status": "verifying sha256 digest"})
            self.add(name)
            await write({"status": "success"})
            return write.response

    async def _has_blob(self, request: web.Request) -> web.Response:
        return web.Response(status=200 if self._blob_size(request.match_info["digest"]) is not None else 404)

    def _blob(self, digest: str) -> Path | None:
        return self.store / "blobs" / digest.replace(":", "-") if self.store else None

    def _blob_size(self, digest: str) -> int | None:
        place = self._blob(digest)
        if place is not None:
            return place.stat().st_size if place.exists() else None
        return self.blobs.get(digest)

    def _manifest(self, name: str) -> Path | None:
        model, _, tag = name.rpartition(":")
        space, _, model = model.rpartition("/")
        folder = self.store / "manifests" / "registry.ollama.ai" / (space or "library") if self.store else None
        return folder / model / tag if folder else None

    def keep(self, name: str, digests: Iterable[str]) -> None:
        """Write a model's manifest."""
        if (place := self._manifest(_tagged(name))) is not None:
            kind = "application/vnd.ollama.image.model"
            layers = [{"mediaType": kind, "digest": digest, "size": self._blob_size(digest)} for digest in digests]
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(json.dumps({"schemaVersion": 2, "layers": layers}))

    def _prune(self, name: str) -> None:
        """Forget a manifest, and the blobs that no other one names."""
        if (place := self._manifest(name)) is None or self.store is None or not place.exists():
            return
        gone = {layer["digest"] for layer in json.loads(place.read_text())["layers"]}
        place.unlink()
        kept = [file.read_text() for file in (self.store / "manifests").rglob("*") if file.is_file()]
        for digest in gone:
            if (blob := self._blob(digest)) is not None and not any(digest in text for text in kept):
                blob.unlink(missing_ok=True)

    async def _take_blob(self, request: web.Request) -> web.Response:
        digest, size, whole = hashlib.sha256(), 0, bytearray()
        async for piece in request.content.iter_any():
            digest.update(piece)
            size += len(piece)
            whole += piece if self.store else b""
        named = request.match_info["digest"]
        if named != f"sha256:{digest.hexdigest()}":
            return web.json_response({"error": "digest mismatch"}, status=400)
        self.blobs[named] = size
        if (place := self._blob(named)) is not None:
            place.write_bytes(whole)
        return web.Response(status=201)

    async def _create(self, request: web.Request) -> web.StreamResponse:
        body = request[BODY]
        files = body.get("files") or {}
        if not files and not body.get("from"):
            return web.json_response({"error": "neither 'from' or 'files' was specified"}, status=400)
        if any(self._blob_size(digest) is None for digest in files.values()):
            return web.json_response({"error": "one or more blobs not found"}, status=400)
        size = sum(self._blob_size(digest) or 0 for digest in files.values())
        self.keep(body["model"], files.values())
        if body.get("stream") is False:
            self.add(body["model"], size=size)
            return web.json_response({"status": "success"})
        async with _lines(request) as write:
            await write({"status": "parsing GGUF"})
            self.add(body["model"], size=size)
            await write({"status": "success"})
            return write.response

    async def _copy(self, request: web.Request) -> web.Response:
        source = self._named(request[BODY].get("source", ""))
        self.add(request[BODY]["destination"], size=source.size)
        return web.Response()

    async def _delete(self, request: web.Request) -> web.Response:
        model = self._find(request)
        del self.models[model.name]
        self.loaded.discard(model.name)
        self._prune(model.name)
        return web.Response()

    def _find(self, request: web.Request) -> SimulatedModel:
        return self._named(request[BODY].get("model", ""))

    def _named(self, name: str) -> SimulatedModel:
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


def _said(model: SimulatedModel) -> dict[str, Any]:
    return {"model": model.name, "created_at": MOMENT}


def _tagged(name: str) -> str:
    return name if ":" in name else f"{name}:latest"
