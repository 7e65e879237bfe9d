"""OpenAI's documented answers over real HTTP, its refusals above all."""

import re
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.engines.compatible import CompatibleSimulator, problem
from tests.engines.simulator import BODY

KEY = "sk-proj-simulated-0123456789"
MODEL = "gpt-4.1-mini"
EMBEDDER = "text-embedding-3-small"
_THINKS = re.compile(r"^(o[134]|gpt-5)")


@dataclass
class OpenAISimulator(CompatibleSimulator):
    """OpenAI with a few of its models. `broke` means that the account has no credit left.

    `organization` is the one that the key belongs to, if requests must not name another.
    """

    key: str = KEY
    broke: bool = False
    organization: str = ""
    owner: str = "system"

    def __post_init__(self) -> None:
        for name in (MODEL, "gpt-4.1-mini-2025-04-14", "o3-mini", "gpt-5-pro", EMBEDDER, "whisper-1", "tts-1"):
            self.add(name)
        for name in ("dall-e-3", "gpt-image-1", "omni-moderation-latest", "babbage-002", "gpt-4o-realtime-preview"):
            self.add(name)

    def wrong_key(self) -> web.Response:
        told = "Incorrect API key provided: sk-proj-****. You can find your API key in your account's settings."
        return problem(401, told, "invalid_request_error", "invalid_api_key")

    def refused(self, request: web.Request) -> web.Response | None:
        named = request.headers.get("OpenAI-Organization", "")
        if self.organization and named not in ("", self.organization):
            told = "OpenAI-Organization header should match organization for API key"
            return problem(401, told, "invalid_request_error", "mismatched_organization")
        if self.broke:
            told = "You exceeded your current quota, please check your plan and billing details."
            return problem(429, told, "insufficient_quota", "insufficient_quota")
        return super().refused(request) or self._thinking(request[BODY])

    def _thinking(self, body: dict[str, Any]) -> web.Response | None:
        """What a model that thinks refuses."""
        if not _THINKS.match(body.get("model", "")):
            return None
        if "max_tokens" in body:
            told = (
                "Unsupported parameter: 'max_tokens' is not supported with this model. "
                "Use 'max_completion_tokens' instead."
            )
            return problem(400, told, "invalid_request_error", "unsupported_parameter", "max_tokens")
        if body.get("temperature", 1) != 1:
            told = "Unsupported value: 'temperature' does not support 0.0 with this model. Only the default (1) is."
            return problem(400, told, "invalid_request_error", "unsupported_value", "temperature")
        return None
