import asyncio
import json
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from modelshelf.catalog import CatalogService
from modelshelf.config import ConfigManager
from modelshelf.errors import NotFound, RepositoryNotFound, Unreachable, UsageError
from modelshelf.events import EventBus, SourceChanged
from modelshelf.samples import Faults, SampleHub
from tests.core.catalog.conftest import Serve, never, source

DEAD = "https://127.0.0.1:9"
MODEL = {"id": "org/llama-GGUF", "downloads": 5, "tags": ["gguf"], "sha": "a" * 40}


async def test_a_slow_and_a_dead_source_do_not_hold_up_the_others(
    catalog: CatalogService, config: ConfigManager, tiny_hub: SampleHub, serve: Serve, trusted: None
) -> None:
    await tiny_hub.add("org/llama-GGUF", {"llama-Q4_K_M.gguf": b"x" * 100})
    config.set("catalog.timeout_seconds", 0.5)
    async with serve(never) as slow:
        config.set("sources", [source("slow", slow), source("dead", DEAD), source("good", tiny_hub.url)])
        begun = time.monotonic()
        async with aclosing(catalog.follow("llama")) as answers:
            first = await anext(aiter(answers))
            while not first.rows:
                first = await anext(aiter(answers))
            assert time.monotonic() - begun < 0.5
        answer = await catalog.find("llama")
        assert time.monotonic() - begun < 3
        assert [card.repo for card in answer.rows] == ["org/llama-GGUF"]
        status = {report.source: report for report in answer.sources}
        assert [status[name].status for name in ("slow", "dead", "good")] == ["failed", "failed", "fresh"]
        assert "did not answer in 0.5 seconds" in status["slow"].error
        assert "connection refused" in status["dead"].error
        assert status["dead"].remedy
        # A source that was too slow is not waited for again at once.
        begun = time.monotonic()
        await catalog.find("llam")
        assert time.monotonic() - begun < 0.4


async def test_the_last_good_answer_is_kept_and_marked_with_its_age(
    catalog: CatalogService, config: ConfigManager, tiny_hub: SampleHub, events: EventBus, trusted: None
) -> None:
    await tiny_hub.add("org/llama-GGUF", {"llama-Q4_K_M.gguf": b"x"}, downloads=7, tags=("license:mit",))
    config.set("catalog.answer_hours", 0)
    config.set("sources", [source("hub", tiny_hub.url)])
    good = await catalog.find("llama")
    tiny_hub.faults = Faults(api_down=True)
    with events.subscribe() as changes:
        stale = await catalog.find("llama")
        assert await anext(changes) == SourceChanged(source="hub")
    assert stale.rows == good.rows
    assert good.rows[0].licence == "mit"
    (report,) = stale.sources
    assert report.status == "stale"
    assert report.as_of == good.sources[0].as_of
    assert report.error
    # A question never asked before is answered from what is known.
    assert [card.repo for card in (await catalog.find("LLAMA gguf")).rows] == ["org/llama-GGUF"]
    assert (await catalog.find("mistral")).sources[0].status == "failed"
    tiny_hub.faults = Faults()
    assert (await catalog.find("llama")).sources[0].status == "fresh"


async def test_a_fresh_answer_is_not_asked_for_again(
    catalog: CatalogService, config: ConfigManager, tiny_hub: SampleHub, trusted: None
) -> None:
    config.set("sources", [source("hub", tiny_hub.url)])
    await catalog.find("llama")
    asked = len(tiny_hub.requests)
    answer = await catalog.find("  Llama ")
    assert len(tiny_hub.requests) == asked
    assert answer.sources[0].status == "fresh"
    await catalog.find("llama", refresh=True)
    assert len(tiny_hub.requests) == asked + 1


@pytest.mark.parametrize(
    "body",
    [b"<html>Sign in to the hotel</html>", b"[" * 100_000, b'{"error": "no"}', b"\xff\xfe", b""],
    ids=["html", "deep", "object", "binary", "empty"],
)
async def test_garbage_is_one_clear_sentence(
    catalog: CatalogService, config: ConfigManager, serve: Serve, trusted: None, body: bytes
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="text/html")

    async with serve(answer) as url:
        config.set("sources", [source("odd", url)])
        report = (await catalog.find("x")).sources[0]
        assert report.status == "failed"
        assert report.error.startswith("odd (https://127.0.0.1:")
        with pytest.raises(Unreachable):
            await catalog.detail("odd:org/llama")


async def test_items_of_the_wrong_shape_are_left_out(
    catalog: CatalogService, config: ConfigManager, serve: Serve, trusted: None
) -> None:
    odd: list[Any] = [
        None,
        7,
        {},
        {"id": 5},
        {"id": "../../etc"},
        {"id": "org/llama", "downloads": "many", "tags": {"a": 1}},
    ]
    odd += [
        {"id": "org/b", "siblings": [{"rfilename": "../x.gguf"}, 3], "gguf": [], "lastModified": "soon", "likes": -1}
    ]
    odd += [{"id": "org/c", "downloads": 10**400, "safetensors": {"parameters": {"BF16": True}}}]

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=json.dumps(odd), content_type="application/json")

    async with serve(answer) as url:
        config.set("sources", [source("odd", url)])
        found = {card.repo: card for card in (await catalog.find()).rows}
        assert set(found) == {"org/llama", "org/b", "org/c"}
        assert found["org/llama"].downloads is found["org/c"].downloads is found["org/b"].likes is None
        assert found["org/b"].formats == ()


async def test_a_hub_of_thousands_is_read_without_blocking(
    catalog: CatalogService, config: ConfigManager, serve: Serve, trusted: None
) -> None:
    siblings = [{"rfilename": f"m-{name}.gguf"} for name in ("Q4_K_M", "Q8_0", "BF16")]
    many = json.dumps([MODEL | {"id": f"org/model-{n}", "downloads": n, "siblings": siblings} for n in range(5000)])

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=many, content_type="application/json")

    async with serve(answer) as url:
        config.set("sources", [source("big", url)])
        answered = await catalog.find("model", limit=50)
    assert len(answered.rows) == 50
    assert answered.rows[0].quantisations == ("BF16", "Q4_K_M", "Q8_0")


async def test_a_flood_is_cut_off(catalog: CatalogService, config: ConfigManager, serve: Serve, trusted: None) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        chunk = b" " * 2**20
        for _ in range(100):
            if request.transport is None or request.transport.is_closing():
                break
            await response.write(chunk)
        return response

    async with serve(answer) as url:
        config.set("sources", [source("flood", url)])
        report = (await catalog.find("x")).sources[0]
    assert report.status == "failed"
    assert "more than 64 MiB" in report.error


async def test_redirects_and_pages_stay_on_the_hub(
    catalog: CatalogService, config: ConfigManager, tiny_hub: SampleHub, serve: Serve, trusted: None
) -> None:
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.path)
        if request.path == "/api/models/org/old":
            return web.Response(status=307, headers={"Location": "/api/models/org/new"})
        if request.path == "/api/models/org/new":
            return web.json_response(MODEL | {"id": "org/new"})
        if "/tree/" in request.path:
            second = request.query.get("cursor")
            link = '</api/models/org/old/tree/a?cursor=2%3D>; rel="next"'
            files = [{"type": "file", "path": f"m-{second or 1}.gguf", "size": 5, "oid": "b" * 40}]
            return web.json_response(files, headers={} if second else {"Link": link})
        return web.Response(status=302, headers={"Location": f"{tiny_hub.url}/api/models"})

    async with serve(answer) as url:
        config.set("sources", [source("hub", url, token_env="SECRET")])
        config.environ["SECRET"] = "hf_secret"
        detail = await catalog.detail("org/old")
        assert [file.path for file in detail.files] == ["m-1.gguf", "m-2=.gguf"]
        report = (await catalog.find("x")).sources[0]
        assert "leads to another address" in report.error
        assert not tiny_hub.requests


async def test_names_are_resolved_in_configured_order(
    catalog: CatalogService, config: ConfigManager, tiny_hub: SampleHub, tmp_path: Path, trusted: None
) -> None:
    folder = tmp_path / "models"
    (folder / "org" / "llama").mkdir(parents=True)
    (folder / "org" / "llama" / "llama-Q8_0.gguf").write_bytes(b"x" * 10)
    await tiny_hub.add("org/llama", {"llama.gguf": b"y"})
    await tiny_hub.add("org/only-here", {"a.gguf": b"y"})
    disk = {"name": "disk", "kind": "folder", "path": str(folder)}
    config.set("sources", [disk, source("hub", tiny_hub.url), source("dead", DEAD)])
    assert (await catalog.resolve("org/llama"))[0].name == "disk"
    assert (await catalog.resolve("hub:org/llama"))[0].name == "hub"
    found, name = await catalog.resolve("org/only-here")
    assert (found.name, str(name)) == ("hub", "hub:org/only-here")
    with pytest.raises(Unreachable, match="dead"):
        await catalog.resolve("org/nowhere")
    config.set("sources", [disk, source("hub", tiny_hub.url)])
    with pytest.raises(RepositoryNotFound, match="org/nowhere"):
        await catalog.resolve("org/nowhere")
    with pytest.raises(NotFound, match="dead"):
        await catalog.resolve("dead:org/llama")
    with pytest.raises(UsageError):
        await catalog.resolve("no name")


async def test_settings_are_followed_while_running(
    catalog: CatalogService, config: ConfigManager, tiny_hub: SampleHub, trusted: None
) -> None:
    await tiny_hub.add("org/llama", {"llama.gguf": b"y"})
    config.set("sources", [source("hub", tiny_hub.url), {"name": "odd", "kind": "nonsense"}])
    statuses = {report.source: report for report in (await catalog.find("llama")).sources}
    assert statuses["hub"].found == 1
    assert (statuses["odd"].status, "huggingface" in statuses["odd"].remedy) == ("failed", True)
    config.set("sources", [source("hub", tiny_hub.url, enabled=False)])
    answer = await catalog.find("llama")
    assert answer.rows == ()
    assert [report.status for report in answer.sources] == ["off"]
    with pytest.raises(NotFound):
        catalog.source("hub")


@pytest.mark.parametrize("variable", [True, False])
async def test_offline_asks_nobody_and_shows_what_is_known(
    catalog: CatalogService, config: ConfigManager, tiny_hub: SampleHub, trusted: None, variable: bool
) -> None:
    await tiny_hub.add("org/llama", {"llama.gguf": b"y"})
    config.set("sources", [source("hub", tiny_hub.url)])
    await catalog.find("llama")
    asked = len(tiny_hub.requests)
    if variable:
        config.environ["HF_HUB_OFFLINE"] = "1"
    else:
        config.set("network.offline", True)
    answer = await catalog.find("lla")
    assert [card.repo for card in answer.rows] == ["org/llama"]
    assert answer.sources[0].status == "off"
    with pytest.raises(Unreachable, match="offline"):
        await catalog.detail("hub:org/other")
    assert len(tiny_hub.requests) == asked


async def test_filters_choose_among_what_the_sources_found(
    catalog: CatalogService, config: ConfigManager, tiny_hub: SampleHub, trusted: None
) -> None:
    await tiny_hub.add("org/a-GGUF", {"a-Q4_K_M.gguf": b"y"}, downloads=1)
    await tiny_hub.add("org/a", {"model.safetensors": b"y"}, downloads=9)
    config.set("sources", [source("hub", tiny_hub.url)])
    assert [card.repo for card in (await catalog.find("a format:gguf")).rows] == ["org/a-GGUF"]
    assert [card.repo for card in (await catalog.find("a -format:gguf")).rows] == ["org/a"]
    with pytest.raises(UsageError, match="is:installed"):
        await catalog.find("is:installed")
    catalog.checks["installed"] = lambda card: card.repo == "org/a"
    assert [card.repo for card in (await catalog.find("is:installed")).rows] == ["org/a"]


async def test_a_cancelled_search_leaves_nothing_behind(
    catalog: CatalogService, config: ConfigManager, serve: Serve, trusted: None
) -> None:
    reached = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        reached.set()
        return await never(request)

    async with serve(answer) as url:
        config.set("sources", [source("slow", url)])
        task = asyncio.create_task(catalog.find("x"))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not [item for item in asyncio.all_tasks() if "CatalogService" in repr(item)]


async def test_the_table_has_readable_types(
    catalog: CatalogService, config: ConfigManager, tiny_hub: SampleHub, trusted: None
) -> None:
    await tiny_hub.add("org/a-GGUF", {"a-Q4_K_M.gguf": b"y", "a-Q8_0.gguf": b"yy"}, downloads=3)
    config.set("sources", [source("hub", tiny_hub.url)])
    frame = await catalog.search("a")
    (row,) = frame[["id", "author", "format", "quantisations", "downloads"]].to_dict("records")
    assert list(row.values()) == ["hub:org/a-GGUF", "org", "gguf", "Q4_K_M, Q8_0", 3]
    assert str(frame.dtypes["size"]) == "Int64"
    assert str(frame.dtypes["modified"]).endswith("UTC]")
    assert frame.attrs["sources"][0].source == "hub"
    assert list((await catalog.search("nothing like it")).columns) == list(frame.columns)
