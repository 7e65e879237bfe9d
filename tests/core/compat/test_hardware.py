"""Machines: found, limited by control groups as recorded, and only thought of."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from modelshelf.compat import Gpu, Machine, find_machine
from modelshelf.compat.hardware import memory_bandwidth, usual_idle
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


MEMINFO = (Path(__file__).parents[2] / "data" / "hardware" / "meminfo.txt").read_text()


def test_what_would_be_free_if_nothing_else_ran(tmp_path: Path) -> None:
    machine = look(tree(tmp_path, {"proc/meminfo": MEMINFO}))
    assert machine.ram_idle == RAM[0] - 280_000 * 1024 - GIB // 2
    assert machine.origins["ram_idle"] == "total - kernel (meminfo) - 0.5 GiB"
    assert machine.idle().ram_available == machine.ram_idle
    assert machine.ram_available == RAM[1]


def test_where_no_kernel_tells_an_eighth_is_the_systems(tmp_path: Path) -> None:
    assert look(tmp_path).ram_idle == 14 * GIB
    assert [usual_idle(gib * GIB) // GIB for gib in (1, 4, 8, 64)] == [0, 3, 7, 60]


def test_an_idle_machine_obeys_the_limit_of_its_group(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": f"{4 * GIB}\n"}
    assert look(tree(tmp_path, files)).ram_idle == 4 * GIB


def test_an_idle_machine_is_never_fuller_than_it_is_now() -> None:
    gpu = Gpu("card", "nvidia", 8 * GIB, 6 * GIB, memory_idle=5 * GIB)
    machine = Machine("test", "cpu", 8, *RAM, (gpu, Gpu("old", "nvidia", 4 * GIB, GIB)), ram_idle=GIB)
    assert machine.idle().ram_available == RAM[1]
    assert [card.memory_free for card in machine.idle().gpus] == [6 * GIB, 4 * GIB]


def test_a_machine_that_is_only_thought_of(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    path.write_text(json.dumps({"name": "24 GB card", "ram_gib": 32, "gpus": [{"memory_gib": 24}]}))
    machine = Machine.from_json(path)
    assert (machine.name, machine.ram_available, machine.gpus[0].memory_free) == ("24 GB card", 32 * GIB, 24 * GIB)
    again = tmp_path / "again.json"
    again.write_text(json.dumps(machine.as_dict()))
    assert Machine.from_json(again).as_dict() == machine.as_dict()


def test_a_machine_survives_being_written_and_read(tmp_path: Path) -> None:
    gpu = Gpu("card", "nvidia", 8 * GIB, 6 * GIB, 3e11, False, "", 7 * GIB, "8.9", "570.86")
    machine = Machine("test", "cpu", 8, *RAM, (gpu,), 2e10, None, {}, 15 * GIB)
    path = tmp_path / "machine.json"
    path.write_text(json.dumps(machine.as_dict()))
    assert Machine.from_json(path).as_dict() == machine.as_dict()
    assert machine.as_dict()["ram_idle"] == 15 * GIB
    assert machine.as_dict()["gpus"][0]["memory_idle"] == 7 * GIB


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
