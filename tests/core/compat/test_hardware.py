"""Machines: found, limited by control groups as recorded, and only thought of."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from modelshelf.compat import Machine, find_machine
from modelshelf.compat.gpus import amd_gpus, apple_gpus, nvidia_gpus
from modelshelf.compat.hardware import memory_bandwidth
from modelshelf.errors import UsageError

GIB = 1 << 30
RAM = (16 * GIB, 12 * GIB)


def tree(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def look(root: Path) -> Machine:
    return find_machine(root, ram=RAM, bandwidth=False, gpus=False)


def test_without_groups_the_memory_is_the_machines(tmp_path: Path) -> None:
    machine = look(tmp_path)
    assert (machine.ram_total, machine.ram_available, machine.memory_limit) == (*RAM, None)
    assert machine.origins["ram_available"] == "psutil"


def test_a_container_of_version_two(tmp_path: Path) -> None:
    folder = "sys/fs/cgroup/box"
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "0::/box\n",
            f"{folder}/memory.max": f"{4 * GIB}\n",
            f"{folder}/memory.current": f"{3 * GIB}\n",
            f"{folder}/memory.stat": f"anon 1\ninactive_file {GIB}\nactive_file 7\n",
        },
    )
    machine = look(root)
    assert machine.memory_limit == 4 * GIB
    assert machine.ram_total == 4 * GIB
    assert machine.ram_available == 2 * GIB
    assert machine.origins["ram_available"] == f"/{folder}/memory.max"


def test_a_limit_of_an_outer_group_holds_too(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "0::/outer/inner\n",
            "sys/fs/cgroup/outer/memory.max": f"{GIB}\n",
            "sys/fs/cgroup/outer/memory.current": "0\n",
            "sys/fs/cgroup/outer/inner/memory.max": "max\n",
        },
    )
    assert look(root).ram_available == GIB


@pytest.mark.parametrize(
    ("group", "name", "text"),
    [
        ("0::/\n", "sys/fs/cgroup/memory.max", "max\n"),
        ("4:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ("4:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes", "nonsense\n"),
        ("0::/../../etc\n", "sys/fs/cgroup/memory.max", f"{64 * GIB}\n"),
    ],
    ids=["v2 max", "v1 unlimited", "broken", "above the machine"],
)
def test_what_is_no_limit(tmp_path: Path, group: str, name: str, text: str) -> None:
    machine = look(tree(tmp_path, {"proc/self/cgroup": group, name: text}))
    assert (machine.ram_available, machine.memory_limit) == (RAM[1], None)


def test_a_container_of_version_one_that_does_not_see_its_own_path(tmp_path: Path) -> None:
    folder = "sys/fs/cgroup/memory"
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n0::/docker/abc\n",
            f"{folder}/memory.limit_in_bytes": f"{2 * GIB}\n",
            f"{folder}/memory.usage_in_bytes": f"{GIB}\n",
            f"{folder}/memory.stat": f"inactive_file 5\ntotal_inactive_file {GIB // 2}\n",
        },
    )
    assert look(root).ram_available == GIB + GIB // 2


def test_this_machine_is_found() -> None:
    machine = find_machine()
    assert 0 < machine.ram_available <= machine.ram_total
    assert machine.cores >= 1
    assert machine.cpu


def test_the_bandwidth_is_measured_once() -> None:
    rate = memory_bandwidth()
    assert rate is not None
    assert 1e8 < rate < 1e13
    assert memory_bandwidth() == rate


def test_amd_by_sysfs(tmp_path: Path) -> None:
    device = "sys/class/drm/card1/device"
    root = tree(
        tmp_path,
        {
            "sys/class/drm/card0/device/vendor": "0x8086",
            f"{device}/mem_info_vram_total": "17163091968\n",
            f"{device}/mem_info_vram_used": "163091968\n",
            f"{device}/product_name": "Radeon RX 7800 XT\n",
        },
    )
    (gpu,) = amd_gpus(root)
    assert (gpu.name, gpu.memory_total, gpu.memory_free) == ("Radeon RX 7800 XT", 17163091968, 17_000_000_000)


def test_apple_by_its_report() -> None:
    display = {"_name": "Apple M2 Pro", "sppci_model": "Apple M2 Pro", "sppci_cores": "19"}
    (gpu,) = apple_gpus({"SPDisplaysDataType": [display]})
    assert (gpu.unified, gpu.bandwidth, gpu.vendor) == (True, 200e9, "apple")


class NVMLError(Exception):
    """As nvidia-ml-py's."""


def nvml(**changed: Any) -> SimpleNamespace:
    """What the library answered on a machine with one card."""
    answers = {
        "NVMLError": NVMLError,
        "NVML_CLOCK_MEM": 2,
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetName": lambda _: "NVIDIA GeForce RTX 3090",
        "nvmlDeviceGetMemoryInfo": lambda _: SimpleNamespace(total=25769803776, free=25300000000, used=469803776),
        "nvmlDeviceGetMemoryBusWidth": lambda _: 384,
        "nvmlDeviceGetMaxClockInfo": lambda *_: 9751,
    }
    return SimpleNamespace(**{**answers, **changed})


def test_nvidia_by_its_library() -> None:
    (gpu,) = nvidia_gpus(nvml())
    assert gpu.memory_free == 25300000000
    assert gpu.bandwidth == pytest.approx(936e9, rel=0.01)


def test_nvidia_without_a_driver_is_no_card() -> None:
    def fails() -> None:
        raise NVMLError("Driver Not Loaded")

    assert nvidia_gpus(nvml(nvmlInit=fails)) == ()


def test_a_machine_that_is_only_thought_of(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    path.write_text(json.dumps({"name": "24 GB card", "ram_gib": 32, "gpus": [{"memory_gib": 24}]}))
    machine = Machine.from_json(path)
    assert (machine.name, machine.ram_available, machine.gpus[0].memory_free) == ("24 GB card", 32 * GIB, 24 * GIB)
    again = tmp_path / "again.json"
    again.write_text(json.dumps(machine.as_dict()))
    assert Machine.from_json(again).as_dict() == machine.as_dict()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"ram_gib": -1}', "ram_gib"),
        ('{"memory": 3}', "memory"),
        ('{"gpus": [{"memory_gib": "much"}]}', "gpus.0.memory_gib"),
        ("[]", "the machine"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_wrong_description_names_the_field(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "machine.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        Machine.from_json(path)


def test_a_missing_description(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        Machine.from_json(tmp_path / "none.json")
