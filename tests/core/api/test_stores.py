"""Other programs' stores over HTTP."""

from pathlib import Path

from tests.core.adoption.stores import TINY, ollama, write
from tests.dashboard.serving import Browser, Served


async def test_stores_are_shown_adopted_and_given_back(site: Served, owner: Browser, tmp_path: Path) -> None:
    ollama(tmp_path / "ollama")
    place = write(tmp_path / ".lmstudio/models/org/tiny/tiny.gguf", TINY)
    await site.shelf.adoption.look(fresh=True)
    assert [store["name"] for store in (await owner.get("/api/stores")).json()] == ["ollama", "lmstudio"]
    assert (await owner.get("/api/stores/comparing")).json()["files"] == 2
    assert (await owner.get("/api/stores/plan?model=tiny:1b")).json()["copy"] == len(TINY)
    done = (await owner.send("POST", "/api/stores/adopt", json={"model": "ollama:tiny:1b"})).json()
    assert (done["status"], done["files"][0]["how"]) == ("done", "hard link")
    assert (await owner.send("POST", "/api/stores/adopt", json={"model": "nothing"})).status == 404
    await site.shelf.adoption.compare()
    models = (await owner.get("/api/stores/models")).json()
    assert [(one["id"], one["library"]) for one in models] == [
        ("ollama:tiny:1b", "linked"),
        ("lmstudio:org/tiny", "same"),
    ]
    (twice,) = (await owner.get("/api/stores/duplicates")).json()
    given = await owner.send("POST", "/api/stores/give-back", json={"duplicate": twice["id"]})
    assert given.json() == {"places": [str(place)], "kept": twice["keep"]["places"][0], "freed": len(TINY)}
    assert (await owner.get("/api/stores/shared")).json() == [{"place": str(place), "size": len(TINY)}]
    assert (await owner.send("POST", "/api/stores/separate", json={"place": str(place)})).status == 200
    assert (await owner.send("POST", "/api/stores/separate", json={"place": "/etc/passwd"})).status == 404
