"""The support file tells what a helper needs, and nothing of a person's own, in whatever shape it stands there."""

import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelshelf.access import Principal, Role, acting_as
from modelshelf.errors import RoleRequired
from modelshelf.integration import Step
from modelshelf.integration.steps import Report
from modelshelf.integration.support import plain
from modelshelf.store.tables import now

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

SECRETS = {
    "hugging face": "hf_QwErTyUiOpAsDfGhJkLzXcVbNm12345678",
    "openai": "sk-proj-9f8e7d6c5b4a3928170615f4e3d2c1b0",
    "anthropic": "sk-ant-api03-Zm9vYmFyYmF6cXV4-quuxcorge",
    "aws id": "AKIAIOSFODNN7EXAMPLE",
    "aws": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "github": "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "bearer": "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N",
    "word": "Blaubeerpfannkuchen",
    "hex": "5f4dcc3b5aa765d61d8327deb882cf99",
    "webhook": "https://hooks.example-chat.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
    "url": "https://adalovelace:kirschkern@git.kontor.lan/models",
    "mail": "ada.lovelace@kontor.example",
    "path": "/Users/adalovelace/Geheimprojekt/akten.gguf",
    "windows": r"C:\Users\adalovelace\Desktop\akten.gguf",
    "prompt": "Bitte entwirf meinem Vermieter Kowalczyk eine Kündigung",
    "model": "kontor-intern/fusionsplan-7b-GGUF",
    "address": "10.20.30.40:8443",
    "iban": "DE89370400440532013000",
}


@pytest.fixture
def planted(shelf: "Shelf", monkeypatch: pytest.MonkeyPatch) -> "Shelf":
    config = shelf.config
    monkeypatch.setenv("HF_TOKEN", SECRETS["hugging face"])
    monkeypatch.setenv("MODELSHELF_X_" + SECRETS["word"].upper(), SECRETS["openai"])
    monkeypatch.setenv("USER", "adalovelace")
    config.set("network.proxy", f"http://adalovelace:{SECRETS['word']}@127.0.0.1:9")
    config.set("hooks.webhooks", [{"name": "kontor", "url": SECRETS["webhook"], "secret": SECRETS["word"].lower()}])
    config.set("compatibility.refused_licences", [SECRETS["openai"]])
    samples = {"name": "samples", "kind": "samples", "label": SECRETS["mail"], "token_env": SECRETS["aws id"]}
    config.set("sources", [samples, {"name": "akten", "kind": "folder", "label": "x", "path": SECRETS["path"]}])
    logs = config.paths.logs
    logs.mkdir(parents=True, exist_ok=True)
    lines = [
        f"2026-11-27 20:00:00,123 WARNING modelshelf.downloads.worker {what}: {it} is it"
        for what, it in SECRETS.items()
    ]
    lines += [f'{{"authorization": "{it}", "prompt": "{SECRETS["prompt"]}"}}' for it in SECRETS.values()]
    lines += [f"Traceback: File {it} token={it} x-api-key:{it} '{it}' {it}" for it in SECRETS.values()]
    (logs / "modelshelf.log").write_text("\n".join(lines), "utf-8")
    (logs / f"{SECRETS['word']}.log").write_text("\n".join(SECRETS.values()), "utf-8")
    steps = tuple(Step(it, "failed", error=it, remedy=it, evidence=it, group=it) for it in SECRETS.values())
    shelf.selftest.file.write_text(json.dumps(Report("1", "Linux", now(), 1.0, steps).as_dict()))
    return shelf


async def opened(shelf: "Shelf") -> dict[str, str]:
    name, data = await shelf.support.bundle()
    assert name.startswith("modelshelf-support-")
    with zipfile.ZipFile(io.BytesIO(data)) as bundle:
        return {item: bundle.read(item).decode() for item in bundle.namelist()}


async def test_no_planted_secret_is_in_the_support_file(planted: "Shelf") -> None:
    for it in SECRETS.values():
        await planted.access.record("hook.failed", it, "failed", f"{it} said {it}")
        await planted.providers.add("openai-compatible", url="http://127.0.0.1:9", name=it[:60])
    files = await opened(planted)
    told = "\n".join([*files, *files.values()])
    pieces = {piece for it in SECRETS.values() for piece in (it, *it.split(), *it.replace("\\", "/").split("/"))}
    own = {piece for piece in pieces if len(piece) >= 8 and piece not in {"services", "Bearer"}} | {
        "adalovelace",
        "Kowalczyk",
    }
    assert not {piece for piece in own if piece.lower() in told.lower()}
    assert str(planted.config.home) not in told
    assert str(Path.home()) not in told


async def test_what_a_helper_needs_is_there(planted: "Shelf") -> None:
    planted.config.set("downloads.concurrent_jobs", 7)
    files = await opened(planted)
    report = json.loads(files["report.json"])
    assert report["settings"]["downloads"]["concurrent_jobs"] == 7
    assert report["settings"]["catalog"]["sync"] == "top"
    assert report["settings"]["network"]["proxy"] == "(set)"
    assert report["settings"]["network"]["ca_file"] == ""
    assert "HF_TOKEN" in report["environment"]
    checks = {check["name"]: check for check in report["checks"]}
    assert checks["provider builtin"]["detail"] == "well Ready; nothing is loaded."
    assert json.loads(files["selftest.json"])["steps"][0]["status"] == "failed"
    log = files["logs/1-modelshelf.log"]
    assert log.startswith("2026-11-27 20:00:00,123 WARNING modelshelf.downloads.worker")
    assert len(log.splitlines()) == 3 * len(SECRETS)


async def test_only_an_administrator_gets_it(shelf: "Shelf") -> None:
    with acting_as(Principal("somebody", Role.OPERATOR)):
        with pytest.raises(RoleRequired):
            await shelf.support.bundle()
        with pytest.raises(RoleRequired):
            await shelf.support.checks()


def test_our_own_sentences_stay_readable() -> None:
    said = "The built-in engine did not load fusionsplan-7b within 30 s. Try again, or raise engine.start_seconds."
    assert plain(said) == "The built-in engine did not load … within 30 s. Try again, or raise engine.start_seconds."
    assert plain('  File "/Users/x/worker.py", line 12, in _take_jobs') == "File … line 12, in _take_jobs"


@given(
    st.text(st.characters(categories=["L", "N"]), min_size=20, max_size=60).filter(
        lambda key: any(map(str.isdigit, key))
    )
)
def test_no_long_key_survives(key: str) -> None:
    for shape in (key, f"token={key}", f'"{key}",', f"https://x:{key}@y/", f"key:{key}", f"...{key}..."):
        assert key not in plain(shape)
