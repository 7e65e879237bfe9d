"""A cloud service with OpenAI's routes: its list is public, other routes tell of the key, over real HTTP."""

from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.engines.compatible import CompatibleSimulator

KEY = "sk-cloud-simulated-0123456789"


@dataclass
class CloudSimulator(CompatibleSimulator):
    """`left` is what its routes tell of the key, by their path."""

    key: str = KEY
    public: bool = True
    left: dict[str, Any] = field(
        default_factory=lambda: {
            "/v1/key": {"data": {"label": "sk-cloud-…789", "limit": 5, "usage": 0.75, "limit_remaining": 4.25}},
            "/v1/user/balance": {
                "is_available": True,
                "balance_infos": [{"currency": "CNY", "total_balance": "110.00", "granted_balance": "10.00"}],
            },
            "/api/whoami-v2": {"type": "user", "name": "ada", "auth": {"type": "access_token"}},
        }
    )

    def routes(self, router: web.UrlDispatcher) -> None:
        super().routes(router)
        for path in self.left:
            router.add_get(path, self._told)

    async def _told(self, request: web.Request) -> web.Response:
        return web.json_response(self.left[request.path])
