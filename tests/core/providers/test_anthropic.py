"""Anthropic's own quirks: its pages, its events, its words for errors, and the shape its turns must have."""

from contextlib import aclosing
from datetime import date
from itertools import count, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelshelf.config import ConfigManager
from modelshelf.errors import NoCredit, NoPermission, NotFound, ProviderError, RateLimited, WrongAddress
from modelshelf.library import ModelLibrary
from modelshelf.providers import ChatMessage, ChatRequest, HealthStatus, ProviderConfig, ProviderContext
from modelshelf.providers.adapters.anthropic import AnthropicProvider
from modelshelf.providers.anthropic import chat_body, delta, tokens
from modelshelf.providers.spec import Price
from modelshelf.vault import Secret
from tests.conftest import LoopRunner
from tests.core.providers.conftest import ask, collect
from tests.engines.anthropic import CREDIT, KEY, AnthropicSimulator, Failure
from tests.engines.faults import Fault

MODEL = "claude-tiny-4-5"


@pytest.fixture
def simulator(loop: LoopRunner) -> AnthropicSimulator:
    made = AnthropicSimulator(key=KEY)
    made.add(MODEL)
    return loop.enter(made.serve())


@pytest.fixture
def provider(
    loop: LoopRunner, config: ConfigManager, library: ModelLibrary, simulator: AnthropicSimulator
) -> AnthropicProvider:
    return loop.enter(aclosing(made(config, library, simulator.url)))


def made(config: ConfigManager, library: ModelLibrary, url: str) -> AnthropicProvider:
    async def key(_config: ProviderConfig, _model: str) -> Secret:
        return Secret(KEY)

    context = ProviderContext(config, library, key=key)
    return AnthropicProvider(ProviderConfig("mine", "anthropic", "Mine", url), context)


async def test_every_page_is_read(provider: AnthropicProvider, simulator: AnthropicSimulator) -> None:
    for number in range(2500):
        simulator.add(f"claude-{number}")
    found = await provider.models()
    assert len({model.name for model in found}) == 2501
    assert [path for _, path, _ in simulator.requests] == ["/v1/models"] * 3


async def test_a_model_carries_what_anthropic_tells(provider: AnthropicProvider, simulator: AnthropicSimulator) -> None:
    able = {"image_input": {"supported": True}, "thinking": {"supported": True}, "pdf_input": {"supported": False}}
    ending = {"lifecycle": "deprecated", "deprecated_at": "2026-06-01T00:00:00Z", "retires_at": "2026-12-01T00:00:00Z"}
    simulator.add("claude-old-3", capabilities=able, max_input_tokens=100_000, **ending)
    simulator.add("claude-gone-2", lifecycle="retired")
    young, old = await provider.models()
    assert (young.title, young.context, young.max_output) == ("Claude Tiny 4 5", 200_000, 64_000)
    assert (young.deprecated, young.retires, young.abilities) == (False, None, ("chat", "tools"))
    assert (old.context, old.deprecated, old.retires) == (100_000, True, date(2026, 12, 1))
    assert old.abilities == ("chat", "tools", "vision", "reasoning")
    assert (await provider.detail("claude-gone-2"))["lifecycle"] == "retired"
    simulator.add("claude-haiku-4-5")
    assert (await provider.models())[-1].price == Price(1.0, 5.0)
    with pytest.raises(NotFound, match="Mine has no model claude-none"):
        await provider.detail("claude-none")


async def test_a_list_that_repeats_itself_ends(provider: AnthropicProvider, simulator: AnthropicSimulator) -> None:
    simulator.stuck = True
    with pytest.raises(ProviderError, match="the same page of its list again and again"):
        await provider.models()
    assert len(simulator.requests) == 2


async def test_a_list_without_end_ends(provider: AnthropicProvider, simulator: AnthropicSimulator) -> None:
    simulator.endless = count()
    with pytest.raises(ProviderError, match="a list without end: 0 models in 100 pages"):
        await provider.models()


@pytest.mark.parametrize("suffix", ["", "/v1"])
async def test_the_address_may_end_in_its_version(
    config: ConfigManager, library: ModelLibrary, simulator: AnthropicSimulator, suffix: str
) -> None:
    async with aclosing(made(config, library, simulator.url + suffix)) as provider:
        assert (await provider.health()).status is HealthStatus.WELL
        assert (await collect(provider.chat(MODEL, ask("hello"))))[0]


async def test_every_request_names_the_version_and_carries_the_key(
    provider: AnthropicProvider, simulator: AnthropicSimulator
) -> None:
    await provider.models()
    await collect(provider.chat(MODEL, ask("hello")))
    for headers in simulator.headers:
        lower = {name.lower(): value for name, value in headers.items()}
        assert (lower["anthropic-version"], lower["x-api-key"]) == ("2023-06-01", KEY)
        assert "authorization" not in lower


async def test_turns_get_the_shape_that_the_api_wants(
    provider: AnthropicProvider, simulator: AnthropicSimulator
) -> None:
    turns = (
        ChatMessage("system", "Be brief."),
        ChatMessage("user", "one"),
        ChatMessage("assistant", "  "),
        ChatMessage("user", "two"),
        ChatMessage("system", "Be kind."),
        ChatMessage("assistant", "three"),
        ChatMessage("user", "four"),
    )
    _, pieces = await collect(provider.chat(MODEL, ChatRequest(turns, max_tokens=None, temperature=1.7)))
    [body] = simulator.asked("/v1/messages")
    assert body["system"] == "Be brief.\n\nBe kind."
    assert [(turn["role"], turn["content"]) for turn in body["messages"]] == [
        ("user", "one\n\ntwo"), ("assistant", "three"), ("user", "four"),
    ]  # fmt: skip
    assert (body["max_tokens"], body["temperature"], body["stream"]) == (4096, 1.0, True)
    assert pieces[-1].usage == {"prompt_tokens": 8, "completion_tokens": 12, "total_tokens": 20}
    assert pieces[-1].finish == "stop"


async def test_what_a_model_chooses_itself_is_left_out_once_it_said_so(
    provider: AnthropicProvider, simulator: AnthropicSimulator
) -> None:
    simulator.add("claude-new-9")
    simulator.samples_itself.add("claude-new-9")
    for _ in range(2):
        text, _ = await collect(provider.chat("claude-new-9", ask("hello")))
        assert text.startswith("word0 ")
    await collect(provider.chat(MODEL, ask("hello")))
    assert ["temperature" in body for body in simulator.asked("/v1/messages")] == [True, False, False, True]


async def test_how_to_sample_and_where_to_stop(provider: AnthropicProvider, simulator: AnthropicSimulator) -> None:
    turns = (ChatMessage("user", "hello"),)
    await collect(provider.chat(MODEL, ChatRequest(turns, temperature=0.5, top_p=0.9, seed=7, stop=("END",))))
    await collect(provider.chat(MODEL, ChatRequest(turns, top_p=0.9)))
    both, one = simulator.asked("/v1/messages")
    assert (both["temperature"], both["stop_sequences"]) == (0.5, ["END"])
    assert not {"top_p", "seed"} & both.keys()
    assert one["top_p"] == 0.9
    assert not {"temperature", "stop_sequences", "system"} & one.keys()


async def test_extra_words_go_along(provider: AnthropicProvider, simulator: AnthropicSimulator) -> None:
    await collect(provider.chat(MODEL, ask("hello", top_k=5)))
    assert simulator.asked("/v1/messages")[0]["top_k"] == 5


ERRORS: list[tuple[Failure, type[Exception], str, str]] = [
    (Failure("invalid_request_error", CREDIT), NoCredit, "no credit left", "Add credit"),
    (Failure("billing_error", "Unpaid."), NoCredit, "no credit left", "Add credit"),
    (Failure("permission_error", "Not yours."), NoPermission, "does not allow this", "permission"),
    (Failure("rate_limit_error", "Slow down.", "42"), RateLimited, "no more requests for now", "in 42 s"),
    (Failure("overloaded_error", "Overloaded"), ProviderError, "Mine is overloaded", "in a minute"),
    (Failure("api_error", "Internal server error"), ProviderError, "error 500: Internal server error.", "own log"),
    (Failure("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"), ProviderError,
     f"longer than {MODEL} can take in", "new one"),
    (Failure("invalid_request_error", "metadata: odd"), ProviderError, "error 400: metadata: odd", "Change what"),
]  # fmt: skip


@pytest.mark.parametrize(("failure", "kind", "message", "remedy"), ERRORS, ids=lambda item: getattr(item, "kind", ""))
async def test_errors_say_what_they_mean(
    provider: AnthropicProvider,
    simulator: AnthropicSimulator,
    failure: Failure,
    kind: type[ProviderError],
    message: str,
    remedy: str,
) -> None:
    simulator.failures["/v1/messages"] = failure
    with pytest.raises(kind, match=message) as caught:
        await collect(provider.chat(MODEL, ask("hello")))
    assert type(caught.value) is kind
    assert remedy in caught.value.remedy


async def test_an_error_in_mid_answer_is_an_error(provider: AnthropicProvider, simulator: AnthropicSimulator) -> None:
    simulator.fails_after = 3
    async with aclosing(provider.chat(MODEL, ask("hello"))) as chunks:
        said = [(await anext(chunks)).text for _ in range(3)]
        with pytest.raises(ProviderError, match="Mine is overloaded"):
            await anext(chunks)
    assert said == ["word0 ", "word1 ", "word2 "]


async def test_a_web_page_is_no_answer(provider: AnthropicProvider, simulator: AnthropicSimulator) -> None:
    simulator.faults.everywhere(Fault.PAGE)
    with pytest.raises(WrongAddress, match="v1/messages with a web page"):
        await collect(provider.chat(MODEL, ask("hello")))


async def test_one_token_is_asked_for_and_no_more(provider: AnthropicProvider, simulator: AnthropicSimulator) -> None:
    assert await provider.ping(MODEL) == "word0 "
    assert simulator.asked("/v1/messages")[0]["max_tokens"] == 1


turn = st.builds(ChatMessage, st.sampled_from(["system", "user", "assistant"]), st.text(max_size=5))


@given(st.lists(turn, max_size=12))
def test_turns_alternate_whatever_is_sent(turns: list[ChatMessage]) -> None:
    body = chat_body("x", ChatRequest(tuple(turns)))
    roles = [made["role"] for made in body["messages"]]
    assert all(here != after for here, after in pairwise(roles))
    assert "system" not in roles
    assert all(made["content"].strip() for made in body["messages"])
    assert sum(len(turn.content) for turn in turns if turn.content.strip()) <= sum(
        len(text) for text in [body.get("system", ""), *(made["content"] for made in body["messages"])]
    )


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(["type", "delta", "message", "usage", "text", "stop_reason", "input_tokens"])
kinds = st.sampled_from(["message_start", "content_block_delta", "message_delta"])


@given(st.dictionaries(names, anything | kinds | st.dictionaries(names, anything, max_size=4), max_size=6))
def test_no_event_can_break_the_reader(event: dict[str, Any]) -> None:
    assert isinstance(delta(event), str)
    assert all(value >= 0 for value in tokens(event).values())
