"""The process that builds a generation: `python -m modelshelf.catalog.columns FOLDER`, the sources as JSON on stdin.

It prints one line of JSON: `{"generation", "rows"}`, or `{"error", "remedy"}` when the old generation stays.
"""

import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
from filelock import FileLock

from modelshelf.catalog.columns.build import build
from modelshelf.catalog.columns.generations import Generations
from modelshelf.catalog.failures import is_full

BUILD_LOCK = "build.lock"


def make(folder: Path, sources: Mapping[str, list[str]]) -> dict[str, Any]:
    """Build and publish a generation of these files."""
    generations = Generations(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / BUILD_LOCK):
        generations.sweep(alone=True)
        with generations.making() as built:
            rows = build(built, {name: [Path(file) for file in files] for name, files in sources.items()})
            name = generations.publish(built)
        generations.sweep()
    return {"generation": name, "rows": rows}


def main() -> int:
    """Read the job, do it, say how it went."""
    with suppress(OSError, AttributeError):
        os.nice(10)  # nobody waits for it
    said = answer(Path(sys.argv[1]), json.load(sys.stdin))
    sys.stdout.write(json.dumps(said) + "\n")
    return 1 if "error" in said else 0


def answer(folder: Path, sources: Mapping[str, list[str]]) -> dict[str, Any]:
    """As `make`, but what goes wrong is said: `{"error", "remedy"}`."""
    try:
        return make(folder, sources)
    except (OSError, pa.ArrowException, MemoryError, ValueError) as error:
        return {"error": told(error), "remedy": remedy(error)}


def told(error: Exception) -> str:
    """What went wrong, in a sentence."""
    if is_full(error):
        return "The disk is full: the new catalogue was not made, the one before is still in use."
    what = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
    return f"The new catalogue was not made, the one before is still in use: {what}."


def remedy(error: Exception) -> str:
    """What to do about it."""
    if is_full(error):
        return "Free some space: a generation takes about 300 bytes for each model."
    return "`modelshelf catalog sync` tries again."


if __name__ == "__main__":
    sys.exit(main())
