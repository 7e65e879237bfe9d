"""Updates and lock files over HTTP."""

import asyncio
from typing import Any

from tests.core.api.conftest import downloaded
from tests.core.api.test_routes import TINY
from tests.dashboard.serving import Browser


async def test_a_machine_is_locked_compared_and_made_to_match(owner: Browser) -> None:
    await downloaded(owner, TINY)
    [update] = (await owner.get("/api/updates")).json()
    assert (update["repo"], update["ref"], update["status"]) == (TINY, "main", "current")
    assert (await owner.send("POST", f"/api/updates/{TINY}")).json() == {"job": ""}
    assert (await owner.send("POST", "/api/updates")).json() == {"jobs": [], "failed": []}
    refused = await owner.send("POST", f"/api/updates/{TINY}/rollback")
    assert refused.status == 422
    assert "was not updated" in refused.json()["detail"]

    lock = (await owner.get("/api/sync/lock")).text
    assert 'repo = "samples/tiny-llama-GGUF"' in lock
    same = (await owner.send("POST", "/api/sync/compare?verify=true", json={"lock": lock})).json()
    assert (same["same"], same["extra"], same["jobs"]) == (True, [], [])
    assert (await owner.send("DELETE", f"/api/library/{TINY}")).status == 200
    other = (await owner.send("POST", "/api/sync/compare", json={"lock": lock})).json()
    assert not other["same"]
    assert other["models"][0]["missing"]
    [job] = (await owner.send("POST", "/api/sync", json={"lock": lock})).json()["jobs"]
    assert (await owner.get(f"/api/downloads/{job}")).json()["repo"] == TINY
    assert (await owner.send("POST", "/api/sync", json={"lock": "version = 9"})).status == 422


async def test_a_bundle_is_written_and_brought_in_beside_the_page(owner: Browser) -> None:
    await downloaded(owner, TINY)
    wanted = {"name": "tiny.tar", "models": [TINY]}
    begun = await owner.send("POST", "/api/bundles/export", json=wanted)
    assert (begun.status, begun.json()["status"]) == (202, "running")
    written = await ended(owner, begun.json()["id"])
    assert (written["status"], written["done"]) == ("done", written["total"])
    assert written["models"][0].startswith(f"samples:{TINY}@")
    assert [file["name"] for file in (await owner.get("/api/bundles")).json()] == ["tiny.tar"]
    assert (await owner.get("/api/bundles/files/tiny.tar")).body.startswith(b"modelshelf.lock")
    assert (await owner.send("POST", "/api/bundles/export", json=wanted)).status == 422
    assert (await owner.send("POST", "/api/bundles/export", json={**wanted, "name": "../x.tar"})).status == 422
    assert (await owner.send("POST", "/api/bundles/import", json={"name": "other.tar"})).status == 404

    assert (await owner.send("DELETE", f"/api/library/{TINY}")).status == 200
    brought = await ended(
        owner, (await owner.send("POST", "/api/bundles/import", json={"name": "tiny.tar"})).json()["id"]
    )
    assert (brought["status"], brought["error"]) == ("done", "")
    assert [model["repo"] for model in (await owner.get("/api/library")).json()] == [TINY]
    assert len((await owner.get("/api/bundles/errands")).json()) == 2
    assert (await owner.get("/api/bundles/errands/none")).status == 404


async def ended(owner: Browser, errand: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while (told := (await owner.get(f"/api/bundles/errands/{errand}")).json())["status"] == "running":
            await asyncio.sleep(0.01)
    found: dict[str, Any] = told
    return found
