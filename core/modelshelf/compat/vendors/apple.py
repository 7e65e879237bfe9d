"""Apple's chips by system_profiler; their memory is the machine's, of which the system lets graphics use a part."""

import json
from collections.abc import Mapping
from typing import Any

import psutil

from modelshelf.compat.machine import Gpu
from modelshelf.compat.vendors.tools import Runner, run, whole

GIB, MIB = 1 << 30, 1 << 20
PROFILER = ("/usr/sbin/system_profiler", "-json", "SPDisplaysDataType")
LIMIT = ("/usr/sbin/sysctl", "-n", "iogpu.wired_limit_mb")

# What Apple publishes for its chips, in bytes per second; the profiler does not tell. Of the chips that come with two
# widths of memory the smaller stands here.
BANDWIDTH: Mapping[str, float] = {
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
    "M3 Ultra": 819e9,
    "M4": 120e9,
    "M4 Pro": 273e9,
    "M4 Max": 410e9,
    "M5": 153e9,
}


def apple_gpus(
    report: Mapping[str, Any] | None = None, *, ram: tuple[int, int] | None = None, runner: Runner = run
) -> tuple[Gpu, ...]:
    """The chip, as the profiler reports it; `ram` is the machine's memory, total and free."""
    answer = report if report is not None else _parsed(runner(PROFILER))
    total, available = ram or _ram()
    displays = answer.get("SPDisplaysDataType")
    chips = [chip for display in displays if (chip := _chip(display))] if isinstance(displays, list) else []
    if not chips:
        return ()
    limit = wired_limit(total, whole(runner(LIMIT)) if report is None else 0)
    return tuple(
        Gpu(
            name=chip,
            vendor="apple",
            memory_total=limit,
            memory_free=min(limit, available),
            bandwidth=BANDWIDTH.get(chip.removeprefix("Apple ")),
            unified=True,
            origin="system_profiler",
            memory_idle=limit,
        )
        for chip in chips
    )


def wired_limit(total: int, chosen_mib: int = 0) -> int:
    """Bytes that graphics may hold: what `iogpu.wired_limit_mb` says, else two thirds, above 36 GB three quarters.

    These parts are what Metal's `recommendedMaxWorkingSetSize` was seen to give; Apple does not publish the rule.
    """
    if chosen_mib:
        return min(chosen_mib * MIB, total)
    return total * 3 // 4 if total > 36 * GIB else total * 2 // 3


def _chip(display: object) -> str:
    chip = display.get("sppci_model") if isinstance(display, dict) else None
    return chip if isinstance(chip, str) and chip.startswith("Apple ") else ""


def _ram() -> tuple[int, int]:
    memory = psutil.virtual_memory()
    return memory.total, memory.available


def _parsed(answer: str) -> Mapping[str, Any]:
    try:
        parsed = json.loads(answer) if answer.strip() else {}
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}
