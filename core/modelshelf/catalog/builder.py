"""Starts the process that builds a generation, and waits for it beside everything else."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelshelf.errors import NotEnoughDisk, StoreError

# Large arrays go back to the system as soon as they are dropped: the process stays below 1.5 GB.
ENVIRONMENT = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "65536",
    "MALLOC_TRIM_THRESHOLD_": "1000000",
    "OPENBLAS_NUM_THREADS": "1",
}


@dataclass(frozen=True, slots=True)
class Built:
    """A generation and how many models it holds."""

    generation: str
    rows: int


async def build(folder: Path, sources: Mapping[str, Sequence[Path]]) -> Built:
    """Make a generation of what sources said, and put it in use. Cancelled, it stops and the old one stays.

    Raises:
        NotEnoughDisk: there is no space for it; the generation in use stays.
        StoreError: it could not be made; the generation in use stays.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "modelshelf.catalog.columns",
        str(folder),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **ENVIRONMENT},
    )
    job = json.dumps({name: [str(file) for file in files] for name, files in sources.items()})
    try:
        output, trouble = await process.communicate(job.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return _read(output, trouble)


def _read(output: bytes, trouble: bytes) -> Built:
    try:
        answer = json.loads(output)
    except ValueError:
        last = trouble.decode("utf-8", "replace").strip().splitlines()[-1:]
        said = f": {last[0][:300]}" if last else ""
        raise StoreError(
            f"The process that makes the catalogue ended without an answer{said}.", remedy=_AGAIN
        ) from None
    if "error" in answer:
        kind = NotEnoughDisk if "disk is full" in answer["error"] else StoreError
        raise kind(answer["error"], remedy=answer["remedy"])
    return Built(answer["generation"], answer["rows"])


_AGAIN = "The one before is still in use; `modelshelf catalog sync` tries again."
