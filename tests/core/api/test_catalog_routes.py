"""The catalogue and what helps to find models, over HTTP."""

import asyncio
from pathlib import Path

from modelshelf.access import Role
from modelshelf.config import ConfigManager
from modelshelf.events import SyncAsked
from tests.core.catalog.test_index import BASE, MODELS, publish
from tests.dashboard.serving import Browser, Served


async def test_the_catalogue_is_browsed_completed_and_kept_up_to_date(
    site: Served, owner: Browser, config: ConfigManager
) -> None:
    empty = await owner.get("/api/catalog/browse")
    assert (empty.status, empty.json()["code"]) == (404, "NotFound")
    assert (await owner.get("/api/catalog/status")).json()["models"] == 0
    await asyncio.to_thread(publish, Path(config.paths.catalog), MODELS)
    page = (await owner.get("/api/catalog/browse?q=base&sort=-downloads&limit=1&facet=format")).json()
    assert (page["total"], len(page["rows"]), page["facets"]) == (3, 1, {"format": {"safetensors": 2, "gguf": 1}})
    assert page["rows"][0]["card"]["repo"] == "else/base-AWQ"
    assert page["rows"][0]["origins"] == ["samples"]
    assert (await owner.get("/api/catalog/complete?q=author:el")).json() == ["author:else"]
    told = (await owner.get("/api/catalog/counts?q=base&token=size:<2GB&token=format:gguf")).json()
    assert told == {"size:<2GB": 1, "format:gguf": 1}
    status = (await owner.get("/api/catalog/status")).json()
    assert (status["models"], status["sources"][0]["status"]) == (5, "never")
    wrong = await owner.get("/api/catalog/browse?q=base%20size:big")
    assert (wrong.status, wrong.json()["code"]) == (422, "UsageError")
    assert "at character 6" in wrong.json()["detail"]
    assert (await owner.get("/api/catalog/browse?sort=colour")).status == 422
    with site.shelf.events.subscribe() as told:
        assert (await owner.send("POST", "/api/catalog/sync", json={"full": True})).status == 202
        async with asyncio.timeout(5):
            async for event in told:
                if isinstance(event, SyncAsked):
                    assert event.full
                    break
    told = (await owner.get("/api/catalog/models/samples/tiny-llama-GGUF/commits")).json()
    assert ([one["title"] for one in told["commits"]], told["more"], told["link"]) == (["Initial commit"], False, "")
    assert (await owner.send("POST", "/api/catalog/stop")).json() == {"stopping": True}
    viewer = await site.someone("vera", Role.VIEWER)
    assert (await viewer.send("POST", "/api/catalog/sync", json={})).status == 403


async def test_what_a_person_keeps_is_that_person_s_alone(site: Served, owner: Browser, config: ConfigManager) -> None:
    await asyncio.to_thread(publish, Path(config.paths.catalog), MODELS)
    viewer = await site.someone("vera", Role.VIEWER)
    assert (await viewer.send("PUT", f"/api/discovery/favourites/{BASE}")).status == 204
    assert [row["card"]["repo"] for row in (await viewer.get("/api/discovery/collections/favourites")).json()] == [BASE]
    assert (await owner.get("/api/discovery/collections/favourites")).json() == []
    assert (await viewer.send("DELETE", f"/api/discovery/favourites/{BASE}")).status == 204
    assert (await viewer.get("/api/discovery/collections/favourites")).json() == []
    search = {"query": "base format:gguf", "sort": "likes"}
    assert (await viewer.send("PUT", "/api/discovery/searches/mine", json=search)).status == 204
    (kept,) = (await viewer.get("/api/discovery/searches")).json()
    assert (kept["name"], kept["query"], kept["sort"]) == ("mine", "base format:gguf", "likes")
    assert (await owner.get("/api/discovery/searches")).json() == []
    assert (await viewer.send("POST", "/api/discovery/searches/mine/looked")).status == 204
    assert (await viewer.send("DELETE", "/api/discovery/searches/mine")).status == 204
    assert (await viewer.send("DELETE", "/api/discovery/searches/mine")).status == 404
    since = (await viewer.send("POST", "/api/discovery/seen")).json()["since"]
    assert since.startswith("20")
    assert (await viewer.get("/api/discovery/collections/unseen")).json() == []
    relatives = (await owner.get(f"/api/discovery/relatives/{BASE}")).json()
    assert relatives["counts"] == {"finetune": 1, "quantized": 2}
    assert (await owner.get("/api/discovery/relatives/no/thing")).status == 404
    assert (await owner.get("/api/discovery/drift")).json() == []
