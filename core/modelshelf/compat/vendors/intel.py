"""Intel's graphics by sysfs (drivers i915 and xe); what those do not tell by xpu-smi, an optional tool.

The files: `lmem_total_bytes` and `lmem_avail_bytes` of i915, `tile*/physical_vram_size_bytes` of xe. xpu-smi's answer
is described in its guide (`discovery -j`, `discovery -d ID -j`).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modelshelf.compat.machine import Gpu
from modelshelf.compat.vendors.tools import Runner, number, run, text, whole

VENDOR = 0x8086
# PCI devices that people run models on, after the kernel's list of ids.
NAMES: Mapping[int, str] = {
    0x56A0: "Intel Arc A770",
    0x56A1: "Intel Arc A750",
    0x56A5: "Intel Arc A380",
    0x56A6: "Intel Arc A310",
    0x56C0: "Intel Data Center GPU Flex 170",
    0xE20B: "Intel Arc B580",
    0xE20C: "Intel Arc B570",
    0xE211: "Intel Arc Pro B60",
    0xE212: "Intel Arc Pro B50",
    0x0BD5: "Intel Data Center GPU Max 1550",
    0x0BDA: "Intel Data Center GPU Max 1100",
}


def intel_gpus(root: Path = Path("/"), ram: tuple[int, int] | None = None, runner: Runner = run) -> tuple[Gpu, ...]:
    """Every graphics device of Intel's drivers; `ram` is the machine's memory, total and free, for integrated ones.

    A card whose memory nothing tells is left out: a size that is made up would be worse than none.
    """
    devices = [
        device
        for device in sorted((root / "sys/class/drm").glob("card[0-9]*/device"))
        if number(device / "vendor") == VENDOR and _driver(device) in {"i915", "xe"}
    ]
    if not devices:
        return ()
    told = {entry.get("pci_bdf_address"): entry for entry in _discovered(runner)}
    return tuple(gpu for device in devices if (gpu := _card(device, told, ram)))


def _driver(device: Path) -> str:
    return (device / "driver").resolve().name


def _card(device: Path, told: Mapping[Any, Mapping[str, Any]], ram: tuple[int, int] | None) -> Gpu | None:
    entry = told.get(device.resolve().name, {})
    pci = number(device / "device")
    name = _word(entry, "device_name") or NAMES.get(pci) or "Intel graphics"
    tiles = sum(number(path) for path in sorted(device.glob("tile[0-9]*/physical_vram_size_bytes")))
    total = number(device.parent / "lmem_total_bytes") or tiles or whole(_word(entry, "memory_physical_size_byte"))
    driver = _word(entry, "driver_version") or text(device / "driver/module/version") or None
    if total:
        free = number(device.parent / "lmem_avail_bytes") or total
        return Gpu(name, "intel", total, min(free, total), None, False, _origin(device), total, None, driver)
    if pci in NAMES or ram is None:
        return None
    return Gpu(name, "intel", ram[0], ram[1], None, True, _origin(device), ram[0], None, driver)


def _origin(device: Path) -> str:
    return f"sysfs {device.parent.name}"


def _word(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name)
    return str(value) if isinstance(value, str | int) else ""


def _discovered(runner: Runner) -> list[Mapping[str, Any]]:
    """What xpu-smi says of each device: first the list, then the details of each."""
    listed = _parsed(runner(["xpu-smi", "discovery", "-j"])).get("device_list")
    found: list[Mapping[str, Any]] = []
    for entry in listed if isinstance(listed, list) else []:
        if isinstance(entry, dict) and type(entry.get("device_id")) is int:
            details = _parsed(runner(["xpu-smi", "discovery", "-d", str(entry["device_id"]), "-j"]))
            found.append({**entry, **details})
    return found


def _parsed(answer: str) -> Mapping[str, Any]:
    try:
        parsed = json.loads(answer) if answer.strip() else {}
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}
