"""Chat and embeddings in OpenAI's shape, for simulators of the engines that speak it too."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.engines.simulator import BODY, Simulator, sse


@dataclass
class ChatSimulator(Simulator):
    """A simulator whose answers count words, a token each."""

    async def stream_words(self, request: web.Request, extra: Mapping[str, Any] | None = None) -> web.StreamResponse:
        """The answer to a question as events; `extra` stands in the one with the finish."""
        body = request[BODY]
        asked = [body.get("max_tokens"), body.get("max_completion_tokens"), self.words]
        total = min(limit for limit in asked if limit is not None)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        async with self.answering():
            await response.write(self.chunk(body, {"role": "assistant", "content": None}))
            for number in range(total):
                word = await self.next_word(request, number)
                if word is None:
                    return response
                await response.write(self.chunk(body, {"content": word}))
            finish = "stop" if total == self.words else "length"
            await response.write(self.chunk(body, {}, finish, **(extra or {})))
            if body.get("stream_options", {}).get("include_usage"):
                await response.write(
                    sse({"object": "chat.completion.chunk", "choices": [], "usage": usage(body, total)})
                )
            await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response

    def chunk(self, body: Mapping[str, Any], delta: Mapping[str, Any], finish: str | None = None, **more: Any) -> bytes:
        """One event of an answer."""
        choice = {"index": 0, "delta": dict(delta), "finish_reason": finish}
        shape = {"id": "chatcmpl-simulated", "object": "chat.completion.chunk", "created": 1_780_000_000}
        return sse({**shape, "model": body.get("model"), "choices": [choice], **more})

    def vectors(self, request: web.Request) -> web.Response:
        """Eight numbers for each text, others for another."""
        body = request[BODY]
        asked = body["input"]
        texts = [asked] if isinstance(asked, str) else asked
        digests = [hashlib.sha256(text.encode()).digest()[:8] for text in texts]
        data = [
            {"object": "embedding", "index": index, "embedding": [byte / 255 for byte in digest]}
            for index, digest in enumerate(digests)
        ]
        used = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
        return web.json_response({"object": "list", "data": data, "model": body.get("model"), "usage": used})


def usage(body: Mapping[str, Any], completion: int) -> dict[str, int]:
    """A word of the question is a token."""
    prompt = sum(len(str(turn["content"]).split()) for turn in body.get("messages", []))
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
