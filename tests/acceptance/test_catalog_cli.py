"""The catalogue in a terminal: brought in, searched, written out."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.acceptance.terminal import Terminal


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


def test_a_catalogue_is_imported_searched_and_exported(terminal: Terminal, tmp_path: Path) -> None:
    models = {
        "id": ["org/llama-GGUF", "org/llama", "org/qwen", "🙂"],
        "likes": [1, 5, 3, 9],
        "formats": [["gguf"], ["safetensors"], ["gguf"], []],
        "size": [10**9, 2 * 10**9, 3 * 10**9, None],
    }
    pq.write_table(pa.table(models), tmp_path / "models.parquet")
    (taken,) = terminal.json("catalog", "import", tmp_path / "models.parquet")
    assert (taken["taken"], taken["left_out"], taken["models"]) == (3, 1, 3)
    (found,) = terminal.json("search", "llama", "--sort", "likes", "--limit", "1")
    assert ([row["repo"] for row in found["rows"]], found["total"]) == (["org/llama"], 2)
    assert found["facets"]["format"] == {"gguf": 1, "safetensors": 1}
    (others,) = terminal.json("search", "--sort", "-likes", "-format:gguf", "-qwen")
    assert [row["repo"] for row in others["rows"]] == ["org/llama"], "a dash leaves out, first word or not"
    shown = terminal.run("search", "lamma", "format:gguf")
    assert "Did you mean: llama format:gguf" in shown.stdout
    (error,) = terminal.json("search", "llama", "size:<much", code=2)
    assert "at character 7" in error["error"]
    (written,) = terminal.json("catalog", "export", tmp_path / "out.parquet")
    assert written["models"] == pq.read_metadata(tmp_path / "out.parquet").num_rows == 3


def test_a_catalogue_of_another_version_is_told_and_made_anew(terminal: Terminal, tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["org/llama"]}), tmp_path / "models.parquet")
    (taken,) = terminal.json("catalog", "import", tmp_path / "models.parquet")
    (terminal.home / "catalog" / taken["generation"] / "values.json").write_text('{"version": 0}')
    (error,) = terminal.json("catalog", "export", tmp_path / "out.parquet", code=1)
    assert "of another version" in error["error"]
    assert "of another version" in terminal.run("catalog", "status").stdout
    assert terminal.json("catalog", "sync")[-1]["models"] > 1


def test_the_samples_are_listed_by_sync(terminal: Terminal) -> None:
    *told, done = terminal.json("catalog", "sync")
    assert done["event"] == "done"
    assert done["models"] >= 5
    assert {event["event"] for event in told} >= {"asking", "building"}
    assert terminal.json("catalog", "stop") == [{"event": "idle"}]
    (status,) = terminal.json("catalog", "status")
    assert status["sources"][0]["status"] == "whole"
