"""Graphics cards: NVIDIA by its management library, AMD by sysfs, Apple by system_profiler.

All three are tested on answers made from their documentation and were not run on hardware.
"""

import json
import logging
import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import psutil

from modelshelf.compat.machine import Gpu

log = logging.getLogger(__name__)
PROFILER_SECONDS = 10

# What Apple publishes for its chips, in bytes per second; the profiler does not tell.
APPLE_BANDWIDTH: Mapping[str, float] = {
    "M1": 68e9,
    "M1 Pro": 200e9,
    "M1 Max": 400e9,
    "M1 Ultra": 800e9,
    "M2": 100e9,
    "M2 Pro": 200e9,
    "M2 Max": 400e9,
    "M2 Ultra": 800e9,
    "M3": 100e9,
    "M3 Pro": 150e9,
    "M3 Max": 300e9,
    "M3 Ultra": 800e9,
    "M4": 120e9,
    "M4 Pro": 273e9,
    "M4 Max": 410e9,
}


def find_gpus(root: Path = Path("/")) -> tuple[Gpu, ...]:
    """Every card that one of the ways finds; best first where a vendor orders them."""
    return (*nvidia_gpus(), *amd_gpus(root), *(apple_gpus() if sys.platform == "darwin" else ()))


def nvidia_gpus(library: Any = None) -> tuple[Gpu, ...]:
    """By nvidia-ml-py, an optional package; nothing if it, the driver or a card is missing."""
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
        return tuple(_nvidia(nvml, nvml.nvmlDeviceGetHandleByIndex(i)) for i in range(nvml.nvmlDeviceGetCount()))
    except nvml.NVMLError as error:
        log.info("the NVIDIA driver did not describe its cards: %s", error)
        return ()
    finally:
        nvml.nvmlShutdown()


def _nvidia(nvml: Any, handle: Any) -> Gpu:
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    name = nvml.nvmlDeviceGetName(handle)
    try:
        # Bits of the bus, and a clock in MHz at which data moves twice.
        bits = nvml.nvmlDeviceGetMemoryBusWidth(handle)
        clock = nvml.nvmlDeviceGetMaxClockInfo(handle, nvml.NVML_CLOCK_MEM)
        rate = bits / 8 * clock * 1e6 * 2 or None
    except nvml.NVMLError:
        rate = None
    text = name.decode(errors="replace") if isinstance(name, bytes) else str(name)
    return Gpu(text, "nvidia", int(memory.total), int(memory.free), rate, origin="nvml")


def amd_gpus(root: Path = Path("/")) -> tuple[Gpu, ...]:
    """By sysfs, which needs no tool of the vendor."""
    found = []
    for device in sorted((root / "sys/class/drm").glob("card[0-9]*/device")):
        total = _number(device / "mem_info_vram_total")
        if total:
            used = _number(device / "mem_info_vram_used")
            name = _text(device / "product_name") or "AMD graphics card"
            found.append(Gpu(name, "amd", total, max(total - used, 0), origin=f"sysfs {device.parent.name}"))
    return tuple(found)


def apple_gpus(report: Mapping[str, Any] | None = None) -> tuple[Gpu, ...]:
    """By system_profiler; its memory is the machine's, of which the system lets a card use about two thirds."""
    answer = report if report is not None else _profile()
    total = psutil.virtual_memory().total
    found = []
    for display in answer.get("SPDisplaysDataType", ()):
        chip = str(display.get("sppci_model", ""))
        if chip.startswith("Apple "):
            rate = APPLE_BANDWIDTH.get(chip.removeprefix("Apple "))
            found.append(Gpu(chip, "apple", total * 2 // 3, total * 2 // 3, rate, True, "system_profiler"))
    return tuple(found)


def _profile() -> Mapping[str, Any]:
    command = ["/usr/sbin/system_profiler", "-json", "SPDisplaysDataType"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=PROFILER_SECONDS, check=True)
        answer = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        log.info("system_profiler did not describe the graphics: %s", error)
        return {}
    return answer if isinstance(answer, dict) else {}


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _number(path: Path) -> int:
    text = _text(path)
    return int(text) if text.isascii() and text.isdigit() else 0
