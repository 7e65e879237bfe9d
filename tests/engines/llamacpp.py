"""llama-server's documented protocol over real HTTP, with one model or as a router, for tests.

What it answers with one model was compared with the real engine.
"""

import asyncio
from collections.abc import Mapping
from configparser import ConfigParser
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.engines.chats import ChatSimulator
from tests.engines.simulator import BODY, sse

BUILD = "b9931-simulated"
META = {"vocab_type": 1, "n_vocab": 1790, "n_ctx": 4096, "n_ctx_train": 8192, "n_embd": 512, "n_params": 3_276_288}
PIECES = 4
RUNNING = frozenset({"loaded", "loading", "sleeping"})
TIMINGS = {"prompt_n": 5, "prompt_ms": 10.0, "predicted_n": 12, "predicted_ms": 100.0, "predicted_per_second": 120.0}


@dataclass
class LlamaModel:
    """A model that it knows. `source` is cache, models_dir or preset; `fails` is the status that its process ends with.

    `steps` are how many looks at the list its state still takes to change; it stays loaded while it is `stopping`.
    """

    name: str
    state: str = "unloaded"
    source: str = "cache"
    vision: bool = False
    fails: int | None = None
    exit_code: int | None = None
    steps: int = 0
    stopping: bool = False
    progress: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """As a router lists it."""
        status: dict[str, Any] = {"value": self.state, "args": ["llama-server", "-ctx", "4096"]}
        if self.exit_code is not None:
            status |= {"failed": True, "exit_code": self.exit_code}
        if self.progress:
            status["progress"] = self.progress
        takes = ["text", "image"] if self.vision else ["text"]
        told = {
            "id": self.name,
            "aliases": [],
            "tags": [],
            "object": "model",
            "owned_by": "llamacpp",
            "created": 1_780_000_000,
            "status": status,
            "architecture": {"input_modalities": takes, "output_modalities": ["text"]},
            "source": self.source,
            "can_remove": self.source == "cache",
        }
        return told | ({"meta": {**META, "size": 4_000_000, "ftype": "Q8_0"}} if self.state == "loaded" else {})


@dataclass
class LlamaCppSimulator(ChatSimulator):
    """A llama-server. With `router` it holds several models, else the first of them.

    `loading` has it answer everything with 503; `embeds` says whether it was started with --embeddings, `pools` whether
    with a pooling. `slow` is how often a router's list shows a model under way. `hub` is what it can fetch: after
    `PIECES` pieces, each at the `gate`, which with `stepwise` closes after each. `deaf` leaves the events out, `heard`
    is set when somebody listens to them; `lost` has a download fail. What left its `models_dir` is gone after it read
    that again, unless it never `forgets`; `presets` is its INI file.
    """

    router: bool = False
    models: dict[str, LlamaModel] = field(default_factory=dict)
    loading: bool = False
    sleeping: bool = False
    embeds: bool = True
    pools: bool = True
    slow: int = 1
    models_dir: Path | None = None
    forgets: bool = True
    presets: Path | None = None
    hub: dict[str, int] = field(default_factory=lambda: {"samples/tiny-GGUF:Q8_0": 4_000_000})
    deaf: bool = False
    lost: bool = False
    stepwise: bool = False
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    _ears: list[asyncio.Queue[dict[str, Any]]] = field(default_factory=list)
    _fetching: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def add(self, name: str, **traits: Any) -> LlamaModel:
        """Have it know a model."""
        self.models[name] = LlamaModel(name, **traits)
        return self.models[name]

    def routes(self, router: web.UrlDispatcher) -> None:
        """Those of its mode."""
        for path in ("/health", "/v1/health"):
            router.add_get(path, self._health)
        router.add_get("/props", self._props)
        router.add_post("/v1/chat/completions", self._chat)
        router.add_post("/v1/embeddings", self._embed)
        for path in ("/models", "/v1/models"):
            router.add_get(path, self._known if self.router else self._one)
        if self.router:
            router.add_post("/models/load", self._load)
            router.add_post("/models/unload", self._unload)
            router.add_post("/models", self._fetch)
            router.add_delete("/models", self._remove)
            if not self.deaf:
                router.add_get("/models/sse", self._events)
        router.add_route("*", "/{path:.*}", self._unknown_route)

    def open_to_all(self, path: str) -> bool:
        """Its health alone; in older builds its list too, as the real engine showed."""
        return path in {"/health", "/v1/health"}

    def wrong_key(self) -> web.Response:
        """As llama-server answers."""
        return self._ready() or error(401, "Invalid API Key", "authentication_error")

    def _ready(self) -> web.Response | None:
        return error(503, "Loading model", "unavailable_error") if self.loading else None

    async def _unknown_route(self, _: web.Request) -> web.Response:
        return error(404, "File Not Found", "not_found_error")

    async def _health(self, _: web.Request) -> web.Response:
        return self._ready() or web.json_response({"status": "ok"})

    async def _props(self, request: web.Request) -> web.Response:
        if refused := self._ready():
            return refused
        settings = {"params": {"temperature": 0.8}, "n_ctx": 4096}
        name = request.query.get("model", "")
        if not self.router or name:
            if self.router and self.models[name].state != "loaded":
                return error(400, "model is not loaded", "invalid_request_error")
            one = {"default_generation_settings": settings, "total_slots": 1, "model_path": "/models/tiny.gguf"}
            return web.json_response({**one, "build_info": BUILD, "is_sleeping": self.sleeping, "chat_template": "x"})
        dummy = {"model_alias": "llama-server", "model_path": "none"}
        settings = {"params": None, "n_ctx": 0}
        told = {"role": "router", "max_instances": 4, "models_autoload": True, "build_info": BUILD, **dummy}
        return web.json_response({**told, "default_generation_settings": settings})

    async def _one(self, _: web.Request) -> web.Response:
        if refused := self._ready():
            return refused
        model = next(iter(self.models.values()))
        told = {
            name: value for name, value in model.as_dict().items() if name not in {"status", "source", "can_remove"}
        }
        told |= {"aliases": [model.name], "meta": {**META, "size": 4_000_000, "ftype": "Q8_0"}}
        named = {"name": model.name, "model": model.name, "capabilities": ["completion"]}
        return web.json_response({"models": [named], "object": "list", "data": [told]})

    async def _known(self, request: web.Request) -> web.Response:
        if request.query.get("reload"):
            self._reload()
        listed = [model.as_dict() for model in self.models.values()]
        for model in list(self.models.values()):
            self._move_on(model)
        return web.json_response({"data": listed, "object": "list"})

    def _reload(self) -> None:
        if self.presets is not None:
            made = ConfigParser()
            made.read_string(self.presets.read_text())
            self.models = {name: LlamaModel(name, source="preset") for name in made.sections()}
        if self.models_dir is None:
            return
        found = {path.stem for path in sorted(self.models_dir.iterdir()) if not path.name.startswith(".")}
        gone = {name for name, model in self.models.items() if model.source == "models_dir"} - found
        for name in gone if self.forgets else ():
            del self.models[name]
        for name in sorted(found):
            self.models.setdefault(name, LlamaModel(name, source="models_dir"))

    def _move_on(self, model: LlamaModel) -> None:
        """What is under way is a step further after each look."""
        if model.state != "loading" and not model.stopping:
            return
        model.steps -= 1
        if model.steps <= 0:
            ended = model.stopping or model.fails is not None
            model.exit_code = None if model.stopping else model.fails
            model.state, model.stopping = "unloaded" if ended else "loaded", False

    async def _load(self, request: web.Request) -> web.Response:
        model = self.models.get(request[BODY].get("model", ""))
        if model is None:
            return error(404, "model is not found", "not_found_error")
        if model.state in RUNNING:
            return error(400, "model is already running", "invalid_request_error")
        model.state, model.steps = "loading", self.slow
        return web.json_response({"success": True})

    async def _unload(self, request: web.Request) -> web.Response:
        model = self.models.get(request[BODY].get("model", ""))
        if model is None:
            return error(400, "model is not found", "invalid_request_error")
        if task := self._fetching.pop(model.name, None):
            task.cancel()
            del self.models[model.name]
        elif model.state not in RUNNING:
            return error(400, "model is not running", "invalid_request_error")
        else:
            model.stopping, model.steps = True, self.slow
        return web.json_response({"success": True})

    async def _remove(self, request: web.Request) -> web.Response:
        model = self.models.get(request.query.get("model", ""))
        if model is None or model.source != "cache":
            return error(500, "model is not removable (not from cache)", "server_error")
        del self.models[model.name]
        self._tell(model.name, "model_remove")
        return web.json_response({"success": True})

    async def _fetch(self, request: web.Request) -> web.Response:
        name = request[BODY].get("model", "")
        if name not in self.hub:
            return error(400, "model validation failed, unable to download", "invalid_request_error")
        if name in self.models:
            return error(400, f"model '{name}' already exists", "invalid_request_error")
        self.add(name, state="downloading")
        self._fetching[name] = asyncio.create_task(self._download(name))
        return web.json_response({"success": True})

    async def _download(self, name: str) -> None:
        for piece in range(1, PIECES + 1):
            await self.gate.wait()
            if self.stepwise:
                self.gate.clear()
            await asyncio.sleep(0)
            part = {"done": self.hub[name] * piece // PIECES, "total": self.hub[name]}
            self.models[name].progress = {f"https://hub.example/{name}.gguf": part}
            self._tell(name, "download_progress", self.models[name].progress)
        del self.models[name]
        self._fetching.pop(name)
        if not self.lost:
            self.add(name)
        self._tell(name, "download_failed" if self.lost else "download_finished")

    def _tell(self, name: str, event: str, data: Mapping[str, Any] | None = None) -> None:
        for ear in self._ears:
            ear.put_nowait({"model": name, "event": event, **({"data": data} if data else {})})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        ear: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._ears.append(ear)
        self.heard.set()
        try:
            while True:
                await response.write(sse(await ear.get()))
        finally:
            self._ears.remove(ear)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        if refused := self._refused(request):
            return refused
        return await self.stream_words(request, {"timings": TIMINGS})

    async def _embed(self, request: web.Request) -> web.Response:
        if refused := self._refused(request):
            return refused
        if not self.embeds:
            said = "This server does not support embeddings. Start it with `--embeddings`"
            return error(501, said, "not_supported_error")
        if not self.pools:
            said = "Pooling type 'none' is not OAI compatible. Please use a different pooling type"
            return error(400, said, "invalid_request_error")
        return self.vectors(request)

    def _refused(self, request: web.Request) -> web.Response | None:
        """A router loads what is asked for; with one model that one answers, whatever name was asked for."""
        name = request[BODY].get("model", "")
        if not self.router or self.loading:
            return self._ready()
        if name not in self.models:
            return error(400, f"model '{name}' not found", "invalid_request_error")
        self.models[name].state = "loaded"
        return None


def error(code: int, message: str, kind: str) -> web.Response:
    """An error as llama-server words it."""
    return web.json_response({"error": {"code": code, "message": message, "type": kind}}, status=code)
