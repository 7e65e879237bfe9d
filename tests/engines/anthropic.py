"""Anthropic's documented protocol over real HTTP, with its quirks, for tests.

It answers by counting words, a token each, so that a test sees the pieces in their order.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from aiohttp import web

from tests.engines.simulator import BODY, Simulator, sse

NO_SAMPLING = "2026-10-21"
VERSIONS = frozenset({"2023-06-01", NO_SAMPLING})
DEFAULT_PAGE = 20
KEY = "sk-ant-simulated-000000000000"
CREDIT = (
    "Your credit balance is too low to access the Anthropic API. "
    "Please go to Plans & Billing to upgrade or purchase credits."
)
STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


@dataclass(frozen=True)
class Failure:
    """An error as Anthropic words it."""

    kind: str
    message: str
    retry_after: str = ""


@dataclass
class AnthropicSimulator(Simulator):
    """An Anthropic without a model in it.

    `failures` are answered by their path; `fails_after` pieces an answer ends in an `overloaded_error` event. `stuck`
    sends the first page of the list for ever, `endless` an empty page with another id each time. `samples_itself` are
    newer models, which take no temperature.
    """

    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    fails_after: int | None = None
    stuck: bool = False
    samples_itself: set[str] = field(default_factory=set)
    endless: Iterator[int] | None = None
    _numbers: Iterator[int] = field(default_factory=count)

    def add(self, name: str, **traits: Any) -> None:
        """Put a model into its list."""
        self.models[name] = {
            "type": "model",
            "id": name,
            "display_name": name.replace("-", " ").title(),
            "created_at": "2026-02-04T00:00:00Z",
            "max_input_tokens": 200_000,
            "max_tokens": 64_000,
            "capabilities": None,
            "lifecycle": "active",
            "deprecated_at": None,
            "retires_at": None,
            "line": None,
            **traits,
        }

    def routes(self, router: web.UrlDispatcher) -> None:
        """Models and messages."""
        router.add_get("/v1/models", self._list)
        router.add_get("/v1/models/{name}", self._show)
        router.add_post("/v1/messages", self._messages)

    def told_key(self, request: web.Request) -> str:
        """In a header of its own, or as the official client sends it since October 2026."""
        return request.headers.get("x-api-key") or super().told_key(request)

    def wrong_key(self) -> web.Response:
        """As Anthropic answers."""
        return self.fail("authentication_error", "invalid x-api-key")

    def fail(self, kind: str, message: str, retry_after: str = "") -> web.Response:
        """An error with the status of its kind."""
        headers = {"request-id": self._id("req"), **({"retry-after": retry_after} if retry_after else {})}
        return web.json_response({**error(kind, message), "request_id": headers["request-id"]}, status=STATUS[kind],
                                 headers=headers)  # fmt: skip

    def refused(self, request: web.Request) -> web.Response | None:
        """What is wrong with a request before anything else."""
        if failure := self.failures.get(request.path):
            return self.fail(failure.kind, failure.message, failure.retry_after)
        version = request.headers.get("anthropic-version", "")
        if version not in VERSIONS:
            return self.fail("invalid_request_error", "anthropic-version: header is required")
        body = request[BODY]
        for name in ("temperature", "top_p", "top_k"):
            if name in body and (version == NO_SAMPLING or body.get("model") in self.samples_itself):
                return self.fail("invalid_request_error", f"`{name}` is deprecated for this model.")
        return None

    async def _list(self, request: web.Request) -> web.Response:
        if refusal := self.refused(request):
            return refusal
        limit = int(request.query.get("limit", DEFAULT_PAGE))
        if not 1 <= limit <= 1000:
            return self.fail("invalid_request_error", "limit: Input should be between 1 and 1000")
        if self.endless is not None:
            return web.json_response({"data": [], "has_more": True, "last_id": f"page-{next(self.endless)}"})
        items, after = list(self.models.values()), request.query.get("after_id", "")
        if after and not self.stuck:
            names = list(self.models)
            items = items[names.index(after) + 1 :] if after in names else []
        page = items[:limit]
        ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {"first_id": None, "last_id": None}
        more = self.stuck or len(page) < len(items)
        return web.json_response({"data": page, "has_more": more, **ends}, headers={"request-id": self._id("req")})

    async def _show(self, request: web.Request) -> web.Response:
        if refusal := self.refused(request):
            return refusal
        name = request.match_info["name"]
        return web.json_response(self.models[name]) if name in self.models else self._unknown(name)

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        body = request[BODY]
        if refusal := self.refused(request) or self._wrong(body):
            return refusal
        if body["model"] not in self.models:
            return self._unknown(body["model"])
        async with self.answering():
            return await (self._stream if body.get("stream") else self._at_once)(request, body)

    def _wrong(self, body: Mapping[str, Any]) -> web.Response | None:
        turns = body.get("messages") or []
        for name in ("model", "messages", "max_tokens"):
            if not body.get(name):
                return self.fail("invalid_request_error", f"{name}: Field required")
        if any(turn["role"] not in {"user", "assistant"} for turn in turns):
            return self.fail("invalid_request_error", "messages: Unexpected role. The API takes a top-level `system`.")
        if not all(_words(turn["content"]) for turn in turns):
            return self.fail("invalid_request_error", "messages: text content blocks must be non-empty")
        if not 0 <= body.get("temperature", 1) <= 1:
            return self.fail("invalid_request_error", "temperature: range: 0..1")
        if {"temperature", "top_p"} <= body.keys():
            return self.fail("invalid_request_error", "`temperature` and `top_p` cannot both be specified.")
        return None

    async def _at_once(self, _: web.Request, body: Mapping[str, Any]) -> web.Response:
        pieces = [f"word{number} " for number in range(min(self.words, body["max_tokens"]))]
        told = self._message(body)
        told |= {"content": [{"type": "text", "text": "".join(pieces)}], "stop_reason": self._reason(body)}
        told["usage"]["output_tokens"] = len(pieces)
        return web.json_response(told, headers={"request-id": self._id("req")})

    async def _stream(self, request: web.Request, body: Mapping[str, Any]) -> web.StreamResponse:
        headers = {"Content-Type": "text/event-stream; charset=utf-8", "request-id": self._id("req")}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)

        async def send(kind: str, **traits: Any) -> None:
            await response.write(sse({"type": kind, **traits}, name=kind))

        await send("message_start", message=self._message(body))
        await send("content_block_start", index=0, content_block={"type": "text", "text": ""})
        await send("ping")
        limit = min(self.words, body["max_tokens"])
        for number in range(limit):
            if number == self.fails_after:
                await response.write(sse(error("overloaded_error", "Overloaded"), name="error"))
                return response
            if (word := await self.next_word(request, number)) is None:
                return response
            await send("content_block_delta", index=0, delta={"type": "text_delta", "text": word})
        await send("content_block_stop", index=0)
        delta = {"stop_reason": self._reason(body), "stop_sequence": None}
        await send("message_delta", delta=delta, usage={"output_tokens": limit})
        await send("message_stop")
        return response

    def _reason(self, body: Mapping[str, Any]) -> str:
        return "max_tokens" if body["max_tokens"] < self.words else "end_turn"

    def _message(self, body: Mapping[str, Any]) -> dict[str, Any]:
        heard = sum(_words(turn["content"]) for turn in body["messages"]) + _words(body.get("system", ""))
        return {
            "id": self._id("msg"),
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {
                "input_tokens": heard,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "output_tokens": 1,
                "service_tier": "standard",
            },
        }

    def _unknown(self, name: str) -> web.Response:
        return self.fail("not_found_error", f"model: {name}")

    def _id(self, what: str) -> str:
        return f"{what}_{next(self._numbers):024}"


def error(kind: str, message: str) -> dict[str, Any]:
    """The envelope of every error."""
    return {"type": "error", "error": {"type": kind, "message": message}}


def _words(content: Any) -> int:
    """How many words a turn has: a text, or blocks of it."""
    if isinstance(content, list):
        return sum(_words(block.get("text", "")) for block in content)
    return len(str(content).split())
