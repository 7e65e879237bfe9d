"""vLLM's documented routes over real HTTP: a key guards only what lies below `/v1`."""

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.engines.compatible import CompatibleSimulator

VERSION = "0.24.0"


@dataclass
class VllmSimulator(CompatibleSimulator):
    """A vLLM with one model, which both chats and embeds here. `dead`: its engine has ended, its server has not."""

    owner: str = "vllm"
    dead: bool = False

    def __post_init__(self) -> None:
        if not self.models:
            self.add("tiny-llama", root="/models/tiny-llama")

    def add(self, name: str, **facts: Any) -> None:
        """Give it a model, or a LoRA adapter that names its `parent`."""
        traits = {"root": name, "parent": None, "max_model_len": 8192, "permission": [{"object": "model_permission"}]}
        super().add(name, **{**traits, **facts})

    def routes(self, router: web.UrlDispatcher) -> None:
        super().routes(router)
        router.add_get("/health", self._health)
        router.add_get("/ping", self._health)
        router.add_get("/version", self._version)

    def open_to_all(self, path: str) -> bool:
        return not path.startswith("/v1")

    def wrong_key(self) -> web.Response:
        return web.json_response({"error": "Unauthorized"}, status=401)

    def no_model(self, name: Any) -> web.Response:
        error = {"message": f"The model `{name}` does not exist.", "type": "NotFoundError", "param": None, "code": 404}
        return web.json_response({"error": error}, status=404)

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(status=503 if self.dead else 200)

    async def _version(self, _: web.Request) -> web.Response:
        return web.json_response({"version": VERSION})
