"""Registrations over HTTP."""

from pathlib import Path

from modelshelf.samples import CHAT_REPO
from tests.conftest import LoopRunner
from tests.core.registration.conftest import sample, stock, until
from tests.dashboard.serving import Browser, Served
from tests.engines.ollama import OllamaSimulator


async def test_plan_register_list_repair_and_undo(
    site: Served, owner: Browser, loop: LoopRunner, tmp_path: Path
) -> None:
    ollama = await loop.stack.enter_async_context(OllamaSimulator().serve())
    await site.shelf.providers.add("ollama", url=ollama.url)
    await until(lambda: len(site.shelf.providers_state.providers) == 2)
    await stock(site.shelf, sample(tmp_path))
    plan = (await owner.get(f"/api/registrations/plan/{CHAT_REPO}")).json()
    [offer] = [one for one in plan["offers"] if one["provider"] == "ollama"]
    assert (offer["way"], offer["copies"], offer["automatic"]) == ("upload", offer["size"], False)
    assert offer["registration"] is None
    made = await owner.send("POST", "/api/registrations", json={"model": CHAT_REPO, "provider": "ollama"})
    assert [one["status"] for one in made.json()] == ["registered"], made.text
    listed = (await owner.get("/api/registrations?provider=ollama")).json()
    assert [one["name"] for one in listed] == ["tiny-llama"]
    breaks = (await owner.get(f"/api/registrations/breaks/{CHAT_REPO}")).json()
    assert [one["provider"] for one in breaks["registrations"]] == ["ollama"]
    told = (await owner.send("DELETE", f"/api/library/{CHAT_REPO}?dry_run=true")).json()
    assert told["taken_back"] == ["ollama/tiny-llama"]
    ollama.models.clear()
    [found] = (await owner.get("/api/registrations/findings")).json()
    assert (found["problem"], found["deed"]) == ("file there but not listed", "register")
    [mended] = (await owner.send("POST", "/api/registrations/repair")).json()
    assert mended["done"]
    undone = await owner.send("DELETE", f"/api/registrations/{listed[0]['id']}")
    assert undone.json()["status"] == "undone"
    assert not ollama.models
    missing = await owner.send("DELETE", "/api/registrations/nosuchthing")
    assert missing.status == 404
