"""Finds out what this machine has. Nothing here fails: what cannot be found is left out.

What memory a machine has if nothing else runs is reckoned, not measured: Linux tells what its kernel holds and cannot
give back, to which half a gibibyte comes for the services; elsewhere it is an eighth of the memory, 1 to 4 GiB. A
control group's limit holds, too: nothing of it is the system's.
"""

import platform
from functools import cache
from pathlib import Path
from time import perf_counter

import psutil

from modelshelf.compat.cgroups import group_memory
from modelshelf.compat.gpus import find_gpus
from modelshelf.compat.machine import Machine

PROBE_SECONDS = 0.1
PROBE_BYTES = 48 << 20  # beyond the caches of common processors
GIB = 1 << 30
SERVICES = GIB // 2
KERNEL = ("SUnreclaim", "KernelStack", "PageTables", "SecPageTables", "Percpu")  # in /proc/meminfo, in KiB


def find_machine(
    root: Path = Path("/"), *, ram: tuple[int, int] | None = None, bandwidth: bool = True, gpus: bool = True
) -> Machine:
    """This machine as it is now; takes about 0.1 s the first time, because it measures the memory's bandwidth.

    `root` is the file system's root and `ram` total and available bytes, for recorded machines.
    """
    total, available = ram or _ram()
    origins = {"ram_total": "psutil", "ram_available": "psutil"}
    group = group_memory(root)
    limit = None
    if group and group.limit < total:
        limit = group.limit
        origins["memory_limit"] = group.origin
    if group and group.available < available:
        available = group.available
        origins["ram_available"] = group.origin
    idle, origins["ram_idle"] = _idle(root, total)
    rate = memory_bandwidth() if bandwidth else None
    if rate:
        origins["memory_bandwidth"] = "measured"
    return Machine(
        name=platform.node() or "this machine",
        cpu=_cpu(root),
        cores=psutil.cpu_count(logical=False) or psutil.cpu_count() or 1,
        ram_total=min(total, limit) if limit else total,
        ram_available=available,
        gpus=find_gpus(root, ram=(total, available)) if gpus else (),
        memory_bandwidth=rate,
        memory_limit=limit,
        origins=origins,
        ram_idle=max(min(idle, limit) if limit else idle, available),
    )


@cache
def memory_bandwidth() -> float | None:
    """Bytes per second that this machine reads from memory, measured once in 0.1 s; None where numpy is missing."""
    from concurrent.futures import ThreadPoolExecutor

    try:
        import numpy as np
    except ImportError:
        return None
    workers = max(1, min(psutil.cpu_count(logical=False) or 1, 8))
    share = PROBE_BYTES // workers // 8
    blocks = [np.ones(share) for _ in range(workers)]
    # The quickest round counts: whatever else runs on the machine takes time from the others.
    quickest = float("inf")
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(np.sum, blocks))
        end = perf_counter() + PROBE_SECONDS
        while (begin := perf_counter()) < end:
            list(pool.map(np.sum, blocks))
            quickest = min(quickest, perf_counter() - begin)
    return share * 8 * workers / quickest


def usual_idle(total: int) -> int:
    """Bytes that are left of a memory once a usual system took its part."""
    return max(total - min(max(total // 8, GIB), 4 * GIB), 0)


def _idle(root: Path, total: int) -> tuple[int, str]:
    """What would be free, and how it was reckoned."""
    held = 0
    for line in _lines(root / "proc/meminfo"):
        name, _, value = line.partition(":")
        words = value.split()
        if name in KERNEL and words and words[0].isdigit():
            held += int(words[0]) << 10
    if held:
        return max(total - held - SERVICES, 0), "total - kernel (meminfo) - 0.5 GiB"
    return usual_idle(total), "total - an eighth, 1 to 4 GiB"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []


def _ram() -> tuple[int, int]:
    memory = psutil.virtual_memory()
    return memory.total, memory.available


def _cpu(root: Path) -> str:
    for line in _lines(root / "proc/cpuinfo"):
        name, _, value = line.partition(":")
        if name.strip() in {"model name", "Model", "cpu model"}:
            return value.strip()
    return platform.processor() or platform.machine()
