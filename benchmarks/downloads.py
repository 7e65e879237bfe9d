"""Downloads beside aria2c, curl and huggingface_hub: the same bytes from the same nginx, checked within the time.

`python -m benchmarks downloads`. The others are followed by `openssl dgst`, for none of them checks by itself what a
Hub publishes. Ours alone brings the bytes to the disk before it ends, so all are also measured on a file system in
memory, where that costs nothing.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import tomlkit

from benchmarks.fast_hub import FastHub, fast_hub
from benchmarks.measure import Figure

GIB = 1 << 30
LARGE = int(float(os.environ.get("BENCH_GIB", "4")) * GIB)
THROTTLED = LARGE // 4
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
NAME = "model.safetensors"
REPO = "lab/model"
MEMORY = Path("/dev/shm")
CONNECTIONS = 8


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took: seconds, seconds of processor, bytes of memory at most in one of its processes."""

    seconds: float
    cpu: float
    peak: int


Command = Callable[[FastHub, Path], list[str]]


def _synced(command: Command) -> Command:
    """As ours: what it fetched is on the disk when it ends, not only in memory."""

    def then_synced(hub: FastHub, out: Path) -> list[str]:
        return ["sh", "-c", f"{shlex.join(command(hub, out))} && exec find {out} -type f -exec sync {{}} +"]

    return then_synced


def measure() -> list[Figure]:
    """Everything; a machine without nginx or aria2c says so and measures nothing."""
    missing = [name for name in ("nginx", "aria2c", "curl", "openssl") if shutil.which(name) is None]
    if missing:
        print(f"Downloads are not measured: {', '.join(missing)} is not installed.", file=sys.stderr)
        return []
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name:
        folder = Path(name)
        return [*_large(folder), *_throttled(folder), *_small(folder)]


def _large(folder: Path) -> Iterator[Figure]:
    files = folder / "large"
    _write_model(files, LARGE)
    with fast_hub(folder, REPO, files, "fast") as hub:
        for place in (folder, MEMORY) if MEMORY.is_dir() else (folder,):
            where = "disk" if place == folder else "memory"
            competitors = {"modelshelf": _ours(), "aria2c -x8": _aria(NAME), "curl": _curl, "hf": _hf}
            if where == "disk":
                competitors["aria2c -x8, then sync"] = _synced(_aria(NAME))
            costs = _compare(hub, place, competitors)
            ours = costs["modelshelf"]
            what = f"{LARGE / GIB:g} GiB to {where}, checked"
            for who, cost in costs.items():
                yield Figure(what, who, LARGE / cost.seconds / 1e6, "MB/s")
            for who in ("aria2c -x8", "curl", "hf"):
                budget = 1.5 if who == "hf" else 1.0
                took = ours.seconds / costs[who].seconds
                yield Figure(f"{what}: time against {who}", "modelshelf", took, "x", 1 / budget)
            yield Figure(f"{what}: processor", "modelshelf", ours.cpu / LARGE * 1e9, "s/GB", 3.0)
            yield Figure(f"{what}: processor", "aria2c -x8", costs["aria2c -x8"].cpu / LARGE * 1e9, "s/GB")
            yield Figure(f"{what}: memory of the whole command", "modelshelf", ours.peak / 1e6, "MB")
        engine = _run(_engine(files)(hub, folder), hub, folder)
        yield Figure(f"{LARGE / GIB:g} GiB: memory of the transfer alone", "modelshelf", engine.peak / 1e6, "MB", 100.0)


def _throttled(folder: Path) -> Iterator[Figure]:
    files = folder / "throttled"
    _write_model(files, THROTTLED)
    with fast_hub(folder, REPO, files, "slow") as hub:
        what = f"{THROTTLED / GIB:g} GiB at 20 MiB/s for each connection"
        competitors = {
            f"modelshelf, {CONNECTIONS} connections": _ours(CONNECTIONS),
            "modelshelf, 4 and more as it gains": _ours(),
            f"aria2c -x{CONNECTIONS}": _aria(NAME),
            "hf": _hf,
        }
        for who, cost in _compare(hub, folder, competitors, rounds=1).items():
            yield Figure(what, who, THROTTLED / cost.seconds / 1e6, "MB/s")


def _small(folder: Path) -> Iterator[Figure]:
    files = folder / "small"
    files.mkdir()
    for number in range(200):
        (files / f"file-{number:03}.json").write_text(json.dumps({"number": number, "text": "y" * 40_000}))
    with fast_hub(folder, REPO, files, "late") as hub:
        competitors = {"modelshelf": _ours(), "aria2c -j8": _aria_many(files), "curl -Z": _curl_many, "hf": _hf}
        costs = _compare(hub, folder, competitors)
        budget = 1.1 * costs["aria2c -j8"].seconds
        for who, cost in costs.items():
            what = "200 files, each answer 50 ms late"
            yield Figure(what, who, cost.seconds, "s", budget if who == "modelshelf" else None)


def _compare(hub: FastHub, folder: Path, commands: dict[str, Command], rounds: int = ROUNDS) -> dict[str, Cost]:
    """The quickest of some rounds in which all take turns: the others on this machine only ever take time away."""
    runs: dict[str, list[Cost]] = {who: [] for who in commands}
    for _ in range(rounds):
        for who, command in commands.items():
            with _empty(folder) as out:
                runs[who].append(_run(command(hub, out), hub, out))
                print(f"  {who}: {runs[who][-1].seconds:.2f} s", file=sys.stderr)
    return {who: min(found, key=lambda cost: cost.seconds) for who, found in runs.items()}


@contextmanager
def _empty(folder: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=folder) as name:
        os.sync()
        yield Path(name)


def _run(command: list[str], hub: FastHub, out: Path) -> Cost:
    environ = {"PATH": os.environ["PATH"], "HOME": str(out), "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    environ |= {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(out),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_CACHE": str(out / "hub"),
    }
    environ |= {"SSL_CERT_FILE": str(hub.ca_file), "MODELSHELF_HOME": str(out / "home")}
    began, peak = time.perf_counter(), 0
    with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        watched = psutil.Process(process.pid)
        while True:
            done, status, used = os.wait4(process.pid, os.WNOHANG)
            if done:
                break
            peak = max(peak, _memory(watched))
            time.sleep(0.01)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            told = process.stderr.read().decode() if process.stderr else ""
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {told[-500:]}")
    return Cost(time.perf_counter() - began, used.ru_utime + used.ru_stime, peak)


def _memory(process: psutil.Process) -> int:
    """The resident memory of a process, without what it shares of files."""
    try:
        told = process.memory_info()
    except psutil.Error:
        return 0
    return int(told.rss)


def _write_model(files: Path, size: int) -> None:
    """A well-formed safetensors file whose blocks are nowhere the same."""
    files.mkdir()
    header = json.dumps({"weight": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    block = os.urandom(64 << 20)
    with (files / NAME).open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for number in range(-(-size // len(block))):
            file.write((number.to_bytes(8, "little") + block[8:])[: size - number * len(block)])


def _ours(connections: int = 4) -> Command:
    def command(hub: FastHub, out: Path) -> list[str]:
        (out / "home").mkdir()
        source = {"name": "lab", "kind": "huggingface", "url": hub.url, "hosts": [hub.bytes_url]}
        settings = {"sources": [source], "downloads": {"connections_per_file": connections}}
        (out / "home" / "config.toml").write_text(tomlkit.dumps(settings))
        return [sys.executable, "-m", "modelshelf.cli", "download", f"lab:{REPO}", "*", "--json"]

    return command


def _engine(files: Path) -> Command:
    def command(hub: FastHub, out: Path) -> list[str]:
        file = files / NAME
        told = subprocess.run(["openssl", "dgst", "-sha256", "-r", file], capture_output=True, text=True, check=True)
        arguments = [out, f"{hub.url}/{REPO}/resolve/main/{NAME}", hub.bytes_url, hub.ca_file, file.stat().st_size]
        return [sys.executable, "-m", "benchmarks.engine", *map(str, arguments), told.stdout.split()[0]]

    return command


def _then_checked(command: str, files: str) -> list[str]:
    return ["sh", "-c", f"{command} && exec openssl dgst -sha256 {files}"]


def _aria(name: str) -> Command:
    def command(hub: FastHub, out: Path) -> list[str]:
        many = f"-x{CONNECTIONS} -s{CONNECTIONS} -k1M --file-allocation=falloc"
        url = f"{hub.url}/{REPO}/resolve/main/{name}"
        return _then_checked(
            f"aria2c -q {many} --ca-certificate={hub.ca_file} -d {out} -o {name} {url}", f"{out}/{name}"
        )

    return command


def _aria_many(files: Path) -> Command:
    def command(hub: FastHub, out: Path) -> list[str]:
        lines = (f"{hub.url}/{REPO}/resolve/main/{file.name}\n  out={file.name}\n" for file in sorted(files.iterdir()))
        (out / "list").write_text("".join(lines))
        fetch = f"aria2c -q -j8 --file-allocation=none --ca-certificate={hub.ca_file} -d {out} -i {out}/list"
        return _then_checked(fetch, f"{out}/*.json")

    return command


def _curl(hub: FastHub, out: Path) -> list[str]:
    url = f"{hub.url}/{REPO}/resolve/main/{NAME}"
    return _then_checked(f"curl -sfL --cacert {hub.ca_file} -o {out}/{NAME} {url}", f"{out}/{NAME}")


def _curl_many(hub: FastHub, out: Path) -> list[str]:
    urls = f"'{hub.url}/{REPO}/resolve/main/file-[000-199].json'"
    fetch = f"curl -sfLZ --parallel-max 8 --cacert {hub.ca_file} --output-dir {out} --remote-name-all {urls}"
    return _then_checked(fetch, f"{out}/*.json")


def _hf(hub: FastHub, out: Path) -> list[str]:
    return _then_checked(
        f"{Path(sys.executable).with_name('hf')} download {REPO}", f"{out}/hub/models--*/snapshots/*/*"
    )


if __name__ == "__main__":
    for figure in measure():
        print(figure, file=sys.stderr)
