"""NVIDIA's cards: by the driver's library through nvidia-ml-py, an optional package, else by nvidia-smi."""

import csv
import logging
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from typing import Any

import psutil

from modelshelf.compat.machine import Gpu
from modelshelf.compat.vendors.tools import Runner, run, whole

log = logging.getLogger(__name__)
MIB = 1 << 20
FIELDS = ("uuid", "name", "memory.total", "memory.free", "memory.reserved", "compute_cap", "driver_version")
OLDER = ("uuid", "name", "memory.total", "memory.free", "driver_version")  # what drivers before 510 know
FORMAT = "--format=csv,noheader,nounits"


def nvidia_gpus(library: Any = None, runner: Runner = run) -> tuple[Gpu, ...]:
    """Every card that the library or the tool describes; nothing if the driver is missing."""
    return by_library(library) or by_tool(runner)


def by_library(library: Any = None) -> tuple[Gpu, ...]:
    """By nvidia-ml-py; a card that does not answer is left out, the others are not."""
    try:
        nvml = library or import_module("pynvml")
    except ImportError:
        return ()
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        log.debug("no NVIDIA driver: %s", error)
        return ()
    try:
        return tuple(_described(nvml))
    finally:
        with suppress(nvml.NVMLError):
            nvml.nvmlShutdown()


def _described(nvml: Any) -> Iterator[Gpu]:
    driver = _asked(nvml, "nvmlSystemGetDriverVersion")
    for index in range(_asked(nvml, "nvmlDeviceGetCount") or 0):
        handle = _asked(nvml, "nvmlDeviceGetHandleByIndex", index)
        gpu = None if handle is None else _card(nvml, handle, _words(driver) or None)
        if gpu is not None:
            yield gpu


def _asked(nvml: Any, function: str, *arguments: Any) -> Any:
    """What the library says; None where the card or an older library does not know the question."""
    try:
        return getattr(nvml, function)(*arguments)
    except (nvml.NVMLError, AttributeError) as error:
        log.debug("%s: %s", function, error)
        return None


def _card(nvml: Any, handle: Any, driver: str | None) -> Gpu | None:
    name = _words(_asked(nvml, "nvmlDeviceGetName", handle)) or "NVIDIA graphics card"
    capability = _asked(nvml, "nvmlDeviceGetCudaComputeCapability", handle)
    compute = ".".join(str(part) for part in capability) if capability else None
    rate, memory = _bandwidth(nvml, handle), _asked(nvml, "nvmlDeviceGetMemoryInfo", handle)
    if memory is None:
        # Chips that share the machine's memory (Jetson, GB10) have none to tell of.
        ram = psutil.virtual_memory()
        unified = Gpu(name, "nvidia", ram.total, ram.available, rate, True, "nvml", None, compute, driver)
        return unified if capability else None
    total, free = int(memory.total), int(memory.free)
    users = _users(nvml, handle)
    reserved = _reserved(nvml, handle)
    idle = total - reserved if reserved is not None else min(free + sum(used for _, used in users), total)
    return Gpu(name, "nvidia", total, free, rate, False, "nvml", max(idle, free), compute, driver, users)


def _reserved(nvml: Any, handle: Any) -> int | None:
    """What the driver keeps for itself, which only the second form of the question tells."""
    second = getattr(nvml, "nvmlMemory_v2", None)
    memory = None if second is None else _asked(nvml, "nvmlDeviceGetMemoryInfo", handle, second)
    reserved = getattr(memory, "reserved", None)
    return int(reserved) if reserved is not None else None


def _users(nvml: Any, handle: Any) -> tuple[tuple[int, int], ...]:
    """Processes with what they hold; Windows does not tell how much."""
    found = _asked(nvml, "nvmlDeviceGetComputeRunningProcesses", handle) or ()
    return tuple((int(process.pid), int(process.usedGpuMemory or 0)) for process in found)


def _bandwidth(nvml: Any, handle: Any) -> float | None:
    # Bits of the bus, and a clock in MHz at which data moves twice.
    bits = _asked(nvml, "nvmlDeviceGetMemoryBusWidth", handle)
    clock = _asked(nvml, "nvmlDeviceGetMaxClockInfo", handle, getattr(nvml, "NVML_CLOCK_MEM", 2))
    return bits / 8 * clock * 1e6 * 2 if bits and clock else None


def _words(said: Any) -> str:
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said or "")


def by_tool(runner: Runner = run) -> tuple[Gpu, ...]:
    """By nvidia-smi, which comes with every driver; it does not tell a card's bandwidth."""
    for fields in (FIELDS, OLDER):
        answer = runner(["nvidia-smi", f"--query-gpu={','.join(fields)}", FORMAT])
        if answer.strip():
            holders = _holders(runner(["nvidia-smi", "--query-compute-apps=gpu_uuid,pid,used_memory", FORMAT]))
            return tuple(gpu for row in _rows(answer, len(fields)) if (gpu := _row(fields, row, holders)))
    return ()


def _rows(answer: str, width: int) -> list[list[str]]:
    rows = [[cell.strip() for cell in row] for row in csv.reader(answer.splitlines())]
    return [row for row in rows if len(row) == width]


def _holders(answer: str) -> dict[str, list[tuple[int, int]]]:
    found: dict[str, list[tuple[int, int]]] = {}
    for card, process, used in _rows(answer, 3):
        found.setdefault(card, []).append((whole(process), whole(used) * MIB))
    return found


def _row(fields: tuple[str, ...], row: list[str], holders: dict[str, list[tuple[int, int]]]) -> Gpu | None:
    told = {field: "" if cell.startswith("[") else cell for field, cell in zip(fields, row, strict=True)}
    total, free = whole(told["memory.total"]) * MIB, whole(told["memory.free"]) * MIB
    if not total:
        return None
    users = tuple(holders.get(told["uuid"], ()))
    reserved = told.get("memory.reserved", "")
    idle = total - whole(reserved) * MIB if reserved else min(free + sum(used for _, used in users), total)
    return Gpu(
        name=told["name"] or "NVIDIA graphics card",
        vendor="nvidia",
        memory_total=total,
        memory_free=min(free, total),
        origin="nvidia-smi",
        memory_idle=max(idle, free),
        compute=told.get("compute_cap") or None,
        driver=told["driver_version"] or None,
        users=users,
    )
