"""How quick and how right the judgement of a model is, beside llmfit on the same models.

The truth is what llama.cpp itself allocated (`tests/data/llama_cpp_memory.csv`, as a server runs, f16 cache, one slot).
llmfit knows models by their names and takes the context; ours reads the header of a file with the same shape.
"""

import asyncio
import csv
import json
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.measure import BIN, Figure, median_seconds, run
from modelshelf.compat import Machine, Settings, estimate, fit_file
from modelshelf.compat.engines import engine
from modelshelf.compat.judge import judge
from modelshelf.compat.measures import measure as measures_of
from modelshelf.compat.score import Question
from modelshelf.metadata import remote
from modelshelf.metadata.remote import Piece, RemoteFile
from tests.shapes import SHAPES, facts, write

TRUTH = Path(__file__).parent.parent / "tests" / "data" / "llama_cpp_memory.csv"
LLMFIT = BIN / "llmfit"
HERE = Machine("32 GB", "any", 8, 32 << 30, 28 << 30, (), 40e9)
GIB = 1 << 30
PEERS = {  # the names by which llmfit knows the models whose shapes were measured
    "llama32_1b": "meta-llama/Llama-3.2-1B-Instruct",
    "llama31_8b": "meta-llama/Llama-3.1-8B-Instruct",
    "mixtral_8x7b": "mistralai/Mixtral-8x7B-Instruct-v0.1",
    "qwen2_7b": "Qwen/Qwen2-7B-Instruct",
    "qwen3_8b": "Qwen/Qwen3-8B",
    "qwen3moe_30b": "Qwen/Qwen3-30B-A3B",
    "gemma2_9b": "google/gemma-2-9b-it",
    "gemma3_4b": "google/gemma-3-4b-it",
    "gemma3_12b": "google/gemma-3-12b-it",
    "mistral_7b": "mistralai/Mistral-7B-Instruct-v0.2",
    "phi3_mini": "microsoft/Phi-3.5-mini-instruct",
    "deepseek2_lite": "deepseek-ai/DeepSeek-V2-Lite-Chat",
    "falcon_h1_1_5b": "tiiuae/Falcon-H1-1.5B-Instruct",
    "qwen3next_80b": "Qwen/Qwen3-Next-80B-A3B-Instruct",
    "lfm2_1_2b": "LiquidAI/LFM2-1.2B",
    "command_r7b": "CohereLabs/c4ai-command-r7b-12-2024",
}


def measure() -> list[Figure]:
    """Times in this process and as commands, requests for a header, and errors against the engine."""
    with tempfile.TemporaryDirectory() as folder:
        return [*_times(Path(folder)), *_commands(Path(folder)), *_requests(Path(folder)), *_errors()]


def _times(folder: Path) -> Iterator[Figure]:
    runs = engine("builtin")
    assert runs is not None
    for fixes in (False, True):
        spans = []
        for shape in SHAPES.values():
            known = facts(shape)
            question = Question(known, Settings(), HERE, runs, measures=measures_of(known))
            spans.append(median_seconds(_pair(question, fixes), times=50) * 1000)
        told = "a pair from cached facts" + (", with its fixes" if fixes else "")
        yield Figure(f"{told}: median of 23 models", "modelshelf", statistics.median(spans), "ms", 1.0)
        yield Figure(f"{told}: the slowest", "modelshelf", max(spans), "ms", 1.0)
    for merges, promised in ((0, 100.0), (500_000, 200.0)):
        path = write(SHAPES["gemma3_4b"], folder / f"{merges}.gguf", merges=merges)
        seconds = median_seconds(_fit(path), times=9)
        told = "a local file, 262k words" + (", 500k merges" if merges else "")
        yield Figure(told, "modelshelf", seconds * 1000, "ms", promised)


def _pair(question: Question, fixes: bool) -> Callable[[], object]:
    return lambda: judge(question, model="m", provider="builtin", fixes=fixes)


def _fit(path: Path) -> Callable[[], object]:
    return lambda: fit_file(path, machine=HERE)


def _commands(folder: Path) -> Iterator[Figure]:
    path = write(SHAPES["llama31_8b"], folder / "command.gguf")
    ours = median_seconds(lambda: run(BIN / "modelshelf", "fit", path, "--json"), times=7)
    yield Figure("the command, from its start to its answer", "modelshelf fit FILE", ours, "s", 1.0)
    if LLMFIT.exists():
        theirs = median_seconds(lambda: _plan(PEERS["llama31_8b"], 8192), times=7)
        yield Figure("the same", "llmfit plan NAME", theirs, "s")


def _requests(folder: Path) -> Iterator[Figure]:
    """What a header costs by HTTP; the bytes come from a file, so that only their number counts."""
    for name, told in (("llama31_8b", "128k words"), ("gemma3_4b", "262k words, 500k merges")):
        path = write(SHAPES[name], folder / f"{name}.gguf", merges=0 if name == "llama31_8b" else 500_000)
        for exact in (False, True):
            asked = asyncio.run(_header(path, exact))
            tier = "every tensor (tier 2)" if exact else "tier 1"
            yield Figure(f"requests for a header of {told}, {tier}", "modelshelf", len(asked), "", 3 if exact else 2)
            fetched = sum(asked) / 2**20
            yield Figure("its bytes", "modelshelf", fetched, "MiB", 16.0 if exact else 0.2)


async def _header(path: Path, exact: bool) -> list[int]:
    asked: list[int] = []
    size = path.stat().st_size

    async def fetch(start: int, length: int) -> Piece:
        asked.append(length)
        with path.open("rb") as file:
            file.seek(start)
            data = file.read(length)
        return Piece(data, size, '"etag"', len(data))

    file = RemoteFile(path.name, size, fetch)
    await remote.gguf_header(file, exact=exact)
    return asked


def _errors() -> Iterator[Figure]:
    ours: list[float] = []
    theirs: list[float] = []
    for row in _rows():
        real = sum(int(row[column]) for column in ("model_bytes", "context_bytes", "compute_bytes"))
        context = int(row["n_ctx"])
        memory = estimate(facts(SHAPES[row["model"]]), Settings(context=context)).memory
        ours.append(abs(memory.total - memory.output - real) / real * 100)
        if LLMFIT.exists() and (plan := _plan(PEERS[row["model"]], context)):
            theirs.append(abs(plan["minimum"]["vram_gb"] * GIB - real) / real * 100)
    cases = f"error of the total, {len(ours)} cases"
    yield Figure(f"{cases}: median", "modelshelf", statistics.median(ours), "%", 0.1)
    yield Figure(f"{cases}: worst", "modelshelf", max(ours), "%", 0.78)
    if theirs:
        yield Figure(f"{cases}: median", "llmfit", statistics.median(theirs), "%")
        yield Figure(f"{cases}: worst", "llmfit", max(theirs), "%")


def _rows() -> Iterator[dict[str, str]]:
    wanted = {"mode": "noalloc_srv", "n_seq": "1", "type_k": "f16", "fa": "1", "ubatch": "512", "kv_unified": "1"}
    with TRUTH.open(newline="") as file:
        for row in csv.DictReader(file):
            alike = all(row[name] == value for name, value in wanted.items())
            if alike and not row["error"] and row["model"] in PEERS and row["mix"] == "Q4_K_M":
                yield row


def _plan(model: str, context: int) -> dict[str, Any] | None:
    command = [str(LLMFIT), "--json", "plan", model, "--context", str(context), "--quant", "Q4_K_M"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return None
    return found
