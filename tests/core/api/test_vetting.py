"""Verdicts, looks before a download, reports, checks and the quarantine over HTTP."""

import asyncio

from modelshelf.access import Role
from tests.core.api.conftest import downloaded
from tests.core.library.conftest import install
from tests.dashboard.serving import Browser, Served

EVIL = "samples/suspicious-pickle"


async def test_an_unsafe_model_is_seen_held_and_released(site: Served, owner: Browser) -> None:
    looked = (await owner.send("POST", "/api/vetting/prescan", json={"model": EVIL})).json()
    assert (looked["verdict"], looked["hub"]["status"]) == ("block", "done")
    assert (await downloaded(owner, EVIL))["status"] == "quarantined"
    held = (await owner.get("/api/quarantine")).json()
    for item in held:
        assert (await owner.get(f"/api/quarantine/{item['id']}")).json() == item
        place = f"/api/quarantine/{item['id']}/release"
        operator = await site.someone("otto", Role.OPERATOR)
        assert (await operator.send("POST", place, json={"reason": "I say so myself."})).status == 403
        assert (await owner.send("POST", place, json={"reason": "ok"})).status == 422
        assert (await owner.send("POST", place, json={"reason": "It is our own sample."})).status == 200
    assert (await downloaded(owner, EVIL))["status"] == "done"
    audit = (await owner.get("/api/audit")).json()
    assert "quarantine.release" in str(audit)


async def test_verdicts_reports_and_checks_of_what_is_installed(site: Served, owner: Browser) -> None:
    shelf = site.app.state.shelf
    await asyncio.to_thread(install, shelf.library.cache, "org/m", {"x.pkl": b"cos\nsystem\n(S'id'\ntR.", "a.md": b"#"})
    status = (await owner.get("/api/vetting")).json()
    assert status["rules"]
    assert status["policy"] is False
    found = {item["path"]: item["verdict"] for item in (await owner.get("/api/vetting/models/org/m")).json()}
    assert found == {"x.pkl": "block", "a.md": "pass"}
    sarif = await owner.get("/api/vetting/models/org/m/report?form=sarif")
    assert sarif.headers["Content-Type"].startswith("application/sarif+json")
    assert sarif.json()["version"] == "2.1.0"
    assert (await owner.get("/api/vetting/models/org/m/report")).json()["verdict"] == "block"
    assert (await owner.get("/api/vetting/models/org/none")).status == 404
    begun = await owner.send("POST", "/api/vetting/check", json={"scan": True})
    assert begun.status == 202
    await shelf.vetting.checks.wait()
    done = (await owner.get("/api/vetting/check")).json()
    assert (done["status"], done["bad"]) == ("done", 1)
    assert [step["status"] for step in done["troubles"]] == ["block"]
    assert (await owner.send("POST", "/api/vetting/check/pause")).json()["status"] == "done"


async def test_what_waits_for_a_person_is_accepted_by_an_administrator(site: Served, owner: Browser) -> None:
    shelf = site.app.state.shelf
    await asyncio.to_thread(install, shelf.library.cache, "org/code", {"x.py": b"import os\n"})
    (item,) = (await owner.get("/api/vetting/models/org/code")).json()
    assert item["verdict"] == "review"
    sha256 = (await shelf.vetting.validation.digests((await shelf.library.get("org/code")).files[0].file)).sha256
    body = {"sha256": sha256, "path": "x.py", "reason": "I have read it line by line."}
    viewer = await site.someone("vera", Role.VIEWER)
    assert (await viewer.send("POST", "/api/vetting/accept", json=body)).status == 403
    assert (await owner.send("POST", "/api/vetting/accept", json={**body, "sha256": "0" * 64})).status == 404
    assert (await owner.send("POST", "/api/vetting/accept", json=body)).status == 200
    (item,) = (await owner.get("/api/vetting/models/org/code")).json()
    assert item["verdict"] == "pass"
