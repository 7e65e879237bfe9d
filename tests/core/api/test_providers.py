"""Providers over HTTP: added, tested, changed, used; a key goes in and never comes out."""

import pytest

from modelshelf.access import Role
from tests.conftest import LoopRunner
from tests.dashboard.serving import Browser, Served
from tests.engines.compatible import CompatibleSimulator
from tests.engines.ollama import OllamaSimulator

KEY = "sk-http-canary-1234"


@pytest.fixture
def lab(loop: LoopRunner) -> CompatibleSimulator:
    return loop.enter(CompatibleSimulator(key=KEY).serve())


async def test_a_provider_s_whole_life(owner: Browser, lab: CompatibleSimulator) -> None:
    order = {"kind": "openai-compatible", "url": lab.url, "id": "lab", "key": "sk-wrong-canary"}
    refused = await owner.send("POST", "/api/providers", json=order)
    assert refused.status == 422
    assert refused.json()["code"] == "NotValidated"
    tried = await owner.send("POST", "/api/providers/try", json={**order, "key": KEY})
    assert tried.json()["good"] is True
    made = await owner.send("POST", "/api/providers", json={**order, "key": KEY, "name": "Lab"})
    assert made.status == 201, made.text
    assert made.json()["validation"]["models"] == 2

    models = (await owner.get("/api/providers/lab/models")).json()
    assert [model["id"] for model in models] == ["lab/tiny-llama", "lab/tiny-embed"]
    [key] = (await owner.get("/api/providers/lab/keys")).json()
    assert (key["last4"], key["origin"], key["present"]) == ("1234", "vault", True)
    assert (await owner.send("POST", "/api/providers/lab/validate")).json()["outcome"] == "valid"

    changed = await owner.send("PATCH", "/api/providers/lab", json={"name": "Laboratory"})
    assert changed.json()["provider"]["name"] == "Laboratory"
    off = await owner.send("PATCH", "/api/providers/lab", json={"enabled": False})
    assert off.json()["provider"]["enabled"] is False
    assert (await owner.get("/api/providers/lab")).json()["enabled"] is False

    added = await owner.send("POST", "/api/providers/lab/keys", json={"key_env": "LAB_KEY", "pattern": "gpt-*"})
    assert {item["pattern"] for item in added.json()} == {"*", "gpt-*"}
    assert (await owner.send("DELETE", f"/api/providers/lab/keys/{key['id']}")).status == 204
    text = (await owner.get("/api/providers/export")).text
    assert "LAB_KEY" in text
    assert (await owner.send("DELETE", "/api/providers/lab")).status == 204
    assert (await owner.get("/api/providers/lab")).status == 404
    done = await owner.send("POST", "/api/providers/import", json={"text": text})
    assert done.json()["added"] == ["lab"]


async def test_no_answer_holds_a_key(owner: Browser, site: Served, lab: CompatibleSimulator) -> None:
    order = {"kind": "openai-compatible", "url": lab.url, "id": "lab", "key": KEY}
    said = [(await owner.send("POST", "/api/providers", json=order)).text]
    said.append((await owner.send("POST", "/api/providers/try", json={**order, "id": "x", "key": KEY + " y"})).text)
    said.append((await owner.send("POST", "/api/providers/try", json={**order, "url": 5})).text)
    paths = [path for path in (await owner.get("/api/openapi.json")).json()["paths"] if "{" not in path]
    reading = [path for path in paths if path.startswith("/api/") and path not in {"/api/events", "/api/docs"}]
    said += [
        (await owner.get(path)).body.decode("utf-8", "replace")
        for path in [*reading, "/api/providers/lab", "/api/providers/lab/keys", "/"]
    ]
    assert KEY not in "".join(said)


async def test_load_and_unload(owner: Browser, loop: LoopRunner) -> None:
    async with OllamaSimulator().serve() as ollama:
        ollama.add("tiny-llama")
        await owner.send("POST", "/api/providers", json={"kind": "ollama", "url": ollama.url, "id": "home"})
        wrong = await owner.send("POST", "/api/providers/home/load?model=tiny-llama", json={"slots": 3})
        assert wrong.status == 422
        assert "slots" in wrong.json()["detail"]
        order = {"context": 4096, "keep": True}
        assert (await owner.send("POST", "/api/providers/home/load?model=tiny-llama", json=order)).status == 204
        assert ollama.loaded == {"tiny-llama:latest"}
        assert (await owner.send("POST", "/api/providers/home/unload?model=tiny-llama")).status == 204
        assert ollama.loaded == set()


async def test_kinds_and_order(owner: Browser) -> None:
    kinds = {kind["kind"]: kind for kind in (await owner.get("/api/providers/kinds")).json()}
    assert kinds["ollama"]["cloud"] is False
    assert kinds["openrouter"]["key"] == "required"
    for name in ("a", "b"):
        order = {"kind": "ollama", "url": "http://127.0.0.1:1", "id": name, "insist": True}
        await owner.send("POST", "/api/providers", json=order)
    assert (await owner.send("PUT", "/api/providers/order", json=["b", "a"])).json() == ["builtin", "b", "a"]
    assert (await owner.get("/api/providers/discover")).status == 200


async def test_roles(site: Served, lab: CompatibleSimulator) -> None:
    viewer, operator = await site.someone("val", Role.VIEWER), await site.someone("otto", Role.OPERATOR)
    order = {"kind": "openai-compatible", "url": lab.url, "key": KEY}
    for who in (viewer, operator):
        for method, path, body in (
            ("POST", "/api/providers", order),
            ("POST", "/api/providers/try", order),
            ("PATCH", "/api/providers/builtin", {"enabled": False}),
            ("DELETE", "/api/providers/builtin", None),
            ("POST", "/api/providers/builtin/keys", {"key": KEY}),
            ("PUT", "/api/providers/order", []),
            ("POST", "/api/providers/import", {"text": ""}),
        ):
            assert (await who.send(method, path, json=body)).status == 403, path
    assert lab.requests == []
    loads = await viewer.send("POST", "/api/providers/builtin/load?model=x", json={})
    assert loads.status == 403
    assert (await viewer.get("/api/providers")).status == 200


async def test_a_field_that_does_not_exist_is_said(owner: Browser) -> None:
    for method, path, body in (
        ("PATCH", "/api/providers/builtin", {"nme": "x"}),
        ("POST", "/api/providers/builtin/load?model=x", {"ctx": 4096}),
        ("POST", "/api/providers", {"kind": "ollama", "adress": "http://127.0.0.1:1"}),
    ):
        answer = await owner.send(method, path, json=body)
        assert answer.status == 422, answer.text
        assert next(iter(body.keys() - {"kind"})) in answer.json()["detail"]
