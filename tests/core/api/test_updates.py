"""Updates and lock files over HTTP."""

import pytest

from modelshelf.config import ConfigManager
from tests.conftest import LoopRunner
from tests.core.api.test_routes import TINY, downloaded
from tests.dashboard.serving import Browser, served


@pytest.fixture
def owner(loop: LoopRunner, config: ConfigManager) -> Browser:
    from modelshelf.shelf import Shelf

    return loop.runner.run(loop.enter(served(Shelf(config))).owner())


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
