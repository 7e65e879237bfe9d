"""Measures the shapes of `more` with the engine and writes `tests/data/llama_cpp_memory_more.csv`.

    python -m tests.shapes.measure [--again] [NAME ...]

Shapes that are in the table stay as they are unless they are named or everything is to be done `--again`; a run that
was broken off goes on where it stopped. Takes a second for each shape.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.shapes import Shape, write
from tests.shapes.more import more

TABLE = Path(__file__).parents[1] / "data" / "llama_cpp_memory_more.csv"
CONTEXTS = (2048, 16384)
# kv, slots, unified, flash attention, ubatch
GRID: tuple[tuple[str, int, bool, bool, int], ...] = (
    ("f16", 1, True, True, 512),
    ("f16", 4, True, True, 512),
    ("f16", 4, False, True, 512),
    ("f16", 1, True, True, 128),
    ("q8_0", 1, True, True, 512),
    ("q8_0", 4, False, True, 128),
    ("q4_0", 4, True, True, 1024),
    ("f16", 1, True, False, 512),
    ("f16", 4, False, False, 128),
    ("f16", 4, True, False, 256),
)
COLUMNS = (
    "model", "arch", "mix", "n_ctx", "type_k", "type_v", "fa", "n_seq", "ubatch", "swa_full", "kv_unified", "n_outputs",
    "mode", "model_bytes", "context_bytes", "compute_bytes", "error",
)  # fmt: skip


def settings() -> Iterator[dict[str, Any]]:
    """The grid that every shape is measured on."""
    for context in CONTEXTS:
        for kv, slots, unified, flash, ubatch in GRID:
            yield {
                "context": context, "kv": kv, "slots": slots, "unified_kv": unified, "flash_attention": flash,
                "ubatch": ubatch,
            }  # fmt: skip


def measured(name: str, shape: Shape, folder: Path) -> Iterator[dict[str, Any]]:
    """The rows of one shape; settings that the engine refuses have an error."""
    path = write(shape, folder / "shape.gguf")
    grid = list(settings())
    command = [sys.executable, "-m", "tests.shapes.exact", str(path), json.dumps(grid)]
    quiet = os.environ | {"GGML_NO_BACKTRACE": "1"}
    answer = subprocess.run(command, capture_output=True, text=True, env=quiet, check=False)
    lines = [json.loads(line) for line in answer.stdout.splitlines()]
    for wanted, found in zip(grid, lines, strict=False):
        yield _row(name, shape, wanted, found)
    if len(lines) < len(grid):
        why = answer.stderr.strip().splitlines() or [f"ended with {answer.returncode}"]
        yield _row(name, shape, grid[len(lines)], {"error": why[0]})


def _row(name: str, shape: Shape, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "model": name, "arch": shape.architecture, "mix": shape.mix, "n_ctx": wanted["context"], "type_k": wanted["kv"],
        "type_v": wanted["kv"], "fa": int(wanted["flash_attention"]), "n_seq": wanted["slots"],
        "ubatch": wanted["ubatch"], "swa_full": 0, "kv_unified": int(wanted["unified_kv"]),
        "n_outputs": wanted["slots"], "mode": "noalloc_srv", **found, "error": " ".join(found["error"].split()),
    }  # fmt: skip


def main() -> None:
    """Measure what is missing and keep the rows in the order of the shapes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--again", action="store_true")
    wanted = parser.parse_args()
    rows = [] if wanted.again or not TABLE.exists() else list(csv.DictReader(TABLE.read_text().splitlines()))
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["model"], []).append(row)
    with TemporaryDirectory() as folder:
        for name, shape in more().items():
            if name in wanted.names or name not in found:
                found[name] = list(measured(name, shape, Path(folder)))
                _store([row for each in more() for row in found.get(each, [])])
                why = next((row["error"] for row in found[name] if row["error"]), "")
                sys.stdout.write(f"{name}: {len(found[name])} rows {why}\n")


def _store(rows: list[Mapping[str, Any]]) -> None:
    with TABLE.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
