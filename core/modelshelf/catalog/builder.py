"""Starts the process that builds a generation, and waits for it beside everything else."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelshelf.errors import NotEnoughDisk, StoreError

# Large arrays go back to the system as soon as they are dropped: the process stays below 1.5 GB.
ENVIRONMENT = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "65536",
    "MALLOC_TRIM_THRESHOLD_": "1000000",
    "OPENBLAS_NUM_THREADS": "1",
}


SMALL = 300_000  # bytes of what sources said


@dataclass(frozen=True, slots=True)
class Built:
    """A generation and how many models it holds."""

    generation: str
    rows: int


async def build(folder: Path, sources: Mapping[str, Sequence[Path]]) -> Built:
    """Make a generation of what sources said, and put it in use. Cancelled, it stops and the old one stays.

    What is small is made in a thread, which is then not stopped: a process of its own takes longer to start.

    Raises:
        NotEnoughDisk: there is no space for it; the generation in use stays.
        StoreError: it could not be made; the generation in use stays.
    """
    job = {name: [str(file) for file in files] for name, files in sources.items()}
    if await asyncio.to_thread(_is_small, sources):
        return _built(await asyncio.to_thread(_made_here, folder, job))
    return _built(await _made_beside(folder, job))


def _is_small(sources: Mapping[str, Sequence[Path]]) -> bool:
    return sum(file.stat().st_size for files in sources.values() for file in files) < SMALL


def _made_here(folder: Path, job: Mapping[str, list[str]]) -> dict[str, Any]:
    from modelshelf.catalog.columns.__main__ import answer

    return answer(folder, job)


async def _made_beside(folder: Path, job: Mapping[str, list[str]]) -> dict[str, Any]:
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
    try:
        output, trouble = await process.communicate(json.dumps(job).encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return _read(output, trouble)


def _read(output: bytes, trouble: bytes) -> dict[str, Any]:
    try:
        said: dict[str, Any] = json.loads(output)
    except ValueError:
        last = trouble.decode("utf-8", "replace").strip().splitlines()[-1:]
        told = f": {last[0][:300]}" if last else ""
        raise StoreError(
            f"The process that makes the catalogue ended without an answer{told}.", remedy=_AGAIN
        ) from None
    return said


def _built(answer: Mapping[str, Any]) -> Built:
    if "error" in answer:
        kind = NotEnoughDisk if "disk is full" in answer["error"] else StoreError
        raise kind(answer["error"], remedy=answer["remedy"])
    return Built(answer["generation"], answer["rows"])


_AGAIN = "The one before is still in use; `modelshelf catalog sync` tries again."
