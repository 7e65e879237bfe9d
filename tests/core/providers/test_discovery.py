"""What runs on this machine is known by what it answers: simulators, fakes and ports that misbehave."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from yarl import URL

from modelshelf.providers.discovery import PORTS, Discovered, find_engines, find_ollama, ollama_url
from tests.conftest import LoopRunner
from tests.engines.anthropic import AnthropicSimulator
from tests.engines.compatible import CompatibleSimulator
from tests.engines.faults import Fault, Faults, misbehaving
from tests.engines.llamacpp import LlamaCppSimulator
from tests.engines.lmstudio import LmStudioSimulator
from tests.engines.ollama import OllamaSimulator
from tests.engines.serving import serving
from tests.engines.vllm import VllmSimulator

SECONDS = 5.0  # what is slow here is the machine
LIST = {"object": "list", "data": [{"id": "tiny", "object": "model"}]}
OPEN_ENGINES: dict[str, tuple[Callable[[], Any], str, str]] = {
    "ollama": (OllamaSimulator, "ollama", "Ollama"),
    "lmstudio": (LmStudioSimulator, "lmstudio", "LM Studio"),
    "lmstudio-v0": (lambda: LmStudioSimulator(age="v0"), "lmstudio", "LM Studio"),
    "lmstudio-openai": (lambda: LmStudioSimulator(age="openai"), "lmstudio", "LM Studio"),
    "lmstudio-key": (lambda: LmStudioSimulator(key="k"), "lmstudio", "LM Studio"),
    "llamacpp": (LlamaCppSimulator, "llamacpp", "llama.cpp server"),
    "llamacpp-router": (lambda: LlamaCppSimulator(router=True), "llamacpp", "llama.cpp server"),
    "llamacpp-loading": (lambda: LlamaCppSimulator(loading=True), "llamacpp", "llama.cpp server"),
    "llamacpp-key": (lambda: LlamaCppSimulator(key="k"), "llamacpp", "llama.cpp server"),
    "vllm": (VllmSimulator, "vllm", "vLLM"),
    "vllm-key": (lambda: VllmSimulator(key="k"), "vllm", "vLLM"),
}
# What their documentation says that they answer.
FAKES: dict[str, tuple[Mapping[str, Any], str, str]] = {
    "LocalAI": ({"/system": {"backends": ["llama-cpp"], "loaded_models": []}, "/version": {"version": "v3.5.0"},
                 "/v1/models": LIST, "/readyz": "OK"}, "/v1", "v3.5.0"),
    "TGI": ({"/info": {"model_id": "org/m", "router": "text-generation-router", "version": "3.3.6",
                       "max_total_tokens": 2048}, "/v1/models": LIST}, "/v1", "3.3.6"),
    "Lemonade": ({"/v1/health": {"status": "ok", "version": "9.1.0", "model_loaded": None, "all_models_loaded": []},
                  "/v1/models": LIST, "/api/v1/models": LIST}, "/v1", "9.1.0"),
    "SGLang": ({"/v1/models": {"object": "list", "data": [{"id": "m", "owned_by": "sglang"}]}}, "/v1", ""),
    "KoboldCpp": ({"/api/extra/version": {"result": "KoboldCpp", "version": "1.98"}, "/v1/models": LIST,
                   "/api/version": {"version": "0.7.0"}}, "/v1", "1.98"),
    "Docker Model Runner": ({"/engines/v1/models": {"object": "list", "data": []}}, "/engines/v1", ""),
    "Jan": ({"/openapi.json": {"info": {"title": "Jan API", "version": "0.6"}}}, "/v1", "0.6"),
    "Text generation web UI": ({"/v1/internal/model/info": {"model_name": "None", "lora_names": []},
                                "/v1/models": LIST}, "/v1", ""),
    "OpenAI-compatible server": ({"/v1/models": LIST}, "/v1", ""),
}  # fmt: skip


@asynccontextmanager
async def fake(answers: Mapping[str, Any], faults: Faults | None = None) -> AsyncIterator[int]:
    """A server that answers these paths and no others; its port."""

    async def answer(request: web.Request) -> web.Response:
        if request.path not in answers:
            raise web.HTTPNotFound
        found = answers[request.path]
        return web.Response(text=found) if isinstance(found, str) else web.json_response(found)

    faults = faults or Faults()
    app = web.Application(middlewares=[misbehaving(faults)])
    app.router.add_get("/{path:.*}", answer)
    async with serving(app) as url:
        try:
            yield port_of(url)
        finally:
            faults.released.set()


def port_of(url: str) -> int:
    return URL(url).port or 0


async def engines(*ports: int, seconds: float = SECONDS) -> tuple[Discovered, ...]:
    return await find_engines(ports=ports, seconds=seconds)


@pytest.mark.parametrize("name", OPEN_ENGINES)
async def test_an_engine_of_ours_is_known_by_its_answers(loop: LoopRunner, name: str) -> None:
    make, kind, label = OPEN_ENGINES[name]
    simulator = make()
    if hasattr(simulator, "add") and not simulator.models:
        simulator.add("tiny-llama")
    async with simulator.serve():
        [found] = await engines(port_of(simulator.url))
    assert (found.kind, found.label, found.url) == (kind, label, simulator.url)
    assert found.version or name not in {"ollama", "vllm", "vllm-key"}


@pytest.mark.parametrize("label", FAKES)
async def test_others_are_reached_by_openai_s_routes(label: str) -> None:
    answers, path, version = FAKES[label]
    async with fake(answers) as port:
        [found] = await engines(port)
    assert found == Discovered("openai-compatible", f"http://127.0.0.1:{port}{path}", version, label)


async def test_the_same_port_may_be_any_of_them() -> None:
    async with fake({"/api/v1/health": {"status": "ok", "model_loaded": "x"}, "/api/v1/models": LIST}) as port:
        [found] = await engines(port)
    assert (found.label, found.url) == ("Lemonade", f"http://127.0.0.1:{port}/api/v1")
    props = {"/props": {"build_info": "b9000-abc", "default_generation_settings": {}}, "/v1/models": LIST}
    async with fake(props) as port:
        [found] = await engines(port)
    assert (found.kind, found.version) == ("llamacpp", "b9000-abc")
    async with CompatibleSimulator(key="k").serve() as simulator:
        assert await engines(port_of(simulator.url)) == ()
    async with AnthropicSimulator(key="k").serve() as cloud:
        assert await engines(port_of(cloud.url)) == ()


@pytest.mark.parametrize("fault", list(Fault))
async def test_a_port_that_misbehaves_is_no_engine_and_costs_the_others_nothing(fault: Fault) -> None:
    faults = Faults()
    faults.everywhere(fault)
    async with fake({}, faults) as bad, VllmSimulator().serve() as good:
        found = await engines(bad, 1, port_of(good.url), seconds=3.0)
    assert [item.label for item in found] == ["vLLM"]


async def test_what_is_no_http_at_all_is_no_engine() -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.9\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        assert await engines(server.sockets[0].getsockname()[1]) == ()


async def test_found_ones_come_in_the_order_of_their_ports_and_addresses_first() -> None:
    async with OllamaSimulator().serve() as ollama, fake(FAKES["TGI"][0]) as tgi, fake(FAKES["Jan"][0]) as jan:
        found = await find_engines(ports=(tgi, port_of(ollama.url), jan), urls=(ollama.url,), seconds=SECONDS)
    assert [item.label for item in found] == ["Ollama", "TGI", "Jan"]


async def test_a_list_of_thousands_is_read_and_a_gigantic_one_is_not() -> None:
    many = {"object": "list", "data": [{"id": f"model-{number}", "owned_by": "vllm"} for number in range(5000)]}
    async with fake({"/v1/models": many}) as port:
        assert [item.kind for item in await engines(port)] == ["vllm"]
    many["data"] = [{"id": "x" * 9_000_000}]
    async with fake({"/v1/models": many}) as port:
        assert await engines(port) == ()


@pytest.mark.parametrize(
    "odd",
    [[], None, 7, {"data": 3}, {"data": [None, 1, "x"]}, {"version": ["1"]}, {"info": {"title": 9}}, {"backends": 1}],
    ids=str,
)
async def test_odd_answers_everywhere_are_no_engine(odd: Any) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(odd)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with serving(app) as url:
        found = await engines(port_of(url))
    assert [item.label for item in found] in ([], ["Docker Model Runner"])


async def test_ollama_alone(ollama: OllamaSimulator) -> None:
    found = await find_ollama(ollama.url)
    assert found == Discovered("ollama", ollama.url, "0.9.7", "Ollama")
    async with VllmSimulator().serve() as other:
        assert await find_ollama(other.url) is None


@pytest.mark.parametrize(
    ("host", "url"),
    [("", "http://127.0.0.1:11434"), ("0.0.0.0", "http://127.0.0.1:11434"), (":1", "http://127.0.0.1:1"),
     ("https://far.example", "https://far.example"), ("http://user:pass@x", "http://127.0.0.1:11434")],
)  # fmt: skip
def test_ollama_host_in_its_forms(host: str, url: str) -> None:
    assert ollama_url({"OLLAMA_HOST": host}) == url


def test_every_port_is_probed_once() -> None:
    assert len(set(PORTS)) == len(PORTS)
