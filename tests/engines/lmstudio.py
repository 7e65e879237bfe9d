"""LM Studio's documented protocol over real HTTP, in its three ages, for tests."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.engines.chats import ChatSimulator
from tests.engines.simulator import BODY

KEY = "sk-lm-simulated:000000000000"
LOADED_CONTEXT = 4096
NO_KEY = (
    "An LM Studio API token is required to make requests to this server, but none was provided using the Authorization "
    "header using the 'Bearer' scheme."
)


@dataclass
class StudioModel:
    """A model in its folder; `instances` are the contexts of what is loaded, by name."""

    key: str
    kind: str = "llm"
    size: int = 4_000_000
    publisher: str = "samples"
    vision: bool = False
    tools: bool = True
    instances: dict[str, dict[str, Any]] = field(default_factory=dict)

    def as_v1(self) -> dict[str, Any]:
        """As /api/v1/models lists it; embedding models lack some fields."""
        told: dict[str, Any] = {
            "type": self.kind,
            "publisher": self.publisher,
            "key": self.key,
            "display_name": self.key.title(),
            "quantization": {"name": "Q4_K_M", "bits_per_weight": 4},
            "size_bytes": self.size,
            "params_string": "3M",
            "loaded_instances": [{"id": name, "config": config} for name, config in self.instances.items()],
            "max_context_length": 32_768,
            "format": "gguf",
        }
        if self.kind == "llm":
            told |= {"architecture": "llama", "description": None}
            told["capabilities"] = {"vision": self.vision, "trained_for_tool_use": self.tools}
        return told

    def as_v0(self) -> dict[str, Any]:
        """As /api/v0/models lists it."""
        kind = "embeddings" if self.kind == "embedding" else "vlm" if self.vision else "llm"
        told = {
            "id": self.key,
            "object": "model",
            "type": kind,
            "publisher": self.publisher,
            "arch": "llama",
            "compatibility_type": "gguf",
            "quantization": "Q4_K_M",
            "state": "loaded" if self.instances else "not-loaded",
            "max_context_length": 32_768,
        }
        return told | ({"loaded_context_length": LOADED_CONTEXT} if self.instances else {})


@dataclass
class LmStudioSimulator(ChatSimulator):
    """An LM Studio without a model in it.

    `age` is v1 (0.4 and later), v0 (0.3.6 and later) or openai: what a version has not it answers with 200 and an
    error. `jit` says whether a question loads a model. `denied` are the routes that the key has no permission for.
    What lies in `models_dir`, as publisher/model/file.gguf, it has; `catalogue` is what can be fetched, by size; a
    download has the states of `course`, one an ask.
    """

    age: str = "v1"
    jit: bool = True
    models_dir: Path | None = None
    models: dict[str, StudioModel] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    catalogue: dict[str, int] = field(default_factory=lambda: {"qwen/qwen3-4b": 2_000_000})
    course: list[str] = field(default_factory=lambda: ["downloading", "paused", "downloading", "completed"])
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    ttls: dict[str, int | None] = field(default_factory=dict)

    def add(self, key: str, **traits: Any) -> StudioModel:
        """Put a model into its folder."""
        self.models[key] = StudioModel(key, **traits)
        return self.models[key]

    def routes(self, router: web.UrlDispatcher) -> None:
        """Those of its age."""
        router.add_get("/v1/models", self._openai)
        router.add_post("/v1/chat/completions", self._chat)
        router.add_post("/v1/embeddings", self._embed)
        if self.age in {"v0", "v1"}:
            router.add_get("/api/v0/models", self._v0)
        if self.age == "v1":
            router.add_get("/api/v1/models", self._v1)
            router.add_post("/api/v1/models/load", self._load)
            router.add_post("/api/v1/models/unload", self._unload)
            router.add_post("/api/v1/models/download", self._download)
            router.add_get("/api/v1/models/download/status/{job}", self._status)
        router.add_route("*", "/{path:.*}", self._unexpected)

    def wrong_key(self) -> web.Response:
        """As LM Studio answers."""
        return refusal(401, "invalid_api_key", NO_KEY)

    async def _unexpected(self, request: web.Request) -> web.Response:
        said = f"Unexpected endpoint or method. ({request.method} {request.path})"
        return web.json_response({"error": said}, status=404 if self.age == "v1" else 200)

    def _known(self) -> dict[str, StudioModel]:
        """What it has, with what lies in its folder now."""
        root = self.models_dir
        found = [path for path in sorted(root.glob("*/*/*.gguf")) if path.exists()] if root else []
        folder = {f"{path.parts[-3]}/{path.parts[-2]}".lower(): path for path in found}
        return self.models | {key: StudioModel(key, publisher=path.parts[-3]) for key, path in folder.items()}

    async def _openai(self, _: web.Request) -> web.Response:
        data = [{"id": key, "object": "model", "owned_by": "organization_owner"} for key in self._known()]
        return web.json_response({"object": "list", "data": data})

    async def _v0(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [model.as_v0() for model in self._known().values()]})

    async def _v1(self, request: web.Request) -> web.Response:
        self._allowed(request)
        return web.json_response({"models": [model.as_v1() for model in self._known().values()]})

    async def _load(self, request: web.Request) -> web.Response:
        self._allowed(request)
        body = request[BODY]
        model = self._find(body)
        config = {"context_length": body.get("context_length", LOADED_CONTEXT), "parallel": 4}
        config |= {"flash_attention": body.get("flash_attention", True)} if model.kind == "llm" else {}
        name = f"{model.key}:{len(model.instances) + 1}" if model.instances else model.key
        model.instances[name] = config
        return web.json_response(
            {"type": model.kind, "instance_id": name, "load_time_seconds": 0.1, "status": "loaded"}
        )

    async def _unload(self, request: web.Request) -> web.Response:
        self._allowed(request)
        name = str(request[BODY].get("instance_id"))
        for model in self.models.values():
            if model.instances.pop(name, None):
                return web.json_response({"instance_id": name})
        raise error(404, "model_not_found", f"No loaded model instance with id '{name}'.")

    async def _download(self, request: web.Request) -> web.Response:
        self._allowed(request)
        name = request[BODY].get("model", "").removeprefix("https://huggingface.co/")
        if name in self.models:
            return web.json_response({"status": "already_downloaded"})
        if name not in self.catalogue:
            raise error(404, "model_not_found", f"Model '{name}' was not found.")
        job = {"job_id": f"job_{len(self.jobs)}", "name": name, "step": 0}
        self.jobs[job["job_id"]] = job
        return web.json_response(self._told(job))

    async def _status(self, request: web.Request) -> web.Response:
        self._allowed(request)
        job = self.jobs.get(request.match_info["job"])
        if job is None:
            raise error(404, "job_not_found", "No such download.")
        job["step"] += 1
        told = self._told(job)
        if told["status"] == "completed":
            self.add(job["name"])
        return web.json_response(told)

    def _told(self, job: Mapping[str, Any]) -> dict[str, Any]:
        total, step = self.catalogue[job["name"]], job["step"]
        done = total * step // (len(self.course) - 1)
        status = self.course[step]
        told = {"job_id": job["job_id"], "status": status, "total_size_bytes": total, "downloaded_bytes": done}
        return told | ({"bytes_per_second": 1000.5} if status == "downloading" else {})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        self._asked(request)
        return await self.stream_words(request)

    async def _embed(self, request: web.Request) -> web.Response:
        self._asked(request)
        return self.vectors(request)

    def _asked(self, request: web.Request) -> None:
        self._allowed(request)
        body = request[BODY]
        model = self._find(body)
        if not model.instances:
            if not self.jit:
                raise error(404, "model_not_found", "No models loaded. Please load a model first.")
            model.instances[model.key] = {"context_length": LOADED_CONTEXT, "flash_attention": True}
            self.ttls[model.key] = body.get("ttl")

    def _find(self, body: Mapping[str, Any]) -> StudioModel:
        name = body.get("model", "")
        for model in self.models.values():
            if name == model.key or name in model.instances:
                return model
        raise error(404, "model_not_found", f"Model '{name}' was not found.")

    def _allowed(self, request: web.Request) -> None:
        if request.path in self.denied:
            raise error(403, "insufficient_permissions", "This API token may not do that.")


def refusal(status: int, code: str, message: str) -> web.Response:
    """An error as LM Studio words it."""
    return web.json_response({"error": {"type": "invalid_request", "code": code, "message": message}}, status=status)


def error(status: int, code: str, message: str) -> web.HTTPException:
    """The same, to raise."""
    kinds: dict[int, type[web.HTTPException]] = {403: web.HTTPForbidden, 404: web.HTTPNotFound}
    body = refusal(status, code, message).text or ""
    return kinds[status](text=body, content_type="application/json")
