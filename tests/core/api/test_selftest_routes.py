"""Self-test, doctor, hooks and the support file over HTTP."""

import asyncio
import io
import json
import zipfile

from modelshelf.config import ConfigManager
from tests.dashboard.serving import Browser, Served


async def test_the_self_test_streams_its_steps_and_keeps_its_report(owner: Browser, site: Served) -> None:
    assert (await owner.get("/api/integration/test")).status == 404
    told = await owner.send("POST", "/api/integration/test", json={})
    assert told.status == 200
    events = [part.split("\ndata: ") for part in told.text.strip().split("\n\n")]
    steps = [json.loads(data) for kind, data in events if kind == "event: step"]
    assert [step["status"] for step in steps if step["group"] == "journey"] == ["passed"] * 11, steps
    done = json.loads(events[-1][1])
    assert (events[-1][0], done["passed"], len(done["steps"])) == ("event: done", True, len(steps))
    last = (await owner.get("/api/integration/test")).json()
    assert [step["name"] for step in last["steps"]] == [step["name"] for step in steps]
    page = await owner.get("/api/integration/test?format=html")
    assert "attachment" in page.headers["content-disposition"]
    assert page.text.startswith("<!doctype html>")


async def test_the_doctor_and_the_support_file_are_for_administrators(owner: Browser) -> None:
    checks = (await owner.get("/api/doctor")).json()
    assert {check["name"] for check in checks} >= {"database", "provider builtin"}
    found = await owner.get("/api/doctor/bundle")
    assert found.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(found.body)) as bundle:
        assert json.loads(bundle.read("report.json"))["checks"]


async def test_hooks_and_webhooks_are_listed_and_tested(owner: Browser, config: ConfigManager) -> None:
    config.set("hooks.webhooks", [{"name": "gone", "url": "http://127.0.0.1:9/secret-path"}])
    found = await owner.get("/api/hooks")
    assert "secret-path" not in found.text
    assert found.json()["webhooks"][0]["origin"] == "http://127.0.0.1:9"
    refused = await owner.send("POST", "/api/hooks/webhooks/gone/test")
    assert refused.status == 502
    assert "does not answer" in refused.json()["detail"]
    assert (await owner.send("POST", "/api/hooks/messages/retry")).json() == {"messages": 0}


async def test_letting_go_of_the_answer_stops_the_test(owner: Browser, site: Served) -> None:
    asked = owner.http.post(f"{owner.url}/api/integration/test", headers=owner.headers, json={})
    async with asked as stream:
        assert (await stream.content.readline()).startswith(b"event: step")
        assert site.shelf.selftest.running
        second = await owner.send("POST", "/api/integration/test", json={})
        assert second.status == 422
    async with asyncio.timeout(30):
        while site.shelf.selftest.running:
            await asyncio.sleep(0.01)
    assert await site.shelf.selftest.last() is None
