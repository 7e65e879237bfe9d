"""The official client against our simulators: what it understands is what the real services say."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionUserMessageParam

from tests.engines.compatible import CompatibleSimulator, vector
from tests.engines.openai_cloud import EMBEDDER, KEY, MODEL, OpenAISimulator
from tests.engines.vllm import VllmSimulator

HELLO: list[ChatCompletionMessageParam] = [ChatCompletionUserMessageParam(role="user", content="Hello")]
SIMULATORS = {
    "openai": (OpenAISimulator, MODEL, EMBEDDER),
    "vllm": (lambda: VllmSimulator(key=KEY), "tiny-llama", "tiny-llama"),
    "compatible": (CompatibleSimulator, "tiny-llama", "tiny-embed"),
}
each = pytest.mark.parametrize(("made", "model", "embedder"), SIMULATORS.values(), ids=SIMULATORS)
Made = Callable[[], CompatibleSimulator]


@asynccontextmanager
async def client_of(
    simulator: CompatibleSimulator, key: str = KEY, organization: str | None = None
) -> AsyncIterator[openai.AsyncOpenAI]:
    """The client, without proxies and without second tries."""
    async with simulator.serve(), openai.DefaultAsyncHttpxClient(trust_env=False) as http:
        url = simulator.url + "/v1"
        yield openai.AsyncOpenAI(base_url=url, api_key=key, organization=organization, max_retries=0, http_client=http)


@each
async def test_a_whole_answer(made: Made, model: str, embedder: str) -> None:
    async with client_of(made()) as client:
        answer = await client.chat.completions.create(model=model, messages=HELLO, max_completion_tokens=3)
    assert answer.choices[0].message.content == "word0 word1 word2 "
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 3


@each
async def test_a_streamed_answer(made: Made, model: str, embedder: str) -> None:
    async with client_of(made()) as client:
        stream = await client.chat.completions.create(
            model=model, messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
        pieces = [piece async for piece in stream]
    text = "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
    assert text.startswith("word0 word1 ")
    assert [piece.choices[0].finish_reason for piece in pieces if piece.choices][-1] == "stop"
    assert pieces[-1].usage is not None
    assert pieces[-1].usage.completion_tokens == 12


@each
async def test_its_models_and_embeddings(made: Made, model: str, embedder: str) -> None:
    async with client_of(made()) as client:
        names = [found.id async for found in client.models.list()]
        answer = await client.embeddings.create(model=embedder, input=["one", "two"])
    assert model in names
    by_index = {item.index: item.embedding for item in answer.data}
    assert by_index == {0: pytest.approx(vector("one")), 1: pytest.approx(vector("two"))}


@each
async def test_an_unknown_model(made: Made, model: str, embedder: str) -> None:
    async with client_of(made()) as client:
        with pytest.raises(openai.NotFoundError, match="no-such-model"):
            await client.chat.completions.create(model="no-such-model", messages=HELLO)


async def test_refusals_become_the_client_s_own_errors() -> None:
    async with client_of(OpenAISimulator(), key="sk-wrong") as client:
        with pytest.raises(openai.AuthenticationError) as wrong:
            await client.models.list()
    assert wrong.value.code == "invalid_api_key"
    async with client_of(OpenAISimulator(broke=True)) as client:
        with pytest.raises(openai.RateLimitError) as broke:
            await client.chat.completions.create(model=MODEL, messages=HELLO)
    assert broke.value.code == "insufficient_quota"
    async with client_of(OpenAISimulator()) as client:
        with pytest.raises(openai.BadRequestError) as refused:
            await client.chat.completions.create(model="o3-mini", messages=HELLO, max_tokens=5)
    assert (refused.value.code, refused.value.param) == ("unsupported_parameter", "max_tokens")
    async with client_of(OpenAISimulator(organization="org-own"), organization="org-other") as client:
        with pytest.raises(openai.AuthenticationError, match="organization"):
            await client.chat.completions.create(model=MODEL, messages=HELLO)


async def test_an_error_in_the_stream() -> None:
    async with client_of(CompatibleSimulator(fails_after=2)) as client:
        stream = await client.chat.completions.create(model="tiny-llama", messages=HELLO, stream=True)
        with pytest.raises(openai.APIError, match="ran out of memory"):
            _ = [piece async for piece in stream]
