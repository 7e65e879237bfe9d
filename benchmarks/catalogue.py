"""The catalogue at 2.5 million models, beside the peers: SQLite FTS5, tantivy, DuckDB and pandas on the same queries.

`CATALOGUE_ROWS` makes it smaller, `CATALOGUE_FOLDER` keeps what was generated.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil

from benchmarks import catalogue_data
from benchmarks.catalogue_queries import Keystroke, keystrokes
from benchmarks.measure import Figure
from modelshelf.catalog.builder import ENVIRONMENT
from modelshelf.catalog.columns.cells import STEPS
from modelshelf.catalog.columns.generations import Generations
from modelshelf.catalog.columns.mapped import Mapped
from modelshelf.catalog.columns.pages import Catalogue, Sort
from modelshelf.catalog.query import parse
from modelshelf.compat.asking import Asking
from modelshelf.compat.engines import engines, on_this
from modelshelf.compat.everything import Cells, Standing, scores, spread
from modelshelf.compat.machine import Gpu, Machine
from modelshelf.compat.types import Settings

ROWS = int(os.environ.get("CATALOGUE_ROWS", "2_500_000"))
KEYS = 250
PEER_KEYS = 40
PROVIDERS = 20
GIB = 1 << 30
PEERS = Path(__file__).parent.parent / ".venv" / "catalogue" / "bin" / "python"


def measure() -> list[Figure]:
    with _folder() as folder:
        data = folder / f"models-{ROWS}.parquet"
        if not data.exists():
            catalogue_data.write(data, ROWS)
        figures = list(_build(folder / "catalog", data))
        hold = Generations(folder / "catalog").hold()
        assert hold is not None
        catalogue = Catalogue(Mapped(hold.folder))
        figures += _typing(catalogue)
        figures += _memory(hold.folder, keystrokes(catalogue.mapped, 100))
        figures += _ranking(catalogue.mapped)
        asked = [key.as_dict() for key in keystrokes(catalogue.mapped, PEER_KEYS)]
        (folder / "queries.json").write_text(json.dumps(asked), "utf-8")
        figures += _ours(catalogue, keystrokes(catalogue.mapped, PEER_KEYS))
        figures += _peers(hold.folder / "models.parquet", folder)
        hold.release()
    return figures


@contextmanager
def _folder() -> Iterator[Path]:
    if kept := os.environ.get("CATALOGUE_FOLDER"):
        Path(kept).mkdir(parents=True, exist_ok=True)
        yield Path(kept)
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)


def _build(folder: Path, data: Path) -> Iterator[Figure]:
    """As the application does it: in a process of its own."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "modelshelf.catalog.columns", str(folder)]
    started = time.perf_counter()
    child = subprocess.Popen(command, stdin=subprocess.PIPE, env={**os.environ, **ENVIRONMENT}, text=True)
    assert child.stdin is not None
    child.stdin.write(json.dumps({"hub": [str(data)]}))
    child.stdin.close()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    yield Figure(f"a generation of {ROWS:,} models: processor", "modelshelf", used.ru_utime + used.ru_stime, "s", 30)
    yield Figure("the same: from start to end", "modelshelf", time.perf_counter() - started, "s")
    yield Figure("the same: most memory", "modelshelf", used.ru_maxrss / 1024**2, "GiB", 1.5)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    yield Figure("its files", "modelshelf", size / 1e6, "MB")


def _typing(catalogue: Catalogue) -> Iterator[Figure]:
    """Each keystroke from nothing: what an earlier one found is thrown away, and once more with it kept."""
    keys = keystrokes(catalogue.mapped, KEYS)
    for key in keystrokes(catalogue.mapped, KEYS, seed=99):
        _press(catalogue, key)
    names = catalogue.mapped.column("names")
    words = names[: len(names) // 8 * 8].view(np.uint64)
    floors, spans, warm = [], [], []
    for key in keys:
        floors.append(_timed(words.sum))
        catalogue.selection.forget()
        spans.append(_timed(lambda key=key: _press(catalogue, key)))
        warm.append(_timed(lambda key=key: _press(catalogue, key)))
    floor = statistics.median(floors)
    bytewise = statistics.median(_timed(names.sum) for _ in range(9))
    yield Figure("one read of all names, 8 bytes at a time", "numpy", floor, "ms")
    yield Figure("one read of all names, byte by byte", "numpy", bytewise, "ms")
    middle, most = _spread(spans)
    yield Figure("a keystroke: 50 rows, exact count, 4 facets: p50", "modelshelf", middle, "ms", 50)
    yield Figure("the same: p99", "modelshelf", most, "ms", 50)
    # What a keystroke costs at any size says nothing about a small catalogue, whose names are read in no time.
    large = ROWS >= 1_000_000
    yield Figure("p50 to one read of the names", "modelshelf", middle / floor, "x", 1.5 if large else None)
    yield Figure("p99 to one read of the names", "modelshelf", most / floor, "x", 6 if large else None)
    middle, most = _spread(warm)
    yield Figure("a keystroke with what was just found: p50", "modelshelf", middle, "ms")
    yield Figure("the same: p99", "modelshelf", most, "ms")
    words_ = [key for key in ("lama", "mistrl", "zzzzq", "stral") for _ in range(5)]
    wrong = statistics.median(_timed(lambda word=word: catalogue.page(parse(word))) for word in words_)
    yield Figure("a word inside others or misspelt", "modelshelf", wrong, "ms")


def _press(catalogue: Catalogue, key: Keystroke) -> None:
    catalogue.page(parse(key.text), sort=Sort(key.sort))


def _timed(work: "object") -> float:
    assert callable(work)
    begun, waited = time.perf_counter(), _waited()
    work()
    return (time.perf_counter() - begun - (_waited() - waited)) * 1e3


def _waited() -> float:
    """Seconds that this thread was ready but had no processor: what else a machine does is not measured."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_bytes().split()[1]) / 1e9
    except OSError:
        return 0.0


def _spread(spans: Sequence[float]) -> tuple[float, float]:
    return statistics.median(spans), float(np.percentile(spans, 99))


def _memory(generation: Path, keys: Sequence[Keystroke]) -> Iterator[Figure]:
    """Two processes that type; what the second has to itself."""
    script = Path(__file__).with_name("catalogue_typist.py")
    typed = json.dumps([[key.text, key.sort] for key in keys])
    command = [sys.executable, "-P", str(script), str(generation), typed]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for child in started:
        assert child.stdout is not None
        child.stdout.readline()
    used = psutil.Process(started[1].pid).memory_full_info().uss
    for child in started:
        child.communicate()
    yield Figure("memory of a further process, its own (USS)", "modelshelf", used / 1e6, "MB", 100)


def _ranking(mapped: Mapped) -> Iterator[Figure]:
    """All models with 20 providers, on machines that are each a little different."""
    begun = time.perf_counter()
    cells = Cells.read(mapped.values["classes"], np.asarray(mapped.column("cell_table")), STEPS)
    yield Figure("to read what is alike of all models, once", "modelshelf", (time.perf_counter() - begun) * 1e3, "ms")
    column, spans = mapped.column("cells"), []
    for free in range(10, 25):
        askings = _providers(free)
        spans.append(_timed(lambda askings=askings: Standing(spread(scores(cells, askings), column))))
    what = f"{mapped.rows:,} models x {PROVIDERS} providers ranked for a changed machine"
    yield Figure(what, "modelshelf", statistics.median(spans), "ms", 50)


def _providers(free: int) -> list[Asking]:
    card = Gpu("a card", "nvidia", 24 * GIB, free * GIB, 936e9, compute="8.9")
    machine = Machine("a machine", "", 16, 64 * GIB, (20 + free) * GIB, (card,), memory_bandwidth=50e9)
    kinds = list(engines().values())
    chosen = [kinds[number % len(kinds)] for number in range(PROVIDERS)]
    return [
        Asking(f"{one.kind}-{n}", one.label, on_this(one, machine), machine, Settings()) for n, one in enumerate(chosen)
    ]


def _ours(catalogue: Catalogue, keys: Sequence[Keystroke]) -> Iterator[Figure]:
    """Ours on the queries that the peers get, without facets, as they have none."""
    spans = []
    for key in keys:
        catalogue.selection.forget()
        spans.append(_timed(lambda key=key: catalogue.page(parse(key.text), sort=Sort(key.sort), facets=())))
    middle, most = _spread(spans)
    yield Figure(f"{len(keys)} of these, 50 rows and the count, no facets: p50", "modelshelf", middle, "ms")
    yield Figure("the same: p99", "modelshelf", most, "ms")


def _peers(data: Path, folder: Path) -> Iterator[Figure]:
    for peer in ("pandas", "sqlite", "duckdb", "tantivy"):
        python = sys.executable if peer == "pandas" else str(PEERS if PEERS.exists() else sys.executable)
        script = Path(__file__).with_name("catalogue_peers.py")
        command = [python, "-P", str(script), peer, str(data), str(folder)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:] or [""]
            print(f"{peer} was not measured: {last[0][:200]}", file=sys.stderr)
            continue
        said = json.loads(done.stdout)
        yield Figure("the same: p50", said["who"], said["p50"], "ms")
        yield Figure("the same: p99", said["who"], said["p99"], "ms")
        yield Figure("to make it: processor", said["who"], said["build"], "s")
        yield Figure("its files", said["who"], said["disk"] / 1e6, "MB")
        yield Figure("its memory (USS)", said["who"], said["memory"] / 1e6, "MB")
