"""The official clients of Anthropic and Ollama against our simulators, so that these are right."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anthropic
import pytest
from ollama import AsyncClient, ResponseError

from tests.conftest import LoopRunner
from tests.engines.anthropic import CREDIT, KEY, AnthropicSimulator, Failure
from tests.engines.ollama import OllamaSimulator

MODEL = "claude-tiny-4-5"
ANSWER = "".join(f"word{number} " for number in range(12))


@pytest.fixture
def claude(loop: LoopRunner) -> AnthropicSimulator:
    made = AnthropicSimulator(key=KEY)
    made.add(MODEL)
    return loop.enter(made.serve())


@asynccontextmanager
async def anthropic_client(simulator: AnthropicSimulator, key: str = KEY) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(api_key=key, base_url=simulator.url, max_retries=0) as client:
        yield client


@asynccontextmanager
async def ollama_client(simulator: OllamaSimulator) -> AsyncIterator[AsyncClient]:
    client = AsyncClient(host=simulator.url)
    try:
        yield client
    finally:
        await client.close()


async def test_anthropic_lists_every_page(claude: AnthropicSimulator) -> None:
    for number in range(45):
        claude.add(f"claude-{number}", lifecycle="deprecated", deprecated_at="2026-06-01T00:00:00Z")
    async with anthropic_client(claude) as client:
        found = [model async for model in client.models.list()]
        assert len(claude.requests) == 3
        assert [model.id for model in found] == list(claude.models)
        assert (found[0].lifecycle, found[0].max_input_tokens, found[0].display_name) == (
            "active", 200_000, "Claude Tiny 4 5",
        )  # fmt: skip
        assert found[1].deprecated_at
        assert found[1].deprecated_at.year == 2026
        assert (await client.models.list(limit=1000)).has_more is False
        assert (await client.models.retrieve(MODEL)).max_tokens == 64_000


async def test_anthropic_answers_at_once_and_piece_by_piece(claude: AnthropicSimulator) -> None:
    turns: list[anthropic.types.MessageParam] = [{"role": "user", "content": "one two"}]
    async with anthropic_client(claude) as client:
        message = await client.messages.create(model=MODEL, max_tokens=100, system="Be brief.", messages=turns)
        assert [block.text for block in message.content if block.type == "text"] == [ANSWER]
        assert (message.stop_reason, message.usage.input_tokens, message.usage.output_tokens) == ("end_turn", 4, 12)
        async with client.messages.stream(model=MODEL, max_tokens=3, messages=turns) as stream:
            assert [piece async for piece in stream.text_stream] == ["word0 ", "word1 ", "word2 "]
            final = await stream.get_final_message()
        assert (final.stop_reason, final.usage.input_tokens, final.usage.output_tokens) == ("max_tokens", 2, 3)
        raw = await client.messages.create(model=MODEL, max_tokens=2, messages=turns, stream=True)
        assert [event.type async for event in raw] == [
            "message_start", "content_block_start", "content_block_delta", "content_block_delta",
            "content_block_stop", "message_delta", "message_stop",
        ]  # fmt: skip


ERRORS: list[tuple[Failure, type[anthropic.APIStatusError]]] = [
    (Failure("invalid_request_error", CREDIT), anthropic.BadRequestError),
    (Failure("permission_error", "No."), anthropic.PermissionDeniedError),
    (Failure("rate_limit_error", "Slow down.", "7"), anthropic.RateLimitError),
    (Failure("api_error", "Broken."), anthropic.InternalServerError),
    (Failure("overloaded_error", "Overloaded"), anthropic.OverloadedError),
]


@pytest.mark.parametrize(("failure", "kind"), ERRORS, ids=lambda item: getattr(item, "kind", ""))
async def test_anthropic_errors_are_told_apart(
    claude: AnthropicSimulator, failure: Failure, kind: type[anthropic.APIStatusError]
) -> None:
    claude.failures["/v1/messages"] = failure
    async with anthropic_client(claude) as client:
        with pytest.raises(kind) as caught:
            await client.messages.create(model=MODEL, max_tokens=1, messages=[{"role": "user", "content": "x"}])
    assert (caught.value.type, caught.value.api_message) == (failure.kind, failure.message)
    assert caught.value.request_id
    assert caught.value.response.headers.get("retry-after", "") == failure.retry_after


async def test_anthropic_refuses_what_the_real_one_refuses(claude: AnthropicSimulator) -> None:
    async with anthropic_client(claude, "sk-wrong") as client:
        with pytest.raises(anthropic.AuthenticationError, match="invalid x-api-key"):
            await client.models.list()
    async with anthropic_client(claude) as client:
        with pytest.raises(anthropic.NotFoundError, match="model: claude-none"):
            await client.messages.create(model="claude-none", max_tokens=1, messages=[{"role": "user", "content": "x"}])
        with pytest.raises(anthropic.BadRequestError, match="non-empty"):
            await client.messages.create(model=MODEL, max_tokens=1, messages=[{"role": "user", "content": " "}])
        with pytest.raises(anthropic.BadRequestError, match="`temperature` is deprecated"):
            await client.messages.create(
                model=MODEL, max_tokens=1, messages=[{"role": "user", "content": "x"}], extra_body={"temperature": 1}
            )
        with pytest.raises(anthropic.BadRequestError, match="between 1 and 1000"):
            await client.models.list(limit=1001)


async def test_anthropic_says_in_mid_answer_that_it_is_overloaded(claude: AnthropicSimulator) -> None:
    claude.fails_after = 2
    async with anthropic_client(claude) as client:
        stream = await client.messages.create(
            model=MODEL, max_tokens=9, messages=[{"role": "user", "content": "x"}], stream=True
        )
        with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
            [event async for event in stream]


async def test_ollama_lists_shows_and_tells_what_runs(ollama: OllamaSimulator) -> None:
    async with ollama_client(ollama) as client:
        [model] = (await client.list()).models
        assert (model.model, model.size, model.digest) == ("tiny-llama:latest", 4_000_000, model.digest)
        assert model.details
        assert (model.details.family, model.details.quantization_level) == ("llama", "Q4_K_M")
        shown = await client.show("tiny-llama")
        assert shown.modelinfo
        assert shown.modelinfo["llama.context_length"] == 8192
        assert (shown.capabilities, shown.details) == (["completion"], model.details)
        assert (await client.ps()).models == []
        await client.generate("tiny-llama")
        [held] = (await client.ps()).models
        assert (held.name, held.context_length, held.size_vram) == ("tiny-llama:latest", 4096, 0)
        assert (await client.generate("tiny-llama", keep_alive=0)).done_reason == "unload"
        assert (await client.ps()).models == []


async def test_ollama_chats_and_generates(ollama: OllamaSimulator) -> None:
    turns = [{"role": "user", "content": "hello"}]
    async with ollama_client(ollama) as client:
        reply = await client.chat("tiny-llama", turns)
        assert (reply.message.content, reply.done_reason, reply.eval_count) == (ANSWER, "stop", 12)
        pieces = [piece async for piece in await client.chat("tiny-llama", turns, stream=True)]
        assert "".join(piece.message.content or "" for piece in pieces) == ANSWER
        assert [piece.done for piece in pieces] == [False] * 12 + [True]
        assert pieces[-1].total_duration
        assert pieces[0].created_at
        short = await client.generate("tiny-llama", "hello", options={"num_predict": 2})
        assert (short.response, short.done_reason, short.prompt_eval_count) == ("word0 word1 ", "length", 9)
        stream = await client.generate("tiny-llama", "hello", stream=True)
        assert "".join([piece.response or "" async for piece in stream]) == ANSWER
        found = await client.embed("tiny-llama", ["one", "two"])
        assert len(found.embeddings) == 2
        assert found.prompt_eval_count == 2


async def test_ollama_pulls_copies_and_deletes(ollama: OllamaSimulator) -> None:
    async with ollama_client(ollama) as client:
        steps = [step async for step in await client.pull("gemma3", stream=True)]
        assert [step.completed for step in steps if step.total] == [None, 1000, 2000]
        assert steps[-1].status == "success"
        assert (await client.pull("qwen3:8b")).status == "success"
        await client.copy("gemma3", "mine")
        assert (await client.delete("gemma3")).status == "success"
        assert set(ollama.models) == {"tiny-llama:latest", "qwen3:8b", "mine:latest"}


async def test_ollama_serves_a_file_that_is_uploaded(ollama: OllamaSimulator, gguf: Path) -> None:
    digest = "sha256:" + hashlib.sha256(gguf.read_bytes()).hexdigest()
    async with ollama_client(ollama) as client:
        assert await client.create_blob(gguf) == digest
        assert ollama.blobs == {digest: gguf.stat().st_size}
        steps = [step async for step in await client.create("mine", files={"m.gguf": digest}, stream=True)]
        assert [step.status for step in steps] == ["parsing GGUF", "success"]
        assert (await client.create("again", files={"m.gguf": digest})).status == "success"
        assert {"mine:latest", "again:latest"} <= set(ollama.models)


async def test_ollama_errors_have_their_status(ollama: OllamaSimulator) -> None:
    async with ollama_client(ollama) as client:
        for call in (
            client.chat("none", [{"role": "user", "content": "x"}]),
            client.show("none"),
            client.delete("none"),
            client.generate("none", "x"),
            client.embed("none", "x"),
        ):
            with pytest.raises(ResponseError, match="model 'none' not found") as caught:
                await call
            assert caught.value.status_code == 404
        with pytest.raises(ResponseError, match="file does not exist"):
            await client.pull("missing")
        with pytest.raises(ResponseError, match="file does not exist"):
            [step async for step in await client.pull("missing", stream=True)]
        with pytest.raises(ResponseError, match="blobs not found"):
            await client.create("mine", files={"m.gguf": "sha256:0"})
