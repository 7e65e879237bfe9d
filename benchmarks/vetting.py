"""Scanning: what is found and what is wrongly held, beside other scanners, and how long large files take.

The peers live in environments of their own below the temporary folder; one that cannot be installed is left out, and
that is said.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from benchmarks.measure import Figure
from modelshelf.config import ConfigManager
from modelshelf.samples import SampleHub
from modelshelf.shelf import open_shelf
from modelshelf.vetting import scan_path
from tests.core.vetting import bypasses, families, ggufs, lures, others, pickled, safe, stock, templates, zipped

PEERS = {"picklescan": "picklescan==1.0.5", "modelscan": "modelscan==0.8.8", "modelaudit": "modelaudit"}
HOME = Path(tempfile.gettempdir()) / "modelshelf-bench-peers"
INSTALL_SECONDS, RUN_SECONDS = 420, 600
SAMPLE = 250, 120  # bad and good files for all tools
LARGE = 5 << 30
BAD = (bypasses, lures, others, pickled, zipped, ggufs, safe, templates)
GOOD = (stock, families, others, pickled, zipped, ggufs, safe, templates)

_PICKLESCAN = """
import contextlib, io, logging, sys
from picklescan.scanner import scan_file_path
logging.disable(logging.CRITICAL)
for path in sys.stdin.read().split("\\n"):
    flagged = False
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            flagged = scan_file_path(path).issues_count > 0
    except Exception:
        pass
    if flagged:
        print(path)
"""
_ALONE = """
import resource, sys, time
from pathlib import Path
from modelshelf.vetting import SecurityScanner
with SecurityScanner() as scanner:
    scanner.begin()
    begun = time.perf_counter()
    report = scanner.scan_file(Path(sys.argv[1]))
    took = time.perf_counter() - begun
print(took, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024, report.verdict.value)
"""


Files = Sequence[tuple[str, bytes]]
Scan = Callable[[Path, Sequence[Path]], set[Path]]
Row = tuple[str, str, float, str, float]


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="modelshelf-vetting-") as name:
        folder = Path(name)
        return [*_detection(folder / "corpus"), *_large(folder)]


def _detection(folder: Path) -> list[Figure]:
    bad, good = _files(BAD, "bad"), _files(GOOD, "good")
    whole = _judge("modelshelf", _ours, folder / "whole", bad, good)
    figures = [
        Figure(f"{what} (the whole corpus)", who, value, unit, budget) for what, who, value, unit, budget in whole
    ]
    # The peers take minutes for what ours does in seconds: all are held against the same sample.
    bad, good = bad[:: max(1, len(bad) // SAMPLE[0])], good[:: max(1, len(good) // SAMPLE[1])]
    for name, scan in SCANNERS.items():
        if name in PEERS and not _installed(name):
            print(f"{name} could not be installed: it is left out.", file=sys.stderr)
            continue
        try:
            rows = _judge(name, scan, folder / name, bad, good)
        except (subprocess.TimeoutExpired, ValueError) as error:
            print(f"{name} gives no answer ({type(error).__name__}): it is left out.", file=sys.stderr)
            continue
        figures += [Figure(f"{what} (a sample)", who, value, unit) for what, who, value, unit, _ in rows]
    return figures


def _judge(name: str, scan: Scan, folder: Path, bad: Files, good: Files) -> list[Row]:
    bad_paths, good_paths = _written(folder / "bad", bad), _written(folder / "good", good)
    begun = time.perf_counter()
    found, held = scan(folder / "bad", bad_paths), scan(folder / "good", good_paths)
    took = time.perf_counter() - begun
    shutil.rmtree(folder)
    missed = 100 * (1 - len(found & set(bad_paths)) / len(bad_paths))
    return [
        (f"bad files missed, of {len(bad)}", name, missed, "%", 0),
        (f"good files flagged, of {len(good)}", name, len(held & set(good_paths)), "files", 0),
        (f"time for all {len(bad) + len(good)}", name, took, "s", 30),
    ]


def _files(modules: Sequence[Any], source: str) -> list[tuple[str, bytes]]:
    return [file for module in modules for file in getattr(module, source)()]


def _written(folder: Path, files: Files) -> list[Path]:
    """Each file in a folder of its own."""
    paths = []
    for number, (name, data) in enumerate(files):
        parts = [part[:120] for part in name.split("/") if part not in {"", ".", ".."}]
        path = folder.joinpath(str(number), *parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        paths.append(path)
    return paths


def _ours(folder: Path, _: Sequence[Path]) -> set[Path]:
    return {Path(report.path) for report in scan_path(folder, each=True) if report.verdict.value != "pass"}


def _picklescan(_: Path, paths: Sequence[Path]) -> set[Path]:
    done = _run([_python("picklescan"), "-c", _PICKLESCAN], "\n".join(map(str, paths)))
    return {Path(line) for line in done.splitlines() if line}


def _modelscan(folder: Path, _: Sequence[Path]) -> set[Path]:
    told = folder.parent / f"{folder.name}.json"
    _run([HOME / "modelscan" / "bin" / "modelscan", "scan", "-p", folder, "-r", "json", "-o", told])
    issues = json.loads(told.read_text("utf-8")).get("issues", [])
    named = {str(issue.get("source", "")).partition(":")[0] for issue in issues}
    return {place if place.is_absolute() else folder / place for place in map(Path, named)}


def _modelaudit(folder: Path, _: Sequence[Path]) -> set[Path]:
    command = [HOME / "modelaudit" / "bin" / "modelaudit", "scan", "--format", "json", "--no-cache", folder]
    text = _run(command, env={"PROMPTFOO_DISABLE_TELEMETRY": "1", "NO_ANALYTICS": "1"})
    document = json.loads(text[text.find("{") :] or "{}")
    issues = [issue for issue in document.get("issues", []) if issue.get("severity") in {"critical", "warning"}]
    return {found for issue in issues for found in _place(folder, str(issue.get("location") or ""))}


def _place(folder: Path, location: str) -> Iterator[Path]:
    """The file of a location such as `/x/bad/7/a.pt:archive/data.pkl (pos 3)`."""
    start = f"{folder}{os.sep}"
    if location.startswith(start):
        yield from (
            path for path in (folder / location[len(start) :].partition(os.sep)[0]).rglob("*") if path.is_file()
        )


def _run(command: Sequence[object], text: str = "", env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in command], input=text, capture_output=True, text=True, timeout=RUN_SECONDS, check=False,
        env={**os.environ, **(env or {})},
    )  # fmt: skip
    return done.stdout


def _python(name: str) -> Path:
    return HOME / name / "bin" / "python"


def _installed(name: str) -> bool:
    """Install a peer with the first Python that it accepts."""
    if (HOME / name / "done").exists():
        return True
    pythons = [sys.executable, *filter(None, map(shutil.which, ("python3.12", "python3.11", "python3.10")))]
    return any(_install(name, python) for python in pythons)


def _install(name: str, python: str) -> bool:
    shutil.rmtree(HOME / name, ignore_errors=True)
    commands: tuple[list[str | Path], ...] = (
        [python, "-m", "venv", HOME / name],
        [_python(name), "-m", "pip", "install", "-qq", "--disable-pip-version-check", PEERS[name]],
    )
    try:
        for command in commands:
            subprocess.run(command, check=True, timeout=INSTALL_SECONDS, capture_output=True)
    except (OSError, subprocess.SubprocessError):
        return False
    (HOME / name / "done").touch()
    return True


SCANNERS: dict[str, Scan] = {
    "modelshelf": _ours,
    "picklescan": _picklescan,
    "modelscan": _modelscan,
    "modelaudit": _modelaudit,
}


def _large(folder: Path) -> list[Figure]:
    figures = []
    for make in (_large_gguf, _large_safetensors, _large_torch):
        path = make(folder)
        done = subprocess.run([sys.executable, "-c", _ALONE, path], capture_output=True, text=True, check=True)
        seconds, memory, verdict = done.stdout.split()
        assert verdict == "pass", (path, verdict)
        figures.append(Figure(f"5 GiB {path.suffix}, beside hashing", "modelshelf", float(seconds), "s", 1))
        figures.append(Figure(f"5 GiB {path.suffix}, memory", "modelshelf", int(memory) / 1e6, "MB", 200))
        if make is _large_safetensors:
            took = asyncio.run(_verdict(folder, path))
            what = "5 GiB, from the last byte of its download to the library, hashing included"
            figures.append(Figure(what, "modelshelf", took, "s", 5))
        path.unlink()
    return figures


async def _verdict(folder: Path, path: Path) -> float:
    """Download the file from a hub on loopback: from its last byte to the end of the job, the landing included.

    A safetensors file passes, so that everything is done; its bytes are hashed while they come.
    """
    hub = SampleHub(folder / "hub", samples=False)
    await hub.start()
    try:
        await hub.add("bench/large", {path.name: path})
        config = ConfigManager(folder / "home", {"HF_HOME": str(folder / "hf")})
        config.set("network.ca_file", str(hub.ca_file))
        config.set("sources", [{"name": "hub", "kind": "huggingface", "url": hub.url, "hosts": [hub.cdn_url]}])
        async with open_shelf(config=config, without={"health", "state"}) as shelf:
            job, last = await shelf.downloads.start("bench/large"), 0.0
            async with aclosing(shelf.downloads.follow(job)) as steps:
                async for step in steps:
                    last = last or (time.perf_counter() if step.total and step.done >= step.total else 0.0)
            assert step.status == "done", step.error
            return time.perf_counter() - last
    finally:
        await hub.stop()


def _sparse(path: Path, head: bytes, size: int) -> Path:
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)
    return path


def _large_gguf(folder: Path) -> Path:
    tensors = [(f"blk.{index}.ffn_up.weight", ggufs.F16_TENSOR, (1 << 15, 1 << 12)) for index in range(20)]
    head = ggufs.build(tensors=tensors, data=0)
    return _sparse(folder / "model.gguf", head, len(head) + LARGE)


def _large_safetensors(folder: Path) -> Path:
    step = LARGE // 512
    names = {f"model.layers.{n}.weight": safe.entry("U8", [step], n * step, (n + 1) * step) for n in range(512)}
    head = safe.build(names)
    return _sparse(folder / "model.safetensors", head, len(head) + LARGE)


def _large_torch(folder: Path) -> Path:
    """Written as torch does, but with holes for the bytes of the tensors."""
    count, size = 80, LARGE // 80
    crc = zlib.crc32(bytes(size))
    shapes: pickled.Shapes = {f"layer.{n}.weight": ("HalfStorage", (size // 2 // 1024, 1024)) for n in range(count)}
    members: dict[str, bytes | stock.Hole] = {"data.pkl": pickled.state_dict(shapes), "byteorder": b"little"}
    members |= {f"data/{number}": (size, crc) for number in range(count)} | {"version": b"3\n"}
    path = folder / "model.pt"
    with path.open("wb") as file:
        for place, data in stock.torch_pieces(members, root="model", large=True):
            file.seek(place)
            file.write(data)
    return path
