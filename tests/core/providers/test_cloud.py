"""Cloud services by name: their live lists beside what is known of them, and how their keys are tested."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from modelshelf.config import ConfigManager
from modelshelf.errors import KeyUnproven, NoCredit, NotFound, NotSignedIn, UsageError
from modelshelf.library import ModelLibrary
from modelshelf.providers import HealthStatus, ProviderConfig, ProviderContext
from modelshelf.providers.adapters.cloud import factory_of
from modelshelf.providers.adapters.openai_cloud import OpenAIProvider
from modelshelf.providers.cloud_services import CloudModel, CloudService
from modelshelf.providers.spec import Price, Provider
from modelshelf.vault import Secret
from tests.conftest import LoopRunner
from tests.core.providers.conftest import ask, collect
from tests.engines.cloud import KEY, CloudSimulator
from tests.engines.openai_cloud import KEY as OPENAI_KEY
from tests.engines.openai_cloud import MODEL, OpenAISimulator

Make = Callable[..., Any]  # adapters of several classes
CLOUDY = CloudService(
    "cloudy",
    "Cloudy",
    "https://api.cloudy.example/v1",
    ("CLOUDY_API_KEY",),
    models={
        "tiny-llama": CloudModel("tiny-llama", "Tiny Llama", 8192, 512, Price(1.0, 2.0), ("chat", "tools")),
        "known-only": CloudModel("known-only", context=4096, abilities=("chat",), deprecated=True),
    },
)


@pytest.fixture
def make(loop: LoopRunner, config: ConfigManager, library: ModelLibrary) -> Iterator[Make]:
    """Makes adapters of a kind or a service at an address; they are closed at the end."""
    config.set("providers.timeout_seconds", 5.0)
    every: list[Provider] = []

    def made(kind: Any, url: str = "", key: str = KEY, **settings: Any) -> Provider:
        async def found(_config: ProviderConfig, _model: str) -> Secret | None:
            return Secret(key) if key else None

        factory = factory_of(kind) if isinstance(kind, CloudService) else kind
        context = ProviderContext(config, library, key=found)
        every.append(factory(ProviderConfig("mine", factory.kind, "My cloud", url, True, settings), context))
        return every[-1]

    yield made
    for provider in every:
        loop.runner.run(provider.aclose())


async def test_what_is_known_enriches_the_live_list(make: Make) -> None:
    async with CloudSimulator().serve() as simulator:
        simulator.add("tiny-llama", context_length=2048)
        provider = make(CLOUDY, simulator.url + "/v1")
        models = {model.name: model for model in await provider.models()}
    assert list(models) == ["tiny-llama", "tiny-embed"]
    model = models["tiny-llama"]
    assert (model.title, model.context, model.max_output, model.price) == ("Tiny Llama", 2048, 512, Price(1.0, 2.0))
    assert model.abilities == ("chat", "tools")


@pytest.mark.parametrize("listed", [True, False])
async def test_without_a_list_the_known_models_are_shown(make: Make, listed: bool) -> None:
    async with CloudSimulator(form="missing").serve() as simulator:
        provider = make(replace(CLOUDY, listed=listed), simulator.url + "/v1", models=["typed"])
        models = {model.name: model for model in await provider.models()}
        assert list(models) == ["tiny-llama", "known-only", "typed"]
        assert models["known-only"].deprecated
        assert (await provider.health()).status is HealthStatus.WELL
        assert (await provider.detail("known-only"))["context"] == 4096
        with pytest.raises(KeyUnproven):
            await provider.check_key()
        assert await provider.ping("tiny-llama") == "word0 "
        unknown = make(replace(CLOUDY, listed=listed, models={}), simulator.url + "/v1")
        with pytest.raises(NotFound):
            await unknown.models()


@pytest.mark.parametrize(
    ("proof", "sentence"),
    [
        ("key", "4.25 US dollars are left of the key's limit."),
        ("user/balance", "110.00 yuan are left."),
        ("no/such/route", ""),
    ],
)
async def test_a_public_list_proves_no_key_but_another_route_does(make: Make, proof: str, sentence: str) -> None:
    service = replace(CLOUDY, proof=proof)
    async with CloudSimulator().serve() as simulator:
        url = simulator.url + "/v1"
        if not sentence:
            with pytest.raises(KeyUnproven):
                await make(service, url).check_key()
            return
        assert await make(service, url).check_key() == sentence
        for wrong in ("sk-wrong", ""):
            with pytest.raises(NotSignedIn):
                await make(service, url, wrong).check_key()
        assert (await make(service, url, "sk-wrong").health()).status is HealthStatus.REFUSED
        assert "/v1/models" not in {path for _, path, _ in simulator.requests}


@pytest.mark.parametrize(
    ("path", "answer", "sentence"),
    [
        (
            "key",
            {"data": {"limit_remaining": None, "usage": 12.5}},
            "12.50 US dollars were used, and the key has no limit.",
        ),
        ("key", {"data": {}}, ""),
        ("key", {"data": {"limit_remaining": 0, "usage": 5}}, None),
        ("user/balance", {"is_available": False, "balance_infos": []}, None),
    ],
)
async def test_what_is_left_is_told(make: Make, path: str, answer: dict[str, Any], sentence: str | None) -> None:
    async with CloudSimulator(left={f"/v1/{path}": answer}).serve() as simulator:
        provider = make(replace(CLOUDY, proof=path), simulator.url + "/v1")
        if sentence is None:
            with pytest.raises(NoCredit):
                await provider.check_key()
        else:
            assert await provider.check_key() == sentence


async def test_the_service_s_other_host_sees_the_key_only_when_it_is_that_service(make: Make) -> None:
    async with CloudSimulator().serve() as own, CloudSimulator().serve() as other, CloudSimulator().serve() as strange:
        service = replace(CLOUDY, url=own.url + "/v1", proof=other.url + "/api/whoami-v2")
        provider = make(service, own.url + "/v1")
        assert await provider.check_key() == "The key is ada's."
        assert other.asked("/api/whoami-v2")
        other.requests.clear()
        assert (await provider.health()).status is HealthStatus.WELL
        assert other.requests == []
        with pytest.raises(KeyUnproven):
            await make(service, strange.url + "/v1").check_key()
        assert other.requests == []


async def test_an_account_s_part_of_the_address_is_filled_in(make: Make, config: ConfigManager) -> None:
    template = "http://127.0.0.1:9/accounts/${CLOUDFLARE_ACCOUNT_ID}/ai/v1"
    service = replace(CLOUDY, url=template)
    factory = factory_of(service)
    assert factory.default_url == "http://127.0.0.1:9/accounts"
    assert [(field.key, field.label) for field in factory.fields[:-1]] == [("CLOUDFLARE_ACCOUNT_ID", "account ID")]
    with pytest.raises(UsageError, match="account ID"):
        make(service, factory.default_url)
    for wrong in ("../../v4/other", "a/b", "a?b", "a b", "${X}"):
        with pytest.raises(UsageError, match="account ID"):
            make(service, factory.default_url, CLOUDFLARE_ACCOUNT_ID=wrong)
    filled = make(service, factory.default_url, CLOUDFLARE_ACCOUNT_ID="abc123")
    assert filled.base() == "http://127.0.0.1:9/accounts/abc123/ai/v1"
    config.environ["CLOUDFLARE_ACCOUNT_ID"] = "from-environment"
    assert "/from-environment/" in make(service).base()
    elsewhere = make(service, "https://proxy.example.org/v1")
    assert elsewhere.base() == "https://proxy.example.org/v1"


async def test_openai_s_models_have_facts_and_their_routes(make: Make) -> None:
    async with OpenAISimulator().serve() as simulator:
        provider = make(OpenAIProvider, simulator.url + "/v1", OPENAI_KEY, organization="org-1", project="proj_1")
        models = {model.name: model for model in await provider.models()}
        assert simulator.headers[-1]["OpenAI-Organization"] == "org-1"
        assert simulator.headers[-1]["OpenAI-Project"] == "proj_1"
    assert models[MODEL].context == 1_047_576
    assert models[f"{MODEL}-2025-04-14"].price == models[MODEL].price == Price(0.4, 1.6)
    chat = {name for name, model in models.items() if "chat" in model.abilities}
    assert chat == {MODEL, f"{MODEL}-2025-04-14", "o3-mini"}
    assert models["whisper-1"].abilities == ("transcribe",)
    assert models["gpt-5-pro"].abilities[0] == "responses"


async def test_openai_s_refusals_are_told_apart(make: Make) -> None:
    async with OpenAISimulator(organization="org-own").serve() as simulator:
        url = simulator.url + "/v1"
        with pytest.raises(UsageError, match="OpenAI-Project"):
            make(OpenAIProvider, url, OPENAI_KEY, project="proj\r\nX-Evil: 1")
        with pytest.raises(NotSignedIn, match="organization"):
            await collect(make(OpenAIProvider, url, OPENAI_KEY, organization="org-x").chat(MODEL, ask("hello")))
        simulator.broke = True
        with pytest.raises(NoCredit):
            await make(OpenAIProvider, url, OPENAI_KEY).ping(MODEL)
