"""What is wrong, conflicts, and the same for several models, over HTTP."""

import json
from typing import Any

from modelshelf.access import Role
from tests.core.library.conftest import install
from tests.dashboard.serving import Browser, Served

WEIGHTS = b"the same weights" * 100


async def test_issues_conflicts_and_several_models(site: Served, owner: Browser) -> None:
    cache = site.shelf.config.paths.cache
    for name in ("one", "two"):
        install(cache, f"{name}/m-GGUF", {"m-Q8_0.gguf": WEIGHTS})
    issues = (await owner.get("/api/integration/issues")).json()
    assert all(set(item) == {"id", "severity", "text", "remedy", "action"} for item in issues)
    conflicts = {item["kind"]: item for item in (await owner.get("/api/integration/conflicts")).json()}
    assert conflicts["duplicate"]["freed"] == len(WEIGHTS)
    place = f"/api/integration/conflicts/{conflicts['duplicate']['id']}/resolve"
    guest = await site.someone("guest", Role.VIEWER)
    assert (await guest.send("POST", place)).status == 403
    mending = (await owner.send("POST", place)).json()
    assert (mending["undoable"], mending["undone"]) == (True, False)
    assert (await owner.send("POST", place)).status == 404
    undone = (await owner.send("POST", f"/api/integration/resolved/{mending['id']}/undo")).json()
    assert undone["undone"]
    assert [one["undone"] for one in (await owner.get("/api/integration/resolved")).json()] == [True]
    await several(owner, guest)


async def several(owner: Browser, guest: Browser) -> None:
    models = {"models": ["one/m-GGUF", "two/m-GGUF", "gone/m"]}
    assert (await guest.send("POST", "/api/library/bulk/pin", json=models)).status == 403
    assert (await owner.send("POST", "/api/library/bulk/paint", json=models)).status == 422
    outcomes = lines((await owner.send("POST", "/api/library/bulk/verify", json=models)).text)
    assert [one["status"] for one in outcomes] == ["done", "done", "failed"]
    assert outcomes[2]["remedy"]
    assert len(lines((await owner.send("POST", "/api/library/bulk/pin", json={"models": ["one/m-GGUF"]})).text)) == 1
    plan = (await owner.send("POST", "/api/library/bulk/deletion", json={"models": models["models"][:2]})).json()
    assert (len(plan["models"]), len(plan["kept"]), plan["freed"]) == (1, 1, len(WEIGHTS))
    installed = (await owner.get("/api/library")).json()
    assert {item["repo"]: item["pinned"] for item in installed} == {"one/m-GGUF": True, "two/m-GGUF": False}


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]
