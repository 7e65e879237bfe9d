"""What the built-in engine itself will use: its own list of devices, which is the truth however many cards there are.

The engine is asked in a child process: its library may take long to load, print, or end the process with a bad driver.
Of what is free its list does not tell the truth on every system (free = total), so that comes from the drivers.
"""

import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from modelshelf.compat.machine import Gpu, Machine
from modelshelf.compat.vendors.tools import Runner, run

log = logging.getLogger(__name__)
SECONDS = 30  # the first load of a driver's library takes its time
MARK = "devices:"
CHILD = f"""
import json, xllamacpp
devices = [
    {{"name": d["name"], "description": d["description"], "kind": d["type"].name.rsplit("_", 1)[-1],
      "memory": d["memory_total"], "free": d["memory_free"]}}
    for d in xllamacpp.get_device_info()
]
print()
print({MARK!r} + json.dumps(devices))
"""


@dataclass(frozen=True, slots=True)
class Device:
    """A device as the engine names it (`CUDA0`); kind: CPU, GPU, IGPU or ACCEL. Memory in bytes."""

    name: str
    description: str
    kind: str
    memory_total: int
    memory_free: int


def engine_devices(runner: Runner | None = None) -> tuple[Device, ...]:
    """The built-in engine's devices; nothing if it does not answer. Without a runner the answer is kept."""
    return _read(runner([sys.executable, "-c", CHILD])) if runner else _kept()


@cache
def _kept() -> tuple[Device, ...]:
    return _read(run([sys.executable, "-c", CHILD], SECONDS))


def _read(answer: str) -> tuple[Device, ...]:
    line = next((line for line in reversed(answer.splitlines()) if line.startswith(MARK)), MARK)
    try:
        listed = json.loads(line.removeprefix(MARK) or "[]")
        return tuple(
            Device(str(d["name"]), str(d["description"]), str(d["kind"]), int(d["memory"]), int(d["free"]))
            for d in listed
        )
    except (ValueError, LookupError, TypeError) as error:
        log.info("the built-in engine's devices were not understood: %s", error)
        return ()


def as_engine_sees(machine: Machine, devices: Sequence[Device]) -> Machine:
    """The machine with those cards only that the engine will use; as it is if the engine did not answer.

    A device without a card that was found becomes one, with what the engine says of its memory.
    """
    if not devices:
        return machine
    left = list(machine.gpus)
    seen = []
    for device in devices:
        if device.kind in {"GPU", "IGPU"}:
            match = next((gpu for gpu in left if _same(gpu, device)), None)
            if match is not None:
                left.remove(match)
            seen.append(match or _card(device))
    origins = {**machine.origins, "gpus": "the built-in engine"}
    return replace(machine, gpus=tuple(seen), origins=origins)


def _same(gpu: Gpu, device: Device) -> bool:
    ours, theirs = gpu.name.lower(), device.description.lower()
    return bool(ours and theirs) and (ours in theirs or theirs in ours)


def _card(device: Device) -> Gpu:
    total, unified = device.memory_total, device.kind == "IGPU"
    return Gpu(device.description or device.name, "", total, min(device.memory_free, total), None, unified, "engine")
