"""Every resource over HTTP, with a whole shelf behind it and the sample hub in front."""

import asyncio
import json
from typing import Any

import schemathesis
from fastapi.routing import APIRoute

from modelshelf.access import Role
from modelshelf.api.app import ROUTERS
from tests.core.api.conftest import downloaded
from tests.dashboard.serving import Browser, Served

TINY = "samples/tiny-llama-GGUF"


async def test_find_judge_fetch_and_ask(site: Served, owner: Browser) -> None:
    found = (await owner.get("/api/catalog/search?q=tiny")).json()
    assert TINY in {row["repo"] for row in found["rows"]}
    assert [source["status"] for source in found["sources"]] == ["fresh"]

    detail = (await owner.get(f"/api/catalog/models/{TINY}")).json()
    assert detail["commit"]
    assert any(file["path"].endswith(".gguf") and file["sha256"] for file in detail["files"])

    fit = (await owner.get(f"/api/compatibility?model={TINY}&provider=builtin")).json()
    assert 60 <= fit["score"] <= 100
    assert fit["memory"]["total"] > 0

    plan = (await owner.send("POST", "/api/downloads/plan", json={"model": TINY})).json()
    assert plan["fits_disk"]
    assert plan["missing"] == plan["total"] > 0
    assert (await owner.get("/api/downloads")).json() == []

    job = await downloaded(owner, TINY)
    assert (job["status"], job["percent"]) == ("done", 100), job
    assert [item["id"] for item in (await owner.get("/api/downloads")).json()] == [job["id"]]

    [model] = (await owner.get("/api/library")).json()
    assert (model["repo"], model["verdict"], model["complete"]) == (TINY, "pass", True)
    served = (await owner.get("/api/providers/builtin/models")).json()
    assert [item["id"] for item in served] == ["builtin/tiny-llama"]

    question = {"model": served[0]["id"], "messages": [{"role": "user", "content": "Once"}], "max_tokens": 8}
    reply = (await owner.send("POST", "/api/chat", json=question)).json()
    assert reply["text"].strip()
    assert reply["usage"]["completion_tokens"] > 0
    streamed = await owner.send("POST", "/api/chat", json={**question, "stream": True, "temperature": 0})
    assert streamed.headers["Content-Type"].startswith("text/event-stream")
    pieces = [json.loads(line.removeprefix("data: ")) for line in streamed.text.splitlines() if line]
    assert "".join(piece["text"] for piece in pieces).strip()
    assert pieces[-1]["finish"]

    status = (await owner.get("/api/providers/integration/status")).json()
    builtin = status["providers"]["builtin"]
    assert builtin["local_models_count"] == 1
    assert builtin["has_local_models"]
    assert builtin["total_compatible"] == 1 + builtin["available_for_download"]

    removal = (await owner.send("DELETE", f"/api/library/{TINY}?dry_run=true")).json()
    assert removal["freed"] > 0
    assert len((await owner.get("/api/library")).json()) == 1
    assert (await owner.send("DELETE", f"/api/library/{TINY}")).json()["freed"] == removal["freed"]
    assert (await owner.get("/api/library")).json() == []
    deeds = {entry["action"] for entry in (await owner.get("/api/audit")).json()}
    assert {"login", "download.start", "library.remove"} <= deeds


async def test_what_is_unsafe_is_held_and_can_be_deleted(owner: Browser) -> None:
    job = await downloaded(owner, "samples/suspicious-pickle")
    assert job["status"] == "quarantined"
    assert job["remedy"]
    [held, *_] = (await owner.get("/api/quarantine")).json()
    assert held["repo"] == "samples/suspicious-pickle"
    assert held["findings"][0]["detail"]
    assert (await owner.send("DELETE", f"/api/quarantine/{held['id']}")).status == 204
    assert held["id"] not in {item["id"] for item in (await owner.get("/api/quarantine")).json()}
    assert (await owner.send("DELETE", f"/api/quarantine/{held['id']}")).status == 404


async def test_the_integration_status_has_the_shape_that_was_promised(owner: Browser) -> None:
    status = (await owner.get("/api/providers/integration/status")).json()
    assert set(status) == {
        "providers", "overall_status", "total_providers", "healthy_providers", "providers_with_models",
        "total_compatible_models", "recommendations",
    }  # fmt: skip
    for item in status["providers"].values():
        assert set(item) == {
            "name", "healthy", "has_compatible_models", "has_local_models", "local_models_count",
            "available_for_download", "total_compatible", "status", "recommendations",
        }  # fmt: skip
        assert item["status"] in {"healthy", "needs_models", "unknown", "error"}
    assert status["total_providers"] == len(status["providers"])


async def test_providers_and_their_health(owner: Browser) -> None:
    providers = (await owner.get("/api/providers")).json()
    assert providers[0]["id"] == "builtin"
    assert "chat" in providers[0]["abilities"]
    assert (await owner.send("POST", "/api/providers/builtin/test")).json()["status"] == "well"


PROBLEMS: list[tuple[str, str, Any, int, str]] = [
        ("GET", "/api/catalog/models/samples/no-such-model", None, 404, "RepositoryNotFound"),
        ("GET", "/api/catalog/models/samples/tiny-llama-GGUF?revision=0000", None, 404, "RevisionNotFound"),
        ("GET", "/api/catalog/search?q=size:<huge", None, 422, "UsageError"),
        ("GET", "/api/catalog/search?limit=0", None, 422, "InvalidRequest"),
        ("GET", "/api/catalog/search?source=nowhere", None, 404, "NotFound"),
        ("GET", "/api/compatibility?model=nonsense", None, 422, "UsageError"),
        ("GET", "/api/compatibility", None, 422, "InvalidRequest"),
        ("GET", "/api/downloads/nothing", None, 404, "NotFound"),
        ("POST", "/api/downloads/nothing/pause", None, 404, "NotFound"),
        ("POST", "/api/downloads", {"model": ""}, 422, "InvalidRequest"),
        ("POST", "/api/downloads", {"model": "samples/gated-llama-GGUF"}, 403, "GatedRepository"),
        ("POST", "/api/downloads", "text", 422, "InvalidRequest"),
        ("DELETE", "/api/library/samples/nothing", None, 404, "NotFound"),
        ("DELETE", "/api/quarantine/nothing", None, 404, "NotFound"),
        ("GET", "/api/providers/nobody/models", None, 404, "NotFound"),
        ("POST", "/api/providers/nobody/test", None, 404, "NotFound"),
        ("POST", "/api/chat", {"model": "builtin", "messages": [{"role": "user", "content": "a"}]}, 422, "UsageError"),
        ("POST", "/api/chat", {"model": "nobody/a", "messages": [{"role": "user", "content": "a"}]}, 404, "NotFound"),
        (
            "POST", "/api/chat",
            {"model": "builtin/a", "messages": [{"role": "user", "content": "a"}], "stream": True}, 404, "NotFound",
        ),
        ("POST", "/api/chat", {"model": "builtin/a", "messages": []}, 422, "InvalidRequest"),
        ("GET", "/api/nothing", None, 404, "NotFound"),
        ("PUT", "/api/me", None, 405, "MethodNotAllowed"),
    ]  # fmt: skip


async def test_what_cannot_be_done_is_a_problem_with_a_remedy(owner: Browser) -> None:
    for method, path, body, status, code in PROBLEMS:
        seen = await owner.send(method, path, json=body)
        assert seen.status == status, (method, path, seen.text)
        problem = seen.json()
        assert seen.headers["Content-Type"] == "application/problem+json"
        assert (problem["code"], problem["status"]) == (code, status)
        assert problem["detail"].endswith("."), problem
        assert problem["remedy"]
        assert "Traceback" not in seen.text


async def test_a_viewer_may_look_and_not_touch(site: Served) -> None:
    viewer = await site.someone("vera", Role.VIEWER)
    for path in ("/api/catalog/search", "/api/library", "/api/downloads", "/api/quarantine", "/api/providers"):
        assert (await viewer.get(path)).status == 200, path
    for method, path, body in (
        ("POST", "/api/downloads", {"model": TINY}),
        ("POST", "/api/downloads/any/cancel", None),
        ("DELETE", f"/api/library/{TINY}", None),
        ("DELETE", "/api/quarantine/any", None),
        ("GET", "/api/audit", None),
    ):
        refused = await viewer.send(method, path, json=body)
        assert (refused.status, refused.json()["code"]) == (403, "RoleRequired"), (method, path)


async def test_an_error_nobody_foresaw_shows_no_traceback(site: Served, owner: Browser) -> None:
    async def broken() -> None:
        raise KeyError("secret detail")

    site.app.add_api_route("/api/broken", broken)
    seen = await owner.get("/api/broken")
    assert seen.status == 500
    assert seen.json()["code"] == "InternalError"
    assert "secret detail" not in seen.text


async def test_the_description_is_valid_and_names_every_route(owner: Browser) -> None:
    document = (await owner.get("/api/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    await asyncio.to_thread(lambda: schemathesis.openapi.from_dict(document).validate())
    routes = {f"/api{route.path}" for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)}
    assert routes - {"/api/docs"} == set(document["paths"])
    docs = await owner.get("/api/docs")
    assert docs.headers["Content-Type"].startswith("text/html")
    assert "/api/catalog/search" in docs.text


async def test_many_models_and_providers_are_judged_at_once(owner: Browser) -> None:
    await downloaded(owner, TINY)
    (row,) = (await owner.get("/api/compatibility/matrix")).json()
    assert (row["model"], row["provider"]) == (TINY, "builtin")
    assert row["score"] >= 60
    assert row["quality"]["parameters"] > 0
    asked = await owner.get(f"/api/compatibility/matrix?model={TINY}&model=samples/none&provider=builtin&provider=vllm")
    assert [answer["score"] is None for answer in asked.json()] == [False, False, True, True]
    best = (await owner.get(f"/api/compatibility/providers?model={TINY}")).json()
    assert [answer["provider"] for answer in best] == ["builtin"]
    models = (await owner.get("/api/compatibility/models?limit=2")).json()
    assert len(models) == 2


async def test_a_machine_is_named_in_words_and_never_read_from_a_file(owner: Browser) -> None:
    machines = (await owner.get("/api/compatibility/machines")).json()
    assert "24 GB card" in {machine["name"] for machine in machines}
    fit = (await owner.get(f"/api/compatibility?model={TINY}&machine=24 GB card")).json()
    assert fit["budget"] > 40 << 30
    for words in ("bread", "/etc/machine.json"):
        refused = await owner.get(f"/api/compatibility?model={TINY}&machine={words}")
        assert refused.status == 422
        assert refused.json()["remedy"]


async def test_a_fix_that_nobody_proposed_is_refused(owner: Browser) -> None:
    refused = await owner.send("POST", "/api/compatibility/apply", json={"model": TINY, "code": "KV_TYPE"})
    assert refused.status == 422
    assert "KV_TYPE" in refused.text


async def test_settings_that_are_named_are_judged(owner: Browser) -> None:
    asked = f"/api/compatibility?model={TINY}"
    usual = (await owner.get(asked)).json()
    named = (await owner.get(f"{asked}&ctx=512&ubatch=64&slots=2&unified_kv=false&kv=q8_0")).json()["settings"]
    assert (named["context"], named["ubatch"], named["slots"], named["unified_kv"]) == (512, 64, 2, False)
    assert (await owner.get(f"{asked}&ubatch=64")).json()["settings"]["context"] == usual["settings"]["context"]
    refused = await owner.get(f"{asked}&needs=banana")
    assert refused.status == 422
    assert "vision" in refused.json()["remedy"]
