"""Machines said in words, cards by the names that drivers and people use, and machines that somebody keeps."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelshelf.compat.cards import find_card, well_known
from modelshelf.compat.machine import Machine
from modelshelf.compat.machines import find_named_machine, named_machines, slug
from modelshelf.errors import UsageError

GIB = 1 << 30


@pytest.mark.parametrize(
    ("text", "cards", "ram"),
    [
        ("24 GB card", [24], 48),
        ("24GB GPU", [24], 48),
        ("8 gb cards", [8], 32),
        ("80GB GPU", [80], 160),
        ("2x24 GB cards", [24, 24], 96),
        ("2 x 24 GB card", [24, 24], 96),
        ("4× 16 GiB graphics card", [16] * 4, 128),
        ("24 GB of VRAM", [24], 48),
        ("24 GB card with 64 GB RAM", [24], 64),
        ("64 GB RAM", [], 64),
        ("64 GB", [], 64),
        ("16 GB laptop", [], 16),
        ("RTX 4090", [24], 48),
        ("NVIDIA GeForce RTX 4090", [24], 48),
        ("2x RTX 3090, 128 GB RAM", [24, 24], 128),
        ("RTX 3060 12GB", [12], 32),
        ("RTX 3060 8 GB + 16 GB RAM", [8], 16),
        ("A100 40GB and 256 GB memory", [40], 256),
        ("a100", [80], 160),
        ("MI300X", [192], 384),
        ("Arc A770", [16], 32),
        ("rx7900xtx", [24], 48),
        ("RTX 4090 GPU", [24], 48),
        ("4060 ti and 32 GB RAM", [16], 32),
        ("2x 3090", [24, 24], 96),
        ("7900 XTX", [24], 48),
        ("RTX 4090; RTX 3060", [24, 12], 72),
    ],
)
def test_what_people_say(text: str, cards: list[int], ram: int) -> None:
    machine = find_named_machine(text)
    assert [gpu.memory_total // GIB for gpu in machine.cards] == cards
    assert machine.ram_total == ram * GIB
    assert 0 < machine.ram_available < machine.ram_total
    for gpu in machine.cards:
        assert gpu.memory_free == gpu.memory_total - GIB // 2
    assert machine.idle() == machine


@pytest.mark.parametrize(
    ("text", "chip", "limit", "rate"),
    [
        ("Mac 32 GB", "Apple chip", 32 * GIB * 2 // 3, None),
        ("32 GB Mac", "Apple chip", 32 * GIB * 2 // 3, None),
        ("M4 Max 64 GB", "Apple M4 Max", 48 * GIB, 410e9),
        ("MacBook Pro M3 Pro, 36 GB", "Apple M3 Pro", 24 * GIB, 150e9),
        ("Mac Studio M2 Ultra with 192 GB", "Apple M2 Ultra", 144 * GIB, 800e9),
        ("apple m1 16gb", "Apple M1", 16 * GIB * 2 // 3, 68e9),
    ],
)
def test_macs(text: str, chip: str, limit: int, rate: float | None) -> None:
    machine = find_named_machine(text)
    (gpu,) = machine.gpus
    assert (gpu.name, gpu.vendor, gpu.unified, gpu.bandwidth) == (chip, "apple", True, rate)
    assert gpu.memory_total == limit
    assert machine.memory_bandwidth == rate
    assert machine.cards == ()


def test_chips_that_share_the_machines_memory() -> None:
    machine = find_named_machine("Ryzen AI Max+ 395")
    assert machine.ram_total == 128 * GIB
    assert (machine.gpus[0].unified, machine.gpus[0].compute, machine.memory_bandwidth) == (True, "gfx1151", 256e9)
    assert find_named_machine("64 GB RAM with Ryzen AI Max+ 395").gpus[0].memory_total == 64 * GIB


def test_a_machine_is_called_what_it_is() -> None:
    assert find_named_machine("2x rtx 3090 with 64 gb ram").name == "2 x RTX 3090, 64 GB"
    assert find_named_machine("a100 40gb").name == "A100 40 GB"
    assert find_named_machine("64gb").name == "64 GB RAM"
    assert find_named_machine("16 GB laptop").name == "laptop, 16 GB"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "a nice card",
        "0 GB card",
        "0x 24 GB card",
        "99x 24 GB card",
        "RTX 9999",
        "RTX 4090 48 GB",
        "64 GB RAM and 32 GB RAM",
        "Mac 32 GB with RTX 4090",
        "2x Mac 32 GB",
        "9999999 GB RAM",
        "24 GB sandwich",
        "x" * 1000,
    ],
)
def test_what_says_no_machine_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError) as error:
        find_named_machine(text)
    assert "24 GB card" in error.value.remedy


def keep(folder: Path, name: str, **facts: object) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{slug(name)}.json"
    path.write_text(json.dumps({"name": name, **facts}))
    return path


def test_a_kept_machine_is_found_by_its_name_and_its_file(tmp_path: Path) -> None:
    folder = tmp_path / "machines"
    path = keep(folder, "my JupyterHub flavour", ram_gib=8, cores=2)
    for text in ("my JupyterHub flavour", "My jupyterhub flavour", "my-jupyterhub-flavour", str(path)):
        assert find_named_machine(text, folder).cores == 2
    (folder / "other.json").write_text(json.dumps({"name": "24 GB card", "ram_gib": 4}))
    assert find_named_machine("24 GB card", folder).ram_total == 4 * GIB  # what is kept comes first
    assert find_named_machine("other", folder).ram_total == 4 * GIB


def test_errors_name_the_machines_that_are_kept(tmp_path: Path) -> None:
    keep(tmp_path, "lab server", ram_gib=8)
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(UsageError) as error:
        find_named_machine("lab serve", tmp_path)
    assert "Kept here: broken, lab server." in error.value.remedy
    with pytest.raises(UsageError, match="not JSON"):
        find_named_machine("broken", tmp_path)
    with pytest.raises(UsageError, match="cannot be read"):
        find_named_machine("missing.json", tmp_path)


def test_a_menu_offers_only_what_is_understood(tmp_path: Path) -> None:
    keep(tmp_path, "lab server", ram_gib=8)
    offered = named_machines(tmp_path)
    assert offered[0] == "lab server"
    assert len(set(offered)) == len(offered)
    for text in offered:
        assert isinstance(find_named_machine(text, tmp_path), Machine)
    assert named_machines(tmp_path / "none") == named_machines()


@pytest.mark.parametrize(
    ("name", "memory", "card"),
    [
        ("NVIDIA GeForce RTX 3090", 24.0, "RTX 3090"),
        ("NVIDIA GeForce RTX 3090 Ti", None, "RTX 3090 Ti"),
        ("Tesla P40", 22.5, "P40"),
        ("NVIDIA A100-SXM4-80GB", 79.2, "A100"),
        ("NVIDIA A100-PCIE-40GB", 39.4, "A100"),
        ("NVIDIA H100 80GB HBM3", 79.6, "H100"),
        ("NVIDIA H100 PCIe", 79.6, "H100 PCIe"),
        ("NVIDIA L4", 22.5, "L4"),
        ("Tesla T4", 15.0, "T4"),
        ("Radeon RX 7900 XTX", 23.98, "RX 7900 XTX"),
        ("AMD Instinct MI300X", 192, "MI300X"),
        ("Intel(R) Arc(TM) A770 Graphics", 15.9, "Arc A770"),
        ("Quadro RTX 8000", 48, "Quadro RTX 8000"),
        ("NVIDIA RTX 6000 Ada Generation", 48, "RTX 6000 Ada"),
        ("GeForce RTX 3060", 8.0, "RTX 3060"),
        ("GeForce RTX 3060", 24.0, None),
        ("Voodoo 2", None, None),
        ("", None, None),
    ],
)
def test_cards_by_the_names_that_drivers_write(name: str, memory: float | None, card: str | None) -> None:
    found = find_card(name, memory)
    assert (found.name if found else None) == card


def test_the_table_is_plausible() -> None:
    for card in well_known():
        assert 4 <= card.memory <= 288
        assert 1e11 <= card.bandwidth <= 8e12
        assert card.compute or card.vendor == "intel"
        assert find_card(f"{card.name} {card.memory}GB") == card


SIZES = st.integers(1, 2048)


@given(count=st.integers(1, 16), size=SIZES, ram=SIZES, times=st.sampled_from(["x", " x ", "× "]))
@settings(deadline=1000)
def test_every_size_can_be_said(count: int, size: int, ram: int, times: str) -> None:
    machine = find_named_machine(f"{count}{times}{size} GB card with {ram} GB RAM")
    assert len(machine.cards) == count
    assert all(gpu.memory_total == size * GIB for gpu in machine.cards)
    assert machine.ram_total == ram * GIB


@given(st.text(max_size=60))
@settings(deadline=1000)
def test_whatever_is_said_is_a_machine_or_refused(text: str) -> None:
    with suppress(UsageError):
        assert find_named_machine(text).ram_total > 0


WORDS = st.sampled_from(
    ["2x", "24", "GB", "card", "RAM", "Mac", "M4", "Max", "RTX", "4090", "with", ",", "+", "laptop"]
)


@given(st.lists(WORDS, max_size=8).map(" ".join))
@settings(deadline=1000)
def test_words_in_any_order_are_a_machine_or_refused(text: str) -> None:
    try:
        machine = find_named_machine(text)
    except UsageError:
        return
    assert all(0 <= gpu.memory_free <= gpu.memory_total for gpu in machine.gpus)
    assert 0 <= machine.ram_available <= machine.ram_total
