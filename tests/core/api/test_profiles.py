"""Profiles over HTTP: made, checked, mended, carried elsewhere, asked, and kept from who may not change them."""

import asyncio
import json
from typing import Any

import pytest

from modelshelf.access import Role
from modelshelf.config import ConfigManager
from tests.conftest import LoopRunner
from tests.dashboard.serving import Browser, Served, served
from tests.engines.ollama import OllamaSimulator

MODEL = "ollama/tiny-llama:latest"
CODER: dict[str, Any] = {
    "name": "My Coder",
    "model": MODEL,
    "purpose": "coding",
    "parameters": {"temperature": 0.2, "max_tokens": 4, "stop": ["END"], "extra": {"think": False}},
    "system": "Be brief.",
    "fallbacks": ["builtin/none"],
}


@pytest.fixture
def ollama(loop: LoopRunner) -> OllamaSimulator:
    simulator = OllamaSimulator()
    simulator.add("tiny-llama")
    return loop.enter(simulator.serve())


@pytest.fixture
def site(loop: LoopRunner, config: ConfigManager, ollama: OllamaSimulator) -> Served:
    from modelshelf.shelf import Shelf

    config.environ["OLLAMA_HOST"] = ollama.url
    return loop.enter(served(Shelf(config)))


@pytest.fixture
def owner(loop: LoopRunner, site: Served) -> Browser:
    browser = loop.runner.run(site.owner())
    loop.runner.run(joined(browser))
    return browser


async def joined(browser: Browser) -> None:
    """Wait until the Ollama of this machine is there and was looked at."""
    async with asyncio.timeout(10):
        while not any(
            item["id"] == "ollama" and item["health"] for item in (await browser.get("/api/providers")).json()
        ):
            await asyncio.sleep(0.02)


async def test_a_profile_s_life(owner: Browser, ollama: OllamaSimulator) -> None:
    made = await owner.send("POST", "/api/profiles", json=CODER)
    assert made.status == 201, made.text
    parameters = {"top_p": None, "seed": None, **CODER["parameters"]}
    assert made.json() == {**CODER, "parameters": parameters, "default": True}
    assert (await owner.get("/api/profiles")).json() == [made.json()]
    assert (await owner.get("/api/profiles/my%20coder")).json() == made.json()
    assert (await owner.send("POST", "/api/profiles", json=CODER)).json()["code"] == "UsageError"

    changed = await owner.send("PUT", "/api/profiles/My%20Coder", json={"model": MODEL, "purpose": "coding"})
    assert (changed.json()["system"], changed.json()["default"]) == ("", True)
    await owner.send("PUT", "/api/profiles/other", json={"model": "builtin/none", "purpose": "coding"})
    assert (await owner.send("POST", "/api/profiles/other/default")).json()["default"]
    assert not (await owner.get("/api/profiles/My%20Coder")).json()["default"]
    renamed = await owner.send("POST", "/api/profiles/other/rename", json={"name": "Spare"})
    assert renamed.json()["name"] == "Spare"
    assert (await owner.send("DELETE", "/api/profiles/spare")).status == 204
    assert (await owner.get("/api/profiles/My%20Coder")).json()["default"]


async def test_it_is_asked_by_its_name_and_tells_who_answered(owner: Browser, ollama: OllamaSimulator) -> None:
    await owner.send("POST", "/api/profiles", json=CODER)
    question: dict[str, Any] = {"model": "@my coder", "messages": [{"role": "user", "content": "Hello"}]}
    reply = (await owner.send("POST", "/api/chat", json=question)).json()
    assert (reply["provider"], reply["model"], reply["usage"]["completion_tokens"]) == (
        "ollama", "tiny-llama:latest", 4,
    )  # fmt: skip
    options = ollama.asked("/api/chat")[-1]["options"]
    assert (options["temperature"], options["num_predict"]) == (0.2, 4)
    streamed = await owner.send("POST", "/api/chat", json={**question, "stream": True, "max_tokens": 2})
    pieces = [json.loads(line.removeprefix("data: ")) for line in streamed.text.splitlines() if line]
    assert pieces[-1]["model"] == MODEL
    assert ollama.asked("/api/chat")[-1]["options"]["num_predict"] == 2
    missing = await owner.send("POST", "/api/chat", json={**question, "model": "@nobody", "stream": True})
    assert (missing.status, missing.json()["code"]) == (404, "NotFound")


async def test_a_model_that_is_gone_is_mended(owner: Browser) -> None:
    await owner.send("POST", "/api/profiles", json={**CODER, "model": "ollama/tiny-llama-q8_0"})
    state = (await owner.get("/api/profiles/my%20coder/check")).json()
    assert (state["status"], state["cause"], state["uses"]) == ("broken", "missing", "")
    assert state["nearest"] == [MODEL]
    assert "is gone" in state["problem"]
    mended = await owner.send("POST", "/api/profiles/my%20coder/use-nearest", json={})
    assert (mended.json()["model"], mended.json()["system"]) == (MODEL, "Be brief.")
    assert (await owner.get("/api/profiles/my%20coder/check")).json()["status"] == "ok"


async def test_export_and_import(owner: Browser) -> None:
    await owner.send("POST", "/api/profiles", json=CODER)
    exported = await owner.get("/api/profiles/export")
    assert exported.headers["Content-Type"].startswith("application/toml")
    assert "profiles.toml" in exported.headers["Content-Disposition"]
    await owner.send("DELETE", "/api/profiles/my%20coder")
    report = await owner.send("POST", "/api/profiles/import", json={"text": exported.text})
    assert report.json() == {"added": ["My Coder"], "changed": [], "kept": [], "same": []}
    again = await owner.send("POST", "/api/profiles/import", json={"text": exported.text, "replace": True})
    assert again.json()["same"] == ["My Coder"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/api/profiles/nobody", None, 404, "NotFound"),
        ("GET", "/api/profiles/nobody/check", None, 404, "NotFound"),
        ("DELETE", "/api/profiles/nobody", None, 404, "NotFound"),
        ("POST", "/api/profiles/nobody/use-nearest", {}, 404, "NotFound"),
        ("POST", "/api/profiles", {**CODER, "name": ""}, 422, "UsageError"),
        ("POST", "/api/profiles", {**CODER, "model": "tiny"}, 422, "UsageError"),
        ("POST", "/api/profiles", {**CODER, "parameters": {"temperature": 9}}, 422, "UsageError"),
        ("POST", "/api/profiles", {**CODER, "parameters": {"colour": "red"}}, 422, "InvalidRequest"),
        ("POST", "/api/profiles", {**CODER, "parameters": {"extra": {"api_key": "sk-1"}}}, 422, "UsageError"),
        ("POST", "/api/profiles", {**CODER, "system": "x" * 100_001}, 422, "UsageError"),
        ("PUT", "/api/profiles/export", {"model": MODEL}, 422, "UsageError"),
        ("POST", "/api/profiles/import", {"text": "[["}, 422, "UsageError"),
    ],
)
async def test_what_cannot_be_is_a_problem_with_a_remedy(
    owner: Browser, method: str, path: str, body: Any, status: int, code: str
) -> None:
    seen = await owner.send(method, path, json=body)
    assert (seen.status, seen.json()["code"]) == (status, code), seen.text
    assert seen.json()["detail"].endswith(".")
    assert seen.json()["remedy"]
    assert "sk-1" not in seen.text
    assert (await owner.get("/api/profiles")).json() == []


async def test_a_viewer_reads_and_an_operator_changes(site: Served, owner: Browser) -> None:
    await owner.send("POST", "/api/profiles", json=CODER)
    viewer, operator = await site.someone("vera", Role.VIEWER), await site.someone("otto", Role.OPERATOR)
    for path in ("", "/my%20coder", "/my%20coder/check", "/export"):
        assert (await viewer.get(f"/api/profiles{path}")).status == 200, path
    deeds: list[tuple[str, str, Any]] = [
        ("POST", "", {**CODER, "name": "Other"}),
        ("PUT", "/my%20coder", {"model": MODEL}),
        ("POST", "/my%20coder/rename", {"name": "Mine"}),
        ("POST", "/my%20coder/default", None),
        ("POST", "/my%20coder/use-nearest", {"model": MODEL}),
        ("POST", "/import", {"text": "version = 1"}),
        ("DELETE", "/my%20coder", None),
    ]
    for method, path, body in deeds:
        refused = await viewer.send(method, f"/api/profiles{path}", json=body)
        assert (refused.status, refused.json()["code"]) == (403, "RoleRequired"), path
    assert (await operator.send("PUT", "/api/profiles/my%20coder", json={"model": MODEL})).status == 200
    assert (await site.browser().get("/api/profiles")).status == 401
