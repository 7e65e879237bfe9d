"""The queue over HTTP: order, limits, batches, files, history and budget."""

import pytest

from modelshelf.config import ConfigManager
from tests.conftest import LoopRunner
from tests.dashboard.serving import Browser, Served, served

TINY = "samples/tiny-llama-GGUF"


@pytest.fixture
def owner(loop: LoopRunner, config: ConfigManager) -> Browser:
    from modelshelf.shelf import Shelf

    config.set("downloads.concurrent_jobs", 1)
    shelf = Shelf(config)
    site: Served = loop.enter(served(shelf))
    loop.runner.run(shelf.downloads.worker.stop())  # what is queued stays so
    return loop.runner.run(site.owner())


async def test_a_batch_is_planned_started_ordered_limited_and_stopped(owner: Browser) -> None:
    batch = {"orders": [{"model": TINY}, {"model": TINY, "files": ["*"]}], "priority": 2}
    plan = (await owner.send("POST", "/api/downloads/batch/plan", json=batch)).json()
    assert plan["fits_disk"]
    assert plan["total"] == sum(item["total"] for item in plan["plans"])
    assert [disk["label"] for disk in plan["plans"][0]["disks"]] == ["downloads and library"]
    assert plan["plans"][0]["resumable"]

    started = await owner.send("POST", "/api/downloads/batch", json=batch)
    assert started.status == 202
    first, second = started.json()["jobs"]
    moved = await owner.send("POST", f"/api/downloads/{second}/move", json={"to": "before", "other": first})
    assert moved.json()["priority"] == 2
    listed = sorted((await owner.get("/api/downloads")).json(), key=lambda job: job["position"])
    assert [job["id"] for job in listed] == [second, first]

    changed = await owner.send("PATCH", f"/api/downloads/{first}", json={"priority": 9, "rate_limit": 1e6})
    assert (changed.json()["priority"], changed.json()["rate_limit"]) == (9, 1e6)
    assert (await owner.send("PATCH", f"/api/downloads/{first}", json={"priority": 900})).status == 422
    files = (await owner.get(f"/api/downloads/{first}/files")).json()
    assert {file["status"] for file in files} == {"waiting"}

    page = await owner.get("/api/downloads?state=open&limit=1&offset=1")
    assert ([job["id"] for job in page.json()], page.headers["x-total-count"]) == ([second], "2")
    assert {job["batch"] for job in listed} == {page.json()[0]["batch"]} != {""}

    assert set((await owner.send("POST", "/api/downloads/pause")).json()["jobs"]) == {first, second}
    assert {job["status"] for job in (await owner.get("/api/downloads")).json()} == {"paused"}
    assert set((await owner.send("POST", "/api/downloads/resume")).json()["jobs"]) == {first, second}
    assert (await owner.send("POST", f"/api/downloads/{first}/retry", json={"files": []})).status == 200
    assert (await owner.send("POST", f"/api/downloads/{first}/cancel")).json()["status"] == "cancelled"
    assert (await owner.get("/api/downloads/news")).json() == {
        "count": 0, "ended": [], "ended_total": 0, "waiting": []
    }  # fmt: skip
    assert (await owner.send("POST", "/api/downloads/news/seen")).json() == {"seen": 0}
    numbers = (await owner.get("/api/downloads/numbers")).json()
    assert (numbers["summary"]["received"], numbers["transfers"]) == (0, [])
    past = (await owner.get("/api/downloads/history")).json()
    assert {job["id"] for job in past} == {first, second}
    assert (await owner.send("DELETE", "/api/downloads/history")).json() == {"cleared": 1}
    assert [job["id"] for job in (await owner.get("/api/downloads/history")).json()] == [second]


async def test_the_budget_says_until_when(owner: Browser, config: ConfigManager) -> None:
    assert (await owner.get("/api/downloads/budget")).json()["open"]
    config.set("downloads.metered", "small")
    told = (await owner.get("/api/downloads/budget")).json()
    assert (told["open"], told["allowed"], told["until"]) == (False, 50_000_000, None)
    assert told["detail"].startswith("budget: the connection is metered")
