"""The last resort: what Vulkan says of its devices, by the text of `vulkaninfo`, on every system that has the tool."""

import re
from collections.abc import Mapping

from modelshelf.compat.machine import Gpu
from modelshelf.compat.vendors.tools import Runner, run, whole

VENDORS: Mapping[int, str] = {0x1002: "amd", 0x10DE: "nvidia", 0x8086: "intel", 0x106B: "apple"}
DEVICE = re.compile(r"^GPU\d+:\s*$", re.MULTILINE)
FACT = re.compile(r"^\s*(deviceName|deviceType|vendorID|driverInfo)\s*=\s*(.+?)\s*$", re.MULTILINE)
HEAP = re.compile(r"memoryHeaps\[\d+\]:(.*?)(?=memoryHeaps\[\d+\]:|memoryTypes:|\Z)", re.DOTALL)
FIGURE = re.compile(r"^\s*(size|budget)\s*=\s*(\d+)", re.MULTILINE)
OWN, SHARED = "PHYSICAL_DEVICE_TYPE_DISCRETE_GPU", "PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU"


def vulkan_gpus(runner: Runner = run) -> tuple[Gpu, ...]:
    """Every device that is a graphics chip; a processor that only plays one (llvmpipe) is left out."""
    parts = DEVICE.split(runner(["vulkaninfo"]))[1:]
    # A summary may come before: then each device appears twice, and only once with heaps.
    return tuple(gpu for part in parts if (gpu := _card(part)))


def _card(part: str) -> Gpu | None:
    facts: dict[str, str] = {}
    for name, value in FACT.findall(part):
        facts.setdefault(name, value)
    kind = facts.get("deviceType", "")
    heap = _largest(part)
    if heap is None or not kind.endswith((OWN, SHARED)):
        return None
    size, budget = heap
    return Gpu(
        name=facts.get("deviceName", "Graphics card"),
        vendor=VENDORS.get(whole(facts.get("vendorID", "").split(" ")[0]), ""),
        memory_total=size,
        memory_free=min(budget, size),
        unified=kind.endswith(SHARED),
        origin="vulkaninfo",
        memory_idle=size,
        driver=facts.get("driverInfo"),
    )


def _largest(part: str) -> tuple[int, int] | None:
    """Size and budget of the largest heap that belongs to the device; without a budget all of it is free."""
    found = []
    for heap in HEAP.findall(part):
        figures = {name: int(value) for name, value in FIGURE.findall(heap)}
        size = figures.get("size", 0)
        if size and "DEVICE_LOCAL" in heap:
            found.append((size, figures.get("budget") or size))
    return max(found, default=None)
