"""Reports: JSON, and SARIF with what its schema requires."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from modelshelf.cli import quick
from modelshelf.errors import UsageError
from modelshelf.vetting import Finding, ScanReport, Verdict
from modelshelf.vetting.reports import as_json, as_sarif, form_of, render

BAD = Finding("PICKLE_IMPORT", "a b.pkl at byte 2", "It names os.system.")
DOUBT = Finding("CODE", "x.py", "It is code.", Verdict.REVIEW)
REPORTS = [
    ScanReport("a b.pkl", Verdict.BLOCK, (BAD, BAD), "pickle"),
    ScanReport("models/ü\udcff.py", Verdict.REVIEW, (DOUBT,), "text"),
    ScanReport("good.gguf", Verdict.PASS, (), "gguf"),
]


def test_sarif_has_what_its_schema_requires() -> None:
    log = json.loads(render(REPORTS, "sarif"))
    assert (log["version"], log["$schema"]) == ("2.1.0", "https://json.schemastore.org/sarif-2.1.0.json")
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "Modelshelf"
    assert [rule["id"] for rule in driver["rules"]] == ["CODE", "PICKLE_IMPORT"]
    assert len({rule["id"] for rule in driver["rules"]}) == len(driver["rules"])
    for result in run["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]
        assert result["level"] in {"error", "warning", "note"}
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert uri.isascii()
        assert " " not in uri
    assert [result["level"] for result in run["results"]] == ["error", "error", "warning"]
    assert run["invocations"] == [{"executionSuccessful": True}]
    assert len(run["artifacts"]) == 3


def test_nothing_scanned_is_a_report_too() -> None:
    assert as_sarif([])["runs"][0]["results"] == []
    assert as_json([])["verdict"] == "pass"


def test_json_says_the_rules_and_the_worst() -> None:
    document = as_json(REPORTS)
    assert document["verdict"] == "block"
    assert document["rules"]
    assert document["files"][1]["findings"] == [
        {"rule": "CODE", "where": "x.py", "detail": "It is code.", "verdict": "review"}
    ]


def test_a_report_is_named_by_its_ending() -> None:
    assert form_of(Path("x.SARIF")) == "sarif"
    with pytest.raises(UsageError, match=r"ends neither in \.json nor in \.sarif"):
        form_of(Path("x.txt"))
    with pytest.raises(UsageError):
        render([], "xml")


def test_the_plain_scan_takes_the_short_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "good.txt").write_text("hello")
    (tmp_path / "bad.pkl").write_bytes(b"cos\nsystem\n(S'id'\ntR.")
    folder = str(tmp_path)
    assert quick.taken(["scan", "--json", folder])
    for arguments in (
        ["scan"],
        ["scan", "--help"],
        ["scan", folder, "--report", "x.sarif"],
        ["scan", "/none"],
        ["list"],
    ):
        assert not quick.taken(arguments)
    assert quick.scan(["scan", "--each", "--json", folder]) == 4
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {Path(line["path"]).name: line["verdict"] for line in lines} == {"bad.pkl": "block", "good.txt": "pass"}
    assert all(line.keys() == {"path", "verdict", "findings"} for line in lines)
    assert quick.scan(["scan", folder]) == 4
    assert "PICKLE_IMPORT" in capsys.readouterr().out


def test_the_command_writes_the_report_and_leaves_with_the_verdict(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("print(1)")
    code = "import sys; from modelshelf.cli import main; sys.argv[0] = 'modelshelf'; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "scan", str(tmp_path), "--each", "--json", "--report", str(tmp_path / "r.sarif")],
        capture_output=True, text=True, env={**os.environ, "MODELSHELF_HOME": str(tmp_path / "home")}, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert json.loads(done.stdout)["verdict"] == "review"
    assert json.loads((tmp_path / "r.sarif").read_text())["runs"][0]["results"][0]["ruleId"] == "CODE"
    assert not (tmp_path / "home").exists()
