"""Graphics cards by what drivers and tools answered, as recorded; nothing here was run on hardware."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelshelf.compat.devices import MARK, Device, as_engine_sees, engine_devices
from modelshelf.compat.gpus import amd_gpus, apple_gpus, find_gpus, intel_gpus, nvidia_gpus, vulkan_gpus
from modelshelf.compat.machine import Gpu, Machine
from modelshelf.compat.vendors.amd import gfx
from modelshelf.compat.vendors.apple import wired_limit
from modelshelf.compat.vendors.nvidia import by_library, by_tool
from modelshelf.compat.vendors.tools import Runner, number, run, whole

MIB, GIB = 1 << 20, 1 << 30
RECORDED = Path(__file__).parents[2] / "data" / "hardware"
RAM = (32 * GIB, 20 * GIB)


def recorded(name: str) -> str:
    return (RECORDED / name).read_text()


def answers(told: Mapping[str, str]) -> Runner:
    """A runner that knows commands by a piece of their text, and says nothing to any other."""

    def runner(command: Sequence[str]) -> str:
        line = " ".join(command)
        return next((answer for part, answer in told.items() if part in line), "")

    return runner


NOTHING = answers({})


def write(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


class NVMLError(Exception):
    """As nvidia-ml-py's."""


def refuses(*_: Any) -> Any:
    raise NVMLError("Not Supported")


def nvml(**changed: Any) -> SimpleNamespace:
    """What the library answers on a machine with one card."""

    def memory(_: int, version: int | None = None) -> SimpleNamespace:
        known = {"total": 25769803776, "free": 22000000000, "used": 3300000000}
        return SimpleNamespace(**known, **({"reserved": 469803776} if version else {}))

    told = {
        "NVMLError": NVMLError,
        "NVML_CLOCK_MEM": 2,
        "nvmlMemory_v2": 0x2000028,
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlSystemGetDriverVersion": lambda: "570.86.16",
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetName": lambda _: "NVIDIA GeForce RTX 3090",
        "nvmlDeviceGetMemoryInfo": memory,
        "nvmlDeviceGetMemoryBusWidth": lambda _: 384,
        "nvmlDeviceGetMaxClockInfo": lambda *_: 9751,
        "nvmlDeviceGetCudaComputeCapability": lambda _: (8, 6),
        "nvmlDeviceGetComputeRunningProcesses": lambda _: [
            SimpleNamespace(pid=4711, usedGpuMemory=3 * GIB),
            SimpleNamespace(pid=4712, usedGpuMemory=None),
        ],
    }
    return SimpleNamespace(**{**told, **changed})


def test_nvidia_by_its_library() -> None:
    (gpu,) = by_library(nvml())
    assert (gpu.compute, gpu.driver, gpu.users) == ("8.6", "570.86.16", ((4711, 3 * GIB), (4712, 0)))
    assert gpu.bandwidth == pytest.approx(936e9, rel=0.01)
    assert gpu.memory_idle == 25769803776 - 469803776
    assert gpu.idle().memory_free == gpu.memory_idle
    assert gpu.idle().users == ()


def test_nvidia_by_an_older_library_that_knows_less() -> None:
    old = nvml(nvmlDeviceGetMemoryBusWidth=refuses, nvmlSystemGetDriverVersion=refuses)
    del old.nvmlMemory_v2, old.nvmlDeviceGetCudaComputeCapability
    (gpu,) = by_library(old)
    assert (gpu.bandwidth, gpu.compute, gpu.driver) == (None, None, None)
    assert gpu.memory_idle == 22000000000 + 3 * GIB  # what is free and what its processes hold


def test_one_card_that_fell_off_its_bus_hides_no_other() -> None:
    def handle(index: int) -> int:
        return refuses() if index == 0 else index

    found = by_library(nvml(nvmlDeviceGetCount=lambda: 2, nvmlDeviceGetHandleByIndex=handle))
    assert [gpu.name for gpu in found] == ["NVIDIA GeForce RTX 3090"]


def test_an_nvidia_chip_without_memory_of_its_own_shares_the_machines() -> None:
    (gpu,) = by_library(nvml(nvmlDeviceGetMemoryInfo=refuses, nvmlDeviceGetName=lambda _: b"NVIDIA GB10"))
    assert (gpu.name, gpu.unified) == ("NVIDIA GB10", True)
    assert gpu.memory_total >= gpu.memory_free > 0


def test_nvidia_by_its_tool_when_the_library_is_missing() -> None:
    runner = answers({"memory.reserved": recorded("nvidia-smi.csv"), "compute-apps": recorded("nvidia-smi-apps.csv")})
    first, second = nvidia_gpus(nvml(nvmlInit=refuses), runner)
    assert (first.name, first.compute, first.driver) == ("NVIDIA GeForce RTX 3090", "8.6", "570.86.16")
    assert (first.memory_total, first.memory_free) == (24576 * MIB, 22310 * MIB)
    assert first.memory_idle == (24576 - 423) * MIB
    assert first.users == ((4711, 1536 * MIB), (4712, 0))
    assert (second.name, second.compute, second.users) == ("Tesla P40", "6.1", ())


def test_nvidia_by_a_tool_that_does_not_know_the_newer_questions() -> None:
    told = {"compute_cap": "", "query-gpu": recorded("nvidia-smi-older.csv"), "apps": recorded("nvidia-smi-apps.csv")}
    (gpu,) = by_tool(answers(told))
    assert (gpu.name, gpu.compute, gpu.driver) == ("GeForce GTX 1080 Ti", None, "470.57.02")
    assert gpu.memory_idle == 11178 * MIB  # no more than there is


AMD = "sys/class/drm/card1/device"
NODES = "sys/class/kfd/kfd/topology/nodes"


def amd_files(**changed: str) -> dict[str, str]:
    told = {
        f"{AMD}/mem_info_vram_total": "25753026560\n",
        f"{AMD}/mem_info_vram_used": "753026560\n",
        f"{AMD}/mem_info_gtt_total": "16798892032\n",
        f"{AMD}/mem_info_gtt_used": "16798892\n",
        f"{AMD}/mem_info_vram_vendor": "samsung\n",
        f"{AMD}/drm/renderD128/dev": "226:128\n",
        f"{NODES}/0/properties": recorded("kfd-cpu.txt"),
        f"{NODES}/1/properties": recorded("kfd-gpu.txt"),
        f"{NODES}/1/gpu_id": "51140\n",
        "sys/class/kfd/kfd/proc/4711/vram_51140": "524288000\n",
        "sys/module/amdgpu/version": "6.10.5\n",
    }
    return {**told, **{f"{AMD}/{name}": text for name, text in changed.items()}}


def test_amd_by_sysfs_and_its_topology(tmp_path: Path) -> None:
    (gpu,) = amd_gpus(write(tmp_path, amd_files(product_name="Radeon RX 7900 XTX\n")))
    assert (gpu.name, gpu.compute, gpu.driver) == ("Radeon RX 7900 XTX", "gfx1100", "6.10.5")
    assert (gpu.memory_total, gpu.memory_free, gpu.unified) == (25753026560, 25_000_000_000, False)
    assert (gpu.memory_idle, gpu.users) == (25753026560, ((4711, 524288000),))


def test_a_processor_with_amd_graphics_is_unified(tmp_path: Path) -> None:
    small = {"mem_info_vram_total": "536870912", "mem_info_vram_used": "36870912", "mem_info_vram_vendor": ""}
    (gpu,) = amd_gpus(write(tmp_path, amd_files(**small)))
    assert gpu.unified
    assert gpu.name == "AMD gfx1100"
    assert gpu.memory_total == 536870912 + 16798892032
    assert gpu.memory_free == 500_000_000 + 16798892032 - 16798892


def test_amd_without_the_compute_driver(tmp_path: Path) -> None:
    files = {name: text for name, text in amd_files().items() if "kfd" not in name}
    (gpu,) = amd_gpus(write(tmp_path, files))
    assert (gpu.name, gpu.compute, gpu.users) == ("AMD graphics card", None, ())


@pytest.mark.parametrize(
    ("version", "name"),
    [("110000", "gfx1100"), ("90010", "gfx90a"), ("90402", "gfx942"), ("120001", "gfx1201"), ("0", None), ("x", None)],
)
def test_how_amd_writes_its_architectures(version: str, name: str | None) -> None:
    assert gfx(version) == name


def intel_files(root: Path, driver: str, device: str, **files: str) -> Path:
    """A card as the kernel shows it: the device is a link to its place on the bus, the driver a link too."""
    place = root / "sys/devices/pci0000:00/0000:03:00.0"
    write(place, {"vendor": "0x8086\n", "device": f"{device}\n"})
    (root / f"sys/bus/pci/drivers/{driver}").mkdir(parents=True)
    (place / "driver").symlink_to(root / f"sys/bus/pci/drivers/{driver}")
    card = root / "sys/class/drm/card0"
    card.mkdir(parents=True)
    (card / "device").symlink_to(place)
    write(card, files)
    return root


def test_intel_by_i915(tmp_path: Path) -> None:
    root = intel_files(tmp_path, "i915", "0x56a0", lmem_total_bytes="17079205888", lmem_avail_bytes="16000000000")
    (gpu,) = intel_gpus(root, RAM, NOTHING)
    assert (gpu.name, gpu.vendor, gpu.unified) == ("Intel Arc A770", "intel", False)
    assert (gpu.memory_total, gpu.memory_free, gpu.memory_idle) == (17079205888, 16_000_000_000, 17079205888)


def test_intel_by_xe(tmp_path: Path) -> None:
    root = intel_files(tmp_path, "xe", "0xe20b")
    write(root / "sys/devices/pci0000:00/0000:03:00.0", {"tile0/physical_vram_size_bytes": "12884901888\n"})
    (gpu,) = intel_gpus(root, RAM, NOTHING)
    assert (gpu.name, gpu.memory_total, gpu.memory_free) == ("Intel Arc B580", 12 * GIB, 12 * GIB)


def test_intel_by_its_tool_where_the_kernel_does_not_tell(tmp_path: Path) -> None:
    told = {"-d 0": recorded("xpu-smi-device.json"), "discovery -j": recorded("xpu-smi-discovery.json")}
    (gpu,) = intel_gpus(intel_files(tmp_path, "xe", "0xe20b"), RAM, answers(told))
    assert (gpu.name, gpu.driver) == ("Intel(R) Arc(TM) B580 Graphics", "I915_25.2.21")
    assert (gpu.memory_total, gpu.unified) == (12743344128, False)


def test_intel_in_a_processor_is_unified_and_a_card_of_unknown_memory_is_left_out(tmp_path: Path) -> None:
    (gpu,) = intel_gpus(intel_files(tmp_path / "laptop", "i915", "0x46a6"), RAM, NOTHING)
    assert (gpu.name, gpu.unified, gpu.memory_free) == ("Intel graphics", True, RAM[1])
    assert intel_gpus(intel_files(tmp_path / "card", "xe", "0xe20b"), RAM, NOTHING) == ()
    assert intel_gpus(intel_files(tmp_path / "network", "e1000", "0x10d3"), RAM, NOTHING) == ()


def test_apple_by_its_report_and_the_limit_that_was_chosen() -> None:
    profiler = {"system_profiler": recorded("system_profiler.json")}
    (gpu,) = apple_gpus(ram=RAM, runner=answers(profiler))
    assert (gpu.name, gpu.vendor, gpu.unified, gpu.bandwidth) == ("Apple M2 Pro", "apple", True, 200e9)
    assert (gpu.memory_total, gpu.memory_free) == (32 * GIB * 2 // 3, 20 * GIB)
    (chosen,) = apple_gpus(ram=RAM, runner=answers({**profiler, "wired_limit": "28672\n"}))
    assert (chosen.memory_total, chosen.memory_idle) == (28 * GIB, 28 * GIB)


def test_what_apples_system_lets_graphics_have() -> None:
    assert wired_limit(16 * GIB) == 16 * GIB * 2 // 3
    assert wired_limit(64 * GIB) == 48 * GIB
    assert wired_limit(16 * GIB, 1 << 40) == 16 * GIB


def test_vulkan_tells_of_chips_and_not_of_processors_that_play_one() -> None:
    card, chip = vulkan_gpus(answers({"vulkaninfo": recorded("vulkaninfo.txt")}))
    assert (card.name, card.vendor, card.driver) == ("AMD Radeon RX 7900 XTX (RADV NAVI31)", "amd", "Mesa 24.2.8")
    assert (card.memory_total, card.memory_free, card.unified) == (25753026560, 24159191040, False)
    assert (chip.vendor, chip.unified, chip.memory_free) == ("intel", True, 25198338048)


def test_vulkan_is_asked_only_where_nobody_else_found_a_card(tmp_path: Path) -> None:
    runner = answers({"vulkaninfo": recorded("vulkaninfo.txt")})
    broken = nvml(nvmlInit=refuses)
    assert len(find_gpus(tmp_path, ram=RAM, library=broken, runner=runner, platform="linux")) == 2
    write(tmp_path, amd_files())
    (gpu,) = find_gpus(tmp_path, ram=RAM, library=broken, runner=runner, platform="linux")
    assert gpu.origin == "sysfs card1"


def test_what_a_driver_does_not_tell_comes_from_the_table_of_cards(tmp_path: Path) -> None:
    runner = answers({"query-gpu": recorded("nvidia-smi.csv"), "vulkaninfo": recorded("vulkaninfo.txt")})
    first, second = find_gpus(tmp_path, ram=RAM, library=nvml(nvmlInit=refuses), runner=runner, platform="linux")
    assert (first.bandwidth, second.bandwidth) == (936e9, 346e9)
    no_smi = answers({"vulkaninfo": recorded("vulkaninfo.txt")})
    card, chip = find_gpus(tmp_path, ram=RAM, library=nvml(nvmlInit=refuses), runner=no_smi, platform="linux")
    assert (card.bandwidth, card.compute) == (960e9, "gfx1100")
    assert (chip.bandwidth, chip.compute) == (None, None)


def test_a_broken_library_hides_no_other_makers_card(tmp_path: Path) -> None:
    write(tmp_path, amd_files())
    broken = SimpleNamespace(NVMLError=NVMLError, nvmlInit=lambda: None, nvmlShutdown=lambda: 1 / 0)
    found = find_gpus(tmp_path, ram=RAM, library=broken, runner=NOTHING, platform="darwin")
    assert [gpu.vendor for gpu in found] == ["amd"]


def test_on_a_mac_the_profiler_is_asked(tmp_path: Path) -> None:
    runner = answers({"system_profiler": recorded("system_profiler.json")})
    (gpu,) = find_gpus(tmp_path, ram=RAM, library=nvml(nvmlInit=refuses), runner=runner, platform="darwin")
    assert gpu.name == "Apple M2 Pro"


READERS: tuple[Callable[[Runner, Path], tuple[Gpu, ...]], ...] = (
    lambda runner, _: by_tool(runner),
    lambda runner, _: vulkan_gpus(runner),
    lambda runner, _: apple_gpus(ram=RAM, runner=runner),
    lambda runner, root: intel_gpus(root, RAM, runner),
)


@pytest.mark.parametrize("reader", READERS, ids=["nvidia-smi", "vulkaninfo", "system_profiler", "xpu-smi"])
@given(said=st.text() | st.sampled_from(["{}", "[]", '{"device_list": 3}', '{"SPDisplaysDataType": [[]]}', "a,b,c"]))
@settings(deadline=1000)
def test_whatever_a_tool_says_nothing_breaks(
    reader: Callable[[Runner, Path], tuple[Gpu, ...]], said: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.getbasetemp() / "intel"
    if not root.exists():
        intel_files(root, "i915", "0x46a6")
    for gpu in reader(lambda _: said, root):
        assert 0 <= gpu.memory_free <= gpu.memory_total


def test_a_tool_that_hangs_fails_or_is_missing_says_nothing() -> None:
    assert run(["sleep", "30"], seconds=0.1) == ""
    assert run(["false"]) == ""
    assert run(["no-such-tool-of-any-maker"]) == ""
    assert run(["cat"]) == ""  # there is nothing to read
    assert run(["echo", "hello"]) == "hello\n"


def test_numbers_of_the_kernel(tmp_path: Path) -> None:
    assert (whole("0x8086"), whole(" 12 "), whole("-3"), whole("0xzz"), whole("٣")) == (0x8086, 12, 0, 0, 0)
    assert number(tmp_path / "none") == 0


LISTED = [
    {"name": "CUDA0", "description": "NVIDIA GeForce RTX 3090", "kind": "GPU", "memory": 24 * GIB, "free": 24 * GIB},
    {"name": "Vulkan1", "description": "Some other card", "kind": "GPU", "memory": 8 * GIB, "free": 9 * GIB},
    {"name": "CPU", "description": "A processor", "kind": "CPU", "memory": 32 * GIB, "free": 32 * GIB},
]


def test_what_the_engine_will_use_is_the_truth() -> None:
    devices = engine_devices(lambda _: f"ggml: found a card\n{MARK}{json.dumps(LISTED)}\n")
    cards = (Gpu("NVIDIA GeForce RTX 3090", "nvidia", 24 * GIB, 20 * GIB), Gpu("Tesla P40", "nvidia", 24 * GIB, GIB))
    machine = as_engine_sees(Machine("test", "cpu", 8, *RAM, cards), devices)
    assert [gpu.name for gpu in machine.gpus] == ["NVIDIA GeForce RTX 3090", "Some other card"]
    assert [gpu.memory_free for gpu in machine.gpus] == [20 * GIB, 8 * GIB]
    assert machine.origins["gpus"] == "the built-in engine"


def test_an_engine_for_processors_uses_no_card() -> None:
    machine = Machine("test", "cpu", 8, *RAM, (Gpu("card", "nvidia", GIB, GIB),))
    assert as_engine_sees(machine, [Device("CPU", "A processor", "CPU", GIB, GIB)]).gpus == ()
    assert as_engine_sees(machine, []) is machine


@pytest.mark.parametrize("said", ["", "devices:", "devices:{", "devices:[3]", 'devices:[{"name": 1}]', "other words"])
def test_an_engine_that_does_not_answer_as_expected(said: str) -> None:
    assert engine_devices(lambda _: said) == ()


def test_the_engine_on_this_machine_names_its_processor() -> None:
    assert "CPU" in {device.kind for device in engine_devices()}
