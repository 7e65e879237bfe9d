"""Sources are listed, added, switched and removed, and get tokens of their own."""

from typing import Any

import pytest

from modelshelf.access import Principal, Role, acting_as
from modelshelf.config import ConfigManager
from modelshelf.errors import NotFound, RoleRequired, UsageError
from modelshelf.events import SourceChanged
from modelshelf.samples import READER_TOKEN, SampleHub
from modelshelf.vault import Secret
from tests.conftest import LoopRunner, running
from tests.core.sources.conftest import Place
from tests.core.sources.simulators import ModelScopeRepo, gguf


async def names(place: Place) -> list[str]:
    return [entry.name for entry in await place.shelf.sources.list()]


async def test_a_source_comes_and_goes(modelscope: Place) -> None:
    sources, shelf = modelscope.shelf.sources, modelscope.shelf
    modelscope.site.repos["org/tiny"] = ModelScopeRepo({"tiny.gguf": gguf()})
    assert await names(modelscope) == ["here", "modelscope", "ollama", "web"]
    with shelf.events.subscribe() as news:
        await sources.add("second", "modelscope", url=modelscope.url + "/", label="Second")
        assert await anext(event async for event in news if isinstance(event, SourceChanged)) == SourceChanged(
            source="second"
        )
    assert {row.source for row in (await shelf.catalog.find("tiny")).rows} == {"here", "second"}
    entry = next(entry for entry in await sources.list() if entry.name == "second")
    assert (entry.kind, entry.url, entry.label, entry.status, entry.token) == (
        "modelscope",
        modelscope.url,
        "Second",
        "fresh",
        "",
    )
    await sources.enable("second", enabled=False)
    assert {row.source for row in (await shelf.catalog.find("tiny")).rows} == {"here"}
    await sources.save_token("second", Secret(" word \n"))
    assert [entry.token for entry in await sources.list() if entry.name == "second"] == ["saved"]
    await sources.remove("second")
    assert await names(modelscope) == ["here", "modelscope", "ollama", "web"]
    assert not await shelf.vault.info("source/")
    assert "word" not in modelscope.config.file.read_text()


REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"name": "here", "kind": "modelscope"}, "already"),
    ({"name": "x", "kind": "gopher"}, "no kind"),
    ({"name": "X Y", "kind": "modelscope"}, "name"),
    ({"name": "x", "kind": "modelscope", "url": "http://example.org"}, "not https"),
    ({"name": "x", "kind": "modelscope", "url": "https://me:secret@example.org"}, "name and password"),
    ({"name": "x", "kind": "modelscope", "url": "https://example.org?key=1"}, "no “"),
    ({"name": "x", "kind": "modelscope", "hosts": ["http://example.org"]}, "not https"),
    ({"name": "x", "kind": "huggingface"}, "needs its address"),
    ({"name": "x", "kind": "folder"}, "no folder"),
    ({"name": "x", "kind": "folder", "path": "/no/such/folder"}, "no folder"),
)


async def test_what_makes_no_sense_changes_nothing(modelscope: Place) -> None:
    for wrong, sentence in REFUSED:
        options = dict(wrong)
        with pytest.raises(UsageError, match=sentence) as caught:
            await modelscope.shelf.sources.add(options.pop("name"), options.pop("kind"), **options)
        assert caught.value.remedy
        assert "secret" not in str(caught.value)
    for deed in (
        modelscope.shelf.sources.remove,
        modelscope.shelf.sources.enable,
        modelscope.shelf.sources.forget_token,
    ):
        with pytest.raises(NotFound):
            await deed("nowhere")
    with pytest.raises(UsageError, match="no token"):
        await modelscope.shelf.sources.save_token("here", Secret("two words"))
    assert await names(modelscope) == ["here", "modelscope", "ollama", "web"]


async def test_only_administrators_change_sources(modelscope: Place) -> None:
    sources = modelscope.shelf.sources
    with acting_as(Principal("mia", Role.OPERATOR)):
        for deed in (sources.add("x", "modelscope"), sources.remove("here"), sources.save_token("here", Secret("t"))):
            with pytest.raises(RoleRequired):
                await deed
        assert await sources.list()


@pytest.fixture
def hub(loop: LoopRunner, config: ConfigManager, modelscope: Place, samples_folder: Any) -> SampleHub:
    return loop.enter(running(SampleHub(samples_folder, samples=False)))


async def test_a_private_hub_has_a_token_of_its_own(modelscope: Place, hub: SampleHub) -> None:
    await hub.add("org/gated", {"a.gguf": gguf()}, gated="manual")
    sources = modelscope.shelf.sources
    modelscope.config.environ["HF_TOKEN"] = "hf_of_the_public_hub"
    await sources.add("lab", "huggingface", url=hub.url, hosts=[hub.cdn_url])
    await sources.save_token("lab", Secret(READER_TOKEN))
    job = await modelscope.fetch("lab:org/gated")
    assert modelscope.landed(job)
    # HF_TOKEN belongs to the Hub that huggingface_hub asks, and to no other.
    location = await modelscope.shelf.catalog.source("lab").locate("org/gated", "main", "a.gguf")
    assert location.headers == {"Authorization": f"Bearer {READER_TOKEN}"}
    await sources.forget_token("lab")
    location = await modelscope.shelf.catalog.source("lab").locate("org/gated", "main", "a.gguf")
    assert location.headers == {}


async def test_names_that_no_source_takes(modelscope: Place) -> None:
    catalog = modelscope.shelf.catalog
    with pytest.raises(UsageError, match="gopher://"):
        await catalog.named("gopher://x/y")
    with pytest.raises(UsageError, match="publish their own"):
        await catalog.named("org/name", sha256="0" * 64)
    assert str(await catalog.named("modelscope:org/name@main/a.gguf")) == "modelscope:org/name@main/a.gguf"
    with pytest.raises(NotFound):
        catalog.source("nowhere")


async def test_working_offline_asks_nobody(modelscope: Place) -> None:
    modelscope.config.set("network.offline", True)
    catalog = modelscope.shelf.catalog
    for name, checksum in (
        ("ollama://tiny", ""),
        ("modelscope:org/tiny", ""),
        ("https://example.org/a.gguf", "0" * 64),
    ):
        with pytest.raises(ConnectionError, match="offline"):
            await catalog.detail(await catalog.named(name, sha256=checksum))
