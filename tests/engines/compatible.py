"""A server with OpenAI's routes over real HTTP, in every form that such servers have, for tests."""

import base64
import hashlib
import struct
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.engines.simulator import BODY, Simulator, sse

CREATED = 1_780_000_000


@dataclass
class CompatibleSimulator(Simulator):
    """A server with one model that chats and one that embeds. Entries of `models` are what its list says of them.

    `form` of the list: data | models | bare | names | missing | paged | linked. A `public` list needs no key. Where
    `streams` is off, an answer comes in one piece whatever was asked. `thinks` puts thoughts before the answer,
    `fails_after` an error in the stream. `refuses` are names in a question that it does not know.

    `finish` is how an answer ends: stop (with its usage, as OpenAI does), none (no finish_reason, but `[DONE]`),
    nothing (not even that), no usage, inner usage (within the choice), no blank line (after the last event).
    """

    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    base: str = "/v1"
    form: str = "data"
    page: int = 2
    public: bool = False
    streams: bool = True
    finish: str = "stop"
    thinks: bool = False
    fails_after: int | None = None
    refuses: set[str] = field(default_factory=set)
    owner: str = "simulator"

    def __post_init__(self) -> None:
        if not self.models:
            self.add("tiny-llama")
            self.add("tiny-embed")

    def add(self, name: str, **facts: Any) -> None:
        """Give it a model, with what its list says of it."""
        self.models[name] = {"id": name, "object": "model", "created": CREATED, "owned_by": self.owner, **facts}

    def routes(self, router: web.UrlDispatcher) -> None:
        if self.form != "missing":
            router.add_get(f"{self.base}/models", self._models)
        router.add_post(f"{self.base}/chat/completions", self._chat)
        router.add_post(f"{self.base}/embeddings", self._embed)

    def open_to_all(self, path: str) -> bool:
        return self.public and path.endswith("/models")

    def wrong_key(self) -> web.Response:
        return problem(401, "Incorrect API key provided.", "invalid_request_error", "invalid_api_key")

    def no_model(self, name: Any) -> web.Response:
        """What it answers when it has no such model."""
        told = f"The model `{name}` does not exist or you do not have access to it."
        return problem(404, told, "invalid_request_error", "model_not_found")

    def refused(self, request: web.Request) -> web.Response | None:
        """What is wrong with a question, if something is."""
        body = request[BODY]
        if body.get("model") not in self.models:
            return self.no_model(body.get("model"))
        if found := next((name for name in body if name in self.refuses), None):
            return problem(400, f"Unknown parameter: '{found}'.", "invalid_request_error", "unknown_parameter")
        return None

    async def _models(self, request: web.Request) -> web.Response:
        return web.json_response(self._listed(request))

    def _listed(self, request: web.Request) -> Any:
        entries = list(self.models.values())
        match self.form:
            case "bare":
                return entries
            case "models":
                return {"models": entries}
            case "names":
                return {"data": list(self.models)}
            case "paged" | "linked":
                names = list(self.models)
                after = request.query.get("after")
                start = names.index(after) + 1 if after else 0
                part = entries[start : start + self.page]
                more = start + self.page < len(entries)
                if self.form == "paged":
                    return {"object": "list", "data": part, "has_more": more, "last_id": part[-1]["id"]}
                return {"data": part, "next": f"{request.path}?after={part[-1]['id']}" if more else None}
            case _:
                return {"object": "list", "data": entries}

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        if refusal := self.refused(request):
            return refusal
        body = request[BODY]
        limit = body.get("max_completion_tokens", body.get("max_tokens", self.words))
        count = min(limit, self.words)
        reason = "stop" if count == self.words else "length"
        prompt = sum(len(str(turn["content"]).split()) + 4 for turn in body["messages"])
        usage = {"prompt_tokens": prompt, "completion_tokens": count, "total_tokens": prompt + count}
        if not self.streams or not body.get("stream"):
            return self._whole(body["model"], count, reason, usage)
        asked = bool(body.get("stream_options", {}).get("include_usage"))
        async with self.answering():
            return await self._stream(request, count, reason, usage if asked else None)

    def _whole(self, model: str, count: int, reason: str, usage: dict[str, int]) -> web.Response:
        said = "".join(f"word{number} " for number in range(count))
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": reason}
        head = {"id": "chatcmpl-1", "object": "chat.completion", "created": CREATED, "model": model}
        return web.json_response({**head, "choices": [choice], "usage": usage})

    async def _stream(
        self, request: web.Request, count: int, reason: str, usage: dict[str, int] | None
    ) -> web.StreamResponse:
        model = request[BODY]["model"]
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b": keep-alive\n\n" + sse(chunk(model, {"role": "assistant", "content": ""})))
        if self.thinks:
            await response.write(sse(chunk(model, {"reasoning_content": "thought ", "content": None})))
        for number in range(count):
            if number == self.fails_after:
                await response.write(sse({"error": {"message": "The engine ran out of memory", "code": 500}}))
                return response
            word = await self.next_word(request, number)
            if word is None:
                return response
            await response.write(sse(chunk(model, {"content": word})))
        for piece in self._end(model, reason, usage):
            await response.write(piece)
        await response.write_eof()
        return response

    def _end(self, model: str, reason: str, usage: dict[str, int] | None) -> list[bytes]:
        last = chunk(model, {}, reason)
        done = b"data: [DONE]\n\n"
        match self.finish:
            case "none":
                return [done]
            case "nothing":
                return []
            case "no usage":
                return [sse(last), done]
            case "inner usage":
                last["choices"][0]["usage"] = usage
                return [sse(last), done]
            case "no blank line":
                return [b"data: [DONE]"]
            case _:
                told = [sse(chunk(model, None) | {"usage": usage})] if usage else []
                return [sse(last), *told, done]

    async def _embed(self, request: web.Request) -> web.Response:
        if refusal := self.refused(request):
            return refusal
        body = request[BODY]
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        coded = body.get("encoding_format") == "base64"
        entries = [
            {"object": "embedding", "index": index, "embedding": packed(vector(text)) if coded else vector(text)}
            for index, text in enumerate(texts)
        ]
        used = sum(len(text.split()) for text in texts)
        usage = {"prompt_tokens": used, "total_tokens": used}
        # From the last to the first: their index is what counts.
        return web.json_response({"object": "list", "data": entries[::-1], "model": body["model"], "usage": usage})


def problem(status: int, message: str, kind: str, code: str | None = None, param: str | None = None) -> web.Response:
    """An error as OpenAI documents it."""
    error = {"message": message, "type": kind, "param": param, "code": code}
    return web.json_response({"error": error}, status=status)


def chunk(model: str, delta: dict[str, Any] | None, finish: str | None = None) -> dict[str, Any]:
    """A piece of an answer; without a delta, one that only carries what stands beside it."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": CREATED, "model": model}
    return {**head, "choices": choices}


def vector(text: str) -> list[float]:
    """The same few numbers for the same text, exact as 32-bit floats."""
    return [byte / 256 for byte in hashlib.sha256(text.encode()).digest()[:8]]


def packed(numbers: list[float]) -> str:
    """A vector as OpenAI sends it in base64."""
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
