"""Sources and addresses over HTTP."""

from pathlib import Path

import pytest

from modelshelf.access import Role
from modelshelf.config import ConfigManager
from modelshelf.shelf import Shelf
from tests.conftest import LoopRunner
from tests.core.catalog.conftest import Serve, serve, trusted
from tests.core.sources.simulators import Host, Registry, gguf, sha256
from tests.dashboard.serving import Browser, Served, served

__all__ = ["serve", "trusted"]


@pytest.fixture
def site(loop: LoopRunner, config: ConfigManager, trusted: None) -> Served:
    return loop.enter(served(Shelf(config)))


async def test_a_source_is_added_used_and_removed(site: Served, owner: Browser, serve: Serve) -> None:
    registry = Registry()
    registry.push("library/tiny:latest", ("model", gguf()))
    async with serve(registry) as url:
        assert "ollama" in (await owner.get("/api/sources/kinds")).json()
        new = {"name": "lab", "kind": "ollama", "url": url, "label": "Lab"}
        added = await owner.send("POST", "/api/sources", json=new)
        assert (added.status, added.json()["status"]) == (201, "fresh")
        assert (await owner.send("PUT", "/api/sources/lab/token", json={"token": "mine"})).status == 204
        names = {entry["name"]: entry["token"] for entry in (await owner.get("/api/sources")).json()}
        assert names == {"samples": "", "lab": "saved", "modelscope": "", "ollama": "", "web": ""}
        plan = (await owner.send("POST", "/api/downloads/plan", json={"model": "ollama://tiny"})).json()
        assert [file["sha256"] for file in plan["files"]] == [sha256(gguf())]
        assert (await owner.send("PATCH", "/api/sources/lab", json={"enabled": False})).json()["status"] == "off"
        assert (await owner.send("DELETE", "/api/sources/lab/token")).status == 204
        assert (await owner.send("DELETE", "/api/sources/lab")).status == 204
    assert (await owner.send("DELETE", "/api/sources/lab")).status == 404
    wrong = await owner.send("POST", "/api/sources", json={"name": "x", "kind": "ollama", "url": "http://example.org"})
    assert (wrong.status, "https" in wrong.json()["remedy"]) == (422, True)


async def test_an_address_needs_its_checksum_and_the_owner(site: Served, owner: Browser, serve: Serve) -> None:
    host = Host()
    host.files["/tiny.gguf"] = gguf()
    operator = await site.someone("olga", Role.OPERATOR)
    async with serve(host) as url:
        order = {"model": f"{url}/tiny.gguf"}
        assert (await owner.send("POST", "/api/downloads/plan", json=order)).status == 422
        order["sha256"] = sha256(gguf())
        assert (await operator.send("POST", "/api/downloads", json=order)).status == 403
        assert not host.seen
        plan = (await owner.send("POST", "/api/downloads/plan", json=order)).json()
    assert [(file["path"], file["sha256"]) for file in plan["files"]] == [("tiny.gguf", order["sha256"])]
    assert (await operator.send("POST", "/api/sources", json={"name": "x", "kind": "ollama"})).status == 403


async def test_models_of_the_servers_machine_are_imported(site: Served, owner: Browser, tmp_path: Path) -> None:
    file = tmp_path / "tiny.gguf"
    file.write_bytes(gguf())
    (done,) = (await owner.send("POST", "/api/library/import", json={"path": str(file), "repo": "me/tiny"})).json()
    assert (done["repo"], done["status"], done["files"][0]["sha256"]) == ("me/tiny", "done", sha256(gguf()))
    assert [model["repo"] for model in (await owner.get("/api/library")).json()] == ["me/tiny"]
    assert (await owner.send("POST", "/api/library/import", json={"path": str(tmp_path / "none")})).status == 404
    assert (await owner.send("POST", "/api/library/import", json={"path": "a\0b"})).status == 404
    operator = await site.someone("olga", Role.OPERATOR)
    assert (await operator.send("POST", "/api/library/import", json={"path": str(file)})).status == 403
